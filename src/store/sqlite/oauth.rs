//! [`OAuthStore`] in the same file.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::json;

use super::{
    Result, SqliteStore, StoreError, UploadId, audit, identity,
    rows::{self, Col, get, get_opt},
    workspaces,
};
use crate::{
    domain::{
        api_key::{ApiKey, SecretHash},
        audit::{Action, Actor},
        capability::Capabilities,
        client::{Client, place_of},
        ids::{ApiKeyId, WorkspaceId},
        workspace::WorkspaceRef,
    },
    store::{
        audit::Note,
        later,
        oauth::{
            ClientGrant, NewGrant, NewSignIn, NewTokens, OAuthStore, Redeemed, ShownCode, SignedIn,
            TriedCode,
        },
    },
};

const COUNT_UNUSED: &str = "SELECT count(*) FROM oauth_client WHERE used_at IS NULL";
const MAKE_ROOM: &str = "DELETE FROM oauth_client WHERE id IN
    (SELECT id FROM oauth_client WHERE used_at IS NULL ORDER BY created_at LIMIT ?1)";
const REGISTER: &str = "INSERT INTO oauth_client (id, name, redirect_uris, created_at)
    VALUES (:id, :name, :redirect_uris, :now)";
const CLIENT: &str = "SELECT * FROM oauth_client WHERE id = ?1";
const CLIENT_USED: &str = "UPDATE oauth_client SET used_at = ?2 WHERE id = ?1";

const OFFER: &str = "INSERT OR IGNORE INTO sign_in
    (name, sha256, person, email, workspace_id, capabilities, expires_at)
    VALUES (:name, :sha256, :person, :email, :workspace_id, :capabilities, :expires_at)";
const OFFERED: &str = "SELECT * FROM sign_in
    WHERE name = :name AND tries < :most AND expires_at > :now AND (ticket_sha256 IS NULL
        OR (request_sha256 = :request AND browser_sha256 = :browser))";
const TRIED: &str = "UPDATE sign_in SET tries = tries + 1 WHERE name = ?1";
const USE_UP: &str = "UPDATE sign_in
    SET ticket_sha256 = :ticket, request_sha256 = :request, browser_sha256 = :browser,
        expires_at = CASE WHEN ticket_sha256 IS NULL THEN :end ELSE expires_at END
    WHERE name = :name";
const TICKET: &str = "DELETE FROM sign_in
    WHERE ticket_sha256 = :ticket AND request_sha256 = :request AND browser_sha256 = :browser
        AND expires_at > :now RETURNING *";

const KEEP_CODE: &str = "INSERT INTO authorization_code
    (sha256, api_key_id, redirect_uri, challenge, expires_at)
    VALUES (:sha256, :key, :redirect_uri, :challenge, :end)";
const CODE: &str = "SELECT api_key_id, client_id, redirect_uri, challenge, used_at,
        authorization_code.expires_at, revoked_at
    FROM authorization_code JOIN api_key ON api_key.id = api_key_id WHERE sha256 = ?1";
const CODE_USED: &str = "UPDATE authorization_code SET used_at = ?2 WHERE sha256 = ?1";

const REFRESH: &str =
    "SELECT api_key_id, client_id, used_at, shown, refresh_token.expires_at, revoked_at
    FROM refresh_token JOIN api_key ON api_key.id = api_key_id WHERE sha256 = ?1";
const REFRESH_USED: &str = "UPDATE refresh_token
    SET used_at = coalesce(used_at, ?2), shown = shown + 1 WHERE sha256 = ?1";
const KEEP_REFRESH: &str = "INSERT INTO refresh_token (sha256, api_key_id, expires_at)
    VALUES (:sha256, :key, :end)";

const ACCESS: &str = "SELECT api_key_id, client_id FROM api_key_secret
    JOIN api_key ON api_key.id = api_key_id WHERE sha256 = ?1 AND client_id IS NOT NULL";
const END_ACCESS: &str = "DELETE FROM api_key_secret WHERE sha256 = ?1";
const PROLONG: &str = "UPDATE api_key SET expires_at = ?2 WHERE id = ?1";
const GRANTS: &str = "SELECT * FROM api_key WHERE client_id IS NOT NULL ORDER BY created_at";

/// What has ended, by what it is; each with a time before which it is forgotten.
const FORGET: [&str; 4] = [
    "DELETE FROM sign_in WHERE name IN
        (SELECT name FROM sign_in WHERE expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM authorization_code WHERE sha256 IN
        (SELECT sha256 FROM authorization_code WHERE expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM refresh_token WHERE sha256 IN
        (SELECT sha256 FROM refresh_token WHERE expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM api_key_secret WHERE sha256 IN
        (SELECT sha256 FROM api_key_secret JOIN api_key ON api_key.id = api_key_id
         WHERE client_id IS NOT NULL AND api_key_secret.expires_at <= ?1 LIMIT ?2)",
];
const FORGET_CLIENTS: &str = "DELETE FROM oauth_client WHERE id IN
    (SELECT id FROM oauth_client WHERE used_at IS NULL AND created_at <= ?1 LIMIT ?2)";

/// How long a client may take until somebody lets it in, and how long a code that is over is known
/// again.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

#[async_trait]
impl OAuthStore for SqliteStore {
    async fn register(&self, client: Client, most: u32) -> Result<()> {
        self.write(move |db, now| {
            let unused: u32 = db
                .prepare_cached(COUNT_UNUSED)?
                .query_row([], |row| row.get(0))?;
            let too_many = (unused + 1).saturating_sub(most);
            if too_many > 0 {
                db.prepare_cached(MAKE_ROOM)?.execute([too_many])?;
            }
            db.prepare_cached(REGISTER)?.execute(named_params! {
                ":id": client.id, ":name": client.name, ":now": Col(now),
                ":redirect_uris": rows::to_json(&client.redirect_uris)?,
            })?;
            Ok(())
        })
        .await
    }

    async fn client(&self, id: &str) -> Result<Option<Client>> {
        self.read(|db, _| {
            let mut query = db.prepare_cached(CLIENT)?;
            Ok(query.query_row([id], client).optional()?)
        })
    }

    async fn offer(&self, sign_in: NewSignIn, by: Actor) -> Result<()> {
        self.write(move |db, now| offer(db, &sign_in, &by, now))
            .await
    }

    async fn sign_in(&self, tried: TriedCode) -> Result<Option<SignedIn>> {
        self.write(move |db, now| sign_in(db, &tried, now)).await
    }

    async fn grant(&self, new: NewGrant) -> Result<Option<ApiKey>> {
        self.write(move |db, now| grant(db, &new, now)).await
    }

    async fn redeem(&self, shown: ShownCode, tokens: NewTokens) -> Result<Redeemed> {
        let (redeemed, ended) = self
            .write(move |db, now| redeem(db, &shown, &tokens, now))
            .await?;
        self.tell_of(ended.as_deref());
        Ok(redeemed)
    }

    async fn refresh(
        &self,
        shown: SecretHash,
        client_id: String,
        tokens: NewTokens,
    ) -> Result<Redeemed> {
        let (redeemed, ended) = self
            .write(move |db, now| refresh(db, shown, &client_id, &tokens, now))
            .await?;
        self.tell_of(ended.as_deref());
        Ok(redeemed)
    }

    async fn end_token(&self, shown: SecretHash, client_id: String) -> Result<()> {
        let ended = self
            .write(move |db, now| end_token(db, shown, &client_id, now))
            .await?;
        self.access_changed(&ended);
        Ok(())
    }

    async fn client_grants(&self) -> Result<Vec<ClientGrant>> {
        self.read(|db, _| {
            let mut query = db.prepare_cached(GRANTS)?;
            let rows = query.query_map([], |row| {
                Ok((identity::key_row(row)?, row.get("client_id")?))
            })?;
            rows.map(|row| {
                let (key, client_id) = row?;
                let key = identity::whole_key(db, key)?;
                Ok(ClientGrant { key, client_id })
            })
            .collect()
        })
    }

    async fn forget_oauth(&self, most: u32) -> Result<u32> {
        self.write(move |db, now| {
            let mut forgotten = 0;
            let long_ago = now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
            let clients = db
                .prepare_cached(FORGET_CLIENTS)?
                .execute((Col(long_ago), most))?;
            forgotten = forgotten.max(clients);
            for (of, before) in FORGET.into_iter().zip([now, long_ago, now, now]) {
                let count = db.prepare_cached(of)?.execute((Col(before), most))?;
                forgotten = forgotten.max(count);
            }
            Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
        })
        .await
    }
}

impl SqliteStore {
    /// Where a grant was ended, tells of the sessions that ended with it.
    fn tell_of(&self, ended: Option<&[UploadId]>) {
        if let Some(ended) = ended {
            self.access_changed(ended);
        }
    }
}

fn client(row: &Row<'_>) -> rusqlite::Result<Client> {
    Ok(Client {
        id: row.get("id")?,
        name: row.get("name")?,
        redirect_uris: rows::from_json(&row.get::<_, String>("redirect_uris")?)?,
    })
}

fn offer(db: &Connection, sign_in: &NewSignIn, by: &Actor, now: Timestamp) -> Result<()> {
    let (person, email) = &sign_in.person;
    let expires_at = later(now, sign_in.opens_for);
    let kept = db.prepare_cached(OFFER)?.execute(named_params! {
        ":name": sign_in.name, ":sha256": sign_in.hash.0, ":person": person, ":email": email,
        ":workspace_id": Col(sign_in.workspace),
        ":capabilities": sign_in.capabilities.to_string(), ":expires_at": Col(expires_at),
    })?;
    if kept == 0 {
        return Err(StoreError::Taken);
    }
    let note = Note::new(by, Action::SignInCreated, &sign_in.name, sign_in.workspace);
    let facts = json!({
        "for": person, "capabilities": identity::words(sign_in.capabilities),
        "expires_at": expires_at.to_string(),
    });
    audit::note(db, &note.with(facts), now)
}

fn sign_in(db: &Connection, tried: &TriedCode, now: Timestamp) -> Result<Option<SignedIn>> {
    let offered = db
        .prepare_cached(OFFERED)?
        .query_row(
            named_params! {
                ":name": tried.name, ":most": tried.most_tries, ":now": Col(now),
                ":request": tried.request.0, ":browser": tried.browser.0,
            },
            |row| Ok((row.get("sha256").map(SecretHash)?, offered(row)?)),
        )
        .optional()?;
    let Some((hash, offered)) = offered else {
        return Ok(None);
    };
    if hash != tried.hash {
        db.prepare_cached(TRIED)?.execute([&tried.name])?;
        return Ok(None);
    }
    let Some(signed_in) = offered.here(db)? else {
        return Ok(None);
    };
    db.prepare_cached(USE_UP)?.execute(named_params! {
        ":name": tried.name, ":ticket": tried.ticket.0, ":request": tried.request.0,
        ":browser": tried.browser.0, ":end": Col(later(now, tried.opens_for)),
    })?;
    // Those whom nobody lets in make room for others; somebody is about to.
    db.prepare_cached(CLIENT_USED)?
        .execute((&tried.client_id, Col(now)))?;
    Ok(Some(signed_in))
}

/// What is kept with a code.
struct Offered {
    person: String,
    email: Option<String>,
    workspace: WorkspaceId,
    capabilities: Capabilities,
}

fn offered(row: &Row<'_>) -> rusqlite::Result<Offered> {
    Ok(Offered {
        person: row.get("person")?,
        email: row.get("email")?,
        workspace: get(row, "workspace_id")?,
        capabilities: get(row, "capabilities")?,
    })
}

impl Offered {
    /// `None` where the workspace lets nobody in any more.
    fn here(&self, db: &Connection) -> Result<Option<SignedIn>> {
        let workspace = workspaces::find(db, &WorkspaceRef::Id(self.workspace))?;
        let workspace = workspace.filter(|workspace| workspace.archived_at.is_none());
        Ok(workspace.map(|workspace| SignedIn {
            person: self.person.clone(),
            workspace,
            capabilities: self.capabilities,
        }))
    }
}

fn grant(db: &Connection, new: &NewGrant, now: Timestamp) -> Result<Option<ApiKey>> {
    let ticket = named_params! {
        ":ticket": new.ticket.0, ":request": new.request.0, ":browser": new.browser.0,
        ":now": Col(now),
    };
    let offered = db.prepare_cached(TICKET)?.query_row(ticket, offered);
    let Some(offered) = offered.optional()? else {
        return Ok(None);
    };
    if offered.here(db)?.is_none() {
        return Ok(None);
    }
    let allowed = offered.capabilities;
    let capabilities = new.capabilities.iter().filter(|one| allowed.has(*one));
    let key = identity::KeyParts {
        name: &new.client.name,
        principal: identity::person(db, &offered.person, offered.email.as_deref(), now)?,
        workspaces: &[offered.workspace],
        capabilities: capabilities.collect(),
        // Until it has its tokens.
        expires_in: Some(new.opens_for),
        client_id: Some(&new.client.id),
    };
    let key = key.insert(db, now)?;
    db.prepare_cached(KEEP_CODE)?.execute(named_params! {
        ":sha256": new.code.0, ":key": Col(key.id), ":redirect_uri": new.redirect_uri,
        ":challenge": new.challenge, ":end": Col(later(now, new.opens_for)),
    })?;
    let facts = json!({
        "client": new.client.name, "client_id": new.client.id,
        "leads_to": place_of(&new.redirect_uri),
        "capabilities": identity::words(key.capabilities),
    });
    let by = identity::owner(&key);
    identity::note_key(db, &key, Action::GrantCreated, &facts, &by, now)?;
    Ok(Some(key))
}

/// What came of it, and the sessions that ended with a grant that was ended for it.
type Answered = (Redeemed, Option<Vec<UploadId>>);

const UNKNOWN: Answered = (Redeemed::Unknown, None);

fn redeem(
    db: &Connection,
    shown: &ShownCode,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Answered> {
    let found = db.prepare_cached(CODE)?.query_row([shown.hash.0], |row| {
        let redirect_uri: String = row.get("redirect_uri")?;
        let asked = shown.redirect_uri.as_ref();
        let is_theirs = asked.is_none_or(|asked| *asked == redirect_uri)
            && row.get::<_, [u8; 32]>("challenge")? == shown.challenge;
        Ok((once(row)?, is_theirs))
    });
    let Some((code, is_theirs)) = found.optional()? else {
        return Ok(UNKNOWN);
    };
    if code.client_id != shown.client_id {
        return Ok(UNKNOWN);
    }
    // Who sees where a person was led has the code, but cannot have used it.
    if !is_theirs {
        return Ok(UNKNOWN);
    }
    if code.used_at.is_some() {
        return replayed(db, code.key, "a code was shown twice", now);
    }
    if !code.is_live(now) {
        return Ok(UNKNOWN);
    }
    db.prepare_cached(CODE_USED)?
        .execute((shown.hash.0, Col(now)))?;
    give(db, code.key, tokens, now)
}

fn refresh(
    db: &Connection,
    shown: SecretHash,
    client_id: &str,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Answered> {
    let found = db.prepare_cached(REFRESH)?.query_row([shown.0], |row| {
        Ok((once(row)?, row.get::<_, u32>("shown")?))
    });
    let found = found.optional()?;
    let Some((token, times)) = found.filter(|(token, _)| token.client_id == client_id) else {
        return Ok(UNKNOWN);
    };
    let is_late = |used| later(used, tokens.leeway) <= now;
    if token.used_at.is_some_and(is_late) {
        return replayed(db, token.key, "a refresh token was shown twice", now);
    }
    if !token.is_live(now) || times >= tokens.most_shown {
        return Ok(UNKNOWN);
    }
    db.prepare_cached(REFRESH_USED)?
        .execute((shown.0, Col(now)))?;
    give(db, token.key, tokens, now)
}

/// What may be used once.
struct Once {
    key: ApiKeyId,
    client_id: String,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
    is_revoked: bool,
}

fn once(row: &Row<'_>) -> rusqlite::Result<Once> {
    Ok(Once {
        key: get(row, "api_key_id")?,
        client_id: row.get("client_id")?,
        expires_at: get(row, "expires_at")?,
        used_at: get_opt(row, "used_at")?,
        is_revoked: get_opt::<Timestamp>(row, "revoked_at")?.is_some(),
    })
}

impl Once {
    fn is_live(&self, now: Timestamp) -> bool {
        !self.is_revoked && now < self.expires_at
    }
}

fn give(db: &Connection, key: ApiKeyId, tokens: &NewTokens, now: Timestamp) -> Result<Answered> {
    let end = later(now, tokens.lives_for);
    db.prepare_cached(PROLONG)?.execute((Col(key), Col(end)))?;
    let opens_until = Some(later(now, tokens.opens_for));
    identity::add_secret(db, key, &tokens.access, opens_until, now)?;
    db.prepare_cached(KEEP_REFRESH)?.execute(named_params! {
        ":sha256": tokens.refresh.0, ":key": Col(key), ":end": Col(end),
    })?;
    let key = identity::live_key(db, key, now)?;
    Ok((Redeemed::Given(key.capabilities), None))
}

/// Somebody shows what was used: one of the two stole it, so both have nothing from now on.
fn replayed(db: &Connection, key: ApiKeyId, why: &str, now: Timestamp) -> Result<Answered> {
    let ended = match identity::revoke(db, key, Some(why), &Actor::System, now) {
        Ok(ended) => Some(ended),
        // It was over before.
        Err(StoreError::NotFound) => None,
        Err(error) => return Err(error),
    };
    Ok((Redeemed::Replayed, ended))
}

fn end_token(
    db: &Connection,
    shown: SecretHash,
    client_id: &str,
    now: Timestamp,
) -> Result<Vec<UploadId>> {
    let theirs = |row: &Row<'_>| Ok((get(row, "api_key_id")?, row.get("client_id")?));
    let is_theirs = |(_, of): &(ApiKeyId, String)| of == client_id;
    let access = db.prepare_cached(ACCESS)?.query_row([shown.0], theirs);
    if access.optional()?.is_some_and(|of| is_theirs(&of)) {
        db.prepare_cached(END_ACCESS)?.execute([shown.0])?;
        return Ok(Vec::new());
    }
    let refresh = db.prepare_cached(REFRESH)?.query_row([shown.0], theirs);
    let Some((key, _)) = refresh.optional()?.filter(is_theirs) else {
        return Ok(Vec::new());
    };
    let by = match identity::live_key(db, key, now) {
        Ok(key) => identity::owner(&identity::whole_key(db, key)?),
        Err(StoreError::NotFound) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    identity::revoke(db, key, None, &by, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::plan::go_by_index;

    #[test]
    fn what_is_over_is_found_by_index() {
        const UNUSED: &str = "oauth_client_unused (created_at<?)";
        let [sign_ins, codes, refreshes, accesses] = FORGET;
        go_by_index(&[
            (FORGET_CLIENTS, UNUSED),
            (sign_ins, "sign_in_end (expires_at<?)"),
            (codes, "authorization_code_end (expires_at<?)"),
            (refreshes, "refresh_token_end (expires_at<?)"),
            (accesses, "api_key_secret_end (expires_at<?)"),
            (TICKET, "ticket_sha256=?"),
            (ACCESS, "PRIMARY KEY (sha256=?)"),
        ]);
    }
}
