//! The purposes: the built-in ones, and what `[purpose.NAME]` tables change and add.

mod faults;

use serde::{Deserialize, de::Error as _};
use toml::{
    Spanned,
    de::{DeValue, Error, ValueDeserializer},
};

use super::{
    file::{self, Document, PURPOSES, Source, in_order, text_of},
    table::did_you_mean,
    units,
};
use crate::domain::{
    mime::{self, MimePattern},
    purpose::{Purpose, built_in},
};

/// How one key of a purpose's table is read.
type Take = fn(&mut Purpose, Spanned<DeValue<'_>>) -> Result<(), Error>;

/// The keys of a purpose's table.
const KEYS: [(&str, Take); 6] = [
    ("accepts", |purpose, value| put(&mut purpose.accepts, value)),
    ("images", |purpose, value| put(&mut purpose.images, value)),
    ("retain", |purpose, value| retain(purpose, &value)),
    ("handles", |purpose, value| put(&mut purpose.handles, value)),
    ("suggestions", suggestions),
    ("target_types", |purpose, value| {
        put(&mut purpose.target_types, value)
    }),
];

fn put<'v, T: Deserialize<'v>>(field: &mut T, value: Spanned<DeValue<'v>>) -> Result<(), Error> {
    *field = T::deserialize(ValueDeserializer::from(value))?;
    Ok(())
}

fn retain(purpose: &mut Purpose, value: &Spanned<DeValue<'_>>) -> Result<(), Error> {
    let text = text_of(value.get_ref()).map_err(Error::custom)?;
    purpose.retain_seconds = match text.as_str() {
        "forever" => None,
        text => {
            let refused = |reason| Error::custom(format!("\"{text}\" {reason}, or `forever`"));
            Some(units::parse_duration(text).map_err(refused)?.as_secs())
        }
    };
    Ok(())
}

fn suggestions(purpose: &mut Purpose, value: Spanned<DeValue<'_>>) -> Result<(), Error> {
    put(&mut purpose.suggestions, value)?;
    for suggestion in &mut purpose.suggestions {
        // Three dots are what a keyboard has.
        for call in std::iter::once(&mut suggestion.call).chain(&mut suggestion.several_images) {
            *call = call.replace("}...]", "}…]");
        }
    }
    Ok(())
}

/// What the file makes of the built-in purposes.
pub(super) struct Purposes {
    pub all: Vec<Purpose>,
    /// Names of those that the file has a table for.
    pub from_file: Vec<String>,
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

impl Purposes {
    /// The purposes of a server that allows these types.
    pub fn read(file: Option<&Document<'_>>, allowed_types: &[MimePattern]) -> Self {
        let mut purposes = Self {
            all: built_in(allowed_types),
            from_file: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        if let Some((file, tables)) = file.and_then(|file| Some((file, file.named(PURPOSES)?))) {
            purposes.read_all(file.source, tables, allowed_types);
        }
        purposes
    }

    fn read_all(
        &mut self,
        source: &Source,
        tables: &Spanned<DeValue<'_>>,
        allowed_types: &[MimePattern],
    ) {
        let Some(table) = tables.get_ref().as_table() else {
            let what = "purpose: is not a table; write `[purpose.NAME]`";
            self.problems
                .push(source.problem(tables.span().start, what));
            return;
        };
        for (name, table) in in_order(table) {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            let found = self.all.iter().position(|purpose| purpose.name == name);
            let purpose = self.read_one(source, at, name, found, table);
            if mime::meet(allowed_types, &purpose.accepts).is_empty() {
                let what = format!("purpose.{name} accepts nothing that `allowed_types` allows");
                self.warnings.push(source.problem(at, &what));
            }
            self.from_file.push(name.to_owned());
            match found {
                Some(index) => self.all[index] = purpose,
                None => self.all.push(purpose),
            }
        }
    }

    /// The purpose that this table describes, on the ground of the one that was `found`.
    fn read_one(
        &mut self,
        source: &Source,
        at: usize,
        name: &str,
        found: Option<usize>,
        table: &Spanned<DeValue<'_>>,
    ) -> Purpose {
        // What a new purpose leaves out, it takes from the first, which is `general`.
        let mut purpose = self.all[found.unwrap_or(0)].clone();
        name.clone_into(&mut purpose.name);
        let mut refuse = |at, key: &str, reason: &str| {
            let what = format!("purpose.{name}{key}: {reason}");
            self.problems.push(source.problem(at, &what));
        };
        let Some(table) = table.get_ref().as_table() else {
            refuse(at, "", "is not a table");
            return purpose;
        };
        if !file::is_name(name) {
            refuse(at, "", file::NAME_RULE);
        }
        let mut accepts = found.is_some();
        for (key, value) in in_order(table) {
            let (at, key) = (key.span().start, key.get_ref().as_ref());
            accepts |= key == "accepts";
            let Some((_, take)) = KEYS.iter().find(|(known, _)| *known == key) else {
                let hint = did_you_mean(key, KEYS.iter().map(|(known, _)| *known));
                refuse(at, "", &format!("unknown key `{key}`{hint}"));
                continue;
            };
            if let Err(error) = take(&mut purpose, value.clone()) {
                let at = error.span().map_or(at, |span| span.start);
                refuse(at, &format!(".{key}"), error.message());
            }
        }
        if !accepts {
            refuse(at, "", "is a new purpose, so it needs `accepts`");
        }
        for (key, reason) in faults::of(&purpose) {
            let entry = in_order(table)
                .into_iter()
                .find(|(given, _)| given.get_ref() == key);
            let at = entry.map_or(at, |(given, _)| given.span().start);
            refuse(at, &format!(".{key}"), &reason);
        }
        purpose
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::domain::purpose::Images;

    /// What this file makes of the purposes, on a server that takes PNG and text.
    fn read(toml: &str) -> Purposes {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("askfile.toml");
        fs::write(&path, toml).unwrap();
        let source = Source::open(Some(path), folder.path()).unwrap().unwrap();
        let allowed = ["image/png", "text/plain"].map(|text| text.parse().unwrap());
        let mut purposes = Purposes::read(Some(&source.parse().unwrap()), &allowed);
        let path = format!("{}/", folder.path().display());
        for said in purposes.problems.iter_mut().chain(&mut purposes.warnings) {
            *said = said.replace(&path, "");
        }
        purposes
    }

    fn named(purposes: Purposes, name: &str) -> Purpose {
        assert!(purposes.problems.is_empty(), "{:?}", purposes.problems);
        purposes
            .all
            .into_iter()
            .find(|purpose| purpose.name == name)
            .unwrap()
    }

    fn built_in_named(name: &str) -> Purpose {
        named(read(""), name)
    }

    #[test]
    fn a_table_of_a_built_in_purpose_changes_only_what_it_says() {
        let both = named(read("[purpose.both]\nretain = '2 days'"), "both");
        let retain_seconds = Some(172_800);
        assert_eq!(
            both,
            Purpose {
                retain_seconds,
                ..built_in_named("both")
            }
        );
    }

    #[test]
    fn a_new_purpose_takes_from_general_what_it_leaves_out() {
        let photo = named(read("[purpose.photo]\naccepts = ['image/*']"), "photo");
        let general = built_in_named("general");
        assert_eq!(photo.accepts[0].as_str(), "image/*");
        assert_eq!(
            (photo.handles, photo.suggestions),
            (general.handles, general.suggestions)
        );
    }

    #[test]
    fn every_key_of_a_purpose_is_read() {
        let toml = r#"
            [purpose.photo]
            accepts = ["image/png"]
            images = "jpeg"
            retain = 60
            handles = [{ name = "photo", prefix = "ph", url = true }]
            suggestions = [{ call = "show({photo})", several_images = "show([{photo.url}...])" }]
            target_types = ["post"]
        "#;
        let photo = named(read(toml), "photo");
        assert_eq!(
            (photo.images, photo.retain_seconds),
            (Images::Jpeg, Some(60))
        );
        assert_eq!(photo.handles[0].prefix, "ph");
        assert_eq!(
            photo.suggestions[0].several_images.as_deref(),
            Some("show([{photo.url}…])")
        );
        assert_eq!(photo.target_types, ["post"]);
        let kept = named(read("[purpose.both]\nretain = 'forever'"), "both");
        assert_eq!(kept.retain_seconds, None);
    }

    #[test]
    fn own_purposes_come_after_the_built_in_ones_in_the_order_of_the_file() {
        let toml = "[purpose.z]\naccepts = ['image/*']\n[purpose.a]\naccepts = ['image/*']";
        let purposes = read(toml);
        let names: Vec<&str> = purposes.all.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names[names.len() - 3..], ["both", "z", "a"]);
        assert_eq!(purposes.from_file, ["z", "a"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_key() {
        #[rustfmt::skip]
        let table = [
            ("[purpose.photo]\nimages = 'keep'", "1: purpose.photo: is a new purpose, so it needs `accepts`"),
            ("[purpose.both]\nhandels = []", "2: purpose.both: unknown key `handels`; did you mean `handles`?"),
            ("[purpose.both]\nimages = 'jpg'", "2: purpose.both.images: unknown variant `jpg`, expected `keep` or `jpeg`"),
            ("[purpose.both]\nretain = 'long'", "2: purpose.both.retain: \"long\" is not a duration; write it as `15m`, `90s` or `1h 30m`, or `forever`"),
            ("[purpose.both]\naccepts = [\n'png',\n]", "2: purpose.both.accepts: `png` is not a MIME type such as `image/png`, nor a pattern such as `image/*`"),
            ("[purpose.both]\naccepts = []", "2: purpose.both.accepts: is empty, so nothing could be uploaded"),
            ("[purpose.Big]\naccepts = ['image/*']", "1: purpose.Big: a name has 1 to 32 of the characters a-z, 0-9 and _"),
            ("purpose = 1", "1: purpose: is not a table; write `[purpose.NAME]`"),
            ("purpose.both = 1", "1: purpose.both: is not a table"),
        ];
        for (toml, problem) in table {
            assert_eq!(
                read(toml).problems,
                [format!("askfile.toml:{problem}")],
                "{toml}"
            );
        }
    }

    #[test]
    fn a_field_that_a_handle_has_not_is_refused_where_it_stands() {
        let toml = "[purpose.both]\nhandles = [\n  { name = 'a', prefix = 'a', ur = true },\n]";
        let said = read(toml).problems;
        assert!(
            said[0].starts_with("askfile.toml:3: purpose.both.handles: unknown field `ur`"),
            "{said:?}"
        );
    }

    #[test]
    fn a_purpose_that_the_allowlist_leaves_nothing_of_is_warned_about() {
        let purposes = read("[purpose.voice]\naccepts = ['audio/*']");
        let warning = "askfile.toml:1: purpose.voice accepts nothing that `allowed_types` allows";
        assert_eq!(purposes.warnings, [warning]);
        assert!(
            read("[purpose.photo]\naccepts = ['image/*']")
                .warnings
                .is_empty()
        );
    }
}
