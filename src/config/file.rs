//! The file's layer: `askfile.toml`.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    layers::{Given, Origin},
    table::{TABLE, did_you_mean},
};

/// The name that is looked for where none is given.
const NAME: &str = "askfile.toml";

/// The key under which the purposes are.
pub(super) const PURPOSES: &str = "purpose";
/// The key under which the endpoints of webhooks are.
pub(super) const WEBHOOKS: &str = "webhook";
/// The key under which the kinds of targets are.
pub(super) const TARGET_TYPES: &str = "target_type";
/// Tables of tables with names of the operator's own.
const NAMED: [&str; 3] = [PURPOSES, TARGET_TYPES, WEBHOOKS];

/// What a table may be named.
pub(super) const NAME_RULE: &str = "a name has 1 to 32 of the characters a-z, 0-9 and _";

pub(super) fn is_name(text: &str) -> bool {
    let is_mark = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=32).contains(&text.len()) && text.bytes().all(is_mark)
}

/// The text of a settings file.
pub(super) struct Source {
    pub path: PathBuf,
    text: String,
}

impl Source {
    /// The file of this name; without one, the `askfile.toml` in `folder`, if there is one.
    pub fn open(named: Option<PathBuf>, folder: &Path) -> Result<Option<Self>, String> {
        let must_exist = named.is_some();
        let path = named.unwrap_or_else(|| folder.join(NAME));
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { path, text })),
            Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => Ok(None),
            Err(error) => Err(format!("{}: cannot be read: {error}", path.display())),
        }
    }

    /// What is in it.
    pub fn parse(&self) -> Result<Document<'_>, String> {
        // Only the message is shown: the source line beside it may hold a key.
        let table = DeTable::parse(&self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.problem(at, error.message())
        })?;
        Ok(Document {
            source: self,
            table: table.into_inner(),
        })
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.bytes().take(at);
        before.filter(|byte| *byte == b'\n').count() + 1
    }

    /// A sentence about this place in the file.
    pub fn problem(&self, at: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path.display(), self.line(at))
    }
}

/// A settings file that is good TOML.
pub(super) struct Document<'t> {
    pub source: &'t Source,
    table: DeTable<'t>,
}

impl<'t> Document<'t> {
    /// The settings in it, and what else is wrong outside the named tables.
    pub fn settings(&self) -> (Vec<Given>, Vec<String>) {
        let (mut given, mut problems) = (Vec::new(), Vec::new());
        for (at, key, value) in in_tables(&self.table) {
            let key = key.as_str();
            let setting = TABLE.iter().find(|setting| setting.key == key);
            match (setting, text_of(value.get_ref())) {
                (Some(setting), Ok(text)) => given.push(Given {
                    setting,
                    text,
                    origin: Origin::File(self.source.path.clone()),
                    line: self.source.line(at),
                }),
                (Some(_), Err(reason)) => {
                    problems.push(self.source.problem(at, &format!("{key}: {reason}")));
                }
                (None, _) if NAMED.contains(&key) => {}
                (None, _) => {
                    let known = TABLE.iter().map(|setting| setting.key).chain(NAMED);
                    let hint = did_you_mean(key, known);
                    let what = format!("unknown setting `{key}`{hint}");
                    problems.push(self.source.problem(at, &what));
                }
            }
        }
        (given, problems)
    }

    /// The table of named tables under this key, if it has one.
    pub fn named(&self, of: &str) -> Option<&Spanned<DeValue<'t>>> {
        let mut entries = self.table.iter();
        entries.find_map(|(key, value)| (key.get_ref() == of).then_some(value))
    }
}

/// The entries of a table and of the tables in it, in the order of the file: where each is, its dotted
/// key and its value. What is in the named tables is not looked at.
fn in_tables<'a, 't>(table: &'a DeTable<'t>) -> Vec<(usize, String, &'a Spanned<DeValue<'t>>)> {
    let mut entries = Vec::new();
    for (key, value) in in_order(table) {
        let (at, key) = (key.span().start, key.get_ref().to_string());
        match value.get_ref().as_table() {
            Some(inner) if is_table_of_settings(&key) => {
                let inner = in_tables(inner).into_iter();
                entries
                    .extend(inner.map(|(at, below, value)| (at, format!("{key}.{below}"), value)));
            }
            _ => entries.push((at, key, value)),
        }
    }
    entries
}

fn is_table_of_settings(name: &str) -> bool {
    let mut tables = TABLE
        .iter()
        .filter_map(|setting| setting.key.split_once('.'));
    tables.any(|(table, _)| table == name)
}

/// A table's entries in the order of the file.
pub(super) fn in_order<'a, 't>(table: &'a DeTable<'t>) -> Vec<Entry<'a, 't>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

type Entry<'a, 't> = (
    &'a Spanned<toml::de::DeString<'t>>,
    &'a Spanned<DeValue<'t>>,
);

/// The value as one would write it into the environment.
pub(super) fn text_of(value: &DeValue<'_>) -> Result<String, String> {
    let no_text = || {
        let kind = value.type_str();
        format!(
            "is of the type {kind}; give a text, a whole number, true or false, or a list of texts"
        )
    };
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Boolean(is_on) => Ok(is_on.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| no_text()),
        DeValue::Array(items) => {
            let texts: Option<Vec<&str>> =
                items.iter().map(|item| item.get_ref().as_str()).collect();
            texts.map(|texts| texts.join(", ")).ok_or_else(no_text)
        }
        _ => Err(no_text()),
    }
}
