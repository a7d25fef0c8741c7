//! The command line: one file a subcommand.

pub mod ask;
pub mod audit;
pub mod backup;
pub mod client;
pub mod config;
pub mod doctor;
pub mod grants;
mod host;
pub mod keys;
pub mod manual;
mod network;
pub mod serve;
pub mod signin;
pub mod stdio;
mod stop;
pub mod sweep;
mod table;
pub mod verify;
pub mod webhooks;
pub mod workspace;

use std::{
    io::{self, IsTerminal, Write},
    process::{ExitCode, Termination},
    time::Duration,
};

use clap::{Parser, Subcommand};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    app,
    config::{Flags, Loaded, LogFormat, Origin, Settings, load},
    service::Service,
};

/// The missing upload button for AI agents: gets a file from a person through a short-lived signed
/// link.
#[derive(Debug, Parser)]
#[command(name = "askfile", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the page and MCP, with all data in one folder
    Serve {
        #[command(flatten)]
        flags: Flags,
    },
    /// Speak MCP on standard input and output, and serve the page beside it: for Claude Desktop and
    /// other programs that start their servers themselves
    Stdio {
        #[command(flatten)]
        flags: Flags,
    },
    /// Ask a person for a file and wait for it, without any agent
    Ask(ask::Ask),
    /// Print what to give an MCP client so that it finds this askfile
    Client(client::Client),
    /// Check that all is well, from the disk to the public address, and say what to change
    Doctor(doctor::Doctor),
    /// Print the effective settings and where each comes from
    Config(config::Config),
    /// Make, list and end the keys that agents and programs show in mode `keys`
    Keys(keys::Keys),
    /// Make a code with which a person lets a client such as ChatGPT in, in mode `builtin`
    Signin(signin::SignIn),
    /// List and end what people granted to clients
    Grants(grants::Grants),
    /// Make, list, rename and archive workspaces
    Workspace(workspace::WorkspaceCommand),
    /// Print who did what
    Audit(audit::Audit),
    /// List what back ends were told, tell them again, or try whether they listen
    Webhooks(webhooks::Webhooks),
    /// Clean up what is over: expired links, lost uploads and what they left on disk
    Sweep(sweep::Sweep),
    /// Read every stored file again and say what is missing, altered or nobody's
    Verify(verify::Verify),
    /// Copy everything to a folder, while askfile runs or not
    Backup(backup::Backup),
    /// Put a backup into an empty data folder
    Restore(backup::Restore),
    /// Print what lets a shell complete askfile's commands and flags
    Completions {
        /// The shell that reads it
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for `man`
    Man(manual::Man),
}

/// It was called wrongly, or a setting is wrong.
const WRONG_USAGE: u8 = 2;

/// How long a process that ends waits for its threads.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// Runs a command to its end.
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve { flags } => {
            with_settings(&flags, |loaded| in_runtime(loaded, serve::serve))
        }
        Command::Stdio { flags } => {
            with_settings(&flags, |loaded| in_runtime(loaded, stdio::stdio))
        }
        Command::Ask(ask) => with_settings(&ask.flags.clone(), |loaded| {
            // Standard error is for the person then, unless more is wanted.
            in_runtime(&quieter(loaded, "warn"), |settings| ask.run(settings))
        }),
        Command::Client(client) => with_settings(&client.flags, |loaded| client.run(loaded)),
        Command::Doctor(doctor) => with_settings(&doctor.flags, |loaded| doctor.run(loaded)),
        Command::Config(config) => with_settings(&config.flags, |loaded| {
            for warning in &loaded.warnings {
                eprintln!("warning: {warning}");
            }
            say(config.report(loaded).trim_end());
            Ok(())
        }),
        Command::Keys(keys) => with_settings(&keys.flags().clone(), |loaded| {
            in_runtime(&quieter(loaded, "warn"), |settings| keys.run(settings))
        }),
        Command::Signin(signin) => with_settings(&signin.flags().clone(), |loaded| {
            in_runtime(&quieter(loaded, "warn"), |settings| signin.run(settings))
        }),
        Command::Grants(grants) => with_settings(&grants.flags().clone(), |loaded| {
            in_runtime(&quieter(loaded, "warn"), |settings| grants.run(settings))
        }),
        Command::Workspace(workspace) => with_settings(&workspace.flags().clone(), |loaded| {
            in_runtime(&quieter(loaded, "warn"), |settings| workspace.run(settings))
        }),
        Command::Audit(audit) => with_settings(&audit.flags.0.clone(), |loaded| {
            in_runtime(&quieter(loaded, "warn"), |settings| audit.run(settings))
        }),
        Command::Webhooks(webhooks) => with_settings(&webhooks.flags().clone(), |loaded| {
            in_runtime(&quieter(loaded, "warn"), |settings| webhooks.run(settings))
        }),
        Command::Sweep(sweep) => with_settings(&sweep.flags, |loaded| {
            in_runtime(loaded, |settings| sweep.run(settings))
        }),
        Command::Verify(verify) => with_settings(&verify.flags.clone(), |loaded| {
            in_runtime(&quieter(loaded, "warn"), |settings| verify.run(settings))
        }),
        Command::Backup(backup) => with_settings(&backup.flags.clone(), |loaded| {
            in_runtime(&quieter(loaded, "warn"), |settings| backup.run(settings))
        }),
        Command::Restore(restore) => with_settings(&restore.flags.clone(), |loaded| {
            in_runtime(&quieter(loaded, "warn"), |settings| restore.run(settings))
        }),
        Command::Completions { shell } => {
            say(&manual::completions(shell));
            ExitCode::SUCCESS
        }
        Command::Man(man) => ended(man.run()),
    }
}

/// A service on data that is there already, for what the operator does beside the server.
async fn open(settings: Settings) -> Result<Service, String> {
    must_have_data(&settings)?;
    // No link is made here, so the page's address does not matter.
    let service = app::start(settings, String::new()).await;
    service.map_err(|error| error.to_string())
}

/// # Errors
/// A sentence, where nothing was ever stored.
fn must_have_data(settings: &Settings) -> Result<(), String> {
    let folder = &settings.data_dir;
    if folder.join(app::DATABASE).exists() {
        return Ok(());
    }
    Err(format!(
        "{}: there is no askfile data here",
        folder.display()
    ))
}

/// Runs a command on the settings that are in force.
fn with_settings<T: Termination>(
    flags: &Flags,
    command: impl FnOnce(&Loaded) -> Result<T, String>,
) -> ExitCode {
    match settings(flags) {
        Ok(loaded) => ended(command(&loaded)),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(WRONG_USAGE)
        }
    }
}

fn ended(how: Result<impl Termination, String>) -> ExitCode {
    match how {
        Ok(done) => done.report(),
        Err(problem) => {
            eprintln!("askfile: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The same settings, logging at this level only unless the operator said how much.
fn quieter(loaded: &Loaded, level: &str) -> Loaded {
    let mut quieter = loaded.clone();
    if *loaded.origin("log") == Origin::Default {
        level.clone_into(&mut quieter.settings.log);
    }
    quieter
}

/// Tells whoever reads standard output. A program goes on where nobody does.
fn say(text: &str) {
    let _ = tell(text);
}

/// The same, where it matters that it was told.
fn tell(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// The same in JSON, for programs.
fn say_json<T: serde::Serialize>(answer: &T) {
    say(&in_json(answer));
}

fn in_json<T: serde::Serialize>(answer: &T) -> String {
    let text = serde_json::to_string_pretty(answer);
    text.expect("an answer is JSON")
}

fn settings(flags: &Flags) -> Result<Loaded, String> {
    let folder = std::env::current_dir().map_err(|error| error.to_string())?;
    let loaded = load(flags, std::env::vars_os(), &folder).map_err(|why| why.to_string())?;
    log_filter(&loaded.settings)?;
    Ok(loaded)
}

/// Runs an async command with logging as the settings want it.
fn in_runtime<T, F>(loaded: &Loaded, command: impl FnOnce(Settings) -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    log_to_stderr(&loaded.settings)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    // Every upload has a thread that writes; beside them, reads of the database need a few.
    let blocking = loaded.settings.max_concurrent_uploads.saturating_add(64);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(blocking)
        .build()
        .map_err(|error| error.to_string())?;
    let ended = runtime.block_on(command(loaded.settings.clone()));
    // Uploads that were cut off at the end of their grace delete what they had staged.
    runtime.shutdown_timeout(CLEAN_UP);
    ended
}

fn log_to_stderr(settings: &Settings) -> Result<(), String> {
    // The protocol library tells every message below warnings, and messages hold tokens: whatever
    // the filter says, those are not logged.
    let keeps_secrets = filter_fn(|event| {
        *event.level() <= tracing::Level::WARN || !event.target().starts_with("rmcp")
    });
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let layer = match settings.log_format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(
            layer
                .with_filter(log_filter(settings)?)
                .with_filter(keeps_secrets),
        )
        .init();
    Ok(())
}

/// What is logged. A lone word must be a level: a filter takes it for a module's name else, and
/// nothing would be logged.
fn log_filter(settings: &Settings) -> Result<EnvFilter, String> {
    let log = &settings.log;
    let wrong = |why: &str| {
        format!("log: `{log}` is not a filter such as `info` or `info,askfile=debug`{why}")
    };
    let mut words = log.split(',').filter(|part| !part.contains('='));
    if let Some(word) = words.find(|word| word.trim().parse::<LevelFilter>().is_err()) {
        return Err(wrong(&format!(": `{}` is no level", word.trim())));
    }
    EnvFilter::try_new(log).map_err(|error| wrong(&format!(": {error}")))
}
