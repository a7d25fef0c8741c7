//! The check of files that came: whose turn it is, and what came of it.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, named_params};
use serde_json::json;

use super::{
    ClaimId, MediaId, Result, SessionRef, SessionView, StoreError, audit, files, quota,
    rows::{self, Col, get},
    sessions::{self, Current},
    sweeping,
};
use crate::{
    domain::{
        audit::{Action, Actor},
        ids::UploadId,
        media::{Media, staging_key},
        mime::Kind,
        quota::{Quota, Usage},
        session::{Event, LastError},
    },
    store::{Check, NewCheck, Passed, audit::Note, later},
};

const BEGIN: &str = "UPDATE media
    SET source_key = :source_key, began_at = :began_at, check_claim = :turn, check_due_at = :due_at
    WHERE id = :id";
const DUE: &str =
    "SELECT * FROM media WHERE check_due_at <= :now ORDER BY check_due_at LIMIT :most";
const TAKE: &str = "UPDATE media
    SET check_claim = :turn, check_due_at = :due_at, check_tries = check_tries + 1 WHERE id = :id";
const RENEW: &str = "UPDATE media SET check_due_at = :due_at
    WHERE id = :id AND check_claim = :turn AND check_due_at IS NOT NULL";
const OF_TURN: &str = "SELECT * FROM media
    WHERE id = :id AND check_claim = :turn AND check_due_at IS NOT NULL";
const PASS: &str = "UPDATE media
    SET kind = :kind, mime_type = :mime_type, size_bytes = :size_bytes, sha256 = :sha256,
        width = :width, height = :height, scan_status = :scan_status,
        source_key = NULL, check_claim = NULL, check_due_at = NULL
    WHERE id = :id";
const BLOCK: &str = "UPDATE media
    SET scan_status = 'blocked', slot = NULL, retain_until = :retain_until,
        source_key = NULL, check_claim = NULL, check_due_at = NULL
    WHERE id = :id";

/// For how long it is remembered what was blocked.
const BLOCKED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The check of a media begins with who stored it.
pub(super) fn begin(
    db: &Connection,
    id: MediaId,
    check: &NewCheck,
    began_at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(BEGIN)?.execute(named_params! {
        ":id": Col(id), ":source_key": check.source_key, ":began_at": Col(began_at),
        ":turn": Col(check.turn), ":due_at": Col(later(now, check.lease)),
    })?;
    Ok(())
}

struct Due {
    media: Media,
    source_key: String,
    turn: ClaimId,
    tries: u32,
    began_at: Timestamp,
}

fn due(row: &rusqlite::Row<'_>) -> rusqlite::Result<Due> {
    Ok(Due {
        media: rows::media(row)?,
        source_key: row.get("source_key")?,
        turn: get(row, "check_claim")?,
        tries: row.get("check_tries")?,
        began_at: get(row, "began_at")?,
    })
}

pub(super) fn take(
    db: &Connection,
    most: u32,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<Vec<Check>> {
    let mut query = db.prepare_cached(DUE)?;
    let found = query.query_map(named_params! { ":now": Col(now), ":most": most }, due)?;
    let found: Vec<Due> = found.collect::<Result<_, _>>()?;
    found
        .into_iter()
        .map(|due| {
            let turn = ClaimId::random();
            let turn_ends = later(now, lease);
            // Whoever had the turn before may have died over what it was making, or be making it.
            sweeping::doom(db, &staging_key(due.turn), turn_ends)?;
            db.prepare_cached(TAKE)?.execute(named_params! {
                ":id": Col(due.media.id), ":turn": Col(turn), ":due_at": Col(turn_ends),
            })?;
            Ok(Check {
                media: due.media,
                source_key: due.source_key,
                turn,
                tries: due.tries + 1,
            })
        })
        .collect()
}

/// # Errors
/// [`StoreError::ClaimGone`] once the turn is another's, or the media judged or gone.
pub(super) fn renew(
    db: &Connection,
    id: MediaId,
    turn: ClaimId,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<()> {
    let renewed = db.prepare_cached(RENEW)?.execute(named_params! {
        ":id": Col(id), ":turn": Col(turn), ":due_at": Col(later(now, lease)),
    })?;
    if renewed == 0 {
        return Err(StoreError::ClaimGone);
    }
    Ok(())
}

fn of_turn(db: &Connection, id: MediaId, turn: ClaimId) -> Result<Due> {
    db.prepare_cached(OF_TURN)?
        .query_row(named_params! { ":id": Col(id), ":turn": Col(turn) }, due)
        .optional()?
        .ok_or(StoreError::ClaimGone)
}

pub(super) fn pass(
    db: &Connection,
    id: MediaId,
    turn: ClaimId,
    passed: &Passed,
    quota: Quota,
    now: Timestamp,
) -> Result<SessionView> {
    let media = of_turn(db, id, turn)?.media;
    let grown = Usage {
        stored_bytes: (passed.stored.size_bytes).saturating_sub(media.stored.size_bytes),
        ..Usage::default()
    };
    quota::must_fit(db, media.workspace_id, grown, quota)?;
    if let Some(source) = &passed.remade_of {
        sweeping::doom(db, source, now)?;
    }
    db.prepare_cached(PASS)?.execute(named_params! {
        ":id": Col(id), ":kind": Kind::of(&passed.stored.mime_type).as_str(),
        ":mime_type": passed.stored.mime_type, ":size_bytes": passed.stored.size_bytes,
        ":sha256": passed.stored.sha256,
        ":width": passed.dimensions.map(|shown| shown.width),
        ":height": passed.dimensions.map(|shown| shown.height),
        ":scan_status": passed.scan_status.as_str(),
    })?;
    let mut current = Current::load(db, SessionRef::Id(media.upload_id), now)?;
    // Whoever sent it has completed the session: the check was only in between.
    current.apply(Event::Stored(current.tally()), &Actor::Link)?;
    sessions::set_error(db, media.upload_id, None)?;
    current.view()
}

/// Gives the slot back and says why. Gives the session.
pub(super) fn block(
    db: &Connection,
    id: MediaId,
    turn: ClaimId,
    why: &LastError,
    now: Timestamp,
) -> Result<UploadId> {
    let Due {
        media, began_at, ..
    } = of_turn(db, id, turn)?;
    files::doom_bytes(db, id, now)?;
    db.prepare_cached(BLOCK)?.execute(named_params! {
        ":id": Col(id), ":retain_until": Col(later(now, BLOCKED_KEPT)),
    })?;
    files::forget_handles(db, id)?;
    let mut current = Current::load(db, SessionRef::Id(media.upload_id), now)?;
    current.refused(began_at)?;
    sessions::set_error(db, media.upload_id, Some(why))?;
    let note = Note::new(&Actor::System, Action::MediaBlocked, id, media.workspace_id);
    let why = json!({ "upload_id": media.upload_id.to_string(), "code": why.code });
    audit::note(db, &note.with(why), now)?;
    Ok(media.upload_id)
}

/// Media whose check is due, to be looked at.
pub(super) fn waiting(db: &Connection, most: u32, now: Timestamp) -> Result<Vec<MediaId>> {
    let mut query = db.prepare_cached(DUE)?;
    let found = query.query_map(named_params! { ":now": Col(now), ":most": most }, |row| {
        get(row, "id")
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
