//! Media, handles and attachments: what happens inside a transaction.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, named_params};

use super::{
    AttemptId, MediaId, MediaRef, NewAttachment, Result, SessionRef, StoreError, WorkspaceId,
    rows::{self, Col},
    sessions::Current,
    sweeping,
};
use crate::{
    domain::{
        attachment::Attachment,
        ids::{AttachmentId, ClaimId, UploadId},
        media::{Media, object_key, staging_key},
        mime::Kind,
        session::{State, UploadSession},
    },
    store::{NewMedia, later},
};

const OF_SESSION: &str = "SELECT * FROM media
    WHERE session_id = ?1 AND slot IS NOT NULL ORDER BY slot";
const SLOTS: &str = "SELECT slot FROM media WHERE session_id = ?1 AND slot IS NOT NULL";
const OF_ATTEMPT: &str = "SELECT * FROM media
    WHERE session_id = ?1 AND attempt = ?2 AND slot IS NOT NULL";
const BY_ID: &str = "SELECT * FROM media WHERE id = ?1 AND workspace_id = ?2";
const BY_HANDLE: &str = "SELECT media.* FROM handle JOIN media ON media.id = handle.media_id
    WHERE handle.value = ?1 AND media.workspace_id = ?2";
const HANDLES: &str = "SELECT name, value FROM handle WHERE media_id = ?1 ORDER BY name";
const INSERT: &str = "INSERT INTO media
    (id, workspace_id, session_id, slot, purpose, labels, attempt, original_filename, description,
     kind, mime_type, size_bytes, sha256, original_mime_type, original_size_bytes, original_sha256,
     width, height, scan_status, created_at, retain_until)
    VALUES (:id, :workspace_id, :session_id, :slot, :purpose, :labels, :attempt, :original_filename,
     :description, :kind, :mime_type, :size_bytes, :sha256, :original_mime_type,
     :original_size_bytes, :original_sha256, :width, :height, :scan_status, :now, :retain_until)";
const PLACES: &str = "SELECT mime_type, source_key, check_claim FROM media WHERE id = ?1";
const DELETE: &str = "DELETE FROM media WHERE id = ?1";
const DELETE_HANDLES: &str = "DELETE FROM handle WHERE media_id = ?1";
const DELETE_ATTACHMENTS: &str = "DELETE FROM attachment WHERE media_id = ?1";
const INSERT_HANDLE: &str = "INSERT INTO handle (value, name, media_id) VALUES (?1, ?2, ?3)";

const NEXT_POSITION: &str = "SELECT coalesce(max(position) + 1, 0) FROM attachment
    WHERE workspace_id = :workspace_id AND target_type = :target_type AND target_id = :target_id";
const ATTACH: &str = "INSERT INTO attachment
    (id, workspace_id, media_id, target_type, target_id, alt, position, created_at)
    VALUES (:id, :workspace_id, :media_id, :target_type, :target_id, :alt, :position, :now)
    ON CONFLICT (media_id, target_type, target_id) DO NOTHING";
const MARK_ATTACHED: &str = "UPDATE media SET is_attached = 1 WHERE id = ?1";
const ATTACHED: &str = "SELECT * FROM attachment
    WHERE media_id = :media_id AND target_type = :target_type AND target_id = :target_id";
const CONSUMED: &str = "UPDATE upload_session
    SET consumed_type = :target_type, consumed_id = :target_id WHERE id = :id";

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

pub(super) fn slots(db: &Connection, id: UploadId) -> Result<Vec<u32>> {
    let mut query = db.prepare_cached(SLOTS)?;
    let slots = query.query_map([Col(id)], |row| row.get(0))?;
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
    workspace: WorkspaceId,
    which: &MediaRef,
) -> Result<Option<Media>> {
    let found = match which {
        MediaRef::Id(id) => db
            .prepare_cached(BY_ID)?
            .query_row((Col(*id), Col(workspace)), rows::media),
        MediaRef::Handle(value) => db
            .prepare_cached(BY_HANDLE)?
            .query_row((value, Col(workspace)), rows::media),
    };
    found
        .optional()?
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
    let retain_until = session.retain_seconds.map(|seconds| {
        let kept = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        Col(later(now, kept))
    });
    db.prepare_cached(INSERT)?.execute(named_params! {
        ":id": Col(id), ":workspace_id": Col(session.workspace_id), ":session_id": Col(session.id),
        ":slot": slot, ":purpose": session.purpose,
        ":labels": rows::to_json(&session.metadata.labels)?, ":attempt": attempt.map(Col),
        ":original_filename": new.original_filename, ":description": new.description,
        ":kind": Kind::of(&new.stored.mime_type).as_str(), ":mime_type": new.stored.mime_type,
        ":size_bytes": new.stored.size_bytes, ":sha256": new.stored.sha256,
        ":original_mime_type": new.original.mime_type,
        ":original_size_bytes": new.original.size_bytes, ":original_sha256": new.original.sha256,
        ":width": new.dimensions.map(|shown| shown.width),
        ":height": new.dimensions.map(|shown| shown.height),
        ":scan_status": new.scan_status.as_str(), ":now": Col(now), ":retain_until": retain_until,
    })?;
    let mut insert = db.prepare_cached(INSERT_HANDLE)?;
    for (name, value) in &new.handles {
        insert.execute((value, name, Col(id)))?;
    }
    Ok(())
}

/// Forgets a media and all that hangs on it; its bytes are nobody's from now on.
pub(super) fn remove(db: &Connection, id: MediaId, now: Timestamp) -> Result<()> {
    for key in keys(db, id)? {
        sweeping::doom(db, &key, now)?;
    }
    for sql in [DELETE_ATTACHMENTS, DELETE_HANDLES, DELETE] {
        db.prepare_cached(sql)?.execute([Col(id)])?;
    }
    Ok(())
}

/// Where bytes of a media may lie.
pub(super) fn keys(db: &Connection, id: MediaId) -> Result<Vec<String>> {
    let found = db.prepare_cached(PLACES)?.query_row([Col(id)], |row| {
        let mime_type: String = row.get("mime_type")?;
        let check: Option<ClaimId> = rows::get_opt(row, "check_claim")?;
        Ok([
            Some(object_key(id, &mime_type)),
            row.get("source_key")?,
            check.map(staging_key),
        ])
    });
    Ok(found.optional()?.into_iter().flatten().flatten().collect())
}

/// Attaches all media of a completed session, once.
pub(super) fn consume(
    db: &Connection,
    id: UploadId,
    wanted: &NewAttachment,
    now: Timestamp,
) -> Result<Vec<Attachment>> {
    let mut current = Current::load(db, SessionRef::Id(id), now)?;
    let workspace = current.session.workspace_id;
    let media: Vec<MediaId> = of_session(db, id)?.iter().map(|media| media.id).collect();
    match (current.session.state, &current.session.consumed_by) {
        (State::Completed, _) => {
            current.consumed()?;
            db.prepare_cached(CONSUMED)?.execute(named_params! {
                ":id": Col(id), ":target_type": wanted.target.kind, ":target_id": wanted.target.id,
            })?;
        }
        (State::Consumed, Some(by)) if *by == wanted.target => {}
        (State::Consumed, Some(by)) => return Err(StoreError::AlreadyConsumed(by.clone())),
        (state, _) if state.is_open() => return Err(StoreError::NotReady),
        (state, _) => return Err(StoreError::Closed(state)),
    }
    attach_all(db, workspace, &media, wanted, now)
}

/// Attaches one media of this workspace.
pub(super) fn attach(
    db: &Connection,
    workspace: WorkspaceId,
    media: MediaId,
    wanted: &NewAttachment,
    now: Timestamp,
) -> Result<Attachment> {
    find(db, workspace, &MediaRef::Id(media))?.ok_or(StoreError::NotFound)?;
    let mut attached = attach_all(db, workspace, &[media], wanted, now)?;
    attached.pop().ok_or(StoreError::NotFound)
}

/// Attaches these in order; what is attached there already stays as it is.
fn attach_all(
    db: &Connection,
    workspace: WorkspaceId,
    media: &[MediaId],
    wanted: &NewAttachment,
    now: Timestamp,
) -> Result<Vec<Attachment>> {
    let target = &wanted.target;
    let first = match wanted.position {
        Some(position) => position,
        None => db.prepare_cached(NEXT_POSITION)?.query_row(
            named_params! {
                ":workspace_id": Col(workspace), ":target_type": target.kind, ":target_id": target.id,
            },
            |row| row.get(0),
        )?,
    };
    let mut attached = Vec::with_capacity(media.len());
    for (position, media) in (first..).zip(media) {
        db.prepare_cached(ATTACH)?.execute(named_params! {
            ":id": Col(AttachmentId::new(now)), ":workspace_id": Col(workspace),
            ":media_id": Col(*media), ":target_type": target.kind, ":target_id": target.id,
            ":alt": wanted.alt, ":position": position, ":now": Col(now),
        })?;
        db.prepare_cached(MARK_ATTACHED)?.execute([Col(*media)])?;
        attached.push(db.prepare_cached(ATTACHED)?.query_row(
            named_params! {
                ":media_id": Col(*media), ":target_type": target.kind, ":target_id": target.id,
            },
            rows::attachment,
        )?);
    }
    Ok(attached)
}
