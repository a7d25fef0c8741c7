//! Media on a target.

use super::ids::{AttachmentId, MediaId};

/// What media are attached to: something that the caller's own system knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// For example `post`.
    pub kind: String,
    /// For example a UUID of that system.
    pub id: String,
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
