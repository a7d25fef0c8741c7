//! What targets have: listing, ordering, changing and detaching.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{
    Service,
    attach::{check_facts, check_target},
    authority::must,
};
use crate::{
    domain::{
        attachment::{Attachment, Target},
        caller::Caller,
        capability::Capability,
        ids::AttachmentId,
        media::Media,
    },
    error::{Error, Result},
    store::targets::{AttachmentChange, OneOfTarget, Standing, TargetQuery},
};

/// Most media of one page.
pub const MOST_ON_PAGE: usize = 200;

/// Asks for a page of a target's media.
#[derive(Debug, Clone)]
pub struct OnTargetRequest {
    /// Id or alias.
    pub workspace_id: Option<String>,
    /// Of what.
    pub target: Target,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many; 50 if not said.
    pub limit: Option<usize>,
}

/// A page of a target's media.
#[derive(Debug)]
pub struct OnTarget {
    /// In their order.
    pub items: Vec<(Attachment, Media)>,
    /// Where the next page begins; `None` after the last.
    pub next_cursor: Option<String>,
}

impl Service {
    /// A page of a target's media, in their order.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`], [`Error::InvalidArgument`]; [`Error::NoSuchWorkspace`] for one that
    /// is not the caller's.
    pub async fn on_target(&self, caller: &Caller, request: OnTargetRequest) -> Result<OnTarget> {
        must(caller, Capability::MediaRead)?;
        check_target(&request.target)?;
        let named = request.workspace_id.as_deref();
        let workspace = self.workspace_for(caller, named).await?;
        let most = request.limit.unwrap_or(50);
        if !(1..=MOST_ON_PAGE).contains(&most) {
            return Err(invalid("limit: 1 to 200."));
        }
        let query = TargetQuery {
            after: request.cursor.as_deref().map(read_cursor).transpose()?,
            most,
        };
        let page = self
            .targets
            .on_target(workspace, request.target, query)
            .await?;
        Ok(OnTarget {
            items: page.items,
            next_cursor: page.next.map(cursor),
        })
    }

    /// Takes a media off a target, by its attachment. A session that was consumed stays consumed.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`], [`Error::NotFound`].
    pub async fn detach(
        &self,
        caller: &Caller,
        target: Target,
        id: AttachmentId,
    ) -> Result<Attachment> {
        must(caller, Capability::MediaAttach)?;
        let which = one_of(caller, target, id);
        let detached = self.targets.detach(which, caller.actor()).await?;
        tracing::info!(media.id = %detached.media_id, "a file was detached");
        Ok(detached)
    }

    /// Changes an attachment's text or place.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`], [`Error::InvalidArgument`], [`Error::NotFound`].
    pub async fn change_attachment(
        &self,
        caller: &Caller,
        target: Target,
        id: AttachmentId,
        change: AttachmentChange,
    ) -> Result<Attachment> {
        must(caller, Capability::MediaAttach)?;
        check_facts(change.alt.as_deref(), change.position)?;
        let which = one_of(caller, target, id);
        let changed = self
            .targets
            .change_attachment(which, change, caller.actor());
        Ok(changed.await?)
    }

    /// Puts all media of a target in this order. Where two do so at once, one order wins whole.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`], [`Error::InvalidArgument`]; [`Error::Conflict`] unless each of the
    /// target's attachments is named once, and no other; [`Error::NoSuchWorkspace`] for one that is
    /// not the caller's.
    pub async fn order_target(
        &self,
        caller: &Caller,
        workspace: Option<&str>,
        target: Target,
        order: Vec<AttachmentId>,
    ) -> Result<Vec<Attachment>> {
        must(caller, Capability::MediaAttach)?;
        check_target(&target)?;
        let workspace = self.workspace_for(caller, workspace).await?;
        let ordered = self.targets.order(workspace, target, order, caller.actor());
        Ok(ordered.await?)
    }
}

fn one_of(caller: &Caller, target: Target, id: AttachmentId) -> OneOfTarget {
    OneOfTarget {
        workspaces: caller.workspaces.to_vec(),
        target,
        id,
    }
}

fn invalid(why: &str) -> Error {
    Error::InvalidArgument(why.to_owned())
}

fn cursor((position, id): Standing) -> String {
    let mut bytes = position.to_be_bytes().to_vec();
    bytes.extend(id.to_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor(cursor: &str) -> Result<Standing> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    let read = bytes.split_first_chunk().and_then(|(position, id)| {
        let id = AttachmentId::from_bytes(id.try_into().ok()?);
        Some((u32::from_be_bytes(*position), id))
    });
    read.ok_or_else(|| invalid("cursor: use next_cursor of the page before, as it is."))
}
