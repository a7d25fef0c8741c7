//! The way that a file takes to where it is kept.

use serde::{Deserialize, Serialize};

/// The way of a session's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transfer {
    /// Through askfile.
    Proxy,
    /// Straight into the store, where the sender can do that. Through askfile is possible still.
    Direct,
}

impl Transfer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Proxy, Self::Direct];

    /// The word in the database and in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Direct => "direct",
        }
    }

    /// The way of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }
}

/// What is going to be sent under a grant, as the sender says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spec {
    /// The name that the person's file has: data only, as it came.
    pub filename: String,
    /// Its `Content-Type` on the way. What it is, its content says.
    pub mime_type: String,
    /// Its length.
    pub size_bytes: u64,
    /// What the person wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
