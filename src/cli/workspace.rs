//! `askfile workspace`: whom uploads belong to.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{keys::sentence, open, say, table::columns};
use crate::{
    config::{DataFlags, Flags, Settings},
    domain::{caller::Caller, workspace::Workspace},
    error::Error,
    service::{Service, answers::rfc3339},
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
            say(&format!("{:#}", facts(&made)));
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
            let all: Vec<Value> = workspaces.iter().map(facts).collect();
            say(&format!("{:#}", Value::from(all)));
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

fn facts(workspace: &Workspace) -> Value {
    json!({
        "id": workspace.id.to_string(),
        "alias": workspace.alias.as_str(),
        "name": workspace.name,
        "created_at": rfc3339(workspace.created_at),
        "archived_at": workspace.archived_at.map(rfc3339),
    })
}
