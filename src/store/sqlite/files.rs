//! Media and their handles: what happens inside a transaction.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::{
    AttemptId, MediaId, MediaRef, Result, WorkspaceId,
    rows::{self, Col, get},
    sweeping,
};
use crate::{
    domain::{
        ids::{ClaimId, UploadId},
        media::{Media, REMADE_AS, ScanStatus, object_key, staging_key},
        mime::Kind,
        session::UploadSession,
    },
    store::{NewMedia, later},
};

const OF_SESSION: &str = "SELECT * FROM media
    WHERE session_id = ?1 AND slot IS NOT NULL ORDER BY slot";
const SLOTS: &str = "SELECT slot, scan_status FROM media
    WHERE session_id = ?1 AND slot IS NOT NULL";
const OF_ATTEMPT: &str = "SELECT * FROM media
    WHERE session_id = ?1 AND attempt = ?2 AND slot IS NOT NULL";
const UNATTACHED: &str = "SELECT id FROM media WHERE session_id = ?1 AND is_attached = 0";
const BY_ID: &str = "SELECT * FROM media WHERE id = ?1";
const BY_HANDLE: &str = "SELECT media.* FROM handle JOIN media ON media.id = handle.media_id
    WHERE handle.value = ?1";
const HANDLES: &str = "SELECT name, value FROM handle WHERE media_id = ?1 ORDER BY name";
const INSERT: &str = "INSERT INTO media
    (id, workspace_id, session_id, created_by, slot, purpose, labels, attempt, original_filename,
     description, kind, mime_type, size_bytes, sha256, original_mime_type, original_size_bytes,
     original_sha256, width, height, scan_status, created_at, retain_seconds, retain_until)
    VALUES (:id, :workspace_id, :session_id, :created_by, :slot, :purpose, :labels, :attempt,
     :original_filename, :description, :kind, :mime_type, :size_bytes, :sha256,
     :original_mime_type, :original_size_bytes, :original_sha256, :width, :height, :scan_status,
     :now, :retain_seconds, :retain_until)";
const PLACES: &str = "SELECT mime_type, source_key, check_claim, check_due_at
    FROM media WHERE id = ?1";
const DELETE: &str = "DELETE FROM media WHERE id = ?1";
const DELETE_HANDLES: &str = "DELETE FROM handle WHERE media_id = ?1";
const DELETE_ATTACHMENTS: &str = "DELETE FROM attachment WHERE media_id = ?1";
const INSERT_HANDLE: &str = "INSERT INTO handle (value, name, media_id) VALUES (?1, ?2, ?3)";

pub(super) fn with_handles(db: &Connection, mut media: Media) -> Result<Media> {
    let mut query = db.prepare_cached(HANDLES)?;
    let handles = query.query_map([Col(media.id)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    media.handles = handles.collect::<Result<_, _>>()?;
    Ok(media)
}

pub(super) fn of_session(db: &Connection, id: UploadId) -> Result<Vec<Media>> {
    let mut query = db.prepare_cached(OF_SESSION)?;
    let found = query.query_map([Col(id)], rows::media)?;
    found
        .map(|media| with_handles(db, media?))
        .collect::<Result<_, _>>()
}

/// Those that nothing has.
pub(super) fn unattached(db: &Connection, id: UploadId) -> Result<Vec<MediaId>> {
    let mut query = db.prepare_cached(UNATTACHED)?;
    let found = query.query_map([Col(id)], |row| get(row, "id"))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The slots that have a file, judged or not.
pub(super) fn slots(db: &Connection, id: UploadId) -> Result<Vec<(u32, ScanStatus)>> {
    let mut query = db.prepare_cached(SLOTS)?;
    let slots = query.query_map([Col(id)], |row| {
        Ok((row.get("slot")?, get(row, "scan_status")?))
    })?;
    Ok(slots.collect::<Result<_, _>>()?)
}

pub(super) fn of_attempt(
    db: &Connection,
    id: UploadId,
    attempt: AttemptId,
) -> Result<Option<Media>> {
    db.prepare_cached(OF_ATTEMPT)?
        .query_row((Col(id), Col(attempt)), rows::media)
        .optional()?
        .map(|media| with_handles(db, media))
        .transpose()
}

pub(super) fn find(
    db: &Connection,
    within: &[WorkspaceId],
    which: &MediaRef,
) -> Result<Option<Media>> {
    // Of a stranger's no more is read than whose it is.
    let read = |row: &Row<'_>| {
        let workspace = get(row, "workspace_id")?;
        let is_within = within.contains(&workspace);
        is_within.then(|| rows::media(row)).transpose()
    };
    let found = match which {
        MediaRef::Id(id) => db.prepare_cached(BY_ID)?.query_row([Col(*id)], read),
        MediaRef::Handle(value) => db.prepare_cached(BY_HANDLE)?.query_row([value], read),
    };
    found
        .optional()?
        .flatten()
        .map(|media| with_handles(db, media))
        .transpose()
}

pub(super) fn insert(
    db: &Connection,
    session: &UploadSession,
    id: MediaId,
    slot: u32,
    attempt: Option<AttemptId>,
    new: &NewMedia,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(INSERT)?.execute(named_params! {
        ":id": Col(id), ":workspace_id": Col(session.workspace_id), ":session_id": Col(session.id),
        ":created_by": session.created_by.map(Col), ":slot": slot, ":purpose": session.purpose,
        ":labels": rows::to_json(&session.metadata.labels)?, ":attempt": attempt.map(Col),
        ":original_filename": new.original_filename, ":description": new.description,
        ":kind": Kind::of(&new.stored.mime_type).as_str(), ":mime_type": new.stored.mime_type,
        ":size_bytes": new.stored.size_bytes, ":sha256": new.stored.sha256,
        ":original_mime_type": new.original.mime_type,
        ":original_size_bytes": new.original.size_bytes, ":original_sha256": new.original.sha256,
        ":width": new.dimensions.map(|shown| shown.width),
        ":height": new.dimensions.map(|shown| shown.height),
        ":scan_status": new.scan_status.as_str(), ":now": Col(now),
        ":retain_seconds": session.retain_seconds,
        ":retain_until": session.retain_seconds.map(|seconds| Col(kept_until(now, seconds))),
    })?;
    let mut insert = db.prepare_cached(INSERT_HANDLE)?;
    for (name, value) in &new.handles {
        insert.execute((value, name, Col(id)))?;
    }
    Ok(())
}

/// The end of so many seconds.
pub(super) fn kept_until(now: Timestamp, seconds: u64) -> Timestamp {
    let kept = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    later(now, kept)
}

/// Forgets a media and all that hangs on it; its bytes are nobody's from now on.
pub(super) fn remove(db: &Connection, id: MediaId, now: Timestamp) -> Result<()> {
    doom_bytes(db, id, now)?;
    forget_handles(db, id)?;
    for sql in [DELETE_ATTACHMENTS, DELETE] {
        db.prepare_cached(sql)?.execute([Col(id)])?;
    }
    Ok(())
}

/// Whoever has a handle of it has nothing any more.
pub(super) fn forget_handles(db: &Connection, id: MediaId) -> Result<()> {
    db.prepare_cached(DELETE_HANDLES)?.execute([Col(id)])?;
    Ok(())
}

/// The bytes of a media, wherever they may lie, are nobody's from now on.
pub(super) fn doom_bytes(db: &Connection, id: MediaId, now: Timestamp) -> Result<()> {
    let places = db.prepare_cached(PLACES)?.query_row([Col(id)], |row| {
        Ok(Places {
            mime_type: row.get("mime_type")?,
            source_key: row.get("source_key")?,
            turn: rows::get_opt(row, "check_claim")?,
            turn_ends: rows::get_opt(row, "check_due_at")?,
        })
    });
    let Some(places) = places.optional()? else {
        return Ok(());
    };
    if let Some(source) = &places.source_key {
        sweeping::doom(db, source, now)?;
    }
    // Whoever has the turn may be making or publishing it just now.
    let published_by = places.turn_ends.map_or(now, |turn_ends| turn_ends.max(now));
    if let Some(turn) = places.turn {
        sweeping::doom(db, &staging_key(turn), published_by)?;
    }
    let published = [places.mime_type.as_str(), REMADE_AS].map(|mime| object_key(id, mime));
    let remade = usize::from(places.turn_ends.is_some());
    for key in published.iter().take(1 + remade) {
        sweeping::doom(db, key, published_by)?;
    }
    Ok(())
}

struct Places {
    mime_type: String,
    source_key: Option<String>,
    turn: Option<ClaimId>,
    turn_ends: Option<Timestamp>,
}
