//! Lists of media, a page at a time.

use rusqlite::{Connection, named_params};
use uuid::Uuid;

use super::{
    MediaId, MediaPage, MediaQuery, Result, WorkspaceId, files,
    rows::{self, Col},
};
use crate::{domain::ids::OLDEST_BEFORE_STORED, store::later};

const PAGE: &str = "SELECT * FROM media
    WHERE workspace_id = :workspace_id AND id < :before AND id >= :from ORDER BY id DESC";

/// Most rows that one page looks at, so that a filter that takes nothing costs little too.
const SEEN: usize = 2_000;

pub(super) fn page(
    db: &Connection,
    workspace: WorkspaceId,
    query: &MediaQuery,
) -> Result<MediaPage> {
    let from = query.filter.since.map_or(MediaId(Uuid::nil()), |since| {
        MediaId::first_at(later(since, -OLDEST_BEFORE_STORED))
    });
    let mut statement = db.prepare_cached(PAGE)?;
    let mut rows = statement.query(named_params! {
        ":workspace_id": Col(workspace), ":from": Col(from),
        ":before": Col(query.before.unwrap_or(MediaId(Uuid::max()))),
    })?;
    let (mut page, mut seen, mut last) = (MediaPage::default(), 0, None);
    while let Some(row) = rows.next()? {
        if page.media.len() == query.most || seen == SEEN {
            page.next = last;
            break;
        }
        let media = rows::media(row)?;
        (seen, last) = (seen + 1, Some(media.id));
        if query.filter.takes(&media) {
            page.media.push(files::with_handles(db, media)?);
        }
    }
    Ok(page)
}
