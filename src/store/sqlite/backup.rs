//! A copy of a database that is in use.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, backup::Backup};

use super::{Result, make_private};

/// How many pages are copied before writers get their turn.
const PAGES: std::ffi::c_int = 1_000;
const PAUSE: Duration = Duration::from_millis(5);

/// Copies the database in one file to another, as it stands at one instant. It may be in use.
///
/// # Errors
/// [`StoreError::Database`](super::StoreError::Database) if it cannot be read or written.
pub fn backup(from: &Path, to: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(from, flags)?;
    super::configure(&from)?;
    make_private(to)?;
    let mut copy = Connection::open(to)?;
    Backup::new(&from, &mut copy)?.run_to_completion(PAGES, PAUSE, None)?;
    Ok(())
}
