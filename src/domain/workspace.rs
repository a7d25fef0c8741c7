//! Whom an upload belongs to.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

use super::ids::{self, WorkspaceId};

/// What people call the workspace that comes with askfile. It tells a person nothing.
pub const DEFAULT_NAME: &str = "Default workspace";

/// Whom an upload belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its name in the database and in URNs.
    pub id: WorkspaceId,
    /// Its short name, accepted wherever the id is.
    pub alias: Alias,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing is done in it any more.
    pub archived_at: Option<Timestamp>,
}

/// A short name such as `w-6ec`: 1–8 letters, `-`, 3–8 letters or digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Alias(String);

impl Alias {
    /// A new one such as `w-6ec`; rare enough to collide, short enough to say.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("w-{}", ids::random_letters(5)))
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Alias {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let alias = text.to_ascii_lowercase();
        let good = alias.split_once('-').is_some_and(|(letters, rest)| {
            (1..=8).contains(&letters.len())
                && letters.bytes().all(|b| b.is_ascii_lowercase())
                && (3..=8).contains(&rest.len())
                && rest.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if good {
            Ok(Self(alias))
        } else {
            Err("an alias is 1 to 8 letters, `-`, 3 to 8 letters or digits".into())
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A workspace as a caller names it: by id or by alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkspaceRef {
    /// By its UUID.
    Id(WorkspaceId),
    /// By its short name.
    Alias(Alias),
}

impl fmt::Display for WorkspaceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
        }
    }
}

impl FromStr for WorkspaceRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        text.parse()
            .map(Self::Alias)
            .map_err(|why: String| format!("a workspace is named by its UUID or its alias; {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_has_its_shape() {
        for good in ["w-6ec", "tp-abc", "ABCDEFGH-12345678"] {
            assert!(good.parse::<Alias>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "w",
            "w-",
            "w-ab",
            "-abc",
            "w1-abc",
            "abcdefghi-abc",
            "w-123456789",
            "w-a_c",
        ] {
            assert!(bad.parse::<Alias>().is_err(), "{bad}");
        }
        let made = Alias::random();
        assert_eq!(made.as_str().parse(), Ok(made));
    }
}
