//! Claims under which the bytes are still to come, and whose turn it is to take them in.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::{
    ClaimId, Grant, MediaId, Result, StoreError,
    rows::{self, Col, get},
    sessions::claims::live_claim,
    sweeping,
};
use crate::{
    domain::ids::UploadId,
    store::{NewGrant, later},
};

const BEGIN: &str = "UPDATE claim SET spec = :spec, lands_at = :lands_at WHERE id = :id";
const FIND: &str = "SELECT * FROM claim
    WHERE media_id = :media AND session_id = :session AND slot IS NOT NULL AND spec IS NOT NULL
        AND lease_until > :now";
const LANDINGS: &str = "SELECT * FROM claim
    WHERE lands_at IS NOT NULL AND slot IS NOT NULL AND media_id > :after
        AND (:session IS NULL OR session_id = :session)
        AND lease_until > :now AND coalesce(turn_until, 0) <= :now
    ORDER BY media_id LIMIT :most";
const TAKE: &str = "UPDATE claim
    SET id = :name, lease_until = :lease_until, turn_until = :turn_until, spec = :spec
    WHERE id = :id";
const SPEC: &str = "SELECT spec FROM claim WHERE id = ?1";

/// A claim that was just taken is a grant.
pub(super) fn begin(db: &Connection, id: ClaimId, new: &NewGrant, now: Timestamp) -> Result<()> {
    let landing = new.landing.as_ref();
    db.prepare_cached(BEGIN)?.execute(named_params! {
        ":id": Col(id), ":spec": rows::to_json(&new.spec)?,
        ":lands_at": landing.map(|landing| &landing.key),
    })?;
    // Whatever becomes of the claim, something may still land.
    match landing {
        Some(landing) => sweeping::doom(db, &landing.key, later(now, landing.over_in)),
        None => Ok(()),
    }
}

fn grant(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<Grant> {
    let turn_until: Option<Timestamp> = rows::get_opt(row, "turn_until")?;
    Ok(Grant {
        session: get(row, "session_id")?,
        claim: get(row, "id")?,
        media: get(row, "media_id")?,
        spec: rows::from_json(row.get_ref("spec")?.as_str()?)?,
        lands_at: row.get("lands_at")?,
        is_in_turn: turn_until.is_some_and(|until| until > now),
    })
}

pub(super) fn find(
    db: &Connection,
    session: UploadId,
    media: MediaId,
    now: Timestamp,
) -> Result<Option<Grant>> {
    let found = db.prepare_cached(FIND)?.query_row(
        named_params! { ":media": Col(media), ":session": Col(session), ":now": Col(now) },
        |row| grant(row, now),
    );
    Ok(found.optional()?)
}

pub(super) fn landings(
    db: &Connection,
    of: Option<UploadId>,
    after: Option<MediaId>,
    most: u32,
    now: Timestamp,
) -> Result<Vec<Grant>> {
    let after = after.unwrap_or(MediaId(uuid::Uuid::nil()));
    let mut query = db.prepare_cached(LANDINGS)?;
    let found = query.query_map(
        named_params! {
            ":session": of.map(Col), ":after": Col(after), ":now": Col(now), ":most": most,
        },
        |row| grant(row, now),
    )?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// # Errors
/// [`StoreError::ClaimGone`] if it is somebody else's turn, or the grant is over.
pub(super) fn take(
    db: &Connection,
    id: ClaimId,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<ClaimId> {
    let claim = live_claim(db, id)?;
    let spec: Option<String> = db
        .prepare_cached(SPEC)?
        .query_row([Col(id)], |row| row.get(0))?;
    if spec.is_none() || claim.is_in_turn(now) {
        return Err(StoreError::ClaimGone);
    }
    let (lease_until, turn_until) = claim.renewed(lease, now)?;
    claim.doom_copy(db, turn_until.unwrap_or(now))?;
    let name = ClaimId::random();
    db.prepare_cached(TAKE)?.execute(named_params! {
        ":id": Col(id), ":name": Col(name), ":lease_until": Col(lease_until),
        ":turn_until": turn_until.map(Col), ":spec": turn_until.and(spec),
    })?;
    Ok(name)
}
