//! What people read, in their language: the page, the card, and the instruction that an agent relays.
//! The texts are in `web/locales`, with plural forms as i18next has them: `files_one`, `files_other`,
//! by the categories of Unicode CLDR.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules};
use jiff::Timestamp;

use crate::{
    config::units::{in_units, size_parts},
    domain::{
        language::Language,
        mime::{Kind, MimePattern, friendly_name},
        principal::UNNAMED_AGENT,
    },
};

/// By group, then by key.
pub(crate) type Texts = BTreeMap<String, BTreeMap<String, String>>;

/// All texts of one language.
#[derive(Debug)]
pub(crate) struct Phrases {
    pub language: Language,
    texts: Texts,
    rules: PluralRules,
}

/// Most types that a person reads one by one.
const MOST_TYPES: usize = 5;

static ALL: LazyLock<[Phrases; 3]> = LazyLock::new(|| Language::ALL.map(Phrases::read));

impl Language {
    /// What is said in it.
    pub(crate) fn phrases(self) -> &'static Phrases {
        let found = ALL.iter().find(|phrases| phrases.language == self);
        found.expect("there are phrases for each")
    }
}

impl Phrases {
    fn read(language: Language) -> Self {
        let json = match language {
            Language::English => include_str!("../web/locales/en.json"),
            Language::Spanish => include_str!("../web/locales/es.json"),
            Language::Arabic => include_str!("../web/locales/ar.json"),
        };
        let tag: Locale = language.as_str().parse().expect("a tag of BCP 47");
        Self {
            language,
            texts: serde_json::from_str(json).expect("the texts are part of the program"),
            rules: PluralRules::try_new_cardinal(tag.into()).expect("rules for each language"),
        }
    }

    /// The text of a key: `page.choose`.
    pub fn find(&self, key: &str) -> Option<&str> {
        let (group, key) = key.split_once('.')?;
        self.texts.get(group)?.get(key).map(String::as_str)
    }

    /// The same, where it is known to be there.
    pub fn text(&self, key: &str) -> &str {
        self.find(key)
            .unwrap_or_else(|| panic!("there is no text {key}"))
    }

    /// The text of a key in the form for so many.
    pub fn form(&self, key: &str, n: u64) -> &str {
        self.text(&format!("{key}_{}", self.category(n)))
    }

    fn category(&self, n: u64) -> &'static str {
        match self.rules.category_for(n) {
            PluralCategory::Zero => "zero",
            PluralCategory::One => "one",
            PluralCategory::Two => "two",
            PluralCategory::Few => "few",
            PluralCategory::Many => "many",
            PluralCategory::Other => "other",
        }
    }

    /// A text with what stands in braces filled in.
    pub fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        filled(self.text(key), |name| {
            let value = values.iter().find(|(known, _)| *known == name);
            value.map(|(_, value)| (*value).to_owned())
        })
    }

    /// The same in the form for so many, which are its `{n}`.
    pub fn count(&self, key: &str, n: u64, values: &[(&str, &str)]) -> String {
        filled(self.form(key, n), |name| {
            let value = values.iter().find(|(known, _)| *known == name);
            value
                .map(|(_, value)| (*value).to_owned())
                .or_else(|| (name == "n").then(|| n.to_string()))
        })
    }

    /// Who asks: a name stands as it is.
    pub fn asker<'a>(&'a self, asked_by: &'a str) -> &'a str {
        if asked_by == UNNAMED_AGENT {
            return self.text("page.unnamed_agent");
        }
        asked_by
    }

    /// Some groups of texts, for a script.
    pub fn groups(&self, names: &[&str]) -> BTreeMap<&str, &BTreeMap<String, String>> {
        let groups = self
            .texts
            .iter()
            .map(|(name, texts)| (name.as_str(), texts));
        groups.filter(|(name, _)| names.contains(name)).collect()
    }

    /// Single texts, each in all its forms.
    pub fn some(&self, keys: &[&str]) -> Texts {
        let mut some = Texts::new();
        for (group, key) in keys.iter().filter_map(|key| key.split_once('.')) {
            let texts = self.texts.get(group).into_iter().flatten();
            let is_wanted = |name: &str| {
                let form = name.strip_prefix(key).map(|rest| rest.strip_prefix('_'));
                form.is_some_and(|form| name == key || form.is_some_and(is_form))
            };
            let wanted = texts.filter(|(name, _)| is_wanted(name));
            let wanted = wanted.map(|(name, text)| (name.clone(), text.clone()));
            some.entry(group.to_owned()).or_default().extend(wanted);
        }
        some
    }

    /// All of them, for the card.
    pub fn all(&self) -> &Texts {
        &self.texts
    }

    /// `50 MB`, `1.4 MB`, `980 bytes`.
    pub fn size(&self, bytes: u64) -> String {
        let Some((number, unit)) = size_parts(bytes) else {
            return self.count("units.bytes", bytes, &[]);
        };
        let number = number.replace('.', self.text("units.decimal"));
        self.say(&format!("units.{unit}"), &[("n", &number)])
    }

    /// `15 minutes`, `1 hour 30 minutes`.
    pub fn duration(&self, duration: Duration) -> String {
        let parts = in_units(duration)
            .map(|(amount, _, unit)| self.count(&format!("units.{unit}s"), amount, &[]));
        self.joined("units.together", parts)
            .unwrap_or_else(|| self.count("units.seconds", 0, &[]))
    }

    /// `14:05 UTC on 22 November 2026`.
    pub fn moment(&self, moment: Timestamp) -> String {
        let part = |form| moment.strftime(form).to_string();
        let month = self.text(&format!("units.month_{}", part("%-m")));
        let (time, day, year) = (part("%H:%M"), part("%-d"), part("%Y"));
        let values = [
            ("time", time.as_str()),
            ("day", &day),
            ("month", month),
            ("year", &year),
        ];
        self.say("units.moment", &values)
    }

    /// What a kind of file is called.
    pub fn kind(&self, kind: Kind) -> &str {
        self.text(&format!("types.{}", kind.as_str()))
    }

    /// What is accepted, in a few words: `JPEG, PNG`, or of many types `pictures, PDF`.
    pub fn accepted(&self, allowed: &[MimePattern]) -> String {
        if allowed.len() <= MOST_TYPES {
            return self.accepted_types(allowed);
        }
        let words = Kind::ALL.into_iter().filter_map(|kind| {
            let patterns = allowed.iter();
            let its: Vec<MimePattern> = patterns
                .filter(|pattern| Kind::of(pattern.as_str()) == kind)
                .cloned()
                .collect();
            match its.len() {
                0 => None,
                1 => Some(self.accepted_types(&its)),
                _ => Some(self.text(&format!("types.{}s", kind.as_str())).to_owned()),
            }
        });
        self.list(words).unwrap_or_default()
    }

    /// The accepted types as a person reads them: `JPEG, PNG, any video`.
    pub fn accepted_types(&self, allowed: &[MimePattern]) -> String {
        let names = allowed
            .iter()
            .map(|pattern| match pattern.as_str().split_once('/') {
                Some(("*", _)) => self.text("types.any").to_owned(),
                Some((family, "*")) => self.find(&format!("types.any_{family}")).map_or_else(
                    || self.say("types.any_of", &[("family", family)]),
                    str::to_owned,
                ),
                Some(("text", "plain")) => self.text("types.plain").to_owned(),
                _ => friendly_name(pattern.as_str()).to_owned(),
            });
        self.list(names).unwrap_or_default()
    }

    /// A list of whatever length, as one text; `None` where it is empty.
    pub fn list(&self, parts: impl Iterator<Item = String>) -> Option<String> {
        self.joined("units.list", parts)
    }

    fn joined(&self, key: &str, parts: impl Iterator<Item = String>) -> Option<String> {
        parts.reduce(|first, second| self.say(key, &[("first", &first), ("second", &second)]))
    }
}

/// Whether this is a category of CLDR, as it ends a key.
fn is_form(word: &str) -> bool {
    PluralCategory::get_for_cldr_string(word).is_some()
}

/// A text with each `{name}` replaced; what has no value stays as it is.
pub(crate) fn filled(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        filled.push_str(before);
        match value(name) {
            Some(value) => filled.push_str(&value),
            None => filled.extend(["{", name, "}"]),
        }
        rest = after;
    }
    filled + rest
}

#[cfg(test)]
mod tests;
