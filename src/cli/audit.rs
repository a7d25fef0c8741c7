//! `askfile audit`: who did what.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use super::{keys::sentence, open};
use crate::{
    config::{
        DataFlags, Settings,
        units::{self, size_text},
    },
    domain::{
        audit::{Action, Actor, Entry},
        caller::Caller,
        ids::WorkspaceId,
        principal::PrincipalKind,
    },
    error::Result,
    intake::filename::harmless_text,
    service::{Service, answers::rfc3339, audit::AuditRequest},
    store::audit::Start,
};

/// How often it is looked for what is new.
const LOOK: Duration = Duration::from_secs(1);

/// `askfile audit`
#[derive(Debug, Args)]
pub struct Audit {
    /// What was done in this workspace: its alias or id [default: all]
    #[arg(long)]
    workspace: Option<String>,
    /// What was done from then on: a time such as 2026-01-01T00:00:00Z, a day, or how long ago, such
    /// as 7d
    /// [default: from the beginning]
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// What was done before then
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// One action, such as media.deleted, or all of a kind, such as 'upload.*'
    #[arg(long)]
    action: Option<String>,
    /// What one actor did: a name, the id of a principal or of a key, or one of the words `user`,
    /// `api_key`, `link` and `system`
    #[arg(long)]
    actor: Option<String>,
    /// Print what is done from now on, as it is done; with --since also what was done from then on
    #[arg(long, conflicts_with = "until")]
    follow: bool,
    /// Print a line of JSON for each, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) flags: DataFlags,
}

/// A time as people say it.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    At(Timestamp),
    Ago(Duration),
}

pub(super) fn when(text: &str) -> Result<When, String> {
    if let Ok(at) = text.parse() {
        return Ok(When::At(at));
    }
    if let Ok(day) = text.parse::<Date>()
        && let Ok(begins) = day.to_zoned(TimeZone::UTC)
    {
        return Ok(When::At(begins.timestamp()));
    }
    // A number alone would be seconds, which nobody means.
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    let ago = units::parse_duration(text).ok().filter(|_| !is_number);
    ago.map(When::Ago).ok_or_else(|| {
        "write a time such as 2026-01-01T00:00:00Z, a day such as 2026-01-01, or how long ago, such \
         as 7d"
            .into()
    })
}

impl When {
    pub(super) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => {
                let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
                now.checked_sub(ago).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

impl Audit {
    pub(super) async fn run(self, settings: Settings) -> Result<(), String> {
        let service = open(settings).await?;
        let operator = service.operator("askfile audit");
        let printed = self.print(&service, &operator).await;
        printed.map_err(|error| sentence(&error))
    }

    async fn print(&self, service: &Service, operator: &Caller) -> Result<()> {
        let now = service.now();
        let since = match self.since {
            Some(since) => since.at(now),
            None if self.follow => now,
            None => Timestamp::MIN,
        };
        let until = self.until.map(|until| until.at(now));
        let mut printer = Printer {
            aliases: BTreeMap::new(),
            as_json: self.json,
            has_begun: false,
        };
        let (mut start, mut newest) = (Start::At(since), None);
        loop {
            let request = AuditRequest {
                workspace: self.workspace.clone(),
                start,
                until,
                action: self.action.clone(),
                actor: self.actor.clone(),
            };
            let mut page = service.audit(operator, request).await?;
            let first_newest = *newest.get_or_insert(page.newest);
            let is_following = matches!(start, Start::Added(_));
            if self.follow && !is_following {
                // What is added while this is printed comes after it.
                page.entries.retain(|entry| entry.id <= first_newest);
            }
            let lines = printer.lines(service, operator, &page.entries).await?;
            // Nobody reads any more.
            if write_all(&lines).is_err() {
                return Ok(());
            }
            start = match page.next {
                Some(next) => next,
                None if !self.follow => return Ok(()),
                None if is_following => Start::Added(page.newest),
                None => Start::Added(first_newest),
            };
            if page.next.is_none() {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

fn write_all(lines: &[String]) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

const HEAD: &str = "TIME                  WORKSPACE  WHO                   WHAT";

/// Makes lines of entries.
struct Printer {
    aliases: BTreeMap<WorkspaceId, String>,
    as_json: bool,
    has_begun: bool,
}

impl Printer {
    async fn lines(
        &mut self,
        service: &Service,
        operator: &Caller,
        entries: &[Entry],
    ) -> Result<Vec<String>> {
        if self.as_json {
            return Ok(entries.iter().map(|of| facts(of).to_string()).collect());
        }
        let mut of = entries.iter().filter_map(|entry| entry.workspace_id);
        if of.any(|workspace| !self.aliases.contains_key(&workspace)) {
            let all = service.workspaces(operator).await?.into_iter();
            self.aliases = all.map(|of| (of.id, of.alias.to_string())).collect();
        }
        let head = (!self.has_begun).then(|| HEAD.to_owned());
        self.has_begun = true;
        let lines = entries.iter().map(|entry| self.line(entry));
        Ok(head.into_iter().chain(lines).collect())
    }

    fn line(&self, entry: &Entry) -> String {
        let alias = entry.workspace_id.and_then(|id| self.aliases.get(&id));
        let who = match &entry.actor {
            // What anybody may choose is in quotes, so that it is not taken for what stands here without.
            Actor::Principal { name, kind, .. } if *kind != PrincipalKind::System => quoted(name),
            Actor::Principal { name, .. } => name.clone(),
            Actor::Link => "whoever has the link".into(),
            Actor::System => "askfile itself".into(),
        };
        let line = format!(
            "{}  {:9}  {who:20}  {}",
            rfc3339(entry.at),
            alias.map_or("-", String::as_str),
            told(entry),
        );
        // The id of a target is whatever an agent says it is.
        harmless_text(&line).replace('\n', " ")
    }
}

/// What was done, as a sentence whose subject is the actor.
fn told(entry: &Entry) -> String {
    let (it, detail) = (entry.subject.as_str(), &entry.detail);
    let text = |name: &str| detail[name].as_str().unwrap_or_default();
    let key = || format!("the key {} ({it})", quoted(text("name")));
    match entry.action {
        Action::UploadCreated => format!("made the link {it} for the purpose {}", text("purpose")),
        Action::UploadOpened => format!("opened the page of {it}"),
        Action::UploadCompleted => format!("completed {it}"),
        Action::UploadConsumed => format!("used {it} up: its files are attached"),
        Action::UploadExpired if text("expired_because") == "link" => {
            format!("ended {it}: its time was over")
        }
        Action::UploadExpired => format!("ended {it}: its last file is gone"),
        Action::UploadDeclined => format!("declined {it}"),
        Action::UploadCancelled => format!("cancelled {it}"),
        Action::UploadDeleted => format!("deleted {it} and the files that nothing has"),
        Action::MediaUploaded => {
            let size = size_text(detail["size_bytes"].as_u64().unwrap_or_default());
            let (mime_type, to) = (text("mime_type"), text("upload_id"));
            format!("sent the file {it} ({mime_type}, {size}) to {to}")
        }
        Action::MediaBlocked => format!("blocked the file {it}: {}", text("code")),
        Action::MediaAttached => {
            let (kind, id) = (text("target_type"), text("target_id"));
            format!("attached the file {it} to {kind} {id}")
        }
        Action::MediaDetached => {
            let (kind, id) = (text("target_type"), text("target_id"));
            format!("took the file {it} off {kind} {id}")
        }
        Action::AttachmentChanged => {
            let (kind, id) = (text("target_type"), text("target_id"));
            format!("changed {it}: the file {} on {kind} {id}", text("media_id"))
        }
        Action::MediaRead if text("what") == "link" => format!("got a link to the file {it}"),
        Action::MediaRead => format!("read the file {it}"),
        Action::MediaDownloaded => match text("what") {
            "preview" => format!("saw a preview of the file {it}"),
            "redirect" => format!("was led to the file {it} in the bucket"),
            _ => format!("downloaded the file {it}"),
        },
        Action::MediaDeleted if detail["force"] == true => {
            format!("deleted the file {it} by force")
        }
        Action::MediaDeleted => format!("deleted the file {it}"),
        Action::MediaRetired => format!("deleted the file {it}: it was to be kept no longer"),
        Action::KeyCreated => {
            let (none, may) = (Value::Null, &detail["capabilities"]);
            format!("made {}, which may {}", key(), more(&none, may))
        }
        Action::KeyRotated => format!("gave {} a new secret", key()),
        Action::KeyRevoked => format!("revoked {}", key()),
        Action::KeyAllowed => format!("allowed {} {}", key(), more(&detail["from"], &detail["to"])),
        Action::KeyDenied => format!("denied {} {}", key(), more(&detail["to"], &detail["from"])),
        Action::SignInCreated => {
            let (whom, may) = (quoted(text("for")), &detail["capabilities"]);
            format!(
                "made a sign-in code for {whom}, who may {}",
                more(&Value::Null, may)
            )
        }
        Action::GrantCreated => {
            let (client, may) = (quoted(text("client")), &detail["capabilities"]);
            format!(
                "let {client} in ({it}), which may {}",
                more(&Value::Null, may)
            )
        }
        Action::GrantRevoked => {
            let why = detail["why"]
                .as_str()
                .map_or_else(String::new, |why| format!(": {why}"));
            format!(
                "ended what {} was granted ({it}){why}",
                quoted(text("name"))
            )
        }
        Action::WorkspaceCreated => format!("made the workspace {}", called(detail)),
        Action::WorkspaceRenamed => {
            let (from, to) = (called(&detail["from"]), called(&detail["to"]));
            format!("renamed the workspace {from} to {to}")
        }
        Action::WorkspaceLimited => {
            let (from, to) = (limits(&detail["from"]), limits(&detail["to"]));
            format!("changed the quotas of the workspace from {from} to {to}")
        }
        Action::WorkspaceArchived => "archived the workspace".to_owned(),
        Action::WorkspaceReopened => "took the workspace up again".to_owned(),
    }
}

/// A name, of which nothing looks like what stands around it.
fn quoted(name: &str) -> String {
    format!("“{}”", name.replace(['“', '”'], "\""))
}

/// A workspace by its name and alias.
fn called(names: &Value) -> String {
    let text = |name: &str| names[name].as_str().unwrap_or_default();
    format!("{} ({})", quoted(text("name")), text("alias"))
}

/// The quotas of a workspace.
fn limits(quotas: &Value) -> String {
    let quotas = quotas.as_object().into_iter().flatten();
    let quotas = quotas.map(|(name, most)| match most.as_str() {
        Some(word) => format!("{name} {word}"),
        None => format!("{name} {most}"),
    });
    format!("({})", quotas.collect::<Vec<_>>().join(", "))
}

/// The words of a list that another one does not have.
fn more(than: &Value, list: &Value) -> String {
    let words = |list: &Value| -> Vec<String> {
        let words = list.as_array().into_iter().flatten();
        words.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut more = words(list);
    more.retain(|word| !words(than).contains(word));
    if more.is_empty() {
        return "nothing".to_owned();
    }
    more.join(", ")
}

fn facts(entry: &Entry) -> Value {
    let actor = &entry.actor;
    json!({
        "id": entry.id.0,
        "at": entry.at.to_string(),
        "workspace_id": entry.workspace_id.map(|id| id.to_string()),
        "actor": {
            "kind": actor.kind(),
            "id": actor.principal().map(|id| id.to_string()),
            "name": actor.name(),
            "api_key_id": actor.api_key().map(|id| id.to_string()),
        },
        "action": entry.action.as_str(),
        "subject": entry.subject,
        "detail": entry.detail,
    })
}
