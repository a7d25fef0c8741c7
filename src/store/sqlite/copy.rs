//! A copy of a database while others write to it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, backup::Backup};

use super::{BUSY, Result, make_private};

/// Every page that there is.
const ALL: i32 = -1;

/// Copies the database of `from` to the new file `to`, as it stands at one instant. Writers go on.
///
/// # Errors
/// [`StoreError::Database`](super::StoreError::Database) if SQLite refuses.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags)?;
    source.busy_timeout(BUSY)?;
    make_private(to)?;
    let mut copy = Connection::open(to)?;
    Backup::new(&source, &mut copy)?.step(ALL)?;
    Ok(())
}
