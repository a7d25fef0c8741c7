//! Which bytes the database knows of, for checks and copies of all of them.

use rusqlite::{Connection, OptionalExtension, named_params};

use super::{
    ClaimId, MediaId, Result, StoredFile,
    rows::{Col, get},
};
use crate::domain::media::{media_of_key, object_key};

const FILES: &str = "SELECT id, workspace_id, mime_type, sha256, source_key FROM media
    WHERE id >= :from AND scan_status <> 'blocked' ORDER BY id LIMIT :most";
const OF_DOOMED: &str = "SELECT 1 FROM doomed WHERE key = ?1";
const OF_CLAIM: &str = "SELECT 1 FROM claim WHERE id = ?1";
const OF_CLAIMED_MEDIA: &str = "SELECT 1 FROM claim WHERE media_id = ?1";
const OF_CHECK: &str = "SELECT 1 FROM media
    WHERE check_due_at IS NOT NULL AND (source_key = :key OR check_claim = :claim)";

pub(super) fn files(db: &Connection, from: MediaId, most: u32) -> Result<Vec<StoredFile>> {
    let mut query = db.prepare_cached(FILES)?;
    let found = query.query_map(named_params! { ":from": Col(from), ":most": most }, |row| {
        let id = get(row, "id")?;
        let mime_type: String = row.get("mime_type")?;
        let source_key: Option<String> = row.get("source_key")?;
        Ok(StoredFile {
            id,
            workspace_id: get(row, "workspace_id")?,
            key: source_key.unwrap_or_else(|| object_key(id, &mime_type)),
            sha256: row.get("sha256")?,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Whether some row knows of the bytes of this key: a media, a claim, a check, or one that says
/// that they are to be deleted.
pub(super) fn knows(db: &Connection, key: &str) -> Result<bool> {
    let is_there = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        let mut query = db.prepare_cached(sql)?;
        query.query_row(values, |_| Ok(())).optional()
    };
    if is_there(OF_DOOMED, &[&key])?.is_some() {
        return Ok(true);
    }
    let claim = key.strip_prefix("staging/").and_then(|id| id.parse().ok());
    if let Some(id) = claim.map(|id: ClaimId| Col(id)) {
        let found = is_there(OF_CLAIM, &[&id])?.or(is_there(OF_CHECK, &[&key, &id])?);
        return Ok(found.is_some());
    }
    let Some(id) = media_of_key(key) else {
        return Ok(false);
    };
    let of_media = files(db, id, 1)?;
    Ok(of_media.iter().any(|file| file.id == id)
        || is_there(OF_CLAIMED_MEDIA, &[&Col(id)])?.is_some())
}
