//! `askfile grants`: what people granted to clients, in mode `builtin`.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    keys::{allowed, places, sentence},
    open, say, say_json,
    table::columns,
};
use crate::{
    config::{DataFlags, Flags, Settings},
    domain::caller::Caller,
    error::Error,
    service::{
        Service,
        answers::{KeyAnswer, KeyState, rfc3339},
    },
    store::oauth::ClientGrant,
};

/// `askfile grants`
#[derive(Debug, Args)]
pub struct Grants {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List which clients were let in, by whom, and for what
    List(List),
    /// Let a client in no more, and close the links that it made
    Revoke(Revoke),
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
struct Revoke {
    /// The grant's id, or its client's name or id where that has one grant only
    grant: String,
    #[command(flatten)]
    flags: DataFlags,
}

/// What programs are told: a key, and whose it is.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    key: KeyAnswer,
    client_id: String,
}

impl Grants {
    pub(super) fn flags(&self) -> &Flags {
        match &self.command {
            Command::List(of) => &of.flags.0,
            Command::Revoke(of) => &of.flags.0,
        }
    }

    pub(super) async fn run(self, settings: Settings) -> Result<(), String> {
        let service = open(settings).await?;
        let operator = service.operator("askfile grants");
        let done = match self.command {
            Command::List(list) => list.run(&service, &operator).await,
            Command::Revoke(revoke) => revoke.run(&service, &operator).await,
        };
        done.map_err(|error| match error {
            Error::NotFound => "There is no such grant: askfile grants list lists them.".to_owned(),
            other => sentence(&other),
        })
    }
}

impl List {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let now = service.now();
        let mut grants = service.client_grants(operator).await?;
        grants.retain(|grant| self.all || grant.key.is_live(now));
        if self.json {
            let told = grants
                .into_iter()
                .map(|ClientGrant { key, client_id }| Told {
                    key: KeyAnswer::new(&key, now),
                    client_id,
                });
            say_json(&told.collect::<Vec<_>>());
            return Ok(());
        }
        if grants.is_empty() {
            say("No client was let in. Make a code for somebody with: askfile signin --for NAME");
            return Ok(());
        }
        let rows: Vec<_> = grants
            .iter()
            .map(|ClientGrant { key, .. }| {
                [
                    key.id.to_string(),
                    key.name.clone(),
                    key.principal.name.clone(),
                    KeyState::of(key, now).as_str().to_owned(),
                    places(key),
                    allowed(key.capabilities),
                    key.last_used_at
                        .map_or_else(|| "never".into(), |at: Timestamp| rfc3339(at)),
                ]
            })
            .collect();
        let head = [
            "GRANT",
            "CLIENT",
            "PERSON",
            "STATE",
            "WORKSPACE",
            "MAY",
            "LAST USED",
        ];
        say(&columns(head, &rows));
        Ok(())
    }
}

impl Revoke {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), Error> {
        let (grant, closed) = service.revoke_grant(operator, &self.grant).await?;
        let links = match closed {
            0 => "No link of it was open.".to_owned(),
            1 => "One open link of it was closed.".to_owned(),
            n => format!("{n} open links of it were closed."),
        };
        let (client, person) = (&grant.key.name, &grant.key.principal.name);
        say(&format!(
            "“{client}” is let in no more in the name of {person}. {links}"
        ));
        Ok(())
    }
}
