//! [`AuditStore`] in the same file, and what every transaction notes in it.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, ToSql, named_params, types::FromSqlError};

use super::{
    Result, SqliteStore,
    rows::{self, Col, get, get_opt},
};
use crate::{
    domain::{
        audit::{Actor, Entry, EntryId},
        principal::PrincipalKind,
    },
    store::audit::{AuditPage, AuditQuery, AuditStore, Note, Start},
};

const INSERT: &str = "INSERT INTO audit
    (at, workspace_id, actor_kind, principal_id, actor_name, api_key_id, action, subject, detail)
    VALUES (:at, :workspace_id, :actor_kind, :principal_id, :actor_name, :api_key_id, :action,
     :subject, :detail)";
const BY_TIME: &str = "SELECT * FROM audit
    WHERE (at, id) > (?1, ?2) AND at < ?3 ORDER BY at, id";
const BY_TIME_IN: &str = "SELECT * FROM audit
    WHERE (at, id) > (?1, ?2) AND at < ?3 AND workspace_id = ?4 ORDER BY at, id";
const AS_ADDED: &str = "SELECT * FROM audit WHERE id > ?1 ORDER BY id";
const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM audit";

/// Most rows that one page looks at, so that a filter that takes nothing costs little too.
const SEEN: usize = 2_000;

#[async_trait]
impl AuditStore for SqliteStore {
    async fn note(&self, note: Note) -> Result<()> {
        self.write(move |db, now| self::note(db, &note, now)).await
    }

    async fn audit(&self, query: AuditQuery) -> Result<AuditPage> {
        self.read(|db, _| page(db, &query))
    }
}

/// Adds a line to the log, inside the transaction of what it tells.
pub(super) fn note(db: &Connection, note: &Note, now: Timestamp) -> Result<()> {
    let by = &note.by;
    db.prepare_cached(INSERT)?.execute(named_params! {
        ":at": Col(now), ":workspace_id": note.workspace.map(Col), ":actor_kind": by.kind(),
        ":principal_id": by.principal().map(Col), ":actor_name": by.name(),
        ":api_key_id": by.api_key().map(Col), ":action": note.action.as_str(),
        ":subject": note.subject, ":detail": rows::to_json(&note.detail)?,
    })?;
    Ok(())
}

/// The line that was added last.
pub(super) fn newest(db: &Connection) -> Result<EntryId> {
    let mut newest = db.prepare_cached(NEWEST)?;
    Ok(newest.query_row([], |row| row.get(0).map(EntryId))?)
}

/// The lines that were added after this one.
pub(super) fn added(db: &Connection, after: EntryId) -> Result<Vec<Entry>> {
    let mut added = db.prepare_cached(AS_ADDED)?;
    let added = added.query_map([after.0], entry)?;
    Ok(added.collect::<Result<_, _>>()?)
}

fn page(db: &Connection, query: &AuditQuery) -> Result<AuditPage> {
    let newest = newest(db)?;
    let (at, id) = match query.start {
        // Ids begin at 1.
        Start::At(at) => (at, EntryId(0)),
        Start::After(at, id) => (at, id),
        Start::Added(id) => (Timestamp::MIN, id),
    };
    let (at, until, workspace) = (Col(at), Col(query.until), query.workspace.map(Col));
    let (sql, bounds): (_, Vec<&dyn ToSql>) = match (query.start, &workspace) {
        (Start::Added(_), _) => (AS_ADDED, vec![&id.0]),
        (_, None) => (BY_TIME, vec![&at, &id.0, &until]),
        (_, Some(of)) => (BY_TIME_IN, vec![&at, &id.0, &until, of]),
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(&*bounds)?;
    let (mut entries, mut seen, mut last) = (Vec::new(), 0, None);
    let mut next = None;
    while let Some(row) = rows.next()? {
        if entries.len() == query.most || seen == SEEN {
            next = last;
            break;
        }
        let entry = entry(row)?;
        seen += 1;
        last = Some(match query.start {
            Start::Added(_) => Start::Added(entry.id),
            Start::At(_) | Start::After(..) => Start::After(entry.at, entry.id),
        });
        if query.takes(&entry) {
            entries.push(entry);
        }
    }
    Ok(AuditPage {
        entries,
        next,
        newest,
    })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: EntryId(row.get("id")?),
        at: get(row, "at")?,
        workspace_id: get_opt(row, "workspace_id")?,
        actor: actor(row)?,
        action: get(row, "action")?,
        subject: row.get("subject")?,
        detail: rows::from_json(row.get_ref("detail")?.as_str()?)?,
    })
}

fn actor(row: &Row<'_>) -> rusqlite::Result<Actor> {
    let Some(id) = get_opt(row, "principal_id")? else {
        let kind = row.get_ref("actor_kind")?.as_str()?;
        let mut unnamed = [Actor::Link, Actor::System].into_iter();
        let found = unnamed.find(|actor| actor.kind() == kind);
        return found.ok_or(FromSqlError::InvalidType.into());
    };
    Ok(Actor::Principal {
        id,
        kind: get::<PrincipalKind>(row, "actor_kind")?,
        name: row.get("actor_name")?,
        api_key: get_opt(row, "api_key_id")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;

    #[test]
    fn no_page_is_found_by_looking_at_every_line() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        for (sql, index) in [
            (BY_TIME, "INDEX audit_time"),
            (BY_TIME_IN, "INDEX audit_workspace"),
            (AS_ADDED, "INTEGER PRIMARY KEY"),
        ] {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let nothing = vec![0; plan.parameter_count()];
            let steps = plan.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3));
            let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
            assert_eq!(steps.len(), 1, "no sorting besides: {steps:?}");
            assert!(
                steps[0].starts_with("SEARCH") && steps[0].contains(index),
                "{steps:?}"
            );
        }
    }
}
