//! Claims: who may send, and what comes of it, inside a transaction.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::json;

use super::{
    super::{
        AttemptId, ClaimId, ClaimOutcome, ClaimRequest, MediaId, Result, SessionRef, SessionView,
        StoreError, WorkspaceId, audit, checking, files, grants, quota,
        rows::{self, Col, get},
        sweeping,
    },
    Current, load, set_error,
};
use crate::{
    domain::{
        audit::{Action, Actor},
        ids::UploadId,
        media::staging_key,
        quota::{Quota, Usage},
        session::{CLAIM_MAX_AGE, Event, LastError, State},
    },
    store::{NewMedia, audit::Note, later},
};

const HELD: &str = "SELECT * FROM claim WHERE session_id = ?1 AND slot IS NOT NULL ORDER BY slot";
const CLAIM: &str = "SELECT * FROM claim WHERE id = ?1 AND slot IS NOT NULL";
const INSERT_CLAIM: &str = "INSERT INTO claim
    (id, session_id, slot, media_id, attempt, began_at, lease_until, reserved)
    VALUES (:id, :session_id, :slot, :media_id, :attempt, :now, :lease_until, :reserved)";
const RESERVED: &str = "SELECT reserved, workspace_id FROM claim
    JOIN upload_session ON upload_session.id = session_id
    WHERE claim.id = ?1 AND slot IS NOT NULL";
const RESERVE: &str = "UPDATE claim SET reserved = ?2 WHERE id = ?1";
pub(super) const LOSE_CLAIM: &str =
    "UPDATE claim SET slot = NULL, lease_until = :now WHERE id = :id";
const RENEW: &str = "UPDATE claim
    SET lease_until = :lease_until, turn_until = :turn_until,
        media_key = coalesce(:media_key, media_key)
    WHERE id = :id";
const NOTE_BEGUN: &str = "UPDATE claim SET begun = ?2 WHERE id = ?1 AND slot IS NOT NULL";
pub(in crate::store::sqlite) const DELETE_CLAIM: &str = "DELETE FROM claim WHERE id = ?1";

/// For how long what landed in the store outlives a turn to see to it: another one can be taken.
const AFTER_TURN: SignedDuration = SignedDuration::from_mins(2);

/// A claim that holds a slot.
pub(in crate::store::sqlite) struct Held {
    pub(in crate::store::sqlite) id: ClaimId,
    session: UploadId,
    slot: u32,
    media: MediaId,
    attempt: Option<AttemptId>,
    pub(super) began_at: Timestamp,
    pub(super) lease_until: Timestamp,
    lands_at: Option<String>,
    pub(super) turn_until: Option<Timestamp>,
}

impl Held {
    /// Its next lease, and its next turn where its bytes landed in the store.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] once it was silent for too long, or is too old.
    pub(in crate::store::sqlite) fn renewed(
        &self,
        lease: SignedDuration,
        now: Timestamp,
    ) -> Result<(Timestamp, Option<Timestamp>)> {
        let oldest = later(self.began_at, CLAIM_MAX_AGE);
        if self.lease_until <= now || now >= oldest {
            return Err(StoreError::ClaimGone);
        }
        let until = later(now, lease).min(oldest);
        if self.lands_at.is_none() {
            return Ok((until, None));
        }
        let kept = later(until, AFTER_TURN).min(oldest);
        Ok((self.lease_until.max(kept), Some(until)))
    }

    /// Whether it is somebody's turn to see to what landed.
    pub(in crate::store::sqlite) fn is_in_turn(&self, now: Timestamp) -> bool {
        self.turn_until.is_some_and(|until| until > now)
    }

    /// Whoever had the turn may have died over the copy that has its name, or be making it.
    pub(in crate::store::sqlite) fn doom_copy(
        &self,
        db: &Connection,
        after: Timestamp,
    ) -> Result<()> {
        match self.turn_until {
            Some(_) => sweeping::doom(db, &staging_key(self.id), after),
            None => Ok(()),
        }
    }
}

fn held(row: &Row<'_>) -> rusqlite::Result<Held> {
    Ok(Held {
        id: get(row, "id")?,
        session: get(row, "session_id")?,
        slot: row.get("slot")?,
        media: get(row, "media_id")?,
        attempt: rows::get_opt(row, "attempt")?,
        began_at: get(row, "began_at")?,
        lease_until: get(row, "lease_until")?,
        lands_at: row.get("lands_at")?,
        turn_until: rows::get_opt(row, "turn_until")?,
    })
}

pub(super) fn held_claims(db: &Connection, id: UploadId) -> Result<Vec<Held>> {
    let mut query = db.prepare_cached(HELD)?;
    let claims = query.query_map([Col(id)], held)?;
    Ok(claims.collect::<Result<_, _>>()?)
}

pub(in crate::store::sqlite) fn claim(
    db: &Connection,
    request: &ClaimRequest,
    quota: Quota,
    now: Timestamp,
) -> Result<ClaimOutcome> {
    let mut current = Current::load(db, SessionRef::Id(request.session), now)?;
    if let Some(attempt) = request.attempt {
        if let Some(media) = files::of_attempt(db, request.session, attempt)? {
            return Ok(ClaimOutcome::StoredBefore(Box::new(media)));
        }
        let (same, others) = std::mem::take(&mut current.claims)
            .into_iter()
            .partition(|claim| claim.attempt == Some(attempt));
        current.claims = others;
        current.lose(same)?;
    }
    current.must_be_open()?;
    // While another file is still arriving, the session itself lives on.
    if now >= current.session.redeem_by {
        return Err(StoreError::Closed(State::Expired));
    }
    let taken = |slot: &u32| {
        current.files.iter().any(|(used, _)| used == slot)
            || current.claims.iter().any(|c| c.slot == *slot)
    };
    let Some(slot) = (0..current.session.limits.max_files).find(|slot| !taken(slot)) else {
        return Err(StoreError::AllTaken {
            free_in: current.free_in(),
        });
    };
    let workspace = current.session.workspace_id;
    let (least, likely) = request.bytes;
    let reserved = match quota::must_fit(db, workspace, on_its_way(likely), quota) {
        Err(StoreError::OverQuota(_)) if least < likely => {
            quota::must_fit(db, workspace, on_its_way(least), quota)?;
            least
        }
        fits => fits.map(|()| likely)?,
    };
    db.prepare_cached(INSERT_CLAIM)?.execute(named_params! {
        ":id": Col(request.claim), ":session_id": Col(request.session), ":slot": slot,
        ":media_id": Col(request.media), ":attempt": request.attempt.map(Col), ":now": Col(now),
        ":lease_until": Col(later(now, request.lease)), ":reserved": reserved,
    })?;
    if let Some(grant) = &request.grant {
        grants::begin(db, request.claim, grant, now)?;
    }
    current.apply(Event::ClaimTaken, &Actor::Link)?;
    Ok(ClaimOutcome::Taken { slot, reserved })
}

pub(in crate::store::sqlite) fn live_claim(db: &Connection, id: ClaimId) -> Result<Held> {
    db.prepare_cached(CLAIM)?
        .query_row([Col(id)], held)
        .optional()?
        .ok_or(StoreError::ClaimGone)
}

pub(in crate::store::sqlite) fn heartbeat(
    db: &Connection,
    id: ClaimId,
    lease: SignedDuration,
    media_key: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let claim = live_claim(db, id)?;
    let (lease_until, turn_until) = claim.renewed(lease, now)?;
    db.prepare_cached(RENEW)?.execute(named_params! {
        ":id": Col(id), ":lease_until": Col(lease_until), ":turn_until": turn_until.map(Col),
        ":media_key": media_key,
    })?;
    Ok(())
}

fn on_its_way(bytes: u64) -> Usage {
    Usage {
        in_flight_bytes: bytes,
        ..Usage::default()
    }
}

/// Makes room for as many bytes of a claim's file.
pub(in crate::store::sqlite) fn reserve(
    db: &Connection,
    id: ClaimId,
    bytes: u64,
    quota: Quota,
) -> Result<()> {
    let found = db.prepare_cached(RESERVED)?.query_row([Col(id)], |row| {
        Ok((row.get("reserved")?, get(row, "workspace_id")?))
    });
    let (reserved, workspace): (u64, WorkspaceId) =
        found.optional()?.ok_or(StoreError::ClaimGone)?;
    if bytes > reserved {
        quota::must_fit(db, workspace, on_its_way(bytes - reserved), quota)?;
        db.prepare_cached(RESERVE)?.execute((Col(id), bytes))?;
    }
    Ok(())
}

pub(in crate::store::sqlite) fn note_begun(
    db: &Connection,
    id: ClaimId,
    begun: &str,
) -> Result<()> {
    match db.prepare_cached(NOTE_BEGUN)?.execute((Col(id), begun))? {
        0 => Err(StoreError::ClaimGone),
        _ => Ok(()),
    }
}

pub(in crate::store::sqlite) fn commit_upload(
    db: &Connection,
    id: ClaimId,
    new: &NewMedia,
    quota: Quota,
    now: Timestamp,
) -> Result<SessionView> {
    let claim = live_claim(db, id)?;
    // Loading takes the slot from this claim too if it was silent for too long.
    let mut current = Current::load(db, SessionRef::Id(claim.session), now)?;
    if !current.claims.iter().any(|live| live.id == id) {
        return Err(StoreError::ClaimGone);
    }
    db.prepare_cached(DELETE_CLAIM)?.execute([Col(id)])?;
    current.claims.retain(|live| live.id != id);
    let stored = Usage {
        stored_bytes: new.stored.size_bytes,
        ..Usage::default()
    };
    quota::must_fit(db, current.session.workspace_id, stored, quota)?;
    files::insert(
        db,
        &current.session,
        claim.media,
        claim.slot,
        claim.attempt,
        new,
        now,
    )?;
    current.files.push((claim.slot, new.scan_status));
    let workspace = current.session.workspace_id;
    let note = Note::new(&Actor::Link, Action::MediaUploaded, claim.media, workspace);
    let facts = json!({
        "upload_id": claim.session.to_string(), "mime_type": new.original.mime_type,
        "size_bytes": new.original.size_bytes,
    });
    audit::note(db, &note.with(facts), now)?;
    let tally = current.tally();
    if let Some(check) = &new.check {
        checking::begin(db, claim.media, check, claim.began_at, now)?;
        current.apply(Event::Staged(tally), &Actor::Link)?;
    } else {
        current.apply(Event::Stored(tally), &Actor::Link)?;
    }
    set_error(db, current.session.id, None)?;
    current.session.last_error = None;
    current.view()
}

/// Gives a claim back; says whose it was.
pub(in crate::store::sqlite) fn release(
    db: &Connection,
    id: ClaimId,
    why: Option<&LastError>,
    now: Timestamp,
) -> Result<Option<UploadId>> {
    let claim = live_claim(db, id);
    db.prepare_cached(DELETE_CLAIM)?.execute([Col(id)])?;
    let claim = match claim {
        Ok(claim) => claim,
        Err(StoreError::ClaimGone) => return Ok(None),
        Err(error) => return Err(error),
    };
    let session = load(db, None, SessionRef::Id(claim.session))?.ok_or(StoreError::NotFound)?;
    let mut current = Current {
        db,
        claims: held_claims(db, session.id)?,
        files: files::slots(db, session.id)?,
        session,
        now,
    };
    current.refused(claim.began_at)?;
    if why.is_some() {
        set_error(db, claim.session, why)?;
    }
    Ok(Some(claim.session))
}
