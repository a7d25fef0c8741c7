//! Who makes a request of the service, and for whom.

use std::sync::Arc;

use super::{
    api_key::{Secret, SecretHash},
    audit::Actor,
    capability::Capabilities,
    ids::{ApiKeyId, WorkspaceId},
    principal::{Principal, PrincipalKind},
};

/// On whose authority an operation runs. Every operation that names a session, a media or a
/// target looks inside these workspaces only; what lies outside is answered as unknown.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// The workspaces that it acts for.
    pub workspaces: Arc<[WorkspaceId]>,
    /// What it may do there.
    pub capabilities: Capabilities,
    /// How the page names who asks.
    pub asked_by: String,
    /// What it came with; `None`: nothing was asked of it.
    pub credential: Option<Credential>,
    /// The token of an identity provider that it came with: what takes long has it checked again.
    pub token: Option<Arc<Secret>>,
}

/// What somebody came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// The key of ours that it is, if it is one.
    pub api_key: Option<ApiKeyId>,
    /// What was shown.
    pub secret: SecretHash,
}

impl Caller {
    /// Whether what belongs to this workspace is its own.
    #[must_use]
    pub fn reaches(&self, workspace: WorkspaceId) -> bool {
        self.workspaces.contains(&workspace)
    }

    /// Who it is, as it is remembered. What acts as the installation itself has the name that it gave
    /// of itself.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let name = match self.principal.kind {
            PrincipalKind::User | PrincipalKind::ApiKey => &self.principal.name,
            PrincipalKind::System => &self.asked_by,
        };
        Actor::Principal {
            id: self.principal.id,
            kind: self.principal.kind,
            name: name.clone(),
            api_key: self.credential.and_then(|credential| credential.api_key),
        }
    }
}
