//! `askfile ask`: asks a person for a file and waits for it, without any agent.

mod events;
mod progress;
mod save;

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use serde::Serialize;
use tokio::{
    task::{JoinError, JoinHandle},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::progress::Progress;
use super::{
    WRONG_USAGE,
    host::{Beside, Offer, start_beside, start_in_network},
    stop::stop_token,
};
use crate::{
    config::{Flags, Settings, units},
    domain::{
        caller::Caller,
        session::{Phase, State, UploadSession},
    },
    error::Error,
    http, qr,
    service::{CreateRequest, Service, Turn, answers::ResultAnswer},
    store::{SessionRef, SessionView},
    words,
};

/// The service's names for what these flags say.
const FLAGS: [(&str, &str); 3] = [
    ("allowed_mime_types", "--accept"),
    ("max_size_bytes", "--max-size"),
    ("max_files", "--max-files"),
];

const DECLINED: u8 = 3;
const TIMED_OUT: u8 = 4;
/// What a shell makes of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Shortest and longest time to wait, in seconds.
const TIMEOUT: std::ops::RangeInclusive<u64> = 1..=86_400;
/// A file that is arriving when the time is over is looked at this often.
const ARRIVING: Duration = Duration::from_secs(2);
/// How long the page is served after the end: the sender's browser has still to show it.
const LAST_PAGE: Duration = Duration::from_secs(2);
/// How long answers on their way may then take.
const GRACE: Duration = Duration::from_secs(2);

/// `askfile ask`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Prints the files as JSON on standard output. Exit codes: 0 uploaded, \
                        1 failed, 2 wrong usage, 3 declined, 4 timed out, 130 interrupted."
)]
pub struct Ask {
    /// What you ask for, in words for the person, such as "A photo of the receipt, please"
    #[arg(value_parser = prompt)]
    prompt: String,
    /// Types to accept, such as `image/*`, with commas between
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    accept: Vec<String>,
    /// Largest file
    #[arg(long, value_name = "SIZE", value_parser = units::parse_size)]
    max_size: Option<u64>,
    /// Most files
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    max_files: u32,
    /// How long to wait, up to 1d
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = timeout)]
    timeout: Duration,
    /// Folder to save the files in; it is made if need be, and nothing in it is overwritten
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Serve the page to other machines in the network, for example to a phone
    #[arg(long)]
    lan: bool,
    /// Open the link in this machine's browser
    #[arg(long)]
    open: bool,
    /// Leave the link open when the time is over
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    pub(super) flags: Flags,
}

/// What standard output tells.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    result: ResultAnswer,
    /// Where the files were saved, in the same order.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<Vec<PathBuf>>,
}

/// Who asks for what.
struct Asked {
    service: Service,
    caller: Caller,
    session: UploadSession,
}

/// What is left to do.
enum Conclusion {
    /// To tell how the session ended.
    Tell(Box<SessionView>),
    /// Nothing but to end with this.
    Code(u8),
}

/// How it ended.
enum Ended {
    /// The session is not open any more.
    Over(Box<SessionView>),
    /// The time is over, and this is how it stands.
    TimedOut(Box<SessionView>),
    Interrupted,
}

impl Ask {
    pub(super) async fn run(self, mut settings: Settings) -> Result<ExitCode, String> {
        if let Some(folder) = &self.output {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        settings.shutdown_grace = settings.shutdown_grace.min(GRACE);
        let request = self.request(&settings);
        let interrupted = stop_token().map_err(|error| error.to_string())?;
        let over = CancellationToken::new();
        let Beside { service, mut page } = if self.lan {
            start_in_network(settings, LAST_PAGE, over.clone()).await?
        } else {
            start_beside(settings, Offer::Links(LAST_PAGE), over.clone()).await?
        };
        let user = std::env::var("USER").unwrap_or_else(|_| "Somebody".into());
        let caller = service.operator(&format!("{user} (askfile ask)"));
        let made = tokio::select! {
            made = service.create(&caller, request) => made,
            served = &mut page => return Err(why_ended(served)),
        };
        let session = match made {
            Ok(session) => session,
            Err(Error::InvalidArgument(why)) => {
                eprintln!("askfile: {}", of_flag(&why));
                return Ok(ExitCode::from(WRONG_USAGE));
            }
            Err(error) => return Err(failure(&error)),
        };
        let asked = Asked {
            service,
            caller,
            session,
        };
        self.show(&asked);
        let ended = tokio::select! {
            ended = self.wait(&asked) => ended?,
            () = interrupted.cancelled() => Ended::Interrupted,
            served = &mut page => return Err(why_ended(served)),
        };
        let code = self.end(&asked, ended, over, page).await?;
        Ok(ExitCode::from(code))
    }

    /// Says how it ended, and closes what is still open.
    async fn end(
        &self,
        asked: &Asked,
        ended: Ended,
        over: CancellationToken,
        page: JoinHandle<Result<(), String>>,
    ) -> Result<u8, String> {
        let conclusion = self.conclude(asked, ended).await;
        // Pages that are open show how it ended while the files are saved.
        over.cancel();
        let code = match conclusion {
            Ok(Conclusion::Tell(view)) => self.tell(asked, &view).await,
            Ok(Conclusion::Code(code)) => Ok(code),
            Err(problem) => Err(problem),
        };
        page.await.map_err(|error| error.to_string())??;
        code
    }

    async fn conclude(&self, asked: &Asked, ended: Ended) -> Result<Conclusion, String> {
        let time = self.time();
        match ended {
            Ended::Over(view) => Ok(Conclusion::Tell(view)),
            Ended::TimedOut(view) if view.tally.checking > 0 => {
                eprintln!(
                    "A file came within {time} and is not checked yet; `askfile serve` goes on \
                     checking it. It belongs to {}.",
                    asked.session.id
                );
                Ok(Conclusion::Code(TIMED_OUT))
            }
            Ended::TimedOut(view) if self.keep => {
                let came = view.tally.stored;
                eprintln!("{} within {time}; the link stays open.", files(came));
                Ok(Conclusion::Code(TIMED_OUT))
            }
            // Who has sent some of several files has answered.
            Ended::TimedOut(view) if view.tally.stored > 0 => {
                let view = asked.complete().await?;
                Ok(Conclusion::Tell(view))
            }
            Ended::TimedOut(_) => {
                if let Some(view) = asked.close().await? {
                    return Ok(Conclusion::Tell(view));
                }
                eprintln!("{} within {time}; the link is closed.", files(0));
                Ok(Conclusion::Code(TIMED_OUT))
            }
            Ended::Interrupted => {
                let came = asked.view().await?.tally.stored;
                if let Some(view) = asked.close().await? {
                    return Ok(Conclusion::Tell(view));
                }
                match came {
                    0 => eprintln!("Interrupted; the link is closed."),
                    some => eprintln!(
                        "Interrupted; the link is closed, and what came is deleted: {some} of {}.",
                        self.max_files
                    ),
                }
                Ok(Conclusion::Code(INTERRUPTED))
            }
        }
    }

    fn request(&self, settings: &Settings) -> CreateRequest {
        // The wait ends with the timeout; a link that is kept lives as long as any other, at least.
        let life = if self.keep {
            self.timeout.max(settings.link_ttl)
        } else {
            self.timeout
        };
        CreateRequest {
            prompt: Some(self.prompt.clone()),
            allowed_mime_types: (!self.accept.is_empty()).then(|| self.accept.clone()),
            max_size_bytes: self.max_size,
            max_files: Some(self.max_files),
            expires_in_seconds: Some(life.as_secs().clamp(60, *TIMEOUT.end())),
            ..CreateRequest::default()
        }
    }

    fn time(&self) -> String {
        units::duration_text(self.timeout)
    }

    /// The link, for whoever is to open it.
    fn show(&self, asked: &Asked) {
        let link = &asked.service.link_url(&asked.session);
        let words = words::of(&asked.service.link_query(&asked.session));
        eprintln!("Send the file here within {}:\n\n  {link}\n", self.time());
        eprintln!("Its page shows the words “{words}”.\n");
        // A phone cannot follow a link to this machine alone.
        if io::stderr().is_terminal()
            && !http::is_on_this_machine(link)
            && let Ok(code) = qr::terminal(link)
        {
            eprintln!("{code}\n");
        }
        if self.open
            && let Err(error) = open::that_detached(link)
        {
            eprintln!("No browser could be opened ({error}): open the link yourself.");
        }
    }

    async fn wait(&self, asked: &Asked) -> Result<Ended, String> {
        let Asked {
            service, caller, ..
        } = asked;
        let mut deadline = Instant::now() + self.timeout;
        let mut may_check = true;
        let mut progress = Progress::start();
        let mut arrived = events::follow(&service.link_url(&asked.session));
        let mut view = asked.view().await?;
        loop {
            progress.show(&view, *arrived.borrow_and_update());
            let turn = tokio::select! {
                turn = service.wait_turn(caller, &view, deadline) => turn,
                Ok(()) = arrived.changed() => continue,
            };
            view = match turn.map_err(|error| failure(&error))? {
                Turn::Pending(now) => now,
                Turn::Over(now) if !now.session.state.is_open() => {
                    return Ok(Ended::Over(now.into()));
                }
                // Nobody is cut off who has begun to send.
                Turn::Over(now) if now.session.phase() == Some(Phase::Receiving) => {
                    deadline = Instant::now() + ARRIVING;
                    now
                }
                // A check has its time too, once.
                Turn::Over(now) if may_check && now.session.phase() == Some(Phase::Scanning) => {
                    may_check = false;
                    deadline = Instant::now() + 2 * service.settings().scan_timeout;
                    now
                }
                Turn::Over(now) => return Ok(Ended::TimedOut(now.into())),
            };
        }
    }

    /// Says how the session ended.
    async fn tell(&self, asked: &Asked, view: &SessionView) -> Result<u8, String> {
        let Some(result) = asked.service.status_answer(view).result else {
            return match view.session.state {
                State::Declined => {
                    let reason = view.session.decline_reason.as_deref();
                    // On one line, so that it is not taken for one of ours.
                    let reason = reason.map_or_else(String::new, |reason| {
                        format!(
                            ": {}",
                            reason.split_whitespace().collect::<Vec<_>>().join(" ")
                        )
                    });
                    eprintln!("The person declined{reason}");
                    Ok(DECLINED)
                }
                State::Expired => {
                    eprintln!("No file came before the link expired.");
                    Ok(TIMED_OUT)
                }
                _ => Err("somebody else has closed the link".into()),
            };
        };
        let (saved, problem) = match &self.output {
            Some(folder) => {
                let (saved, problem) = save::all(asked, &view.media, folder).await;
                (Some(saved), problem)
            }
            None => (None, None),
        };
        // What came is told even where it cannot be saved.
        let report = serde_json::to_string_pretty(&Report { result, saved });
        let report = report.map_err(|error| error.to_string())?;
        writeln!(io::stdout(), "{report}").map_err(|error| error.to_string())?;
        problem.map_or(Ok(0), Err)
    }
}

impl Asked {
    async fn view(&self) -> Result<SessionView, String> {
        let which = SessionRef::Id(self.session.id);
        let view = self.service.status(&self.caller, which).await;
        view.map_err(|error| failure(&error))
    }

    /// Ends the session with the files that are there.
    async fn complete(&self) -> Result<Box<SessionView>, String> {
        let which = SessionRef::Id(self.session.id);
        let view = self.service.complete(&self.caller, which).await;
        view.map(Box::new).map_err(|error| failure(&error))
    }

    /// Closes the link; gives the session instead, if that ended otherwise in the meantime.
    async fn close(&self) -> Result<Option<Box<SessionView>>, String> {
        let which = SessionRef::Id(self.session.id);
        match self.service.cancel(&self.caller, which).await {
            Ok(_) => Ok(None),
            Err(Error::AlreadyUsed | Error::Declined | Error::LinkExpired) => {
                Ok(Some(self.view().await?.into()))
            }
            Err(error) => Err(failure(&error)),
        }
    }
}

/// How many came, as the beginning of a sentence.
fn files(came: u32) -> String {
    match came {
        0 => "No file".to_owned(),
        1 => "One file".to_owned(),
        many => format!("{many} files"),
    }
}

fn prompt(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("say which file you ask for".into());
    }
    Ok(text.to_owned())
}

/// What is wrong with an argument, under the name that was typed.
fn of_flag(why: &str) -> String {
    let flag = FLAGS.iter().find_map(|(argument, flag)| {
        let rest = why.strip_prefix(argument)?;
        Some(format!("{flag}{rest}"))
    });
    flag.unwrap_or_else(|| why.to_owned())
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = units::parse_duration(text)?;
    if TIMEOUT.contains(&timeout.as_secs()) {
        return Ok(timeout);
    }
    Err("must be between 1s and 1d".into())
}

/// Why the page is not served any more, though nobody has told it to stop.
fn why_ended(served: Result<Result<(), String>, JoinError>) -> String {
    match served {
        Ok(Ok(())) => "the page is not served any more".into(),
        Ok(Err(why)) => why,
        Err(error) => error.to_string(),
    }
}

fn failure(error: &Error) -> String {
    error.log();
    error.to_string()
}
