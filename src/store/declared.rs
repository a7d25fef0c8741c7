//! Uploads that programs declared, with what they are going to send.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;

use super::{Result, SessionView};
use crate::domain::{
    audit::Actor,
    ids::{UploadId, WorkspaceId},
    session::Status,
};

/// Finds sessions that have a spec. As with [`super::UploadStore`], which makes them, every method is
/// one transaction.
#[async_trait]
pub trait DeclaredStore: fmt::Debug + Send + Sync + 'static {
    /// A page of a workspace's, newest first.
    ///
    /// It looks at a bounded number of them: a page may be short, or empty, although more follow. One
    /// whose time was over a moment ago may still be missing among those that are expired.
    async fn declared(&self, workspace: WorkspaceId, query: DeclaredQuery) -> Result<DeclaredPage>;

    /// Forgets a session that has ended, with those of its media that nothing has; says whether.
    /// It is not forgotten while something of it is still being cleared away.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`]; [`super::StoreError::StillOpen`].
    async fn delete_session(&self, id: UploadId, by: Actor) -> Result<bool>;
}

/// Asks for a page of declared uploads.
#[derive(Debug, Clone, Default)]
pub struct DeclaredQuery {
    /// Only those that stand so.
    pub status: Option<Status>,
    /// Only those with this id of the caller's own.
    pub external_id: Option<String>,
    /// Only those with all these labels.
    pub labels: BTreeMap<String, String>,
    /// Those before this one, which is where the page before ended; `None`: from the newest on.
    pub before: Option<UploadId>,
    /// At most so many.
    pub most: usize,
}

impl DeclaredQuery {
    /// Whether it is one of those.
    #[must_use]
    pub fn takes(&self, view: &SessionView) -> bool {
        let session = &view.session;
        let of = |name: &String| session.metadata.labels.get(name);
        let status = session.state.status();
        self.status.is_none_or(|wanted| wanted == status)
            && (self.external_id.is_none() || self.external_id == session.metadata.external_id)
            && self
                .labels
                .iter()
                .all(|(name, value)| of(name) == Some(value))
    }
}

/// A page of declared uploads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeclaredPage {
    /// Newest first.
    pub uploads: Vec<SessionView>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<UploadId>,
}
