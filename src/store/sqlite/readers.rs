//! The connections that read.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use rusqlite::{Connection, OpenFlags};

use super::{Result, configure, identity::Known};
use crate::domain::api_key::SecretHash;

/// How many there are.
const READERS: usize = 4;
/// How many secrets each remembers.
const MOST_KNOWN: usize = 1_000;

/// Each serves one caller at a time, in turn.
#[derive(Debug)]
pub(super) struct Readers {
    all: Vec<Mutex<Reader>>,
    turn: AtomicUsize,
}

/// A connection, and what it found out about secrets since the file changed last. Every tool call asks
/// for one, and five tables have to be read for it.
#[derive(Debug)]
pub(super) struct Reader {
    pub db: Connection,
    known: HashMap<SecretHash, Known>,
    version: i64,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let one = |_| Reader::open(path).map(Mutex::new);
        Ok(Self {
            all: (0..READERS).map(one).collect::<Result<_>>()?,
            turn: AtomicUsize::new(0),
        })
    }

    pub(super) fn next(&self) -> Result<MutexGuard<'_, Reader>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % READERS;
        // One that panicked left nothing behind but its transaction: it only read.
        let reader = self.all[turn]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !reader.db.is_autocommit() {
            reader.db.execute_batch("ROLLBACK")?;
        }
        Ok(reader)
    }
}

impl Reader {
    fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        configure(&db)?;
        Ok(Self {
            db,
            known: HashMap::new(),
            version: 0,
        })
    }

    /// What is known of a secret; it is looked up where anybody, in whatever process, has written
    /// since it was known.
    pub(super) fn known(
        &mut self,
        secret: SecretHash,
        look_up: impl FnOnce(&Connection) -> Result<Option<Known>>,
    ) -> Result<Option<&Known>> {
        let version = self
            .db
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if version != self.version || self.known.len() >= MOST_KNOWN {
            self.known.clear();
            self.version = version;
        }
        if !self.known.contains_key(&secret) {
            let Some(known) = look_up(&self.db)? else {
                return Ok(None);
            };
            self.known.insert(secret, known);
        }
        Ok(self.known.get(&secret))
    }
}
