//! The outbox: what back ends are to be told, queued in the transaction of what it tells.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{Result, SessionView};
use crate::domain::{
    audit::{Action, Entry},
    ids::{UploadId, WebhookId, WorkspaceId},
    media::Media,
    webhook::Webhook,
};

/// For how long it is remembered what was delivered or given up.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Remembers what back ends are to be told. As with [`super::UploadStore`], every method is one
/// transaction.
///
/// What this store changes is queued in the transaction that notes it in the log, for those who
/// subscribed to it by then.
#[async_trait]
pub trait WebhookStore: Debug + Send + Sync + 'static {
    /// From now on, what this store changes is queued for these, as `tell` puts it. Once per store;
    /// more often has no effect.
    fn subscribe(&self, subscribers: Vec<Subscriber>, tell: Tell);

    /// Takes up to `most` webhooks of this endpoint that are due, the oldest first; each comes again
    /// after `lease` unless [`Self::settle`] ends it.
    async fn take_webhooks(
        &self,
        endpoint: &str,
        most: u32,
        lease: SignedDuration,
    ) -> Result<Vec<Webhook>>;

    /// Remembers what came of tries. Of one that somebody else has taken meanwhile, nothing but its
    /// delivery is remembered.
    async fn settle(&self, tries: Vec<Tried>) -> Result<()>;

    /// Up to `most` webhooks, the newest first; the dead ones alone, or all.
    async fn webhooks(&self, dead_alone: bool, most: u32) -> Result<Vec<Webhook>>;

    /// Queues these again, as if they had never been tried; says how many.
    async fn replay(&self, which: Replay) -> Result<u32>;

    /// Forgets up to `most` webhooks that were delivered or given up and are older than [`KEPT`];
    /// says how many.
    async fn forget_webhooks(&self, most: u32) -> Result<u32>;
}

/// Who wants to be told what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The endpoint's name.
    pub endpoint: String,
    /// What.
    pub events: Vec<Action>,
    /// Where; `None`: everywhere.
    pub workspaces: Option<Vec<WorkspaceId>>,
}

impl Subscriber {
    /// Whether it wants to be told this.
    #[must_use]
    pub fn takes(&self, event: Action, workspace: Option<WorkspaceId>) -> bool {
        let is_within = |of: &Vec<WorkspaceId>| workspace.is_some_and(|it| of.contains(&it));
        self.events.contains(&event) && self.workspaces.as_ref().is_none_or(is_within)
    }
}

/// Puts what happened into what is posted.
pub type Tell = fn(&Happened) -> String;

/// What happened, and all that is known of it when its transaction ends.
#[derive(Debug, Clone)]
pub struct Happened {
    /// As it is told.
    pub event: Action,
    /// Its line in the log.
    pub entry: Entry,
    /// To which upload it belongs.
    pub upload: UploadId,
    /// The how manieth of this upload it is that this endpoint is told, from 1 on.
    pub sequence: u64,
    /// The upload; `None` once it is forgotten.
    pub session: Option<SessionView>,
    /// The file that it is about; `None`: about none, or it is deleted.
    pub media: Option<Media>,
}

/// What came of a try to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// What.
    pub id: WebhookId,
    /// How often it was tried, this time included.
    pub tries: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Delivered,
    /// It was not.
    Failed {
        /// Why.
        problem: String,
        /// When it is tried again; `None`: it is given up.
        again_in: Option<SignedDuration>,
    },
}

/// Which webhooks are queued again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// This one.
    One(WebhookId),
    /// Those that were delivered or given up, and happened since then.
    Ended {
        /// The dead ones alone.
        dead_alone: bool,
        /// What happened before is left alone.
        since: Timestamp,
    },
}
