//! The endpoints of webhooks: what `[webhook.NAME]` tables say, and the secrets of the environment.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use reqwest::Url;
use toml::{Spanned, de::DeValue};

use super::{
    file::{Document, NAME_RULE, Source, WEBHOOKS, in_order, is_name, text_of},
    forms::{Form, Within, words},
    table::did_you_mean,
};
use crate::domain::{
    audit::Action,
    webhook::{Endpoint, Secret},
};

/// How long an answer may take, in seconds.
const TIMEOUT: RangeInclusive<u64> = 1..=60;

/// What makes a secret.
const MAKE_ONE: &str = "echo whsec_$(openssl rand -base64 32)";

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

fn secrets(text: &str) -> Result<Vec<Secret>, String> {
    let all = words(text);
    if all.is_empty() {
        return Err("is empty".into());
    }
    let count = all.len();
    let read = (1..).zip(all).map(|(n, word)| {
        let read = word.parse();
        read.map_err(|why| format!("secret {n} of {count} {why}; `{MAKE_ONE}` makes one"))
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
    if events.is_empty() {
        return Err("is empty, so nothing would be told".into());
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// What this file and these variables make of webhooks.
    fn read(toml: &str, variables: &[(&str, &str)]) -> Webhooks {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("askfile.toml");
        fs::write(&path, toml).unwrap();
        let source = Source::open(Some(path), folder.path()).unwrap().unwrap();
        let secrets = variables.iter();
        let secrets = secrets.map(|(name, text)| ((*name).into(), (*text).into()));
        let mut webhooks = Webhooks::read(Some(&source.parse().unwrap()), secrets.collect());
        let path = format!("{}/", folder.path().display());
        for problem in &mut webhooks.problems {
            *problem = problem.replace(&path, "");
        }
        webhooks
    }

    fn one(webhooks: &Webhooks) -> Endpoint {
        assert!(webhooks.problems.is_empty(), "{:?}", webhooks.problems);
        let [endpoint] = &webhooks.all[..] else {
            panic!("{:?}", webhooks.all);
        };
        endpoint.clone()
    }

    #[test]
    fn an_endpoint_needs_an_address_and_a_secret_and_is_told_everything() {
        let toml = format!("[webhook.shop]\nurl = 'http://10.0.0.1/'\nsecrets = '{SECRET}'");
        let shop = one(&read(&toml, &[]));
        assert_eq!(
            (shop.name.as_str(), shop.url.as_str()),
            ("shop", "http://10.0.0.1/")
        );
        assert_eq!(shop.events, all_events());
        assert_eq!((shop.workspaces.len(), shop.timeout.as_secs()), (0, 15));
    }

    #[test]
    fn every_key_of_an_endpoint_is_read() {
        let toml = format!(
            "[webhook.shop]\nurl = 'https://example.com/a?b=c'\nsecrets = ['{SECRET}', '{SECRET}']\n\
             events = ['upload.completed', 'media.*']\nworkspaces = ['w-6ec']\ntimeout = '5s'"
        );
        let shop = one(&read(&toml, &[]));
        assert_eq!(shop.secrets.len(), 2);
        assert_eq!(
            shop.events,
            [
                Action::UploadCompleted,
                Action::MediaBlocked,
                Action::MediaAttached,
                Action::MediaDetached,
                Action::MediaDeleted,
            ]
        );
        assert_eq!(shop.workspaces[0].to_string(), "w-6ec");
        assert_eq!(shop.timeout.as_secs(), 5);
    }

    #[test]
    fn secrets_of_the_environment_beat_those_of_the_file() {
        let toml = "[webhook.shop]\nurl = 'http://10.0.0.1/'\nsecrets = 'x'";
        let read = |toml, text| read(toml, &[("SHOP", text)]);
        let without = toml.replace("\nsecrets = 'x'", "");
        assert_eq!(one(&read(&without, SECRET)).secrets.len(), 1);
        let advice = "is not `whsec_` and 24 to 64 bytes in base64; \
                      `echo whsec_$(openssl rand -base64 32)` makes one";
        assert_eq!(
            read(toml, "5ec4e7").problems,
            [
                format!("askfile.toml:3: webhook.shop.secrets: secret 1 of 1 {advice}"),
                format!("ASKFILE_WEBHOOK_SHOP_SECRETS: secret 1 of 1 {advice}"),
            ],
            "none is repeated"
        );
        let idle = super::Webhooks::read(None, [("BANK".into(), SECRET.into())].into());
        assert_eq!(
            idle.warnings,
            [
                "ASKFILE_WEBHOOK_BANK_SECRETS is of no webhook of the settings file and has no effect"
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_key() {
        #[rustfmt::skip]
        let table = [
            ("url = 'example.com'", "3: webhook.shop.url: is not an address such as `https://example.com/askfile`"),
            ("url = 'ftp://example.com'", "3: webhook.shop.url: is not an address such as `https://example.com/askfile`"),
            ("url = 'http://me@example.com'", "3: webhook.shop.url: has a user name in it; who posts is known by the signature"),
            ("url = 'http://a/'\nevents = ['upload.complete']", "4: webhook.shop.events: `upload.complete` is no event such as `upload.completed`, nor a kind such as `media.*`; did you mean `upload.completed`?"),
            ("url = 'http://a/'\nevents = ['key.*']", "4: webhook.shop.events: `key.*` is no event such as `upload.completed`, nor a kind such as `media.*`"),
            ("url = 'http://a/'\nevents = []", "4: webhook.shop.events: is empty, so nothing would be told"),
            ("url = 'http://a/'\ntimeout = '2m'", "4: webhook.shop.timeout: \"2m\" is out of range; give from 1s to 1m"),
            ("url = 'http://a/'\nworkspaces = ['mine']", "4: webhook.shop.workspaces: a workspace is named by"),
            ("uri = 'http://a/'", "3: webhook.shop: unknown key `uri`; did you mean `url`?"),
            ("", "1: webhook.shop: needs a `url`"),
        ];
        for (toml, problem) in table {
            let toml = format!("[webhook.shop]\nsecrets = '{SECRET}'\n{toml}");
            let said = &read(&toml, &[]).problems[0];
            assert!(
                said.starts_with(&format!("askfile.toml:{problem}")),
                "{said}"
            );
        }
        for (toml, problem) in [
            (
                "webhook = 1",
                "1: webhook: is not a table; write `[webhook.NAME]`",
            ),
            ("webhook.shop = 1", "1: webhook.shop: is not a table"),
            (
                "[webhook.Shop]",
                "1: webhook.Shop: a name has 1 to 32 of the characters a-z, 0-9 and _",
            ),
            (
                "[webhook.shop]\nurl = 'http://a/'",
                "1: webhook.shop: needs `secrets`, here or in ASKFILE_WEBHOOK_SHOP_SECRETS",
            ),
        ] {
            let said = &read(toml, &[]).problems[0];
            assert_eq!(said, &format!("askfile.toml:{problem}"), "{toml}");
        }
    }
}
