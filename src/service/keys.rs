//! API keys: making, showing, replacing and ending them.

use std::time::Duration;

use super::{
    Service,
    authority::{is_operator, must},
    signed,
};
use crate::{
    domain::{
        api_key::{ApiKey, Secret},
        caller::Caller,
        capability::{Capabilities, Capability},
        workspace::Workspace,
    },
    error::{Error, Result},
    intake::filename::harmless_text,
    store::{
        StoreError,
        identity::{NewKey, NewSecret},
    },
};

/// Longest name of a key, a person or a workspace, in characters.
const MOST_NAME: usize = 200;
/// Shortest life of a key.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
/// Longest time that the secret before opens after a key got a new one.
const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 86_400);

/// Asks for a key.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    /// Its name for people.
    pub name: String,
    /// The person whose agents use it, by name and address; `None`: a program.
    pub person: Option<(String, Option<String>)>,
    /// Where it may be used, by ids or aliases; empty: in the caller's only workspace.
    pub workspaces: Vec<String>,
    /// What it may do there.
    pub capabilities: Capabilities,
    /// How long it lives; `None`: until it is revoked.
    pub expires_in: Option<Duration>,
}

impl Service {
    /// Makes a key. Its secret is in nobody's hands but the caller's from then on.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::InvalidArgument`];
    /// [`Error::NoSuchWorkspace`] for one that is not the caller's; [`Error::Conflict`] if a key has
    /// the name.
    pub async fn create_key(
        &self,
        caller: &Caller,
        request: KeyRequest,
    ) -> Result<(ApiKey, Secret)> {
        must(caller, Capability::Admin)?;
        let mut workspaces = Vec::with_capacity(request.workspaces.len());
        for named in &request.workspaces {
            workspaces.push(self.open_workspace(caller, Some(named)).await?.id);
        }
        if workspaces.is_empty() {
            workspaces.push(self.open_workspace(caller, None).await?.id);
        }
        let person = request.person.map(|(name, email)| {
            let email = email.map(|email| checked_email(&email)).transpose()?;
            Ok::<_, Error>((checked_name("for", &name)?, email))
        });
        let person = person.transpose()?;
        if let Some((_, Some(email))) = &person {
            self.must_be_theirs(caller, email).await?;
        }
        if request.expires_in.is_some_and(|life| life < SHORTEST_LIFE) {
            return Err(Error::InvalidArgument("expires: 1s at least.".into()));
        }
        let secret = Secret::random();
        let new = NewKey {
            name: checked_name("name", &request.name)?,
            person,
            workspaces,
            capabilities: request.capabilities,
            secret: kept(&secret),
            expires_in: request.expires_in.map(signed),
        };
        let key = self.identities.create_key(new, caller.actor()).await;
        let key = key.map_err(|error| taken(error, "key", "name"))?;
        tracing::info!(key.id = %key.id, key.prefix, "an API key was made");
        Ok((key, secret))
    }

    /// The keys of the caller's workspaces, the oldest first; also those that are over.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator.
    pub async fn keys(&self, caller: &Caller) -> Result<Vec<ApiKey>> {
        must(caller, Capability::Admin)?;
        let mut keys = self.identities.keys().await?;
        keys.retain(|key| administers(caller, key));
        Ok(keys)
    }

    /// Gives a key a new secret; the one before opens for another `overlap`.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NoSuchKey`].
    pub async fn rotate_key(
        &self,
        caller: &Caller,
        named: &str,
        overlap: Duration,
    ) -> Result<(ApiKey, Secret)> {
        if overlap > LONGEST_OVERLAP {
            return Err(Error::InvalidArgument("overlap: at most 30d.".into()));
        }
        let key = self.key(caller, named).await?;
        let secret = Secret::random();
        let (overlap, by) = (signed(overlap), caller.actor());
        let rotated = self
            .identities
            .rotate_key(key.id, kept(&secret), overlap, by);
        let key = rotated.await.map_err(gone)?;
        tracing::info!(key.id = %key.id, key.prefix, "an API key has a new secret");
        Ok((key, secret))
    }

    /// Ends a key for good, and closes the links that were made with it and still open; says how
    /// many.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NoSuchKey`].
    pub async fn revoke_key(&self, caller: &Caller, named: &str) -> Result<(ApiKey, u32)> {
        let key = self.key(caller, named).await?;
        let revoked = self.identities.revoke_key(key.id, caller.actor());
        let closed = revoked.await.map_err(gone)?;
        tracing::info!(key.id = %key.id, key.prefix, links.closed = closed, "an API key was revoked");
        let revoked_at = Some(self.clock.now());
        Ok((ApiKey { revoked_at, ..key }, closed))
    }

    /// Allows a key something, or allows it no more. It is in force with the next request.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NoSuchKey`].
    pub async fn allow_key(
        &self,
        caller: &Caller,
        named: &str,
        change: impl FnOnce(Capabilities) -> Capabilities,
    ) -> Result<ApiKey> {
        let key = self.key(caller, named).await?;
        let allowed = change(key.capabilities);
        let key = self.identities.allow_key(key.id, allowed, caller.actor());
        let key = key.await.map_err(gone)?;
        tracing::info!(key.id = %key.id, key.prefix, allowed = %key.capabilities, "what an API key may do was changed");
        Ok(key)
    }

    /// A workspace that an administrator names, or has, and that lets somebody in.
    ///
    /// # Errors
    /// [`Error::NoSuchWorkspace`] for one that is not the caller's; [`Error::Conflict`] for one that
    /// is archived.
    pub(super) async fn open_workspace(
        &self,
        caller: &Caller,
        named: Option<&str>,
    ) -> Result<Workspace> {
        let workspace = if let Some(named) = named {
            self.administered(caller, named).await?
        } else {
            let only = self.workspace_for(caller, None).await?;
            self.administered(caller, &only.to_string()).await?
        };
        if workspace.archived_at.is_some() {
            return Err(Error::Conflict(format!(
                "The workspace {0} is archived: take it up again first, with askfile workspace \
                 archive --undo {0}.",
                workspace.alias
            )));
        }
        Ok(workspace)
    }

    /// The live key of this id, name or beginning.
    async fn key(&self, caller: &Caller, named: &str) -> Result<ApiKey> {
        let now = self.clock.now();
        let mut keys = self.keys(caller).await?;
        keys.retain(|key| key.is_live(now));
        // What only its maker chooses comes last: a key may be named like another one's id.
        let ways: [fn(&ApiKey) -> String; 3] = [
            |key| key.id.to_string(),
            |key| key.prefix.clone(),
            |key| key.name.clone(),
        ];
        let found = ways
            .iter()
            .find_map(|way| keys.iter().find(|key| way(key) == named));
        if let Some(found) = found {
            return Ok(found.clone());
        }
        let grants = self.client_grants(caller).await?;
        if grants.iter().any(|grant| grant.key.id.to_string() == named) {
            return Err(Error::Conflict(
                "That is what a client was granted: askfile grants revoke ends it.".into(),
            ));
        }
        Err(Error::NoSuchKey)
    }

    /// Whoever administers some workspaces does not add to a person of others: what keys of one person
    /// share would cross from one to the other.
    ///
    /// # Errors
    /// [`Error::Conflict`].
    async fn must_be_theirs(&self, caller: &Caller, email: &str) -> Result<()> {
        if is_operator(caller) {
            return Ok(());
        }
        let (keys, grants) = (
            self.identities.keys().await?,
            self.oauth.client_grants().await?,
        );
        let mut of_person = keys.iter().chain(grants.iter().map(|grant| &grant.key));
        let is_elsewhere = |key: &ApiKey| {
            key.principal.email.as_deref() == Some(email) && !administers(caller, key)
        };
        if of_person.any(is_elsewhere) {
            return Err(Error::Conflict(
                "The person of this address has keys elsewhere: leave the address out, or have \
                 whoever runs this askfile make the key."
                    .into(),
            ));
        }
        Ok(())
    }
}

/// Who administers a part of what a key opens has no say over the key.
pub(super) fn administers(caller: &Caller, key: &ApiKey) -> bool {
    let open = key.workspaces.iter().filter(|of| of.archived_at.is_none());
    let mut open = open
        .map(|workspace| caller.reaches(workspace.id))
        .peekable();
    is_operator(caller) || (open.peek().is_some() && open.all(|is_reached| is_reached))
}

pub(super) fn kept(secret: &Secret) -> NewSecret {
    NewSecret {
        hash: secret.hash(),
        prefix: secret.prefix(),
    }
}

/// It ended a moment ago.
pub(super) fn gone(error: StoreError) -> Error {
    match error {
        StoreError::NotFound => Error::NoSuchKey,
        other => other.into(),
    }
}

/// Says what of the new one is another's.
pub(super) fn taken(error: StoreError, what: &str, of: &str) -> Error {
    match error {
        StoreError::Taken => Error::Conflict(format!("Another {what} has that {of}.")),
        other => other.into(),
    }
}

/// A name that can be shown. It is measured as it came, which is how a schema measures it.
pub(super) fn checked_name(what: &str, name: &str) -> Result<String> {
    let length = name.chars().count();
    let name = harmless_text(name).replace('\n', " ").trim().to_owned();
    if length > MOST_NAME || name.is_empty() {
        return Err(Error::InvalidArgument(format!(
            "{what}: 1 to {MOST_NAME} characters."
        )));
    }
    Ok(name)
}

/// In lower case: a person is known by it.
pub(super) fn checked_email(email: &str) -> Result<String> {
    let email = checked_name("email", email)?.to_lowercase();
    let (name, host) = email.split_once('@').unwrap_or_default();
    if name.is_empty() || host.is_empty() || email.contains(char::is_whitespace) {
        return Err(Error::InvalidArgument(
            "email: an address such as ana@example.com.".into(),
        ));
    }
    Ok(email)
}
