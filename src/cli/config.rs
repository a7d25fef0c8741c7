//! `askfile config`: what is in force, and where it came from.

use std::{iter, time::Duration};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    config::{Flags, Loaded, TABLE, units},
    domain::{
        attachment::{Room, TargetType},
        mime::MimePattern,
        purpose::{Images, Purpose},
        webhook::Endpoint,
    },
};

/// Shows the settings in force and where each came from.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Print JSON, for programs.
    #[arg(long)]
    pub json: bool,

    /// Settings from the command line.
    #[command(flatten)]
    pub flags: Flags,
}

impl Config {
    /// What to print. Secrets are counted, not shown.
    #[must_use]
    pub fn report(&self, loaded: &Loaded) -> String {
        if self.json {
            format!("{:#}\n", json(loaded))
        } else {
            text(loaded)
        }
    }
}

/// The settings and purposes as JSON; values are texts as `askfile.toml` takes them.
#[must_use]
pub fn json(loaded: &Loaded) -> Value {
    let settings = TABLE.iter().map(|setting| {
        json!({
            "key": setting.key,
            "value": (setting.show)(&loaded.settings),
            "from": loaded.origin(setting.key).to_string(),
            "secret": setting.secret,
        })
    });
    let purposes = loaded.settings.purposes.iter().map(|purpose| {
        json!({
            "name": purpose.name,
            "from": loaded.purpose_origin(&purpose.name).to_string(),
            "accepts": purpose.accepts,
            "images": purpose.images,
            "retain": retain(purpose),
            "handles": purpose.handles,
            "suggestions": purpose.suggestions,
            "target_types": purpose.target_types,
        })
    });
    let webhooks = loaded.settings.webhooks.iter().map(|endpoint| {
        json!({
            "name": endpoint.name,
            "url": endpoint.url,
            "secrets": secrets(endpoint),
            "events": words(&endpoint.events, |event| event.as_str().to_owned()),
            "workspaces": words(&endpoint.workspaces, ToString::to_string),
            "timeout": units::duration_exact(endpoint.timeout),
        })
    });
    let targets = loaded.settings.target_types.iter().map(|target| {
        json!({
            "name": target.name,
            "accepts": target.accepts,
            "max_media": target.room.most,
            "one_shot": target.room.one_shot,
        })
    });
    json!({
        "settings": settings.collect::<Vec<_>>(),
        "purposes": purposes.collect::<Vec<_>>(),
        "target_types": targets.collect::<Vec<_>>(),
        "webhooks": webhooks.collect::<Vec<_>>(),
    })
}

/// Columns of a terminal that is not wide.
const WIDTH: usize = 80;

/// The settings and purposes as a table. A setting's first line begins with its key and ends with
/// its origin; the value is between them or, indented, below.
#[must_use]
pub fn text(loaded: &Loaded) -> String {
    let settings = &loaded.settings;
    let key_width = TABLE
        .iter()
        .map(|setting| setting.key.len())
        .max()
        .unwrap_or(0);
    let rows = TABLE.iter().map(|setting| {
        let value = (setting.show)(settings);
        let from = loaded.origin(setting.key).to_string();
        row(setting.key, &value, &from, key_width)
    });
    let purposes = settings.purposes.iter().map(|purpose| {
        let from = loaded.purpose_origin(&purpose.name).to_string();
        let facts = facts(purpose, settings.allowed_types == purpose.accepts);
        block(&format!("purpose {}  {from}", purpose.name), facts)
    });
    let targets = settings.target_types.iter().map(|target| {
        block(
            &format!("target_type {}", target.name),
            facts_of_target(target),
        )
    });
    let webhooks = settings.webhooks.iter().map(|endpoint| {
        let facts = facts_of_webhook(endpoint);
        block(&format!("webhook {}", endpoint.name), facts)
    });
    rows.chain(purposes)
        .chain(targets)
        .chain(webhooks)
        .collect()
}

/// What has a name of the operator's own, and what it says.
fn block(head: &str, facts: Vec<(&'static str, String)>) -> String {
    let facts = facts.into_iter().map(|(word, fact)| {
        let indent = " ".repeat(FACT_WIDTH);
        let lines = wrapped(&fact, WIDTH - FACT_WIDTH).join(&format!("\n{indent}"));
        format!("  {word:<width$}{lines}\n", width = FACT_WIDTH - 2)
    });
    iter::once(format!("\n{head}\n")).chain(facts).collect()
}

/// Column at which what a purpose or a webhook says begins.
const FACT_WIDTH: usize = 18;

/// Key, value and origin in one line; a value that does not fit between them goes below.
fn row(key: &str, value: &str, from: &str, key_width: usize) -> String {
    // Every origin begins at the same column, but for one that is too long for what is left of it.
    let column = (key_width + 20).min(WIDTH.saturating_sub(from.chars().count()));
    let room = column.saturating_sub(key_width + 4);
    if value.chars().count() <= room {
        return format!("{key:<key_width$}  {value:<room$}  {from}\n");
    }
    let width = column.saturating_sub(2);
    let value = wrapped(value, WIDTH - 4).join("\n    ");
    format!("{key:<width$}  {from}\n    {value}\n")
}

/// What a purpose says, each with a word for it.
fn facts(purpose: &Purpose, accepts_all: bool) -> Vec<(&'static str, String)> {
    let types: Vec<&str> = purpose.accepts.iter().map(MimePattern::as_str).collect();
    let accepts = if accepts_all {
        "all of allowed_types".to_owned()
    } else {
        types.join(", ")
    };
    let images = match purpose.images {
        Images::Keep => "keep",
        Images::Jpeg => "jpeg",
    };
    let mut facts = vec![
        ("accepts", accepts),
        ("images", images.to_owned()),
        ("retain", retain(purpose)),
    ];
    facts.extend(purpose.handles.iter().map(|handle| {
        let url = if handle.url { ", url" } else { "" };
        (
            "handle",
            format!("{} ({}_…{url})", handle.name, handle.prefix),
        )
    }));
    for suggestion in &purpose.suggestions {
        facts.push(("suggests", suggestion.call.clone()));
        let several = suggestion.several_images.iter();
        facts.extend(several.map(|call| ("several images", call.clone())));
    }
    if !purpose.target_types.is_empty() {
        facts.push(("targets", purpose.target_types.join(", ")));
    }
    facts
}

/// What is said of a kind of target, each with a word for it.
fn facts_of_target(target: &TargetType) -> Vec<(&'static str, String)> {
    let types: Vec<&str> = target.accepts.iter().map(MimePattern::as_str).collect();
    let most = match target.room {
        Room { one_shot: true, .. } => "once".to_owned(),
        Room {
            most: Some(most), ..
        } => format!("at most {most}"),
        Room { most: None, .. } => "any number".to_owned(),
    };
    let all = || "all".to_owned();
    let types = Some(types.join(", ")).filter(|types| !types.is_empty());
    vec![("accepts", types.unwrap_or_else(all)), ("files", most)]
}

/// What an endpoint says, each with a word for it.
fn facts_of_webhook(endpoint: &Endpoint) -> Vec<(&'static str, String)> {
    let workspaces = words(&endpoint.workspaces, ToString::to_string).join(", ");
    let all = || "all".to_owned();
    vec![
        ("url", endpoint.url.clone()),
        ("secrets", secrets(endpoint)),
        (
            "events",
            words(&endpoint.events, |event| event.as_str().to_owned()).join(", "),
        ),
        (
            "workspaces",
            Some(workspaces)
                .filter(|of| !of.is_empty())
                .unwrap_or_else(all),
        ),
        ("timeout", units::duration_exact(endpoint.timeout)),
    ]
}

fn words<T>(of: &[T], word: impl FnMut(&T) -> String) -> Vec<String> {
    of.iter().map(word).collect()
}

fn secrets(endpoint: &Endpoint) -> String {
    match endpoint.secrets.len() {
        1 => "(hidden, 1 key)".to_owned(),
        many => format!("(hidden, {many} keys)"),
    }
}

fn retain(purpose: &Purpose) -> String {
    let seconds = purpose.retain_seconds.map(Duration::from_secs);
    seconds.map_or_else(|| "forever".to_owned(), units::duration_exact)
}

/// The text in lines of at most so many characters, broken at spaces where it has them.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load;

    fn loaded(environment: &[(&str, &str)]) -> Loaded {
        let given = environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let folder = Path::new("/srv");
        let environment = given.chain([("ASKFILE_DATA_DIR".into(), folder.into())]);
        load(&Flags::default(), environment, Path::new("/nowhere")).unwrap()
    }

    fn row_of(report: &str, key: &str) -> String {
        let mut lines = report
            .lines()
            .skip_while(|line| !line.starts_with(&format!("{key} ")));
        let first = lines.next().unwrap();
        let rest = lines.take_while(|line| line.starts_with("    "));
        let words = iter::once(first)
            .chain(rest)
            .flat_map(str::split_whitespace);
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_row_says_what_is_in_force_and_where_it_came_from() {
        let report = text(&loaded(&[
            ("ASKFILE_MAX_FILE_SIZE", "10MB"),
            (
                "ASKFILE_PUBLIC_URL",
                "https://files.of.somebody.example.com/with/a/long/path",
            ),
        ]));
        for (key, row) in [
            ("listen", "listen 127.0.0.1:8787 default"),
            (
                "max_file_size",
                "max_file_size 10MB environment ASKFILE_MAX_FILE_SIZE",
            ),
            ("max_image_size", "max_image_size 10MB default"),
            ("data_dir", "data_dir /srv environment ASKFILE_DATA_DIR"),
            ("link_keys", "link_keys auto default"),
        ] {
            assert_eq!(row_of(&report, key), row, "{report}");
        }
        assert!(
            row_of(&report, "public_url").contains("/with/a/long/path"),
            "{report}"
        );
    }

    #[test]
    fn the_report_fits_a_terminal_of_80_columns() {
        let report = text(&loaded(&[
            ("ASKFILE_ALLOWED_TYPES", &"a/b ".repeat(40)),
            ("ASKFILE_RATE_LIMIT_UPLOADS_PER_MINUTE", "20"),
            (
                "ASKFILE_PUBLIC_URL",
                "https://files.of.somebody.example.com/with/a/long/path",
            ),
        ]));
        for line in report.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn origins_stand_below_each_other_however_long_the_values_are() {
        let report = text(&loaded(&[("ASKFILE_LOG", "info,askfile=debug")]));
        let origins = ["  default", "  environment"];
        let columns = report
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| origins.iter().find_map(|origin| line.find(origin)));
        let columns: std::collections::BTreeSet<usize> = columns.collect();
        assert_eq!(columns.len(), 1, "{report}");
    }

    #[test]
    fn every_purpose_is_described_below_the_settings() {
        let report = text(&loaded(&[]));
        let both = report
            .split("\npurpose ")
            .find(|part| part.starts_with("both"))
            .unwrap();
        for fact in [
            "both  default",
            "image/*",
            "person_source (ps_…)",
            "study_media (sm_…, url)",
            "several images  study_add_iteration(image_urls=",
        ] {
            assert!(both.contains(fact), "{fact} in {both}");
        }
        assert!(report.contains("all of allowed_types"), "{report}");
    }

    #[test]
    fn keys_are_counted_in_both_reports_and_shown_in_neither() {
        let key = "0a".repeat(32);
        let loaded = loaded(&[("ASKFILE_LINK_KEYS", &key)]);
        for json in [false, true] {
            let flags = Flags::default();
            let report = Config { json, flags }.report(&loaded);
            assert!(report.contains("(hidden, 1 key)"), "{report}");
            assert!(!report.contains(&key), "{report}");
        }
    }

    #[test]
    fn json_has_every_setting_and_every_purpose() {
        let json = json(&loaded(&[("ASKFILE_LINK_TTL", "300")]));
        let settings = json["settings"].as_array().unwrap();
        assert_eq!(settings.len(), TABLE.len());
        let expected = json!({
            "key": "link_ttl", "value": "5m", "from": "environment ASKFILE_LINK_TTL", "secret": false,
        });
        assert!(settings.contains(&expected), "{json}");
        assert_eq!(json["purposes"][4]["name"], "both");
        assert_eq!(json["purposes"][4]["handles"][1]["prefix"], "sm");
        assert_eq!(json["purposes"][4]["retain"], "forever");
    }
}
