//! What the sweep finds, by index: sessions whose time is over, claims that were lost, bytes that are
//! nobody's, sessions that ended long ago.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, named_params};

use super::{
    ClaimId, Due, LostClaim, Result, SessionRef, checking, deleting,
    rows::{Col, get},
    sessions::{Current, claims::DELETE_CLAIM},
};
use crate::{
    domain::{
        ids::UploadId,
        session::{KEPT_AFTER_END, State},
    },
    store::later,
};

const EXPIRED: &str = "SELECT id FROM upload_session
    WHERE state = 'pending' AND redeem_by <= :now ORDER BY redeem_by LIMIT :most";
const LOST: &str = "SELECT id, session_id, slot, media_key, begun, lands_at FROM claim
    WHERE lease_until <= :now ORDER BY lease_until LIMIT :most";
const LEASE: &str = "UPDATE claim SET lease_until = :until WHERE id = :id";
const DOOM: &str = "INSERT INTO doomed (key, due_at) VALUES (:key, :due_at)
    ON CONFLICT (key) DO NOTHING";
const DOOMED: &str = "SELECT key FROM doomed WHERE due_at <= :now ORDER BY due_at LIMIT :most";
const LEASE_DOOMED: &str = "UPDATE doomed SET due_at = :until WHERE key = :key";
const FORGET_DOOMED: &str = "DELETE FROM doomed WHERE key = ?1";
const OLD: &str = "SELECT id FROM upload_session
    WHERE ended_at <= :before AND NOT EXISTS
        (SELECT 1 FROM claim WHERE claim.session_id = upload_session.id)
    ORDER BY ended_at LIMIT :most";
pub(super) const FORGET: &str = "DELETE FROM upload_session WHERE id = ?1";

/// How many of each [`due`] lists.
const LISTED: u32 = 1000;

fn ids(db: &Connection, sql: &str, instant: Timestamp, most: u32) -> Result<Vec<UploadId>> {
    let mut query = db.prepare_cached(sql)?;
    let found = query.query_map((Col(instant), most), |row| get(row, "id"))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn expire(db: &Connection, most: u32, now: Timestamp) -> Result<Vec<(UploadId, State)>> {
    ids(db, EXPIRED, now, most)?
        .into_iter()
        .map(|id| {
            let current = Current::load(db, SessionRef::Id(id), now)?;
            Ok((id, current.session.state))
        })
        .collect()
}

struct Lost {
    claim: LostClaim,
    session: UploadId,
    holds_slot: bool,
}

fn lost(db: &Connection, most: u32, now: Timestamp) -> Result<Vec<Lost>> {
    let mut query = db.prepare_cached(LOST)?;
    let found = query.query_map(named_params! { ":now": Col(now), ":most": most }, |row| {
        Ok(Lost {
            claim: LostClaim {
                id: get(row, "id")?,
                media_key: row.get("media_key")?,
                begun: row.get("begun")?,
                lands_at: row.get("lands_at")?,
            },
            session: get(row, "session_id")?,
            holds_slot: row.get::<_, Option<u32>>("slot")?.is_some(),
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn take_lost(
    db: &Connection,
    most: u32,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<Vec<LostClaim>> {
    let mut taken = Vec::new();
    for Lost {
        claim,
        session,
        holds_slot,
    } in lost(db, most, now)?
    {
        if holds_slot {
            // Loading takes the slot from it and moves its session.
            Current::load(db, SessionRef::Id(session), now)?;
        }
        db.prepare_cached(LEASE)?
            .execute(named_params! { ":id": Col(claim.id), ":until": Col(later(now, lease)) })?;
        taken.push(claim);
    }
    Ok(taken)
}

pub(super) fn forget_claim(db: &Connection, id: ClaimId) -> Result<()> {
    db.prepare_cached(DELETE_CLAIM)?.execute([Col(id)])?;
    Ok(())
}

/// The bytes of this key, if there are any, are nobody's from now on.
pub(super) fn doom(db: &Connection, key: &str, now: Timestamp) -> Result<()> {
    db.prepare_cached(DOOM)?
        .execute(named_params! { ":key": key, ":due_at": Col(now) })?;
    Ok(())
}

fn doomed(db: &Connection, most: u32, now: Timestamp) -> Result<Vec<String>> {
    let mut query = db.prepare_cached(DOOMED)?;
    let keys = query.query_map(named_params! { ":now": Col(now), ":most": most }, |row| {
        row.get("key")
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

pub(super) fn take_doomed(
    db: &Connection,
    most: u32,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<Vec<String>> {
    let keys = doomed(db, most, now)?;
    for key in &keys {
        db.prepare_cached(LEASE_DOOMED)?
            .execute(named_params! { ":key": key, ":until": Col(later(now, lease)) })?;
    }
    Ok(keys)
}

pub(super) fn forget_doomed(db: &Connection, key: &str) -> Result<()> {
    db.prepare_cached(FORGET_DOOMED)?.execute([key])?;
    Ok(())
}

pub(super) fn forget(db: &Connection, most: u32, now: Timestamp) -> Result<u32> {
    let old = ids(db, OLD, later(now, -KEPT_AFTER_END), most)?;
    for id in &old {
        db.prepare_cached(FORGET)?.execute([Col(*id)])?;
    }
    Ok(u32::try_from(old.len()).unwrap_or(u32::MAX))
}

pub(super) fn due(db: &Connection, now: Timestamp) -> Result<Due> {
    Ok(Due {
        sessions: ids(db, EXPIRED, now, LISTED)?,
        claims: lost(db, LISTED, now)?
            .into_iter()
            .map(|lost| lost.claim.id)
            .collect(),
        checks: checking::waiting(db, LISTED, now)?,
        media: deleting::retired(db, LISTED, now)?
            .into_iter()
            .map(|media| media.id)
            .collect(),
        doomed: doomed(db, LISTED, now)?,
        old_sessions: ids(db, OLD, later(now, -KEPT_AFTER_END), LISTED)?,
    })
}
