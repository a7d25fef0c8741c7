//! How much of what a session takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mime::{Kind, MimePattern};

/// Most slots that one session can have.
pub const MAX_FILES: u32 = 50;

/// What one session takes, fixed when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Largest file, in bytes, whatever its kind.
    pub max_size_bytes: u64,
    /// Largest file of each kind, in bytes; never above `max_size_bytes`.
    pub max_size_bytes_by_kind: BTreeMap<Kind, u64>,
    /// Types that are taken.
    pub allowed_mime_types: Vec<MimePattern>,
    /// How many files.
    pub max_files: u32,
}

impl Limits {
    /// Largest file of this kind, in bytes.
    #[must_use]
    pub fn cap(&self, kind: Kind) -> u64 {
        let by_kind = self.max_size_bytes_by_kind.get(&kind);
        by_kind.map_or(self.max_size_bytes, |cap| self.max_size_bytes.min(*cap))
    }

    /// Whether files of this type are taken.
    #[must_use]
    pub fn allows(&self, mime_type: &str) -> bool {
        self.allowed_mime_types
            .iter()
            .any(|pattern| pattern.matches(mime_type))
    }
}
