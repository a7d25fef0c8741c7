//! Deleting media: row first, in the transaction that looks whether it may go; the bytes are nobody's
//! from then on.

use jiff::Timestamp;
use rusqlite::{Connection, named_params};
use serde_json::json;

use super::{
    MediaId, MediaRef, Result, SessionRef, StoreError, WorkspaceId, audit, files,
    rows::{Col, get},
    sessions::Current,
};
use crate::{
    domain::{
        attachment::Target,
        audit::{Action, Actor},
        ids::UploadId,
        media::ScanStatus,
        session::State,
    },
    store::audit::Note,
};

/// A session that is still open needs its files.
const RETIRED: &str = "SELECT id, session_id, workspace_id, scan_status FROM media
    WHERE retain_until <= :now AND is_attached = 0 AND NOT EXISTS
        (SELECT 1 FROM upload_session WHERE upload_session.id = session_id
            AND state IN ('pending', 'receiving', 'checking'))
    ORDER BY retain_until LIMIT :most";
const TARGETS: &str = "SELECT target_type, target_id FROM attachment
    WHERE media_id = ?1 ORDER BY created_at, rowid";

/// Deletes a media of this workspace; says whose it was.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::StillOpen`]; [`StoreError::Attached`] without `force`.
pub(super) fn delete(
    db: &Connection,
    workspace: WorkspaceId,
    id: MediaId,
    force: bool,
    by: &Actor,
    now: Timestamp,
) -> Result<UploadId> {
    let found = files::find(db, &[workspace], &MediaRef::Id(id))?;
    let media = found.ok_or(StoreError::NotFound)?;
    let mut session = session(db, media.upload_id, now)?;
    let is_open = session
        .as_ref()
        .is_some_and(|of| of.session.state.is_open());
    if is_open && media.slot.is_some() {
        return Err(StoreError::StillOpen);
    }
    let targets = targets(db, id)?;
    if !force && !targets.is_empty() {
        return Err(StoreError::Attached(targets));
    }
    let note = Note::new(by, Action::MediaDeleted, id, workspace);
    let facts = json!({ "upload_id": media.upload_id.to_string(), "force": force });
    audit::note(db, &note.with(facts), now)?;
    remove(db, id, session.as_mut(), by, now)?;
    Ok(media.upload_id)
}

/// A media that is kept no longer.
pub(super) struct Retired {
    pub id: MediaId,
    session: UploadId,
    workspace: WorkspaceId,
    scan_status: ScanStatus,
}

/// What time alone has brought: nothing is attached to them, and they are kept no longer.
pub(super) fn retired(db: &Connection, most: u32, now: Timestamp) -> Result<Vec<Retired>> {
    let mut query = db.prepare_cached(RETIRED)?;
    let found = query.query_map(named_params! { ":now": Col(now), ":most": most }, |row| {
        Ok(Retired {
            id: get(row, "id")?,
            session: get(row, "session_id")?,
            workspace: get(row, "workspace_id")?,
            scan_status: get(row, "scan_status")?,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn retire(
    db: &Connection,
    most: u32,
    now: Timestamp,
) -> Result<Vec<(MediaId, UploadId)>> {
    let mut gone = Vec::new();
    for media in retired(db, most, now)? {
        // Of one that was blocked, the bytes went then.
        if media.scan_status != ScanStatus::Blocked {
            let (by, of) = (&Actor::System, media.workspace);
            let note = Note::new(by, Action::MediaRetired, media.id, of);
            let facts = json!({ "upload_id": media.session.to_string() });
            audit::note(db, &note.with(facts), now)?;
        }
        let mut session = session(db, media.session, now)?;
        remove(db, media.id, session.as_mut(), &Actor::System, now)?;
        gone.push((media.id, media.session));
    }
    Ok(gone)
}

/// Media outlive their sessions, which are forgotten some time after their end.
fn session(db: &Connection, id: UploadId, now: Timestamp) -> Result<Option<Current<'_>>> {
    match Current::load(db, SessionRef::Id(id), now) {
        Err(StoreError::NotFound) => Ok(None),
        found => found.map(Some),
    }
}

fn remove(
    db: &Connection,
    id: MediaId,
    session: Option<&mut Current<'_>>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    files::remove(db, id, now)?;
    match session {
        Some(of) if of.session.state == State::Completed => of.file_gone(by),
        _ => Ok(()),
    }
}

fn targets(db: &Connection, id: MediaId) -> Result<Vec<Target>> {
    let mut query = db.prepare_cached(TARGETS)?;
    let found = query.query_map([Col(id)], |row| {
        Ok(Target {
            kind: row.get("target_type")?,
            id: row.get("target_id")?,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
