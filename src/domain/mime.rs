//! MIME types: which kind of media each is, which extension it gets, and patterns over them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a file is, broadly.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// Sound.
    Audio,
    /// Text, PDF, office files.
    Document,
    /// Anything else that an operator allowed.
    Other,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Image,
        Self::Video,
        Self::Audio,
        Self::Document,
        Self::Other,
    ];

    /// The kind of a MIME type.
    #[must_use]
    pub fn of(mime_type: &str) -> Self {
        match mime_type.split_once('/') {
            Some(("image", _)) => Self::Image,
            Some(("video", _)) => Self::Video,
            Some(("audio", _)) => Self::Audio,
            Some(("text", _)) => Self::Document,
            _ if TYPES
                .iter()
                .any(|t| t.mime == mime_type && t.mime.starts_with("application/")) =>
            {
                Self::Document
            }
            _ => Self::Other,
        }
    }

    /// The word on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Other => "other",
        }
    }
}

/// A type that askfile knows by name.
#[derive(Debug)]
pub struct KnownType {
    /// The MIME type.
    pub mime: &'static str,
    /// The extension that its files are stored and named with.
    pub extension: &'static str,
    /// What a person calls it.
    pub name: &'static str,
}

const fn known(mime: &'static str, extension: &'static str, name: &'static str) -> KnownType {
    KnownType {
        mime,
        extension,
        name,
    }
}

/// What phones of one maker take pictures as, and models cannot read.
pub const HEIC: &str = "image/heic";
/// Word, as Office Open XML.
pub const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
/// Excel, as Office Open XML.
pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// PowerPoint, as Office Open XML.
pub const PPTX: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";

/// The server's default allowlist, each with its extension and its name among people.
pub const TYPES: &[KnownType] = &[
    known("image/jpeg", "jpg", "JPEG"),
    known("image/png", "png", "PNG"),
    known("image/gif", "gif", "GIF"),
    known("image/webp", "webp", "WebP"),
    known(HEIC, "heic", "HEIC"),
    known("video/mp4", "mp4", "MP4"),
    known("video/quicktime", "mov", "MOV"),
    known("audio/mpeg", "mp3", "MP3"),
    known("audio/wav", "wav", "WAV"),
    known("audio/mp4", "m4a", "M4A"),
    known("application/pdf", "pdf", "PDF"),
    known(DOCX, "docx", "Word (DOCX)"),
    known(XLSX, "xlsx", "Excel (XLSX)"),
    known(PPTX, "pptx", "PowerPoint (PPTX)"),
    known("text/plain", "txt", "text"),
    known("text/csv", "csv", "CSV"),
    known("text/markdown", "md", "Markdown"),
    known("application/json", "json", "JSON"),
];

fn known_type(mime_type: &str) -> Option<&'static KnownType> {
    TYPES.iter().find(|known| known.mime == mime_type)
}

/// The extension that files of this type are stored with; `bin` for a type not known by name.
#[must_use]
pub fn extension(mime_type: &str) -> &'static str {
    known_type(mime_type).map_or("bin", |known| known.extension)
}

/// What a person calls this type: `PNG`, or the MIME type where there is no better name.
#[must_use]
pub fn friendly_name(mime_type: &str) -> &str {
    match mime_type {
        "application/vnd.microsoft.portable-executable" => "a Windows program",
        "application/xml" => "XML",
        "application/zip" => "a ZIP archive",
        "image/svg+xml" => "SVG",
        "text/html" => "HTML",
        other => known_type(other).map_or(other, |known| known.name),
    }
}

/// `image/png`, `image/*` or `*/*`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MimePattern(String);

/// The text is no MIME type and no pattern of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a MIME type such as `image/png`, nor a pattern such as `image/*`")]
pub struct BadPattern(String);

impl MimePattern {
    /// Whether this type is meant.
    #[must_use]
    pub fn matches(&self, mime_type: &str) -> bool {
        match self.0.strip_suffix("/*") {
            Some("*") => true,
            Some(family) => mime_type
                .split_once('/')
                .is_some_and(|(its_family, _)| its_family == family),
            None => self.0 == mime_type,
        }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is meant by both; `None` where nothing is.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        if other.matches(&self.0) || other.0 == "*/*" {
            Some(self.clone())
        } else if self.matches(&other.0) {
            Some(other.clone())
        } else {
            None
        }
    }
}

impl FromStr for MimePattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let lower = text.trim().to_ascii_lowercase();
        let bad = || BadPattern(text.chars().take(100).collect());
        let word = |word: &str| {
            !word.is_empty()
                && word.len() <= 127
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        let (family, member) = lower.split_once('/').ok_or_else(bad)?;
        let good = match (family, member) {
            ("*", "*") => true,
            (family, "*") => word(family),
            (family, member) => word(family) && word(member),
        };
        if good { Ok(Self(lower)) } else { Err(bad()) }
    }
}

impl TryFrom<String> for MimePattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        text.parse()
    }
}

impl From<MimePattern> for String {
    fn from(pattern: MimePattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for MimePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is allowed by both lists, in the order of the first, each pattern once.
#[must_use]
pub fn meet(a: &[MimePattern], b: &[MimePattern]) -> Vec<MimePattern> {
    let mut both: Vec<MimePattern> = Vec::new();
    for pattern in a.iter().flat_map(|a| b.iter().filter_map(|b| a.meet(b))) {
        if !both.contains(&pattern) {
            both.push(pattern);
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &str) -> Vec<MimePattern> {
        text.split_whitespace()
            .map(|p| p.parse().unwrap())
            .collect()
    }

    #[test]
    fn a_pattern_matches_its_family_and_nothing_else() {
        let image: MimePattern = "image/*".parse().unwrap();
        assert!(image.matches("image/png"));
        assert!(!image.matches("imagery/png"));
        assert!(!image.matches("video/mp4"));
        let png: MimePattern = "Image/PNG".parse().unwrap();
        assert!(png.matches("image/png"));
        assert!(!png.matches("image/jpeg"));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for text in [
            "",
            "png",
            "image/",
            "/png",
            "*/png",
            "image/p ng",
            "a/b/c",
            "im*/png",
        ] {
            assert!(text.parse::<MimePattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn two_lists_meet_in_what_both_allow() {
        let server = patterns("image/png image/jpeg video/mp4");
        assert_eq!(
            meet(&server, &patterns("image/*")),
            patterns("image/png image/jpeg")
        );
        assert_eq!(
            meet(&patterns("image/*"), &server),
            patterns("image/png image/jpeg")
        );
        assert_eq!(meet(&patterns("*/*"), &server), server);
        assert_eq!(meet(&server, &patterns("audio/*")), patterns(""));
    }

    #[test]
    fn every_known_type_has_a_kind() {
        for known in TYPES {
            assert_ne!(Kind::of(known.mime), Kind::Other, "{}", known.mime);
        }
        assert_eq!(Kind::of("application/x-executable"), Kind::Other);
        assert_eq!(extension("application/x-executable"), "bin");
    }
}
