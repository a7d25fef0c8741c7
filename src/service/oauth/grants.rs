//! What was granted to clients, for the operator.

use crate::{
    domain::{caller::Caller, capability::Capability},
    error::{Error, Result},
    service::{
        Service,
        keys::{administers, gone},
        must,
    },
    store::oauth::ClientGrant,
};

impl Service {
    /// What clients were granted in the caller's workspaces, the oldest first; also what is over.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator.
    pub async fn client_grants(&self, caller: &Caller) -> Result<Vec<ClientGrant>> {
        must(caller, Capability::Admin)?;
        let mut grants = self.oauth.client_grants().await?;
        grants.retain(|grant| administers(caller, &grant.key));
        Ok(grants)
    }

    /// Ends a grant for good, by its id, or by its client's name where there is one of that name alone;
    /// its open links are closed. Says how many.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NotFound`];
    /// [`Error::Conflict`] where several are meant.
    pub async fn revoke_grant(&self, caller: &Caller, named: &str) -> Result<(ClientGrant, u32)> {
        let now = self.clock.now();
        let mut grants = self.client_grants(caller).await?;
        grants.retain(|grant| grant.key.is_live(now));
        let is_it = |grant: &ClientGrant| grant.key.id.to_string() == named;
        if grants.iter().any(is_it) {
            grants.retain(is_it);
        } else {
            grants.retain(|grant| grant.key.name == named || grant.client_id == named);
        }
        if grants.len() > 1 {
            let ids: Vec<_> = grants
                .iter()
                .map(|grant| grant.key.id.to_string())
                .collect();
            let why = format!("{} of that name: name one by its id.", ids.join(", "));
            return Err(Error::Conflict(why));
        }
        let found = grants.pop().ok_or(Error::NotFound)?;
        let revoked = self.identities.revoke_key(found.key.id, caller.actor());
        let closed = revoked.await.map_err(gone)?;
        tracing::info!(grant.id = %found.key.id, links.closed = closed, "a grant was revoked");
        Ok((found, closed))
    }
}
