//! What is told of workspaces and keys.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::rfc3339;
use crate::{
    domain::{
        api_key::{ApiKey, Secret},
        capability::Capability,
        principal::{Principal, PrincipalKind},
        workspace::Workspace,
    },
    service::workspaces::Used,
};

/// A workspace.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WorkspaceAnswer {
    /// Its name for programs, a UUID.
    id: String,
    /// Its short name, accepted wherever the id is.
    alias: String,
    /// Its name for people.
    name: String,
    /// When it was made.
    created_at: String,
    /// Since when it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

impl From<&Workspace> for WorkspaceAnswer {
    fn from(workspace: &Workspace) -> Self {
        Self {
            id: workspace.id.to_string(),
            alias: workspace.alias.to_string(),
            name: workspace.name.clone(),
            created_at: rfc3339(workspace.created_at),
            archived_at: workspace.archived_at.map(rfc3339),
        }
    }
}

/// A workspace, with what it uses and may use.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UsageAnswer {
    #[serde(flatten)]
    workspace: WorkspaceAnswer,
    /// What it uses now.
    usage: UseAnswer,
    /// What it may use at most.
    quota: QuotaAnswer,
}

/// What a workspace uses now.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
struct UseAnswer {
    /// Bytes of its stored files.
    stored_bytes: u64,
    /// Bytes that files on their way to it may turn out to have.
    in_flight_bytes: u64,
    /// Links that are open.
    open_links: u64,
}

/// What a workspace may use at most; null is no limit.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
struct QuotaAnswer {
    /// Bytes of its stored files.
    stored_bytes: Option<u64>,
    /// Bytes of files that are on their way to it at one time.
    in_flight_bytes: Option<u64>,
    /// Links that are open at one time.
    open_links: Option<u64>,
}

impl From<&Used> for UsageAnswer {
    fn from(used: &Used) -> Self {
        Self {
            workspace: (&used.workspace).into(),
            usage: UseAnswer {
                stored_bytes: used.usage.stored_bytes,
                in_flight_bytes: used.usage.in_flight_bytes,
                open_links: used.usage.open_links,
            },
            quota: QuotaAnswer {
                stored_bytes: used.quota.stored_bytes,
                in_flight_bytes: used.quota.in_flight_bytes,
                open_links: used.quota.open_links,
            },
        }
    }
}

/// An API key, without its secret.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KeyAnswer {
    /// Its name for programs. Not the secret.
    id: String,
    /// Its name for people.
    name: String,
    /// How its secret begins, to recognise it by.
    prefix: String,
    /// Whether it opens anything.
    state: KeyState,
    /// Whom its owner acts as.
    principal: PrincipalAnswer,
    /// Where it may be used.
    workspaces: Vec<PlaceAnswer>,
    /// What it may do there.
    capabilities: Vec<&'static str>,
    /// When it was made.
    created_at: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

/// Whether a key opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It does.
    Live,
    /// Its time is over.
    Ended,
    /// Somebody ended it.
    Revoked,
}

impl KeyState {
    /// That of a key now.
    #[must_use]
    pub fn of(key: &ApiKey, now: Timestamp) -> Self {
        match key.revoked_at {
            Some(_) => Self::Revoked,
            None if key.is_live(now) => Self::Live,
            None => Self::Ended,
        }
    }

    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        }
    }
}

/// Somebody or something that acts.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct PrincipalAnswer {
    /// Its name for programs.
    id: String,
    /// `user`, `api_key` or `system`.
    kind: PrincipalKind,
    /// Its name for people.
    name: String,
    /// Where a person is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

impl From<&Principal> for PrincipalAnswer {
    fn from(principal: &Principal) -> Self {
        Self {
            id: principal.id.to_string(),
            kind: principal.kind,
            name: principal.name.clone(),
            email: principal.email.clone(),
        }
    }
}

/// A workspace that a key opens.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct PlaceAnswer {
    /// Its UUID.
    id: String,
    /// Its short name.
    alias: String,
}

impl KeyAnswer {
    /// What is told of a key now.
    #[must_use]
    pub fn new(key: &ApiKey, now: Timestamp) -> Self {
        let workspaces = key.workspaces.iter().map(|workspace| PlaceAnswer {
            id: workspace.id.to_string(),
            alias: workspace.alias.to_string(),
        });
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            state: KeyState::of(key, now),
            principal: (&key.principal).into(),
            workspaces: workspaces.collect(),
            capabilities: key.capabilities.iter().map(Capability::as_str).collect(),
            created_at: rfc3339(key.created_at),
            expires_at: key.expires_at.map(rfc3339),
            last_used_at: key.last_used_at.map(rfc3339),
            revoked_at: key.revoked_at.map(rfc3339),
        }
    }
}

/// An API key with its secret, which is told this once.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NewKeyAnswer {
    #[serde(flatten)]
    facts: KeyAnswer,
    /// The secret: send it as `Authorization: Bearer …`. It is told this once.
    key: String,
}

impl NewKeyAnswer {
    /// What is told of a key that has just got its secret.
    #[must_use]
    pub fn new(key: &ApiKey, secret: &Secret, now: Timestamp) -> Self {
        Self {
            facts: KeyAnswer::new(key, now),
            key: secret.reveal().to_owned(),
        }
    }
}
