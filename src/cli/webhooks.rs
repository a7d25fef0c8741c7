//! `askfile webhooks`: what back ends were told, and telling them again.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{audit::When, keys::sentence, open, say, say_json, table::columns};
use crate::{
    config::{DataFlags, Flags, Settings},
    domain::{
        caller::Caller,
        ids::WebhookId,
        webhook::{Endpoint, Webhook, WebhookState},
    },
    error::{Error, Result},
    service::{Service, answers::rfc3339},
    store::webhooks::Replay,
};

/// `askfile webhooks`
#[derive(Debug, Args)]
pub struct Webhooks {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List webhooks, the newest first; those that were delivered or given up are kept for a week
    List(List),
    /// Queue webhooks again, as if they had never been tried
    Replay(Again),
    /// Post an event that tells nothing, and print what is answered
    Test(Test),
}

#[derive(Debug, Args)]
struct List {
    /// Only those that were given up
    #[arg(long)]
    dead: bool,
    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: u32,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
struct Again {
    /// The webhook's id, as `askfile webhooks list` prints it
    #[arg(value_name = "ID", required_unless_present_any = ["dead", "since"])]
    id: Option<WebhookId>,
    /// All that were given up
    #[arg(long, conflicts_with = "id")]
    dead: bool,
    /// All that were delivered or given up and tell what happened from then on: a time such as
    /// 2026-01-01T00:00:00Z, or how long ago, such as 2h
    #[arg(long, value_name = "TIME", value_parser = super::audit::when, conflicts_with = "id")]
    since: Option<When>,
    #[command(flatten)]
    flags: DataFlags,
}

#[derive(Debug, Args)]
struct Test {
    /// The endpoint's name in the settings [default: all]
    name: Option<String>,
    #[command(flatten)]
    flags: DataFlags,
}

impl Webhooks {
    pub(super) fn flags(&self) -> &Flags {
        match &self.command {
            Command::List(list) => &list.flags.0,
            Command::Replay(again) => &again.flags.0,
            Command::Test(test) => &test.flags.0,
        }
    }

    pub(super) async fn run(self, settings: Settings) -> Result<(), String> {
        let service = open(settings).await?;
        let operator = service.operator("askfile webhooks");
        match self.command {
            Command::List(list) => list.run(&service, &operator).await,
            Command::Replay(again) => again.run(&service, &operator).await,
            Command::Test(test) => return test.run(&service, &operator).await,
        }
        .map_err(|error| sentence(&error))
    }
}

impl List {
    async fn run(self, service: &Service, operator: &Caller) -> Result<()> {
        let webhooks = service.webhooks(operator, self.dead, self.limit).await?;
        if self.json {
            say_json(&webhooks.iter().map(facts).collect::<Vec<_>>());
            return Ok(());
        }
        if webhooks.is_empty() {
            say("There is none.");
            return Ok(());
        }
        let head = ["ID", "ENDPOINT", "EVENT", "HAPPENED", "STATE", "TRIES", ""];
        let rows: Vec<_> = webhooks.iter().map(row).collect();
        say(&columns(head, &rows));
        Ok(())
    }
}

fn row(webhook: &Webhook) -> [String; 7] {
    let waits = webhook.state == WebhookState::Waiting && webhook.tries > 0;
    let due = webhook.due_at.filter(|_| waits).map(rfc3339);
    let due = due.map(|due| format!("next try {due}"));
    let notes: Vec<String> = webhook.problem.clone().into_iter().chain(due).collect();
    [
        webhook.id.to_string(),
        webhook.endpoint.clone(),
        webhook.event.as_str().to_owned(),
        rfc3339(webhook.created_at),
        webhook.state.as_str().to_owned(),
        webhook.tries.to_string(),
        notes.join("; "),
    ]
}

fn facts(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id.to_string(),
        "endpoint": webhook.endpoint,
        "event": webhook.event.as_str(),
        "happened_at": rfc3339(webhook.created_at),
        "state": webhook.state.as_str(),
        "tries": webhook.tries,
        "due_at": webhook.due_at.map(rfc3339),
        "problem": webhook.problem,
        "body": serde_json::from_str::<Value>(&webhook.body).unwrap_or_default(),
    })
}

impl Again {
    async fn run(self, service: &Service, operator: &Caller) -> Result<()> {
        let since = self.since.map(|since| since.at(service.now()));
        let which = self.id.map_or(
            Replay::Ended {
                dead_alone: self.dead,
                since: since.unwrap_or(Timestamp::MIN),
            },
            Replay::One,
        );
        let again = match service.replay_webhooks(operator, which).await? {
            0 => "There is none to be sent again.".to_owned(),
            1 => "One webhook is sent again".to_owned() + SENT_BY,
            many => format!("{many} webhooks are sent again{SENT_BY}"),
        };
        say(&again);
        Ok(())
    }
}

/// This command sends nothing itself.
const SENT_BY: &str = " by the askfile that serves this data, as soon as one does.";

impl Test {
    async fn run(self, service: &Service, operator: &Caller) -> Result<(), String> {
        let all = service.settings().webhooks.iter();
        let is_meant = |of: &&Endpoint| self.name.as_ref().is_none_or(|name| of.name == *name);
        let meant: Vec<_> = all.filter(is_meant).collect();
        if meant.is_empty() {
            return Err(match self.name {
                Some(name) => format!("there is no `[webhook.{name}]` in the settings file"),
                None => "there is no `[webhook.NAME]` in the settings file".to_owned(),
            });
        }
        let mut refused = 0;
        for endpoint in meant {
            match service.try_webhook(operator, endpoint).await {
                Ok(status) => say(&format!("✓ {}: answered {status}", endpoint.name)),
                Err(Error::Unavailable(why)) => {
                    refused += 1;
                    say(&format!("✗ {}: {why}", endpoint.name));
                }
                Err(error) => return Err(sentence(&error)),
            }
        }
        match refused {
            0 => Ok(()),
            1 => Err("one endpoint did not take it".to_owned()),
            many => Err(format!("{many} endpoints did not take it")),
        }
    }
}
