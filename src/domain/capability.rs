//! What a principal may do.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::Deserialize;

/// Something that a principal may do or not. `upload_status` needs none: who has the session's
/// workspace may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[repr(u8)]
pub enum Capability {
    /// Ask for files: make links, wait for them, close them.
    #[serde(rename = "asset:upload")]
    AssetUpload = 1,
    /// List files, look at them and fetch them.
    #[serde(rename = "media:read")]
    MediaRead = 1 << 1,
    /// Attach files to targets.
    #[serde(rename = "media:attach")]
    MediaAttach = 1 << 2,
    /// Delete files.
    #[serde(rename = "media:delete")]
    MediaDelete = 1 << 3,
    /// Manage workspaces and keys.
    #[serde(rename = "admin")]
    Admin = 1 << 4,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 5] = [
        Self::AssetUpload,
        Self::MediaRead,
        Self::MediaAttach,
        Self::MediaDelete,
        Self::Admin,
    ];

    /// As it is written everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AssetUpload => "asset:upload",
            Self::MediaRead => "media:read",
            Self::MediaAttach => "media:attach",
            Self::MediaDelete => "media:delete",
            Self::Admin => "admin",
        }
    }
}

impl Capability {
    /// As people read it who are to allow it.
    #[must_use]
    pub fn for_people(self) -> &'static str {
        match self {
            Self::AssetUpload => "Ask people for files",
            Self::MediaRead => "See and fetch the files",
            Self::MediaAttach => "Attach files to what they are for",
            Self::MediaDelete => "Delete files",
            Self::Admin => "Manage workspaces and keys",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Capability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.as_str() == text).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is no capability; there are {all}")
        })
    }
}

/// An allowlist: what is not in it is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u8);

impl Capabilities {
    /// All that an agent may need: everything but [`Capability::Admin`].
    pub const AGENT: Self = Self::ALL.without(Capability::Admin);
    /// Everything.
    pub const ALL: Self = Self(0b1_1111);

    /// Whether this one is in it.
    #[must_use]
    pub const fn has(self, one: Capability) -> bool {
        self.0 & one as u8 != 0
    }

    /// The same, and this one.
    #[must_use]
    pub const fn with(self, one: Capability) -> Self {
        Self(self.0 | one as u8)
    }

    /// The same, but this one.
    #[must_use]
    pub const fn without(self, one: Capability) -> Self {
        Self(self.0 & !(one as u8))
    }

    /// Those that are in it.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        let all = Capability::ALL.into_iter();
        all.filter(move |one| self.has(*one))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(some: I) -> Self {
        some.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(Capability::as_str).collect();
        f.write_str(&words.join(", "))
    }
}

impl FromStr for Capabilities {
    type Err = String;

    /// Words with commas between; spaces do not matter.
    fn from_str(text: &str) -> Result<Self, String> {
        let words = text.split(',').map(str::trim);
        words
            .filter(|word| !word.is_empty())
            .map(str::parse::<Capability>)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_back_as_it_was_written() {
        let some: Capabilities = "asset:upload,media:read".parse().unwrap();
        assert_eq!(some.to_string(), "asset:upload, media:read");
        assert_eq!(some.to_string().parse(), Ok(some));
        assert_eq!("".parse(), Ok(Capabilities::default()));
        let all: Capabilities = Capability::ALL.into_iter().collect();
        assert_eq!(all, Capabilities::ALL);
    }

    #[test]
    fn what_is_not_in_the_list_is_not_allowed() {
        let some: Capabilities = "media:read".parse().unwrap();
        assert!(some.has(Capability::MediaRead));
        assert!(!some.has(Capability::AssetUpload));
        assert!(!Capabilities::AGENT.has(Capability::Admin));
        let none = some.without(Capability::MediaRead);
        assert_eq!(none, Capabilities::default());
    }

    #[test]
    fn an_unknown_word_is_named() {
        let problem = "media:read,fly".parse::<Capabilities>().unwrap_err();
        assert!(problem.starts_with("`fly` is no capability; there are asset:upload,"));
    }
}
