//! A look at a database, for the operator: nothing is changed.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Result, configure, schema};

/// What a look at a database finds.
#[derive(Debug)]
pub struct Examination {
    /// The version of its schema.
    pub schema: i64,
    /// The newest version that this program knows.
    pub known_schema: i64,
    /// How it keeps changes before they are in the file: `wal` is ours.
    pub journal: String,
    /// What is broken in it, if anything is.
    pub damage: Option<String>,
}

/// Looks at the database in this file, which reads all of it.
///
/// # Errors
/// [`StoreError::Database`](super::StoreError::Database) if it cannot be opened or read.
pub fn examine(path: &Path) -> Result<Examination> {
    // Who can only read leaves the files behind that SQLite makes beside a database in WAL mode.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    configure(&db)?;
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(Examination {
        schema: db.pragma_query_value(None, "user_version", |row| row.get(0))?,
        known_schema: schema::known(),
        journal: db.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
        damage: (found != "ok").then_some(found),
    })
}
