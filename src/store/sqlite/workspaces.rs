//! Workspaces: what happens inside a transaction.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};
use serde_json::{Value, json};

use super::{
    Result, StoreError, UploadId, WorkspaceId, audit,
    identity::cancel_all,
    rows::{self, Col},
};
use crate::{
    domain::{
        audit::{Action, Actor},
        workspace::{Alias, DEFAULT_NAME, Workspace, WorkspaceRef},
    },
    store::audit::Note,
};

const DEFAULT: &str = "SELECT * FROM workspace WHERE is_default = 1";
const BY_ID: &str = "SELECT * FROM workspace WHERE id = ?1";
const BY_ALIAS: &str = "SELECT * FROM workspace WHERE alias = ?1";
const ALL: &str = "SELECT * FROM workspace ORDER BY created_at, alias";
const MAKE: &str = "INSERT INTO workspace (id, alias, name, is_default, created_at)
    VALUES (:id, :alias, :name, :is_default, :now) RETURNING *";
const RENAME: &str = "UPDATE workspace
    SET name = coalesce(:name, name), alias = coalesce(:alias, alias) WHERE id = :id RETURNING *";
const ARCHIVE: &str = "UPDATE workspace SET archived_at = :at WHERE id = :id";
const OPEN_IN: &str = "SELECT id FROM upload_session
    WHERE workspace_id = ?1 AND state IN ('pending', 'receiving', 'checking')";

/// The workspace that every installation has.
pub(super) fn default(db: &Connection, now: Timestamp) -> Result<Workspace> {
    let found = db.query_row(DEFAULT, [], rows::workspace).optional()?;
    if let Some(workspace) = found {
        return Ok(workspace);
    }
    make(db, DEFAULT_NAME, None, Some(true), &Actor::System, now)
}

pub(super) fn find(db: &Connection, which: &WorkspaceRef) -> Result<Option<Workspace>> {
    let found = match which {
        WorkspaceRef::Id(id) => db
            .prepare_cached(BY_ID)?
            .query_row([Col(*id)], rows::workspace),
        WorkspaceRef::Alias(alias) => db
            .prepare_cached(BY_ALIAS)?
            .query_row([alias.as_str()], rows::workspace),
    };
    Ok(found.optional()?)
}

pub(super) fn all(db: &Connection) -> Result<Vec<Workspace>> {
    let mut query = db.prepare_cached(ALL)?;
    let found = query.query_map([], rows::workspace)?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn make(
    db: &Connection,
    name: &str,
    alias: Option<&Alias>,
    is_default: Option<bool>,
    by: &Actor,
    now: Timestamp,
) -> Result<Workspace> {
    let random = Alias::random();
    let made = db.prepare_cached(MAKE)?.query_row(
        named_params! {
            ":id": Col(WorkspaceId::random()), ":alias": alias.unwrap_or(&random).as_str(),
            ":name": name, ":is_default": is_default, ":now": Col(now),
        },
        rows::workspace,
    );
    let made = taken(made)?;
    let note = Note::new(by, Action::WorkspaceCreated, made.id, made.id);
    audit::note(db, &note.with(names(&made)), now)?;
    Ok(made)
}

/// # Errors
/// [`StoreError::NotFound`].
fn known(db: &Connection, id: WorkspaceId) -> Result<Workspace> {
    find(db, &WorkspaceRef::Id(id))?.ok_or(StoreError::NotFound)
}

pub(super) fn rename(
    db: &Connection,
    id: WorkspaceId,
    name: Option<&str>,
    alias: Option<&Alias>,
    by: &Actor,
    now: Timestamp,
) -> Result<Workspace> {
    let before = known(db, id)?;
    let renamed = db.prepare_cached(RENAME)?.query_row(
        named_params! { ":id": Col(id), ":name": name, ":alias": alias.map(Alias::as_str) },
        rows::workspace,
    );
    let renamed = taken(renamed)?;
    if renamed != before {
        let note = Note::new(by, Action::WorkspaceRenamed, id, id);
        let change = json!({ "from": names(&before), "to": names(&renamed) });
        audit::note(db, &note.with(change), now)?;
    }
    Ok(renamed)
}

/// Ends what goes on in it, or takes it up again; says which sessions were cancelled.
pub(super) fn archive(
    db: &Connection,
    id: WorkspaceId,
    is_archived: bool,
    by: &Actor,
    now: Timestamp,
) -> Result<Vec<UploadId>> {
    let before = known(db, id)?;
    let at = is_archived.then_some(Col(now));
    db.prepare_cached(ARCHIVE)?
        .execute(named_params! { ":id": Col(id), ":at": at })?;
    if before.archived_at.is_some() != is_archived {
        let action = if is_archived {
            Action::WorkspaceArchived
        } else {
            Action::WorkspaceReopened
        };
        audit::note(db, &Note::new(by, action, id, id), now)?;
    }
    if is_archived {
        return cancel_all(db, OPEN_IN, Col(id), by, now);
    }
    Ok(Vec::new())
}

/// What people call a workspace, to be noted.
fn names(workspace: &Workspace) -> Value {
    json!({ "name": workspace.name, "alias": workspace.alias.as_str() })
}

/// What a unique name that is somebody else's already means.
fn taken<T>(result: rusqlite::Result<T>) -> Result<T> {
    match result {
        Err(rusqlite::Error::SqliteFailure(why, _))
            if why.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
        {
            Err(StoreError::Taken)
        }
        other => Ok(other?),
    }
}
