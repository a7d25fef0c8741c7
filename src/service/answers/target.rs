//! What is told of targets and of what they have.

use schemars::JsonSchema;
use serde::Serialize;

use super::FileAnswer;
use crate::{
    domain::{attachment::Attachment, session::Status},
    service::targets::OnTarget,
};

/// One attachment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AttachmentAnswer {
    /// Names the attachment.
    pub attachment_id: String,
    /// What is attached.
    pub media_id: String,
    /// To what kind of thing.
    pub target_type: String,
    /// To which.
    pub target_id: String,
    /// Text for those who do not see the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// Where among the target's media, counted from 0.
    pub position: u32,
}

impl From<&Attachment> for AttachmentAnswer {
    fn from(attachment: &Attachment) -> Self {
        Self {
            attachment_id: attachment.id.to_string(),
            media_id: attachment.media_id.to_string(),
            target_type: attachment.target.kind.clone(),
            target_id: attachment.target.id.clone(),
            alt: attachment.alt.clone(),
            position: attachment.position,
        }
    }
}

/// What was attached.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AttachAnswer {
    /// Always true: the call did what it was asked to.
    ok: bool,
    /// In the order of their positions.
    attachments: Vec<AttachmentAnswer>,
    /// How the upload stands now.
    status: Status,
}

impl AttachAnswer {
    pub(crate) fn new(attached: &[Attachment], status: Status) -> Self {
        Self {
            ok: true,
            attachments: attached.iter().map(AttachmentAnswer::from).collect(),
            status,
        }
    }
}

/// One attachment, and the file.
#[derive(Debug, Serialize, JsonSchema)]
struct ItemAnswer {
    #[serde(flatten)]
    attachment: AttachmentAnswer,
    /// The file.
    media: FileAnswer,
}

/// A page of what a target has.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OnTargetAnswer {
    /// Always true: the call did what it was asked to.
    ok: bool,
    /// In the order of their positions.
    items: Vec<ItemAnswer>,
    /// Pass it as `cursor` for the next page; not there after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl From<OnTarget> for OnTargetAnswer {
    fn from(page: OnTarget) -> Self {
        let items = page.items.iter().map(|(attachment, media)| ItemAnswer {
            attachment: attachment.into(),
            media: media.into(),
        });
        Self {
            ok: true,
            items: items.collect(),
            next_cursor: page.next_cursor,
        }
    }
}

/// How the files of a target stand.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderAnswer {
    /// Always true: the call did what it was asked to.
    ok: bool,
    /// All that the target has, in the order of their positions.
    attachments: Vec<AttachmentAnswer>,
}

impl From<Vec<Attachment>> for OrderAnswer {
    fn from(ordered: Vec<Attachment>) -> Self {
        Self {
            ok: true,
            attachments: ordered.iter().map(AttachmentAnswer::from).collect(),
        }
    }
}

/// An attachment as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangedAnswer {
    /// Always true: the call did what it was asked to.
    ok: bool,
    #[serde(flatten)]
    attachment: AttachmentAnswer,
}

impl From<Attachment> for ChangedAnswer {
    fn from(changed: Attachment) -> Self {
        Self {
            ok: true,
            attachment: (&changed).into(),
        }
    }
}

/// A file that was taken off a target.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DetachAnswer {
    /// Always true: the call did what it was asked to.
    ok: bool,
    /// The attachment that is gone.
    attachment_id: String,
    /// The file, which is still there.
    media_id: String,
}

impl From<Attachment> for DetachAnswer {
    fn from(detached: Attachment) -> Self {
        Self {
            ok: true,
            attachment_id: detached.id.to_string(),
            media_id: detached.media_id.to_string(),
        }
    }
}
