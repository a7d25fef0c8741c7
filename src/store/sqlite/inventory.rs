//! Every file there should be, and whose the bytes are that lie somewhere: for whoever looks after
//! the whole installation.

use rusqlite::{Connection, named_params};

use super::{
    MediaId, Result,
    rows::{self, Col},
};
use crate::{
    domain::media::{self, object_key, staged_claim},
    store::Stock,
};

const ALL: &str = "SELECT * FROM media
    WHERE id > :after AND scan_status <> 'blocked' ORDER BY id LIMIT :most";
const OWNED: &str = "SELECT
    EXISTS (SELECT 1 FROM doomed WHERE key = :key)
    OR EXISTS (SELECT 1 FROM claim WHERE id = :claim OR media_id = :media)
    OR EXISTS (SELECT 1 FROM media WHERE id = :media AND scan_status <> 'blocked')
    OR EXISTS (SELECT 1 FROM media WHERE source_key = :key OR check_claim = :claim)";

pub(super) fn stock(db: &Connection, after: Option<MediaId>, most: u32) -> Result<Vec<Stock>> {
    let after = after.unwrap_or(MediaId(uuid::Uuid::nil()));
    let mut query = db.prepare_cached(ALL)?;
    let found = query.query_map(
        named_params! { ":after": Col(after), ":most": most },
        |row| {
            let media = rows::media(row)?;
            let source: Option<String> = row.get("source_key")?;
            Ok(Stock {
                key: source.unwrap_or_else(|| object_key(media.id, &media.stored.mime_type)),
                id: media.id,
                content: media.stored,
            })
        },
    )?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn is_owned(db: &Connection, key: &str) -> Result<bool> {
    let owned = db.prepare_cached(OWNED)?.query_row(
        named_params! {
            ":key": key, ":claim": staged_claim(key).map(Col),
            ":media": media::media_of_key(key).map(Col),
        },
        |row| row.get(0),
    )?;
    Ok(owned)
}
