//! The forms that a setting's value may have: each reads it from text and writes it back.

mod access;
mod amounts;
mod hosts;
mod places;

pub use access::{Allowed, InWorkspace, Issuer, Mode, TextOr};
pub use amounts::{KindSize, Limit, Most, Number, Size, Within};
pub use hosts::{HostPattern, Hosts};
pub use places::{Address, Folder, Networks, Objects, PageAddress, PublicUrl, Scanner, StoreReach};

use super::LogFormat;
use crate::domain::{
    mime::{MimePattern, TYPES},
    transfer::Transfer,
};

/// A form of value.
pub trait Form {
    type Value;

    /// What stands for the value in help.
    fn placeholder(&self) -> &'static str;

    /// The value in this text, which is not empty.
    ///
    /// An error is the end of a sentence that begins with the text.
    fn read(&self, text: &str) -> Result<Self::Value, String>;

    /// The text that reads as this value; of a secret, only how many there are.
    fn show(&self, value: &Self::Value) -> String;

    fn is_secret(&self) -> bool {
        false
    }

    fn is_switch(&self) -> bool {
        false
    }
}

/// MIME types and patterns with commas between; `auto` is every type known by name.
pub struct MimeTypes;

impl Form for MimeTypes {
    type Value = Vec<MimePattern>;

    fn placeholder(&self) -> &'static str {
        "TYPES"
    }

    fn read(&self, text: &str) -> Result<Vec<MimePattern>, String> {
        let known: Vec<&str> = TYPES.iter().map(|known| known.mime).collect();
        let patterns = if text == "auto" { known } else { words(text) };
        patterns
            .into_iter()
            .map(|word| {
                word.parse()
                    .map_err(|problem| format!("is refused: {problem}"))
            })
            .collect()
    }

    fn show(&self, patterns: &Vec<MimePattern>) -> String {
        let patterns: Vec<&str> = patterns.iter().map(MimePattern::as_str).collect();
        patterns.join(", ")
    }
}

/// Keys of 256 bits in hexadecimal, with commas between; `auto` is none.
pub struct Keys;

impl Form for Keys {
    type Value = Vec<String>;

    fn placeholder(&self) -> &'static str {
        "KEYS"
    }

    fn read(&self, text: &str) -> Result<Vec<String>, String> {
        if text == "auto" {
            return Ok(Vec::new());
        }
        let is_key =
            |key: &str| key.len() == 64 && key.bytes().all(|b| b"0123456789abcdef".contains(&b));
        let keys = words(text);
        match keys.iter().position(|key| !is_key(key)) {
            None => Ok(keys.into_iter().map(Into::into).collect()),
            Some(n) => Err(format!(
                "is refused: key {} of {} is not 64 lower-case hexadecimal digits",
                n + 1,
                keys.len()
            )),
        }
    }

    fn show(&self, keys: &Vec<String>) -> String {
        match keys.len() {
            0 => "auto".to_owned(),
            1 => "(hidden, 1 key)".to_owned(),
            n => format!("(hidden, {n} keys)"),
        }
    }

    fn is_secret(&self) -> bool {
        true
    }
}

/// `true` or `false`; the flag alone means `true`.
pub struct Switch;

impl Form for Switch {
    type Value = bool;

    fn placeholder(&self) -> &'static str {
        "true|false"
    }

    fn read(&self, text: &str) -> Result<bool, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(true),
            "false" | "no" | "0" => Ok(false),
            _ => Err("is neither `true` nor `false`".to_owned()),
        }
    }

    fn show(&self, is_on: &bool) -> String {
        is_on.to_string()
    }

    fn is_switch(&self) -> bool {
        true
    }
}

/// Any text; the word is its placeholder in help.
pub struct Text(pub &'static str);

impl Form for Text {
    type Value = String;

    fn placeholder(&self) -> &'static str {
        self.0
    }

    fn read(&self, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn show(&self, text: &String) -> String {
        text.clone()
    }
}

/// `text` or `json`.
pub struct Format;

impl Form for Format {
    type Value = LogFormat;

    fn placeholder(&self) -> &'static str {
        "text|json"
    }

    fn read(&self, text: &str) -> Result<LogFormat, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("is neither `text` nor `json`".to_owned()),
        }
    }

    fn show(&self, format: &LogFormat) -> String {
        match format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        }
    }
}

/// `proxy`, `direct`, or `auto`.
pub struct Way;

impl Form for Way {
    type Value = Option<Transfer>;

    fn placeholder(&self) -> &'static str {
        "auto|proxy|direct"
    }

    fn read(&self, text: &str) -> Result<Option<Transfer>, String> {
        match (text, Transfer::from_word(text)) {
            ("auto", _) => Ok(None),
            (_, Some(way)) => Ok(Some(way)),
            (_, None) => Err("is neither `auto` nor `proxy` nor `direct`".to_owned()),
        }
    }

    fn show(&self, way: &Option<Transfer>) -> String {
        way.map_or("auto", Transfer::as_str).to_owned()
    }
}

pub(super) fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_have_commas_or_spaces_or_both() {
        let types = MimeTypes.read("image/png, Video/*\n text/csv,").unwrap();
        assert_eq!(MimeTypes.show(&types), "image/png, video/*, text/csv");
        assert_eq!(
            MimeTypes.read("image/png, jpeg").unwrap_err(),
            "is refused: `jpeg` is not a MIME type such as `image/png`, \
             nor a pattern such as `image/*`"
        );
    }

    #[test]
    fn every_type_known_by_name_is_allowed_by_default() {
        let types = MimeTypes.read("auto").unwrap();
        assert_eq!(types.len(), TYPES.len());
        assert!(
            TYPES
                .iter()
                .all(|known| types.iter().any(|t| t.as_str() == known.mime))
        );
    }

    #[test]
    fn keys_are_counted_and_never_repeated() {
        let (one, two) = ("0a".repeat(32), "1b".repeat(32));
        let keys = Keys.read(&format!("{one},{two}")).unwrap();
        assert_eq!(Keys.show(&keys), "(hidden, 2 keys)");
        assert_eq!(keys, [one.clone(), two]);
        for bad in ["0A".repeat(32), "0a".repeat(31), "0g".repeat(32)] {
            assert_eq!(
                Keys.read(&format!("{one},{bad}")).unwrap_err(),
                "is refused: key 2 of 2 is not 64 lower-case hexadecimal digits"
            );
        }
        assert_eq!(Keys.show(&Keys.read("auto").unwrap()), "auto");
    }

    #[test]
    fn a_switch_is_on_or_off_in_the_words_of_people() {
        for (text, is_on) in [("true", true), ("1", true), ("Yes", true), ("false", false)] {
            assert_eq!(Switch.read(text), Ok(is_on), "{text}");
        }
        assert!(Switch.read("maybe").is_err());
    }

    #[test]
    fn files_come_by_one_of_two_ways_or_as_it_may_be() {
        for text in ["auto", "proxy", "direct"] {
            assert_eq!(Way.show(&Way.read(text).unwrap()), text);
        }
        assert!(Way.read("Direct").is_err());
    }

    #[test]
    fn logs_are_text_or_json() {
        for text in ["text", "json"] {
            assert_eq!(Format.show(&Format.read(text).unwrap()), text);
        }
        assert!(Format.read("xml").is_err());
    }
}
