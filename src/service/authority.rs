//! Who may: the one place where credentials, capabilities and workspaces are checked.

use std::{pin::pin, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{Asker, Service, provider::CHECKED_FOR, status::LOOK_AGAIN};
use crate::{
    domain::{
        api_key::Secret,
        caller::Caller,
        capability::{Capabilities, Capability},
        ids::WorkspaceId,
        principal::PrincipalKind,
        workspace::WorkspaceRef,
    },
    error::{Error, Result},
    store::identity::{Identified, Maker},
};

/// How exactly it is known when a key was last used.
const USE_NOTED: SignedDuration = SignedDuration::from_mins(1);

impl Service {
    /// The caller that everybody is taken for in `open` mode, and over standard streams: it may what
    /// the settings allow, and has the name that the agent's program gave of itself.
    #[must_use]
    pub fn open_caller(&self, client_name: Option<&str>) -> Caller {
        let name = client_name.map(named_agent).filter(|name| !name.is_empty());
        Caller {
            asked_by: self.system.asks_as(name.as_deref()),
            principal: Arc::clone(&self.system),
            workspaces: Arc::new([self.home]),
            capabilities: self.settings.capabilities,
            credential: None,
            token: None,
        }
    }

    /// Whoever has the data folder in hand, on the command line: may everything, everywhere.
    #[must_use]
    pub fn operator(&self, name: &str) -> Caller {
        Caller {
            capabilities: Capabilities::ALL,
            ..self.open_caller(Some(name))
        }
    }

    /// Whose key or token this is.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for one that opens nothing, whatever the reason;
    /// [`Error::Unavailable`] while the issuer of tokens cannot be asked for its keys.
    pub async fn identify(&self, shown: &Secret) -> Result<Caller> {
        let found = self.identities.identify(shown.hash()).await?;
        let found = found.filter(|found| self.is_taken(found));
        if let Some(found) = found {
            self.note_use(&found.caller, found.last_used_at);
            return Ok(who_came(found, shown));
        }
        self.admit_token(shown).await?;
        let found = self.identities.identify(shown.hash()).await?;
        let found = found.ok_or(Error::Unauthenticated(UNKNOWN_KEY))?;
        Ok(who_came(found, shown))
    }

    /// Whether the settings let such a credential in, and it need not be checked anew.
    fn is_taken(&self, found: &Identified) -> bool {
        let auth = self.settings.auth;
        match found.made_by {
            // In `open` mode nobody is asked for one, so whoever asks here means it.
            Maker::Operator => auth.keys || auth.is_open(),
            Maker::Client => auth.builtin,
            Maker::Provider { checked_at } => {
                auth.oauth && self.clock.now().duration_since(checked_at) < CHECKED_FOR
            }
        }
    }

    /// Once a minute at most, and nobody waits for it.
    fn note_use(&self, caller: &Caller, last_used_at: Option<Timestamp>) {
        let rest = last_used_at.map(|last| self.clock.now().duration_since(last));
        let of_key = caller.credential.filter(|of| of.api_key.is_some());
        let (Some(credential), true) = (of_key, rest.is_none_or(|rest| rest >= USE_NOTED)) else {
            return;
        };
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(error) = service.identities.note_use(credential.secret).await {
                Error::from(error).log();
            }
        });
    }

    /// Whom a caller's key stands for by now, for what takes long: it may have been revoked meanwhile,
    /// or a workspace archived. A provider's token is checked anew as often as at calls.
    ///
    /// # Errors
    /// As [`Self::identify`].
    pub async fn by_now(&self, caller: &Caller) -> Result<Caller> {
        let Some(credential) = caller.credential else {
            return Ok(caller.clone());
        };
        let found = self.identities.identify(credential.secret).await?;
        let found = found.filter(|found| self.is_taken(found));
        match (found, &caller.token) {
            (Some(found), _) => Ok(found.caller),
            (None, Some(token)) => Box::pin(self.identify(token)).await,
            (None, None) => Err(Error::Unauthenticated(UNKNOWN_KEY)),
        }
    }

    /// Resolves once an asker's key allows something else than what is known, with that; `None` once
    /// it opens nothing any more.
    pub async fn allowed_otherwise(
        &self,
        asker: &mut Asker,
        known: Option<Capabilities>,
    ) -> Option<Capabilities> {
        let _watching = self.store.watch();
        loop {
            let mut signal = pin!(self.waiters.access());
            signal.as_mut().enable();
            let now = match self.by_now(&asker.last()).await {
                Ok(caller) => Some(caller.capabilities),
                Err(Error::Unauthenticated(_)) => None,
                Err(passing) => {
                    passing.log();
                    known
                }
            };
            if now != known {
                return now;
            }
            // It may end by time alone.
            tokio::select! {
                () = signal => {}
                true = asker.comes_anew() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// The one workspace that a caller names, or has.
    ///
    /// # Errors
    /// [`Error::NoSuchWorkspace`] for one that is not the caller's; [`Error::InvalidArgument`] where it has
    /// several and names none.
    pub(super) async fn workspace_for(
        &self,
        caller: &Caller,
        named: Option<&str>,
    ) -> Result<WorkspaceId> {
        let Some(named) = named else {
            return match *caller.workspaces {
                [] => Err(Error::PermissionDenied(
                    "The workspaces of this key are archived.".into(),
                )),
                [only] => Ok(only),
                _ => Err(self.several(caller).await?),
            };
        };
        let unknown = || Error::NoSuchWorkspace(named.to_owned());
        let which: WorkspaceRef = named.parse().map_err(|_| unknown())?;
        let found = self.identities.workspace(&which).await?;
        found
            .map(|workspace| workspace.id)
            .filter(|id| caller.reaches(*id))
            .ok_or_else(unknown)
    }

    /// The caller, within one of its workspaces where it names one.
    ///
    /// # Errors
    /// [`Error::NoSuchWorkspace`] for one that is not the caller's.
    pub async fn within(&self, caller: &Caller, named: Option<&str>) -> Result<Caller> {
        if named.is_none() {
            return Ok(caller.clone());
        }
        Ok(Caller {
            workspaces: [self.workspace_for(caller, named).await?].into(),
            ..caller.clone()
        })
    }

    async fn several(&self, caller: &Caller) -> Result<Error> {
        let mut aliases = Vec::with_capacity(caller.workspaces.len());
        for id in caller.workspaces.iter() {
            let found = self.identities.workspace(&WorkspaceRef::Id(*id)).await?;
            aliases.extend(found.map(|workspace| workspace.alias.to_string()));
        }
        aliases.sort_unstable();
        Ok(Error::InvalidArgument(format!(
            "workspace_id: name one of {}.",
            aliases.join(", ")
        )))
    }
}

/// Whoever showed this.
fn who_came(found: Identified, shown: &Secret) -> Caller {
    let is_token = matches!(found.made_by, Maker::Provider { .. });
    Caller {
        token: is_token.then(|| Arc::new(shown.clone())),
        ..found.caller
    }
}

pub(super) const UNKNOWN_KEY: &str =
    "This key or token is not known here: it is wrong, has ended or was revoked.";

/// # Errors
/// [`Error::ToolNotEnabled`] or [`Error::PermissionDenied`] without this capability.
pub fn must(caller: &Caller, need: Capability) -> Result<()> {
    if caller.capabilities.has(need) {
        return Ok(());
    }
    Err(match need {
        Capability::AssetUpload => Error::ToolNotEnabled,
        Capability::Admin => {
            Error::PermissionDenied("That takes an administrator, who is allowed `admin`.".into())
        }
        other => Error::PermissionDenied(format!(
            "That takes `{other}`, which this caller is not allowed."
        )),
    })
}

/// Whether it is the installation itself that acts: it reaches every workspace.
pub(super) fn is_operator(caller: &Caller) -> bool {
    caller.principal.kind == PrincipalKind::System && caller.capabilities.has(Capability::Admin)
}

/// A program's name of itself, fit to be shown: it is hostile input.
fn named_agent(name: &str) -> String {
    crate::intake::filename::harmless_text(name)
        .replace('\n', " ")
        .chars()
        .take(80)
        .collect()
}
