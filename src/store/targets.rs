//! What targets have: media in an order of their own.

use std::fmt;

use async_trait::async_trait;

use super::Result;
use crate::domain::{
    attachment::{Attachment, Target},
    audit::Actor,
    ids::{AttachmentId, WorkspaceId},
    media::Media,
};

/// Remembers what is attached to what. As with [`super::UploadStore`], which attaches, every method is
/// one transaction.
#[async_trait]
pub trait TargetStore: fmt::Debug + Send + Sync + 'static {
    /// A page of a target's media, in their order.
    async fn on_target(
        &self,
        workspace: WorkspaceId,
        target: Target,
        query: TargetQuery,
    ) -> Result<TargetPage>;

    /// Takes a media off its target. The time that it is kept begins anew when that was the last one.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] if the target has no such attachment in these workspaces.
    async fn detach(&self, which: OneOfTarget, by: Actor) -> Result<Attachment>;

    /// Changes an attachment.
    ///
    /// # Errors
    /// As [`Self::detach`].
    async fn change_attachment(
        &self,
        which: OneOfTarget,
        change: AttachmentChange,
        by: Actor,
    ) -> Result<Attachment>;

    /// Puts all media of a target in this order, and says how they stand then.
    ///
    /// # Errors
    /// [`super::StoreError::OtherAttachments`] unless each of the target's is named once, and no other.
    async fn order(
        &self,
        workspace: WorkspaceId,
        target: Target,
        order: Vec<AttachmentId>,
        by: Actor,
    ) -> Result<Vec<Attachment>>;
}

/// Where an attachment stands among those of its target.
pub type Standing = (u32, AttachmentId);

/// Asks for a page of a target's media.
#[derive(Debug, Clone)]
pub struct TargetQuery {
    /// Those after this one, which is where the page before ended; `None`: from the first on.
    pub after: Option<Standing>,
    /// At most so many.
    pub most: usize,
}

/// A page of a target's media.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetPage {
    /// In their order.
    pub items: Vec<(Attachment, Media)>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Standing>,
}

/// An attachment as a caller names it.
#[derive(Debug, Clone)]
pub struct OneOfTarget {
    /// The caller's.
    pub workspaces: Vec<WorkspaceId>,
    /// Whose it is.
    pub target: Target,
    /// Its name.
    pub id: AttachmentId,
}

/// What is to be different about an attachment; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachmentChange {
    /// Text for those who do not see the picture.
    pub alt: Option<String>,
    /// Its place among the target's media, counted from 0; beyond the end is the end.
    pub position: Option<u32>,
}
