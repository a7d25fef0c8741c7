//! Media on a target.

use super::{
    ids::{AttachmentId, MediaId},
    mime::MimePattern,
};

/// Longest target type and target id, in characters.
pub const MOST_TARGET_TYPE: usize = 64;
/// See [`MOST_TARGET_TYPE`].
pub const MOST_TARGET_ID: usize = 200;

/// What media are attached to: something that the caller's own system knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// For example `post`.
    pub kind: String,
    /// For example a UUID of that system.
    pub id: String,
}

impl Target {
    /// Whether targets can be of this kind.
    #[must_use]
    pub fn is_kind(kind: &str) -> bool {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        (1..=MOST_TARGET_TYPE).contains(&kind.len()) && kind.bytes().all(word)
    }
}

/// What may be put on the targets of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetType {
    /// The kind.
    pub name: String,
    /// Of which types; empty: of all.
    pub accepts: Vec<MimePattern>,
    /// How many media one target may have.
    pub room: Room,
}

impl TargetType {
    /// Whether media of this type may be put on such targets.
    #[must_use]
    pub fn accepts(&self, mime: &str) -> bool {
        self.accepts.is_empty() || self.accepts.iter().any(|pattern| pattern.matches(mime))
    }
}

/// How many media one target may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// At most so many; `None`: any number.
    pub most: Option<u32>,
    /// What has one takes no other.
    pub one_shot: bool,
}

/// One media on one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub id: AttachmentId,
    /// What is attached.
    pub media_id: MediaId,
    /// To what.
    pub target: Target,
    /// Text for those who do not see the picture.
    pub alt: Option<String>,
    /// Where among the target's media, counted from 0.
    pub position: u32,
}
