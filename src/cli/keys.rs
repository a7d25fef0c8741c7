//! `askfile keys`: who may come in, in mode `keys`.

use std::{io, time::Duration};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{in_json, open, say, say_json, table::columns, tell};
use crate::{
    config::{DataFlags, Flags, Settings, units},
    domain::{
        api_key::{ApiKey, Secret},
        caller::Caller,
        capability::{Capabilities, Capability},
    },
    error::Error,
    service::{
        Service,
        answers::{KeyAnswer, KeyState, NewKeyAnswer, rfc3339},
        keys::KeyRequest,
    },
};

/// `askfile keys`
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and print it, once
    Create(Create),
    /// List the keys
    List(List),
    /// Give a key a new secret; the old one opens for a while longer
    Rotate(Rotate),
    /// End a key for good, and close the links that were made with it
    Revoke(Named),
    /// Allow a key something more
    Allow(Switched),
    /// Allow a key something no more
    Deny(Switched),
}

#[derive(Debug, Args)]
struct Create {
    /// What people call it
    #[arg(long)]
    name: String,
    /// Where it may be used: a workspace's alias or id; may be repeated [default: the workspace that
    /// comes with askfile]
    #[arg(long, value_name = "WORKSPACE")]
    workspace: Vec<String>,
    /// What it may do there, with commas between: asset:upload, media:read, media:attach,
    /// media:delete, admin
    #[arg(
        long,
        value_name = "CAPABILITIES",
        default_value_t = Capabilities::AGENT,
        hide_default_value = false
    )]
    allow: Capabilities,
    /// How long it lives, such as 90d [default: until it is revoked]
    #[arg(long, value_name = "DURATION", value_parser = units::parse_duration)]
    expires: Option<Duration>,
    /// The person whose agents use it: pages say “Ana’s agent” then
    #[arg(long = "for", value_name = "NAME")]
    person: Option<String>,
    /// That person's address; keys of one address are one person's
    #[arg(long, value_name = "ADDRESS", requires = "person")]
    email: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
struct List {
    /// Also those that are revoked or have ended
    #[arg(long)]
    all: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
struct Rotate {
    /// The key's name, id or beginning
    key: String,
    /// How long the old secret opens still
    #[arg(long, value_name = "DURATION", value_parser = units::parse_duration, default_value = "1d")]
    overlap: Duration,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
struct Named {
    /// The key's name, id or beginning
    key: String,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
struct Switched {
    /// The key's name, id or beginning
    key: String,
    /// What: asset:upload, media:read, media:attach, media:delete or admin
    #[arg(required = true, value_name = "CAPABILITY")]
    capabilities: Vec<Capability>,
    #[command(flatten)]
    flags: DataFlags,
}

impl Keys {
    pub(super) fn flags(&self) -> &Flags {
        match &self.command {
            Command::Create(of) => &of.flags.0,
            Command::List(of) => &of.flags.0,
            Command::Rotate(of) => &of.flags.0,
            Command::Revoke(of) => &of.flags.0,
            Command::Allow(of) | Command::Deny(of) => &of.flags.0,
        }
    }

    pub(super) async fn run(self, settings: Settings) -> Result<(), String> {
        let service = open(settings).await?;
        let operator = service.operator("askfile keys");
        let done = match self.command {
            Command::Create(create) => create.run(&service, &operator).await,
            Command::List(list) => list.run(&service, &operator).await,
            Command::Rotate(rotate) => rotate.run(&service, &operator).await,
            Command::Revoke(Named { key, .. }) => revoke(&service, &operator, &key).await,
            Command::Allow(switched) => {
                let all = Capabilities::with;
                switched.run(&service, &operator, all).await
            }
            Command::Deny(switched) => {
                let all = Capabilities::without;
                switched.run(&service, &operator, all).await
            }
        };
        done.map_err(|error| sentence(&error))
    }
}

/// For the operator: what went wrong, and where a key or a workspace is missing, how to come by one.
pub(super) fn sentence(error: &Error) -> String {
    error.log();
    match error {
        Error::NoSuchKey => format!("{error} {}", error.row().hint),
        Error::NoSuchWorkspace(named) => {
            format!("There is no workspace `{named}`: askfile workspace list lists them.")
        }
        other => other.to_string(),
    }
}

impl Create {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let request = KeyRequest {
            name: self.name,
            person: self.person.map(|name| (name, self.email)),
            workspaces: self.workspace,
            capabilities: self.allow,
            expires_in: self.expires,
        };
        let (key, secret) = service.create_key(operator, request).await?;
        if let Err(why) = show(&key, &secret, self.json, service.now()) {
            // Nobody has it: it would live for nothing.
            service.revoke_key(operator, &key.id.to_string()).await?;
            return Err(Error::Unavailable(format!(
                "The key could not be printed ({why}), so it was revoked."
            )));
        }
        Ok(())
    }
}

impl Rotate {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let (key, secret) = service
            .rotate_key(operator, &self.key, self.overlap)
            .await?;
        show(&key, &secret, self.json, service.now()).map_err(|why| {
            Error::Unavailable(format!(
                "The new secret could not be printed ({why}): rotate the key once more."
            ))
        })?;
        if !self.json {
            let overlap = units::duration_text(self.overlap);
            eprintln!("The old secret opens for another {overlap}.");
        }
        Ok(())
    }
}

/// The secret goes to standard output, alone; what it is for to standard error.
fn show(key: &ApiKey, secret: &Secret, as_json: bool, now: Timestamp) -> io::Result<()> {
    if as_json {
        return tell(&in_json(&NewKeyAnswer::new(key, secret, now)));
    }
    tell(secret.reveal())?;
    eprintln!(
        "This is the key of “{}”, shown this once: keep it now.\nIt may {} in {}{}.",
        key.name,
        allowed(key.capabilities),
        places(key),
        match key.expires_at {
            Some(end) => format!(", until {}", rfc3339(end)),
            None => String::new(),
        },
    );
    Ok(())
}

impl List {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let now = service.now();
        let mut keys = service.keys(operator).await?;
        keys.retain(|key| self.all || key.is_live(now));
        if self.json {
            let keys = keys.iter().map(|key| KeyAnswer::new(key, now));
            say_json(&keys.collect::<Vec<_>>());
            return Ok(());
        }
        if keys.is_empty() {
            say("There is no key. Make one with: askfile keys create --name NAME");
            return Ok(());
        }
        let time = |at: Option<Timestamp>, never: &str| at.map_or(never.to_owned(), rfc3339);
        let rows: Vec<_> = keys
            .iter()
            .map(|key| {
                [
                    format!("{}…", key.prefix),
                    key.name.clone(),
                    KeyState::of(key, now).as_str().to_owned(),
                    places(key),
                    allowed(key.capabilities),
                    time(key.expires_at, "never"),
                    time(key.last_used_at, "never"),
                ]
            })
            .collect();
        let head = [
            "KEY",
            "NAME",
            "STATE",
            "WORKSPACES",
            "MAY",
            "ENDS",
            "LAST USED",
        ];
        say(&columns(head, &rows));
        Ok(())
    }
}

async fn revoke(service: &Service, operator: &Caller, named: &str) -> Result<(), Error> {
    let (key, closed) = service.revoke_key(operator, named).await?;
    let links = match closed {
        0 => "No link of it was open.".to_owned(),
        1 => "One open link of it was closed.".to_owned(),
        n => format!("{n} open links of it were closed."),
    };
    say(&format!("“{}” is revoked. {links}", key.name));
    Ok(())
}

impl Switched {
    async fn run(
        self,
        service: &Service,
        operator: &Caller,
        change: fn(Capabilities, Capability) -> Capabilities,
    ) -> Result<(), Error> {
        let all = |before| self.capabilities.into_iter().fold(before, change);
        let key = service.allow_key(operator, &self.key, all).await?;
        say(&format!(
            "“{}” may {} now.",
            key.name,
            allowed(key.capabilities)
        ));
        Ok(())
    }
}

pub(super) fn allowed(capabilities: Capabilities) -> String {
    if capabilities == Capabilities::default() {
        return "nothing but look how its uploads stand".into();
    }
    capabilities.to_string()
}

pub(super) fn places(key: &ApiKey) -> String {
    let aliases = key.workspaces.iter().map(|of| of.alias.as_str());
    aliases.collect::<Vec<_>>().join(", ")
}
