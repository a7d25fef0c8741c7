//! The audit log: reading it, and noting what leaves no other trace.

use jiff::Timestamp;

use super::{
    Service,
    authority::{is_operator, must},
};
use crate::{
    domain::{
        audit::{Action, Actor},
        caller::Caller,
        capability::Capability,
        media::Media,
    },
    error::{Error, Result},
    store::audit::{AuditPage, AuditQuery, Note, Start},
};

/// Most lines of one page.
pub const MOST_LINES: usize = 500;

/// Asks for a page of the log.
#[derive(Debug, Clone)]
pub struct AuditRequest {
    /// Id or alias; `None`: all that the operator sees, or the caller's only one.
    pub workspace: Option<String>,
    /// Where it begins.
    pub start: Start,
    /// What was done before this time; `None`: up to now.
    pub until: Option<Timestamp>,
    /// An action such as `media.deleted`, or all of a kind, such as `media.*`.
    pub action: Option<String>,
    /// The name or the id of a principal, the id of a key, or a kind of actor.
    pub actor: Option<String>,
}

impl Service {
    /// A page of the log, the newest lines last. It may be short, or empty, although more follow.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NoSuchWorkspace`] for one
    /// that is not the caller's; [`Error::InvalidArgument`].
    pub async fn audit(&self, caller: &Caller, request: AuditRequest) -> Result<AuditPage> {
        must(caller, Capability::Admin)?;
        let workspace = match request.workspace.as_deref() {
            Some(named) => Some(self.administered(caller, named).await?.id),
            None if is_operator(caller) => None,
            None => Some(self.workspace_for(caller, None).await?),
        };
        let query = AuditQuery {
            workspace,
            start: request.start,
            until: request.until.unwrap_or(Timestamp::MAX),
            actions: request.action.as_deref().map_or(Ok(Vec::new()), actions)?,
            actor: request.actor,
            most: MOST_LINES,
        };
        Ok(self.audit.audit(query).await?)
    }

    /// Notes that a file, or the way to it, goes out. It goes out too where that cannot be noted: a
    /// disk that is full keeps nobody from a file.
    pub(super) async fn note_read(&self, media: &Media, by: &Actor, what: &'static str) {
        let action = match by {
            Actor::Link => Action::MediaDownloaded,
            Actor::Principal { .. } | Actor::System => Action::MediaRead,
        };
        let note = Note::new(by, action, media.id, media.workspace_id);
        let note = note.with(serde_json::json!({ "what": what }));
        if let Err(error) = self.audit.note(note).await {
            Error::from(error).log();
        }
    }
}

fn actions(pattern: &str) -> Result<Vec<Action>> {
    let named = Action::named(pattern);
    if !named.is_empty() {
        return Ok(named);
    }
    let all: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
    Err(Error::InvalidArgument(format!(
        "action: there is no `{pattern}`; there are {}. All of a kind are `media.*`.",
        all.join(", ")
    )))
}
