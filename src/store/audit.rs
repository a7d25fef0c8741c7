//! Who did what: the log that changes leave.

use std::fmt::{Debug, Display};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::Result;
use crate::domain::{
    audit::{Action, Actor, Entry, EntryId},
    ids::WorkspaceId,
};

/// Remembers who did what, for good: lines are added and never changed or deleted. What changes
/// something leaves its lines in the same transaction; [`Self::note`] is for what changes nothing.
#[async_trait]
pub trait AuditStore: Debug + Send + Sync + 'static {
    /// Adds a line.
    async fn note(&self, note: Note) -> Result<()>;

    /// A page of the log.
    ///
    /// It looks at a bounded number of lines: a page may be short, or empty, although more follow.
    async fn audit(&self, query: AuditQuery) -> Result<AuditPage>;
}

/// A line to be added. It outlives all that it tells of, so it holds ids, numbers, words of ours and
/// the names of keys and workspaces: no token, signature, prompt, reason or file name.
#[derive(Debug, Clone)]
pub struct Note {
    /// In which workspace.
    pub workspace: Option<WorkspaceId>,
    /// Who did it.
    pub by: Actor,
    /// What was done.
    pub action: Action,
    /// The id of what it was done to.
    pub subject: String,
    /// What else is to be known, as an object.
    pub detail: Value,
}

impl Note {
    /// What was done by whom, to what, in a workspace.
    #[must_use]
    pub fn new(by: &Actor, action: Action, subject: impl Display, workspace: WorkspaceId) -> Self {
        Self {
            workspace: Some(workspace),
            by: by.clone(),
            action,
            subject: subject.to_string(),
            detail: Value::Object(serde_json::Map::new()),
        }
    }

    /// The same, with what else is to be known.
    #[must_use]
    pub fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }
}

/// Asks for a page of the log.
#[derive(Debug, Clone)]
pub struct AuditQuery {
    /// Of which workspace; `None`: of all, and what belongs to none.
    pub workspace: Option<WorkspaceId>,
    /// Where it begins, and so in which order it is.
    pub start: Start,
    /// What was done before this time.
    pub until: Timestamp,
    /// These actions; empty: all.
    pub actions: Vec<Action>,
    /// Whoever this is a word for; `None`: everybody.
    pub actor: Option<String>,
    /// At most so many lines.
    pub most: usize,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// In the order of time: with what was done then.
    At(Timestamp),
    /// In the order of time: after this line.
    After(Timestamp, EntryId),
    /// In the order in which they are added: after this line. Whoever looks for what is new misses
    /// none, whatever the clock does.
    Added(EntryId),
}

/// A page of the log.
#[derive(Debug, Clone)]
pub struct AuditPage {
    /// The newest last.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Start>,
    /// The line that was added last, of any kind.
    pub newest: EntryId,
}

impl AuditQuery {
    /// Whether a line is asked for.
    #[must_use]
    pub fn takes(&self, entry: &Entry) -> bool {
        let is_ours = |ours: &WorkspaceId| entry.workspace_id == Some(*ours);
        self.workspace.as_ref().is_none_or(is_ours)
            && entry.at < self.until
            && (self.actions.is_empty() || self.actions.contains(&entry.action))
            && self.actor.as_ref().is_none_or(|word| entry.actor.is(word))
    }
}
