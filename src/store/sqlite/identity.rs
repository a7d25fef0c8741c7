//! [`IdentityStore`] in the same file: principals and their keys.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::{Value, json};

use super::{
    Change, SqliteStore, StoreError, UploadId, audit, quota,
    rows::{self, Col, get, get_opt},
    sessions, workspaces,
};
use crate::{
    domain::{
        api_key::{ApiKey, SecretHash},
        audit::{Action, Actor},
        caller::{Caller, Credential},
        capability::{Capabilities, Capability},
        ids::{AccountId, ApiKeyId, PrincipalId, WorkspaceId},
        principal::{Principal, PrincipalKind, SYSTEM_NAME},
        quota::{OwnQuota, QuotaChange, Usage},
        workspace::{Alias, Workspace, WorkspaceRef},
    },
    store::{
        Result,
        audit::Note,
        identity::{Identified, IdentityStore, Maker, NewKey, NewSecret, NewToken},
        later,
    },
};

const SYSTEM: &str = "SELECT * FROM principal WHERE is_system = 1";
const ACCOUNT: &str = "SELECT id FROM account";
const MAKE_ACCOUNT: &str = "INSERT INTO account (id, is_own) VALUES (?1, 1)";
const BY_EMAIL: &str = "SELECT * FROM principal WHERE email = ?1 AND issuer IS NULL";
const MAKE_PRINCIPAL: &str = "INSERT INTO principal (id, kind, name, email, is_system, created_at)
    VALUES (:id, :kind, :name, :email, :is_system, :now) RETURNING *";
const RENAME_PRINCIPAL: &str = "UPDATE principal SET name = ?2 WHERE id = ?1 RETURNING *";
const PRINCIPAL: &str = "SELECT * FROM principal WHERE id = ?1";

const KEYS: &str = "SELECT * FROM api_key WHERE client_id IS NULL ORDER BY created_at, id";
const LIVE_KEY: &str = "SELECT * FROM api_key
    WHERE id = :id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)";
const KEY_OF_NAME: &str = "SELECT 1 FROM api_key
    WHERE name = :name AND client_id IS NULL AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > :now)";
const MAKE_KEY: &str = "INSERT INTO api_key
    (id, name, principal_id, capabilities, created_at, expires_at, client_id)
    VALUES (:id, :name, :principal_id, :capabilities, :now, :expires_at, :client_id) RETURNING *";
const LET_INTO: &str = "INSERT OR IGNORE INTO api_key_workspace (api_key_id, workspace_id)
    VALUES (?1, ?2)";
const KEY_WORKSPACES: &str = "SELECT workspace.* FROM api_key_workspace
    JOIN workspace ON workspace.id = api_key_workspace.workspace_id
    WHERE api_key_id = ?1 ORDER BY workspace.created_at, workspace.alias";
const ADD_SECRET: &str = "INSERT INTO api_key_secret
    (sha256, api_key_id, prefix, created_at, expires_at)
    VALUES (:sha256, :id, :prefix, :now, :end)";
const OVERLAP: &str = "UPDATE api_key_secret SET expires_at = min(coalesce(expires_at, :end), :end)
    WHERE api_key_id = :id";
const SECRETS: &str = "SELECT prefix, last_used_at FROM api_key_secret
    WHERE api_key_id = ?1 ORDER BY created_at DESC";
const REVOKE: &str = "UPDATE api_key SET revoked_at = :now WHERE id = :id";
const OPEN_WITH_KEY: &str = "SELECT id FROM upload_session
    WHERE api_key_id = ?1 AND state IN ('pending', 'receiving', 'checking')";
const ALLOW: &str = "UPDATE api_key SET capabilities = :capabilities WHERE id = :id RETURNING *";

const BY_SUBJECT: &str = "UPDATE principal SET name = :name, email = :email
    WHERE issuer = :issuer AND subject = :subject RETURNING id";
const MAKE_SUBJECT: &str =
    "INSERT INTO principal (id, kind, name, email, issuer, subject, created_at)
    VALUES (:id, 'user', :name, :email, :issuer, :subject, :now)";
const ADMIT: &str = "INSERT OR REPLACE INTO access_token 
    (sha256, principal_id, capabilities, checked_at, expires_at)
    VALUES (:sha256, :principal_id, :capabilities, :now, :expires_at)";
const ADMIT_INTO: &str = "INSERT OR IGNORE INTO access_token_workspace VALUES (?1, ?2)";
const LET_OUT: &str = "DELETE FROM access_token_workspace WHERE sha256 = ?1";
const FORGET_TOKENS: &str = "DELETE FROM access_token WHERE sha256 IN
    (SELECT sha256 FROM access_token WHERE expires_at <= ?1 LIMIT ?2)";

/// A row for each workspace, and one at the least.
const IDENTIFY_TOKEN: &str = "SELECT NULL AS api_key_id, NULL AS client_id, capabilities,
        NULL AS last_used_at,
        NULL AS secret_expires_at, access_token.expires_at, checked_at,
        principal.id, kind, principal.name, email, workspace.id AS workspace_id
    FROM access_token
    JOIN principal ON principal.id = access_token.principal_id
    LEFT JOIN access_token_workspace ON access_token_workspace.sha256 = access_token.sha256
    LEFT JOIN workspace
        ON workspace.id = access_token_workspace.workspace_id AND archived_at IS NULL
    WHERE access_token.sha256 = :sha256";

/// The same of a key.
const IDENTIFY: &str = "SELECT api_key.id AS api_key_id, client_id, capabilities, last_used_at,
        api_key_secret.expires_at AS secret_expires_at, api_key.expires_at, NULL AS checked_at,
        principal.id, kind, principal.name, email, workspace.id AS workspace_id
    FROM api_key_secret
    JOIN api_key ON api_key.id = api_key_secret.api_key_id
    JOIN principal ON principal.id = api_key.principal_id
    LEFT JOIN api_key_workspace ON api_key_workspace.api_key_id = api_key.id
    LEFT JOIN workspace
        ON workspace.id = api_key_workspace.workspace_id AND archived_at IS NULL
    WHERE sha256 = :sha256 AND revoked_at IS NULL";
const NOTE_USE: &str = "UPDATE api_key_secret SET last_used_at = :now WHERE sha256 = :sha256";

#[async_trait]
impl IdentityStore for SqliteStore {
    async fn default_workspace(&self) -> Result<Workspace> {
        self.write(workspaces::default).await
    }

    async fn system_principal(&self) -> Result<Principal> {
        self.write(move |db, now| {
            let found = db.query_row(SYSTEM, [], principal).optional()?;
            if let Some(principal) = found {
                return Ok(principal);
            }
            make_principal(db, PrincipalKind::System, SYSTEM_NAME, None, now)
        })
        .await
    }

    async fn account(&self) -> Result<AccountId> {
        self.write(move |db, now| {
            let found = db.query_row(ACCOUNT, [], |row| get(row, "id")).optional()?;
            if let Some(id) = found {
                return Ok(id);
            }
            let id = AccountId::new(now);
            db.execute(MAKE_ACCOUNT, [Col(id)])?;
            Ok(id)
        })
        .await
    }

    async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>> {
        self.read(|db, _| {
            let mut query = db.prepare_cached(PRINCIPAL)?;
            Ok(query.query_row([Col(id)], principal).optional()?)
        })
    }

    async fn workspace(&self, which: &WorkspaceRef) -> Result<Option<Workspace>> {
        self.read(|db, _| workspaces::find(db, which))
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.read(|db, _| workspaces::all(db))
    }

    async fn create_workspace(
        &self,
        name: String,
        alias: Option<Alias>,
        by: Actor,
    ) -> Result<Workspace> {
        self.write(move |db, now| workspaces::make(db, &name, alias.as_ref(), None, &by, now))
            .await
    }

    async fn rename_workspace(
        &self,
        id: WorkspaceId,
        name: Option<String>,
        alias: Option<Alias>,
        by: Actor,
    ) -> Result<Workspace> {
        self.write(move |db, now| {
            workspaces::rename(db, id, name.as_deref(), alias.as_ref(), &by, now)
        })
        .await
    }

    async fn archive_workspace(
        &self,
        id: WorkspaceId,
        is_archived: bool,
        by: Actor,
    ) -> Result<u32> {
        let cancelled = self
            .write(move |db, now| workspaces::archive(db, id, is_archived, &by, now))
            .await?;
        Ok(self.access_changed(&cancelled))
    }

    async fn usage(&self, id: WorkspaceId) -> Result<(Usage, OwnQuota)> {
        self.read(|db, _| quota::used(db, id))
    }

    async fn set_quota(&self, id: WorkspaceId, change: QuotaChange, by: Actor) -> Result<()> {
        self.write(move |db, now| quota::change(db, id, change, &by, now))
            .await
    }

    async fn create_key(&self, new: NewKey, by: Actor) -> Result<ApiKey> {
        self.write(move |db, now| create_key(db, &new, &by, now))
            .await
    }

    async fn keys(&self) -> Result<Vec<ApiKey>> {
        self.read(|db, _| {
            let mut query = db.prepare_cached(KEYS)?;
            let rows = query.query_map([], key_row)?;
            rows.map(|row| whole_key(db, row?)).collect()
        })
    }

    async fn rotate_key(
        &self,
        id: ApiKeyId,
        secret: NewSecret,
        overlap: SignedDuration,
        by: Actor,
    ) -> Result<ApiKey> {
        self.write(move |db, now| {
            let key = live_key(db, id, now)?;
            db.prepare_cached(OVERLAP)?
                .execute(named_params! { ":id": Col(id), ":end": Col(later(now, overlap)) })?;
            add_secret(db, id, &secret, None, now)?;
            let key = whole_key(db, key)?;
            let overlap = json!({ "name": key.name, "overlap_seconds": overlap.as_secs() });
            note_key(db, &key, Action::KeyRotated, &overlap, &by, now)?;
            Ok(key)
        })
        .await
    }

    async fn revoke_key(&self, id: ApiKeyId, by: Actor) -> Result<u32> {
        let cancelled = self
            .write(move |db, now| revoke(db, id, None, &by, now))
            .await?;
        Ok(self.access_changed(&cancelled))
    }

    async fn allow_key(
        &self,
        id: ApiKeyId,
        capabilities: Capabilities,
        by: Actor,
    ) -> Result<ApiKey> {
        let key = self
            .write(move |db, now| {
                let before = live_key(db, id, now)?.capabilities;
                let key = db.prepare_cached(ALLOW)?.query_row(
                    named_params! { ":id": Col(id), ":capabilities": capabilities.to_string() },
                    key_row,
                )?;
                let key = whole_key(db, key)?;
                note_allowed(db, &key, before, &by, now)?;
                Ok(key)
            })
            .await?;
        self.access_changed(&[]);
        Ok(key)
    }

    async fn identify(&self, secret: SecretHash) -> Result<Option<Identified>> {
        self.with_reader(|reader, now| {
            let known = reader.known(secret, |db| {
                let by_key = known(db, IDENTIFY, secret)?;
                by_key.map_or_else(|| known(db, IDENTIFY_TOKEN, secret), |key| Ok(Some(key)))
            })?;
            let live = known.filter(|known| known.expires_at.is_none_or(|end| now < end));
            Ok(live.map(|known| known.identified.clone()))
        })
    }

    async fn note_use(&self, secret: SecretHash) -> Result<()> {
        self.write(move |db, now| {
            db.prepare_cached(NOTE_USE)?
                .execute(named_params! { ":sha256": secret.0, ":now": Col(now) })?;
            Ok(())
        })
        .await
    }

    async fn admit(&self, token: NewToken) -> Result<()> {
        self.write(move |db, now| admit(db, &token, now)).await
    }

    async fn forget_tokens(&self, most: u32) -> Result<u32> {
        self.write(move |db, now| {
            let forgotten = db
                .prepare_cached(FORGET_TOKENS)?
                .execute((Col(now), most))?;
            Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
        })
        .await
    }
}

impl SqliteStore {
    /// What keys open is another now, and these sessions ended with it; says how many.
    pub(super) fn access_changed(&self, ended: &[UploadId]) -> u32 {
        for id in ended {
            self.changed(*id);
        }
        let _ = self.changes.send(Change::Access);
        u32::try_from(ended.len()).unwrap_or(u32::MAX)
    }
}

/// Cancels the open sessions that a query finds; says which.
pub(super) fn cancel_all(
    db: &Connection,
    open: &str,
    of: impl rusqlite::ToSql,
    by: &Actor,
    now: Timestamp,
) -> Result<Vec<UploadId>> {
    let mut query = db.prepare_cached(open)?;
    let found = query.query_map([of], |row| get(row, "id"))?;
    let open: Vec<UploadId> = found.collect::<Result<_, _>>()?;
    let mut cancelled = Vec::with_capacity(open.len());
    for id in open {
        match sessions::cancel(db, id, by, now) {
            Ok(()) => cancelled.push(id),
            // Its time was over already.
            Err(StoreError::Closed(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(cancelled)
}

fn principal(row: &Row<'_>) -> rusqlite::Result<Principal> {
    Ok(Principal {
        id: get(row, "id")?,
        kind: get(row, "kind")?,
        name: row.get("name")?,
        email: row.get("email")?,
    })
}

fn make_principal(
    db: &Connection,
    kind: PrincipalKind,
    name: &str,
    email: Option<&str>,
    now: Timestamp,
) -> Result<Principal> {
    let is_system = (kind == PrincipalKind::System).then_some(true);
    Ok(db.prepare_cached(MAKE_PRINCIPAL)?.query_row(
        named_params! {
            ":id": Col(PrincipalId::new(now)), ":kind": kind.as_str(), ":name": name,
            ":email": email, ":is_system": is_system, ":now": Col(now),
        },
        principal,
    )?)
}

/// The person of this address, by the name that was said last; without an address, a new one.
pub(super) fn person(
    db: &Connection,
    name: &str,
    email: Option<&str>,
    now: Timestamp,
) -> Result<Principal> {
    if let Some(email) = email {
        let found = db
            .prepare_cached(BY_EMAIL)?
            .query_row([email], principal)
            .optional()?;
        if let Some(known) = found {
            let mut rename = db.prepare_cached(RENAME_PRINCIPAL)?;
            return Ok(rename.query_row((Col(known.id), name), principal)?);
        }
    }
    make_principal(db, PrincipalKind::User, name, email, now)
}

/// Everything of a key that is in its own row.
pub(super) struct KeyRow {
    id: ApiKeyId,
    name: String,
    principal: PrincipalId,
    pub(super) capabilities: Capabilities,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// Whose grant it is.
    client_id: Option<String>,
}

pub(super) fn key_row(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        id: get(row, "id")?,
        name: row.get("name")?,
        principal: get(row, "principal_id")?,
        capabilities: get(row, "capabilities")?,
        created_at: get(row, "created_at")?,
        expires_at: get_opt(row, "expires_at")?,
        revoked_at: get_opt(row, "revoked_at")?,
        client_id: row.get("client_id")?,
    })
}

/// The key with what belongs to it.
pub(super) fn whole_key(db: &Connection, key: KeyRow) -> Result<ApiKey> {
    let mut query = db.prepare_cached(KEY_WORKSPACES)?;
    let workspaces = query.query_map([Col(key.id)], rows::workspace)?;
    let mut secrets = db.prepare_cached(SECRETS)?;
    let secrets = secrets.query_map([Col(key.id)], |row| {
        let prefix: String = row.get("prefix")?;
        Ok((prefix, get_opt::<Timestamp>(row, "last_used_at")?))
    })?;
    let secrets: Vec<_> = secrets.collect::<Result<_, _>>()?;
    Ok(ApiKey {
        id: key.id,
        name: key.name,
        principal: db
            .prepare_cached(PRINCIPAL)?
            .query_row([Col(key.principal)], principal)?,
        workspaces: workspaces.collect::<Result<_, _>>()?,
        capabilities: key.capabilities,
        last_used_at: secrets.iter().filter_map(|(_, used)| *used).max(),
        prefix: secrets
            .into_iter()
            .next()
            .map_or_else(String::new, |(prefix, _)| prefix),
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
    })
}

/// # Errors
/// [`StoreError::NotFound`] for a key that opens nothing any more.
pub(super) fn live_key(db: &Connection, id: ApiKeyId, now: Timestamp) -> Result<KeyRow> {
    let mut query = db.prepare_cached(LIVE_KEY)?;
    let found = query.query_row(named_params! { ":id": Col(id), ":now": Col(now) }, key_row);
    found.optional()?.ok_or(StoreError::NotFound)
}

fn create_key(db: &Connection, new: &NewKey, by: &Actor, now: Timestamp) -> Result<ApiKey> {
    let same_name = named_params! { ":name": new.name, ":now": Col(now) };
    if db.prepare_cached(KEY_OF_NAME)?.exists(same_name)? {
        return Err(StoreError::Taken);
    }
    let principal = match &new.person {
        Some((name, email)) => person(db, name, email.as_deref(), now)?,
        None => make_principal(db, PrincipalKind::ApiKey, &new.name, None, now)?,
    };
    let key = KeyParts {
        name: &new.name,
        principal,
        workspaces: &new.workspaces,
        capabilities: new.capabilities,
        expires_in: new.expires_in,
        client_id: None,
    };
    let id = key.insert(db, now)?.id;
    add_secret(db, id, &new.secret, None, now)?;
    let key = whole_key(db, live_key(db, id, now)?)?;
    let facts = json!({
        "name": key.name, "principal_id": key.principal.id.to_string(),
        "capabilities": words(key.capabilities),
        "expires_at": key.expires_at.map(|end| end.to_string()),
    });
    note_key(db, &key, Action::KeyCreated, &facts, by, now)?;
    Ok(key)
}

/// What a new key is made of, but for its secret.
pub(super) struct KeyParts<'a> {
    pub name: &'a str,
    pub principal: Principal,
    pub workspaces: &'a [WorkspaceId],
    pub capabilities: Capabilities,
    pub expires_in: Option<SignedDuration>,
    /// Whose grant it is.
    pub client_id: Option<&'a str>,
}

impl KeyParts<'_> {
    pub(super) fn insert(&self, db: &Connection, now: Timestamp) -> Result<ApiKey> {
        let key = db.prepare_cached(MAKE_KEY)?.query_row(
            named_params! {
                ":id": Col(ApiKeyId::new(now)), ":name": self.name, ":now": Col(now),
                ":principal_id": Col(self.principal.id), ":client_id": self.client_id,
                ":capabilities": self.capabilities.to_string(),
                ":expires_at": self.expires_in.map(|life| Col(later(now, life))),
            },
            key_row,
        )?;
        for workspace in self.workspaces {
            db.prepare_cached(LET_INTO)?
                .execute((Col(key.id), Col(*workspace)))?;
        }
        whole_key(db, key)
    }
}

/// Ends a key or a grant, and the open sessions that were made with it; says which.
pub(super) fn revoke(
    db: &Connection,
    id: ApiKeyId,
    why: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<Vec<UploadId>> {
    let row = live_key(db, id, now)?;
    let action = match row.client_id {
        Some(_) => Action::GrantRevoked,
        None => Action::KeyRevoked,
    };
    let key = whole_key(db, row)?;
    db.prepare_cached(REVOKE)?
        .execute(named_params! { ":id": Col(id), ":now": Col(now) })?;
    let mut detail = json!({ "name": key.name });
    if let Some(why) = why {
        detail["why"] = why.into();
    }
    note_key(db, &key, action, &detail, by, now)?;
    cancel_all(db, OPEN_WITH_KEY, Col(id), by, now)
}

/// Whoever acts with a key.
pub(super) fn owner(key: &ApiKey) -> Actor {
    Actor::Principal {
        id: key.principal.id,
        kind: key.principal.kind,
        name: key.principal.name.clone(),
        api_key: Some(key.id),
    }
}

/// Notes what was done to a key in each workspace that it opens.
pub(super) fn note_key(
    db: &Connection,
    key: &ApiKey,
    action: Action,
    detail: &Value,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    for workspace in &key.workspaces {
        let note = Note::new(by, action, key.id, workspace.id);
        audit::note(db, &note.with(detail.clone()), now)?;
    }
    Ok(())
}

/// Notes what a key may do now and could not before, or may do no more.
fn note_allowed(
    db: &Connection,
    key: &ApiKey,
    before: Capabilities,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let after = key.capabilities;
    let change = json!({ "name": key.name, "from": words(before), "to": words(after) });
    if after.iter().any(|one| !before.has(one)) {
        note_key(db, key, Action::KeyAllowed, &change, by, now)?;
    }
    if before.iter().any(|one| !after.has(one)) {
        note_key(db, key, Action::KeyDenied, &change, by, now)?;
    }
    Ok(())
}

pub(super) fn words(capabilities: Capabilities) -> Vec<&'static str> {
    capabilities.iter().map(Capability::as_str).collect()
}

pub(super) fn add_secret(
    db: &Connection,
    id: ApiKeyId,
    secret: &NewSecret,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(ADD_SECRET)?.execute(named_params! {
        ":sha256": secret.hash.0, ":id": Col(id), ":prefix": secret.prefix, ":now": Col(now),
        ":end": expires_at.map(Col),
    })?;
    Ok(())
}

fn admit(db: &Connection, token: &NewToken, now: Timestamp) -> Result<()> {
    let who = named_params! {
        ":issuer": token.issuer, ":subject": token.subject, ":name": token.name,
        ":email": token.email,
    };
    let mut known = db.prepare_cached(BY_SUBJECT)?;
    let known = known.query_row(who, |row| get(row, "id")).optional()?;
    let principal = if let Some(principal) = known {
        principal
    } else {
        let id = PrincipalId::new(now);
        db.prepare_cached(MAKE_SUBJECT)?.execute(named_params! {
            ":id": Col(id), ":name": token.name, ":email": token.email,
            ":issuer": token.issuer, ":subject": token.subject, ":now": Col(now),
        })?;
        id
    };
    db.prepare_cached(LET_OUT)?.execute([token.hash.0])?;
    db.prepare_cached(ADMIT)?.execute(named_params! {
        ":sha256": token.hash.0, ":principal_id": Col(principal),
        ":capabilities": token.capabilities.to_string(), ":now": Col(now),
        ":expires_at": Col(token.expires_at),
    })?;
    let mut into = db.prepare_cached(ADMIT_INTO)?;
    for workspace in &token.workspaces {
        into.execute((token.hash.0, Col(*workspace)))?;
    }
    Ok(())
}

/// Whom a secret belongs to that was not revoked.
#[derive(Debug)]
pub(super) struct Known {
    identified: Identified,
    expires_at: Option<Timestamp>,
}

fn known(db: &Connection, by: &str, secret: SecretHash) -> Result<Option<Known>> {
    let mut query = db.prepare_cached(by)?;
    let mut rows = query.query(named_params! { ":sha256": secret.0 })?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let principal = principal(row)?;
    let api_key = get_opt(row, "api_key_id")?;
    let (capabilities, last_used_at) = (get(row, "capabilities")?, get_opt(row, "last_used_at")?);
    let is_grant = row.get::<_, Option<String>>("client_id")?.is_some();
    let made_by = match get_opt(row, "checked_at")? {
        Some(checked_at) => Maker::Provider { checked_at },
        None if is_grant => Maker::Client,
        None => Maker::Operator,
    };
    let ends = [
        get_opt::<Timestamp>(row, "secret_expires_at")?,
        get_opt(row, "expires_at")?,
    ];
    let mut workspaces: Vec<WorkspaceId> = get_opt(row, "workspace_id")?.into_iter().collect();
    while let Some(row) = rows.next()? {
        workspaces.extend(get_opt::<WorkspaceId>(row, "workspace_id")?);
    }
    let caller = Caller {
        asked_by: principal.asks_as(None),
        principal: Arc::new(principal),
        workspaces: workspaces.into(),
        capabilities,
        credential: Some(Credential { api_key, secret }),
        token: None,
    };
    Ok(Some(Known {
        identified: Identified {
            caller,
            last_used_at,
            made_by,
        },
        expires_at: ends.into_iter().flatten().min(),
    }))
}
