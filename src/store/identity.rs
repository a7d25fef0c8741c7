//! Who there is: workspaces, principals and their keys.

use std::fmt;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::Result;
use crate::domain::{
    api_key::{ApiKey, SecretHash},
    audit::Actor,
    caller::Caller,
    capability::Capabilities,
    ids::{AccountId, ApiKeyId, PrincipalId, WorkspaceId},
    principal::Principal,
    quota::{OwnQuota, QuotaChange, Usage},
    workspace::{Alias, Workspace, WorkspaceRef},
};

/// Remembers who may. As with [`super::UploadStore`], every method is one transaction.
#[async_trait]
pub trait IdentityStore: fmt::Debug + Send + Sync + 'static {
    /// The workspace that every installation has; made at first start.
    async fn default_workspace(&self) -> Result<Workspace>;

    /// The principal that stands for the installation itself; made at first start.
    async fn system_principal(&self) -> Result<Principal>;

    /// The name of this installation, made on first use.
    async fn account(&self) -> Result<AccountId>;

    /// A principal by its name.
    async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>>;

    /// The workspace by that name, archived or not.
    async fn workspace(&self, which: &WorkspaceRef) -> Result<Option<Workspace>>;

    /// Every workspace, the oldest first.
    async fn workspaces(&self) -> Result<Vec<Workspace>>;

    /// Makes a workspace. Without an alias it gets a random one.
    ///
    /// # Errors
    /// [`super::StoreError::Taken`] if another one has the alias.
    async fn create_workspace(
        &self,
        name: String,
        alias: Option<Alias>,
        by: Actor,
    ) -> Result<Workspace>;

    /// Gives a workspace another name, another alias, or both.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`]; [`super::StoreError::Taken`] if another one has the alias.
    async fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: Option<String>,
        alias: Option<Alias>,
        by: Actor,
    ) -> Result<Workspace>;

    /// Ends what goes on in a workspace and lets nobody in any more, or lets them in again. Says how
    /// many open sessions were cancelled.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`].
    async fn archive_workspace(&self, id: WorkspaceId, is_archived: bool, by: Actor)
    -> Result<u32>;

    /// What a workspace uses, and its own quotas.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`].
    async fn usage(&self, id: WorkspaceId) -> Result<(Usage, OwnQuota)>;

    /// Gives a workspace its own quotas. What it uses already stays.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`].
    async fn set_quota(&self, id: WorkspaceId, change: QuotaChange, by: Actor) -> Result<()>;

    /// Makes a key, and its principal where there is none.
    ///
    /// # Errors
    /// [`super::StoreError::Taken`] if a key that lives has the name.
    async fn create_key(&self, new: NewKey, by: Actor) -> Result<ApiKey>;

    /// Every key but those that clients were granted, the oldest first; also those that are revoked or
    /// have ended.
    async fn keys(&self) -> Result<Vec<ApiKey>>;

    /// Gives a key a new secret; the one before opens for another `overlap`.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] for a key that opens nothing any more.
    async fn rotate_key(
        &self,
        id: ApiKeyId,
        secret: NewSecret,
        overlap: SignedDuration,
        by: Actor,
    ) -> Result<ApiKey>;

    /// Ends a key for good, and cancels the open sessions that were made with it; says how many.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] for a key that opens nothing any more.
    async fn revoke_key(&self, id: ApiKeyId, by: Actor) -> Result<u32>;

    /// Sets what a key may do, from now on.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] for a key that opens nothing any more.
    async fn allow_key(
        &self,
        id: ApiKeyId,
        capabilities: Capabilities,
        by: Actor,
    ) -> Result<ApiKey>;

    /// On whose authority this secret lets somebody act now; `None` if it opens nothing.
    async fn identify(&self, secret: SecretHash) -> Result<Option<Identified>>;

    /// Remembers that this secret was used now.
    async fn note_use(&self, secret: SecretHash) -> Result<()>;

    /// Lets whoever shows this token act until it ends, as the person whom its issuer names in it.
    async fn admit(&self, token: NewToken) -> Result<()>;

    /// Forgets tokens that have ended, at most so many; says how many.
    async fn forget_tokens(&self, most: u32) -> Result<u32>;
}

/// Whom a secret belongs to.
#[derive(Debug, Clone)]
pub struct Identified {
    /// On whose authority it lets somebody act.
    pub caller: Caller,
    /// When the secret was last used, as far as it was noted.
    pub last_used_at: Option<Timestamp>,
    /// Where it comes from.
    pub made_by: Maker,
}

/// Where a secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// It is a key's.
    Operator,
    /// A client was granted it here.
    Client,
    /// An identity provider made it.
    Provider {
        /// When that was last seen.
        checked_at: Timestamp,
    },
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its name for people.
    pub name: String,
    /// The person whose agents use it, by name and address; `None`: a program.
    pub person: Option<(String, Option<String>)>,
    /// Where it may be used.
    pub workspaces: Vec<WorkspaceId>,
    /// What it may do there.
    pub capabilities: Capabilities,
    /// Its first secret.
    pub secret: NewSecret,
    /// How long it lives.
    pub expires_in: Option<SignedDuration>,
}

/// What is kept of a secret.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// To find it by.
    pub hash: SecretHash,
    /// To recognise it by.
    pub prefix: String,
}

/// A token that was checked.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// To find it by.
    pub hash: SecretHash,
    /// Who made it.
    pub issuer: String,
    /// Whom it is about, by the issuer's name for them.
    pub subject: String,
    /// What people call them.
    pub name: String,
    /// Where they are reached.
    pub email: Option<String>,
    /// Where it may be used.
    pub workspaces: Vec<WorkspaceId>,
    /// What it may do there.
    pub capabilities: Capabilities,
    /// When it ends.
    pub expires_at: Timestamp,
}
