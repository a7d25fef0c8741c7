//! Workspaces: making, showing, renaming and archiving them.

use super::{
    Service,
    authority::{is_operator, must},
    keys::{checked_name, taken},
};
use crate::{
    domain::{
        caller::Caller,
        capability::Capability,
        quota::{OwnQuota, Quota, QuotaChange, Usage},
        workspace::{Alias, Workspace, WorkspaceRef},
    },
    error::{Error, Result},
};

/// What a workspace uses and may use.
#[derive(Debug, Clone)]
pub struct Used {
    /// Which.
    pub workspace: Workspace,
    /// What it uses.
    pub usage: Usage,
    /// Its own quotas.
    pub own: OwnQuota,
    /// What is in force.
    pub quota: Quota,
}

impl Service {
    /// The workspaces that the caller administers, the oldest first; also those that are archived.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator.
    pub async fn workspaces(&self, caller: &Caller) -> Result<Vec<Workspace>> {
        must(caller, Capability::Admin)?;
        let mut workspaces = self.identities.workspaces().await?;
        workspaces.retain(|workspace| is_operator(caller) || caller.reaches(workspace.id));
        Ok(workspaces)
    }

    /// Makes a workspace.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for everybody but the operator; [`Error::InvalidArgument`];
    /// [`Error::Conflict`] if another one has the alias.
    pub async fn create_workspace(
        &self,
        caller: &Caller,
        name: &str,
        alias: Option<&str>,
    ) -> Result<Workspace> {
        must(caller, Capability::Admin)?;
        if !is_operator(caller) {
            return Err(Error::PermissionDenied(
                "A workspace is made by whoever runs this askfile.".into(),
            ));
        }
        let alias = alias.map(checked_alias).transpose()?;
        let made =
            self.identities
                .create_workspace(checked_name("name", name)?, alias, caller.actor());
        let made = made
            .await
            .map_err(|error| taken(error, "workspace", "alias"))?;
        tracing::info!(workspace.id = %made.id, "a workspace was made");
        Ok(made)
    }

    /// Gives a workspace another name, another alias, or both.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NoSuchWorkspace`],
    /// [`Error::InvalidArgument`]; [`Error::Conflict`] if another one has the alias.
    pub async fn rename_workspace(
        &self,
        caller: &Caller,
        named: &str,
        name: Option<&str>,
        alias: Option<&str>,
    ) -> Result<Workspace> {
        let workspace = self.administered(caller, named).await?;
        let name = name.map(|name| checked_name("name", name)).transpose()?;
        let alias = alias.map(checked_alias).transpose()?;
        let (id, by) = (workspace.id, caller.actor());
        let renamed = self.identities.rename_workspace(id, name, alias, by);
        renamed
            .await
            .map_err(|error| taken(error, "workspace", "alias"))
    }

    /// Ends what goes on in a workspace and lets no key into it any more; its files stay. Or lets the
    /// keys in again. Says how many open links were closed.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NoSuchWorkspace`];
    /// [`Error::Conflict`] for the workspace that callers without a key work in.
    pub async fn archive_workspace(
        &self,
        caller: &Caller,
        named: &str,
        is_archived: bool,
    ) -> Result<(Workspace, u32)> {
        let workspace = self.administered(caller, named).await?;
        if is_archived && workspace.id == self.home {
            return Err(Error::Conflict(
                "Callers without a key work in this workspace: choose another one with the setting \
                 `workspace` first."
                    .into(),
            ));
        }
        let (id, by) = (workspace.id, caller.actor());
        let archived = self.identities.archive_workspace(id, is_archived, by);
        let closed = archived.await?;
        tracing::info!(workspace.id = %workspace.id, is_archived, links.closed = closed, "a workspace was archived or taken up again");
        Ok((workspace, closed))
    }

    /// What a workspace uses, and what it may use: of its own, and by the settings.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NoSuchWorkspace`].
    pub async fn usage(&self, caller: &Caller, named: &str) -> Result<Used> {
        let workspace = self.administered(caller, named).await?;
        let (usage, own) = self.identities.usage(workspace.id).await?;
        Ok(Used {
            workspace,
            usage,
            own,
            quota: own.or(self.settings.quota()),
        })
    }

    /// Changes the quotas that a workspace has of its own. What it uses already stays.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NoSuchWorkspace`].
    pub async fn set_quota(
        &self,
        caller: &Caller,
        named: &str,
        change: QuotaChange,
    ) -> Result<Used> {
        let workspace = self.administered(caller, named).await?;
        let changed = self
            .identities
            .set_quota(workspace.id, change, caller.actor());
        changed.await?;
        tracing::info!(workspace.id = %workspace.id, "a workspace's quotas were changed");
        self.usage(caller, named).await
    }

    /// The workspace of this id or alias, archived or not, if the caller administers it.
    pub(super) async fn administered(&self, caller: &Caller, named: &str) -> Result<Workspace> {
        must(caller, Capability::Admin)?;
        let unknown = || Error::NoSuchWorkspace(named.to_owned());
        let which: WorkspaceRef = named.parse().map_err(|_| unknown())?;
        let found = self.identities.workspace(&which).await?;
        found
            .filter(|workspace| is_operator(caller) || caller.reaches(workspace.id))
            .ok_or_else(unknown)
    }
}

fn checked_alias(alias: &str) -> Result<Alias> {
    alias
        .parse()
        .map_err(|why: String| Error::InvalidArgument(format!("alias: {why}.")))
}
