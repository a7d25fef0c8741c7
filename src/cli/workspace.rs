//! `askfile workspace`: whom uploads belong to.

use clap::{Args, Subcommand};

use super::{keys::sentence, open, say, say_json, table::columns};
use crate::{
    config::{
        DataFlags, Flags, Settings,
        units::{self, size_text},
    },
    domain::{
        caller::Caller,
        quota::{OwnLimit, QuotaChange},
    },
    error::Error,
    service::{
        Service,
        answers::{UsageAnswer, WorkspaceAnswer, rfc3339},
        workspaces::Used,
    },
};

/// `askfile workspace`
#[derive(Debug, Args)]
pub struct WorkspaceCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a workspace
    Create(Create),
    /// List the workspaces
    List(List),
    /// Show what a workspace uses, and what it may use
    Show(Show),
    /// Give a workspace quotas of its own
    Set(Set),
    /// Give a workspace another name or alias
    Rename(Rename),
    /// Close a workspace: its open links are closed and no key gets in; its files stay
    Archive(Archive),
}

#[derive(Debug, Args)]
struct Create {
    /// What people call it; pages show it
    name: String,
    /// A short name, such as `w-6ec`: 1 to 8 letters, `-`, 3 to 8 letters or digits [default: made up]
    #[arg(long)]
    alias: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
struct List {
    /// Also those that are archived
    #[arg(long)]
    all: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
struct Show {
    /// Its alias or id
    workspace: String,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("quota").required(true).multiple(true))]
struct Set {
    /// Its alias or id
    workspace: String,
    /// Most bytes of its files, such as 50GB; `none` is no limit, `default` what the settings say
    #[arg(long, value_name = "SIZE", value_parser = size, group = "quota")]
    stored: Option<OwnLimit>,
    /// Most bytes that may be on their way to it at one time, in the same way
    #[arg(long, value_name = "SIZE", value_parser = size, group = "quota")]
    in_flight: Option<OwnLimit>,
    /// Most links that may be open at one time, in the same way
    #[arg(long, value_name = "NUMBER", value_parser = number, group = "quota")]
    links: Option<OwnLimit>,
    #[command(flatten)]
    flags: DataFlags,
}

fn size(text: &str) -> Result<OwnLimit, String> {
    limit(text, units::parse_size)
}

fn number(text: &str) -> Result<OwnLimit, String> {
    limit(text, |text| {
        let number = text.parse();
        number.map_err(|_| "not a whole number".to_owned())
    })
}

fn limit(text: &str, read: fn(&str) -> Result<u64, String>) -> Result<OwnLimit, String> {
    match text {
        "none" => Ok(OwnLimit::Unlimited),
        "default" => Ok(OwnLimit::Default),
        text => read(text).map(OwnLimit::At),
    }
}

#[derive(Debug, Args)]
struct Rename {
    /// Its alias or id
    workspace: String,
    /// What people call it from now on
    #[arg(required_unless_present = "alias")]
    name: Option<String>,
    /// Another short name; the old one is free then
    #[arg(long)]
    alias: Option<String>,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
struct Archive {
    /// Its alias or id
    workspace: String,
    /// Take it up again
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    flags: DataFlags,
}

impl WorkspaceCommand {
    pub(super) fn flags(&self) -> &Flags {
        match &self.command {
            Command::Create(of) => &of.flags.0,
            Command::List(of) => &of.flags.0,
            Command::Show(of) => &of.flags.0,
            Command::Set(of) => &of.flags.0,
            Command::Rename(of) => &of.flags.0,
            Command::Archive(of) => &of.flags.0,
        }
    }

    pub(super) async fn run(self, settings: Settings) -> Result<(), String> {
        let service = open(settings).await?;
        let operator = service.operator("askfile workspace");
        let done = match self.command {
            Command::Create(create) => create.run(&service, &operator).await,
            Command::List(list) => list.run(&service, &operator).await,
            Command::Show(show) => show.run(&service, &operator).await,
            Command::Set(set) => set.run(&service, &operator).await,
            Command::Rename(rename) => rename.run(&service, &operator).await,
            Command::Archive(archive) => archive.run(&service, &operator).await,
        };
        done.map_err(|error| sentence(&error))
    }
}

impl Create {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let alias = self.alias.as_deref();
        let made = service
            .create_workspace(operator, &self.name, alias)
            .await?;
        if self.json {
            say_json(&WorkspaceAnswer::from(&made));
        } else {
            say(&format!("{}  {}  {}", made.alias, made.id, made.name));
        }
        Ok(())
    }
}

impl List {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let mut workspaces = service.workspaces(operator).await?;
        workspaces.retain(|workspace| self.all || workspace.archived_at.is_none());
        if self.json {
            let all = workspaces.iter().map(WorkspaceAnswer::from);
            say_json(&all.collect::<Vec<_>>());
            return Ok(());
        }
        let rows: Vec<_> = workspaces
            .iter()
            .map(|workspace| {
                [
                    workspace.alias.to_string(),
                    workspace.id.to_string(),
                    workspace.name.clone(),
                    rfc3339(workspace.created_at),
                    match workspace.archived_at {
                        None => String::new(),
                        Some(at) => format!("archived {}", rfc3339(at)),
                    },
                ]
            })
            .collect();
        say(&columns(["ALIAS", "ID", "NAME", "MADE", ""], &rows));
        Ok(())
    }
}

impl Show {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let used = service.usage(operator, &self.workspace).await?;
        if self.json {
            say_json(&UsageAnswer::from(&used));
        } else {
            say(&text(&used));
        }
        Ok(())
    }
}

impl Set {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let change = QuotaChange {
            stored_bytes: self.stored,
            in_flight_bytes: self.in_flight,
            open_links: self.links,
        };
        let used = service.set_quota(operator, &self.workspace, change).await?;
        say(&text(&used));
        Ok(())
    }
}

/// What a workspace uses of what it may.
fn text(used: &Used) -> String {
    let Used {
        workspace,
        usage,
        own,
        quota,
    } = used;
    let row = |what: &str, now: String, most: Option<String>, own: OwnLimit| {
        let whose = match own {
            OwnLimit::Default => "by the settings",
            OwnLimit::Unlimited | OwnLimit::At(_) => "its own",
        };
        let most = most.unwrap_or("no limit".into());
        [what.to_owned(), now, most, whose.to_owned()]
    };
    let rows = [
        row(
            "stored files",
            size_text(usage.stored_bytes),
            quota.stored_bytes.map(size_text),
            own.stored_bytes,
        ),
        row(
            "on their way",
            size_text(usage.in_flight_bytes),
            quota.in_flight_bytes.map(size_text),
            own.in_flight_bytes,
        ),
        row(
            "open links",
            usage.open_links.to_string(),
            quota.open_links.map(|most| most.to_string()),
            own.open_links,
        ),
    ];
    let head = format!("{}  {}  {}", workspace.alias, workspace.id, workspace.name);
    format!("{head}\n\n{}", columns(["", "NOW", "AT MOST", ""], &rows))
}

impl Rename {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let (name, alias) = (self.name.as_deref(), self.alias.as_deref());
        let renamed = service
            .rename_workspace(operator, &self.workspace, name, alias)
            .await?;
        say(&format!(
            "{}  {}  {}",
            renamed.alias, renamed.id, renamed.name
        ));
        Ok(())
    }
}

impl Archive {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let (workspace, closed) = service
            .archive_workspace(operator, &self.workspace, !self.undo)
            .await?;
        let name = &workspace.name;
        say(&match (self.undo, closed) {
            (true, _) => format!("“{name}” is open again."),
            (false, 0) => format!("“{name}” is archived."),
            (false, 1) => format!("“{name}” is archived; one open link was closed."),
            (false, n) => format!("“{name}” is archived; {n} open links were closed."),
        });
        Ok(())
    }
}
