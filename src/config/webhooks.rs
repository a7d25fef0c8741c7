//! The endpoints of webhooks: what `[webhook.NAME]` tables say, and the secrets of the environment.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use reqwest::Url;
use toml::{Spanned, de::DeValue};

use super::{
    file::{Document, NAME_RULE, Source, WEBHOOKS, in_order, is_name, text_of},
    forms::{Form, Within, words},
    table::did_you_mean,
};
use crate::domain::{audit::Action, webhook::Endpoint};

/// How long an answer may take, in seconds.
const TIMEOUT: RangeInclusive<u64> = 1..=60;

/// How one key of an endpoint's table is read.
type Take = fn(&mut Endpoint, &str) -> Result<(), String>;

/// The keys of an endpoint's table.
const KEYS: [(&str, Take); 5] = [
    ("url", |endpoint, text| put(&mut endpoint.url, url(text))),
    ("secrets", |endpoint, text| {
        put(&mut endpoint.secrets, secrets(text))
    }),
    ("events", |endpoint, text| {
        put(&mut endpoint.events, events(text))
    }),
    ("workspaces", |endpoint, text| {
        let each = words(text).into_iter().map(str::parse);
        put(&mut endpoint.workspaces, each.collect())
    }),
    ("timeout", |endpoint, text| {
        let read = Within(TIMEOUT).read(text);
        put(
            &mut endpoint.timeout,
            read.map_err(|why| format!("\"{text}\" {why}")),
        )
    }),
];

fn put<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

fn url(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if url.username() != "" || url.password().is_some() => {
            Err("has a user name in it; who posts is known by the signature".into())
        }
        Ok(url) if ["http", "https"].contains(&url.scheme()) => Ok(text.to_owned()),
        _ => Err("is not an address such as `https://example.com/askfile`".into()),
    }
}

fn secrets(text: &str) -> Result<Vec<crate::domain::webhook::Secret>, String> {
    let all = words(text);
    if all.is_empty() {
        return Err("is empty".into());
    }
    let count = all.len();
    let read = (1..).zip(all).map(|(n, word)| {
        let secret = word.parse();
        secret.map_err(|why| {
            format!(
                "secret {n} of {count} {why}, such as `echo whsec_$(openssl rand -base64 32)` makes"
            )
        })
    });
    read.collect()
}

fn events(text: &str) -> Result<Vec<Action>, String> {
    let mut events = Vec::new();
    for word in words(text) {
        let told = Action::named(word).into_iter();
        let before = events.len();
        events.extend(told.filter(|action| action.told() == Some(*action)));
        if events.len() == before {
            let known = all_events().into_iter().map(Action::as_str);
            let hint = did_you_mean(word, known);
            return Err(format!(
                "`{word}` is no event such as `upload.completed`, nor a kind such as `media.*`{hint}"
            ));
        }
    }
    Ok(events)
}

fn all_events() -> Vec<Action> {
    let told = |action: &Action| action.told() == Some(*action);
    Action::ALL.iter().copied().filter(told).collect()
}

/// What the file and the environment make of webhooks.
pub(super) struct Webhooks {
    pub all: Vec<Endpoint>,
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

impl Webhooks {
    /// `secrets` are those of the environment, which beat the file's.
    pub fn read(file: Option<&Document<'_>>, mut secrets: BTreeMap<String, String>) -> Self {
        let mut webhooks = Self {
            all: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        if let Some((file, tables)) = file.and_then(|file| Some((file, file.named(WEBHOOKS)?))) {
            webhooks.read_all(file.source, tables, &mut secrets);
        }
        let idle = secrets.keys().map(|name| {
            format!("ASKFILE_WEBHOOK_{name}_SECRETS is of no webhook of the settings file and has no effect")
        });
        webhooks.warnings.extend(idle);
        webhooks
    }

    fn read_all(
        &mut self,
        source: &Source,
        tables: &Spanned<DeValue<'_>>,
        secrets: &mut BTreeMap<String, String>,
    ) {
        let Some(table) = tables.get_ref().as_table() else {
            let what = "webhook: is not a table; write `[webhook.NAME]`";
            self.problems
                .push(source.problem(tables.span().start, what));
            return;
        };
        for (name, table) in in_order(table) {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            let given = secrets.remove(&name.to_ascii_uppercase());
            let endpoint = self.read_one(source, at, name, table, given);
            self.all.push(endpoint);
        }
    }

    fn read_one(
        &mut self,
        source: &Source,
        at: usize,
        name: &str,
        table: &Spanned<DeValue<'_>>,
        given: Option<String>,
    ) -> Endpoint {
        let mut endpoint = Endpoint {
            name: name.to_owned(),
            url: String::new(),
            secrets: Vec::new(),
            events: all_events(),
            workspaces: Vec::new(),
            timeout: Duration::from_secs(15),
        };
        let mut refuse = |at, key: &str, reason: &str| {
            let what = format!("webhook.{name}{key}: {reason}");
            self.problems.push(source.problem(at, &what));
        };
        let Some(table) = table.get_ref().as_table() else {
            refuse(at, "", "is not a table");
            return endpoint;
        };
        if !is_name(name) {
            refuse(at, "", NAME_RULE);
        }
        let mut keys = Vec::new();
        for (key, value) in in_order(table) {
            let (at, key) = (key.span().start, key.get_ref().as_ref());
            let Some((key, take)) = KEYS.iter().find(|(known, _)| *known == key) else {
                let hint = did_you_mean(key, KEYS.iter().map(|(known, _)| *known));
                refuse(at, "", &format!("unknown key `{key}`{hint}"));
                continue;
            };
            keys.push(*key);
            let text = text_of(value.get_ref());
            if let Err(reason) = text.and_then(|text| take(&mut endpoint, &text)) {
                refuse(at, &format!(".{key}"), &reason);
            }
        }
        let variable = format!("ASKFILE_WEBHOOK_{}_SECRETS", name.to_ascii_uppercase());
        if let Some(given) = given {
            keys.push("secrets");
            if let Err(reason) = put(&mut endpoint.secrets, self::secrets(&given)) {
                self.problems.push(format!("{variable}: {reason}"));
            }
        }
        let mut refuse = |reason: &str| {
            let what = format!("webhook.{name}: {reason}");
            self.problems.push(source.problem(at, &what));
        };
        if !keys.contains(&"url") {
            refuse("needs a `url`");
        }
        if !keys.contains(&"secrets") {
            refuse(&format!("needs `secrets`, here or in {variable}"));
        }
        endpoint
    }
}
