//! Deleting media: row first, in the transaction that looks whether it may go; the bytes are nobody's
//! from then on.

use jiff::Timestamp;
use rusqlite::{Connection, named_params};

use super::{
    MediaId, MediaRef, Result, SessionRef, StoreError, WorkspaceId, files,
    rows::{Col, get},
    sessions::Current,
};
use crate::domain::{attachment::Target, ids::UploadId, session::State};

/// A session that is still open needs its files.
const RETIRED: &str = "SELECT id, session_id FROM media
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
    remove(db, id, session.as_mut(), now)?;
    Ok(media.upload_id)
}

/// What time alone has brought: nothing is attached to them, and they are kept no longer.
pub(super) fn retired(
    db: &Connection,
    most: u32,
    now: Timestamp,
) -> Result<Vec<(MediaId, UploadId)>> {
    let mut query = db.prepare_cached(RETIRED)?;
    let found = query.query_map(named_params! { ":now": Col(now), ":most": most }, |row| {
        Ok((get(row, "id")?, get(row, "session_id")?))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn retire(
    db: &Connection,
    most: u32,
    now: Timestamp,
) -> Result<Vec<(MediaId, UploadId)>> {
    let retired = retired(db, most, now)?;
    for (id, of) in &retired {
        remove(db, *id, session(db, *of, now)?.as_mut(), now)?;
    }
    Ok(retired)
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
    now: Timestamp,
) -> Result<()> {
    files::remove(db, id, now)?;
    match session {
        Some(of) if of.session.state == State::Completed => of.file_gone(),
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
