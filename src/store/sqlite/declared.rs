//! [`DeclaredStore`] in the same file.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, ToSql};
use serde_json::json;

use super::{
    Result, SessionRef, SqliteStore, StoreError, UploadId, WorkspaceId, audit, files,
    rows::{self, Col},
    sessions::{self, Current},
    sweeping::FORGET,
};
use crate::{
    domain::{
        audit::{Action, Actor},
        session::{State, Status, UploadSession},
    },
    store::{
        audit::Note,
        declared::{DeclaredPage, DeclaredQuery, DeclaredStore},
    },
};

const ALL: &str = "SELECT * FROM upload_session
    WHERE workspace_id = ?1 AND spec IS NOT NULL AND id < ?2 ORDER BY id DESC";
const OF_EXTERNAL_ID: &str = "SELECT * FROM upload_session
    WHERE workspace_id = ?1 AND spec IS NOT NULL AND id < ?2
        AND metadata ->> '$.external_id' = ?3 ORDER BY id DESC";
const OF_LABEL: &str = "SELECT upload_session.* FROM declared_label
    JOIN upload_session ON upload_session.id = session_id
    WHERE declared_label.workspace_id = ?1 AND session_id < ?2 AND key = ?3 AND value = ?4
    ORDER BY session_id DESC";
const OF_STATE: &str = "SELECT * FROM upload_session
    WHERE workspace_id = ?1 AND spec IS NOT NULL AND id < ?2
        AND iif(state IN ('receiving', 'checking'), 'pending', state) = ?3 ORDER BY id DESC";
const LABEL: &str = "INSERT INTO declared_label (workspace_id, key, value, session_id)
    VALUES (?1, ?2, ?3, ?4)";
const HAS_CLAIM: &str = "SELECT 1 FROM claim WHERE session_id = ?1";

/// Most rows that one page looks at, so that a filter that takes nothing costs little too.
const SEEN: usize = 1_000;

#[async_trait]
impl DeclaredStore for SqliteStore {
    async fn declared(&self, workspace: WorkspaceId, query: DeclaredQuery) -> Result<DeclaredPage> {
        self.read(|db, now| page(db, workspace, &query, now))
    }

    async fn delete_session(&self, id: UploadId, by: Actor) -> Result<bool> {
        self.write(move |db, now| delete(db, id, &by, now)).await
    }
}

/// What a session is found by that was just made.
pub(super) fn index(db: &Connection, session: &UploadSession) -> Result<()> {
    let mut label = db.prepare_cached(LABEL)?;
    for (key, value) in &session.metadata.labels {
        label.execute((Col(session.workspace_id), key, value, Col(session.id)))?;
    }
    Ok(())
}

fn page(
    db: &Connection,
    workspace: WorkspaceId,
    query: &DeclaredQuery,
    now: Timestamp,
) -> Result<DeclaredPage> {
    // The newest id that there can be comes before it.
    let before = query.before.unwrap_or(UploadId::from_bytes([0xff; 16]));
    let (workspace, before) = (Col(workspace), Col(before));
    let mut given: Vec<&dyn ToSql> = vec![&workspace, &before];
    let state = query.status.map(word);
    // What fits fewest leads the way; the rest is looked at one by one.
    let sql = if let Some(id) = &query.external_id {
        given.push(id);
        OF_EXTERNAL_ID
    } else if let Some((key, value)) = query.labels.first_key_value() {
        given.extend([key as &dyn ToSql, value]);
        OF_LABEL
    } else if let Some(state) = &state {
        given.push(state);
        OF_STATE
    } else {
        ALL
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(&given[..])?;
    let (mut page, mut seen, mut last) = (DeclaredPage::default(), 0, None);
    while let Some(row) = rows.next()? {
        if page.uploads.len() == query.most || seen == SEEN {
            page.next = last;
            break;
        }
        let view = sessions::view_of(db, rows::session(row)?, now)?;
        (seen, last) = (seen + 1, Some(view.session.id));
        if query.takes(&view) {
            page.uploads.push(view);
        }
    }
    Ok(page)
}

/// The word of the index for those that stand so.
fn word(status: Status) -> &'static str {
    match status {
        Status::Pending => State::Pending,
        Status::Completed => State::Completed,
        Status::Consumed => State::Consumed,
        Status::Expired => State::Expired,
        Status::Declined => State::Declined,
        Status::Cancelled => State::Cancelled,
    }
    .as_str()
}

fn delete(db: &Connection, id: UploadId, by: &Actor, now: Timestamp) -> Result<bool> {
    let current = Current::load(db, SessionRef::Id(id), now)?;
    let (state, workspace) = (current.session.state, current.session.workspace_id);
    if state.is_open() {
        return Err(StoreError::StillOpen);
    }
    if db.prepare_cached(HAS_CLAIM)?.exists([Col(id)])? {
        return Ok(false);
    }
    for media in files::unattached(db, id)? {
        let note = Note::new(by, Action::MediaDeleted, media, workspace);
        audit::note(db, &note.with(json!({ "upload_id": id.to_string() })), now)?;
        files::remove(db, media, now)?;
    }
    let note = Note::new(by, Action::UploadDeleted, id, workspace);
    audit::note(db, &note, now)?;
    db.prepare_cached(FORGET)?.execute([Col(id)])?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::plan::go_by_index;

    #[test]
    fn every_list_is_found_by_index_in_its_order() {
        go_by_index(&[
            (ALL, "declared (workspace_id=? AND id<?)"),
            (
                OF_EXTERNAL_ID,
                "declared_external_id (workspace_id=? AND <expr>=? AND id<?)",
            ),
            (
                OF_STATE,
                "declared_state (workspace_id=? AND <expr>=? AND id<?)",
            ),
            (
                OF_LABEL,
                "PRIMARY KEY (workspace_id=? AND key=? AND value=? AND session_id<?)",
            ),
        ]);
    }
}
