//! Bringing a database to the schema that this program knows.

use rusqlite::Connection;

use super::{Result, StoreError};

/// Each brings the schema from the version before to its own; the first to version 1.
const MIGRATIONS: &[&str] = &[
    include_str!("0001_start.sql"),
    include_str!("0002_bytes.sql"),
    include_str!("0003_media.sql"),
    include_str!("0004_begun.sql"),
    include_str!("0005_identity.sql"),
    include_str!("0006_quota.sql"),
    include_str!("0007_direct.sql"),
    include_str!("0008_audit.sql"),
    include_str!("0009_requests.sql"),
    include_str!("0010_outbox.sql"),
    include_str!("0011_targets.sql"),
    include_str!("0012_declared.sql"),
    include_str!("0013_oauth.sql"),
    include_str!("0014_builtin.sql"),
    include_str!("0015_language.sql"),
];

/// The newest version.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Makes the schema current.
///
/// # Errors
/// [`StoreError::NewerSchema`] if a newer program was here.
pub(super) fn migrate(db: &mut Connection) -> Result<()> {
    let known = known();
    // Immediate, so that of several processes that start together one migrates and the rest wait.
    let migration = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = migration.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (version, sql) in (1..).zip(MIGRATIONS) {
        if version > found {
            migration.execute_batch(sql)?;
            migration.pragma_update(None, "user_version", version)?;
        }
    }
    migration.commit()?;
    Ok(())
}
