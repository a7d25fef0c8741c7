//! [`RequestStore`] in the same file.

use async_trait::async_trait;
use jiff::SignedDuration;
use rusqlite::{OptionalExtension, named_params};

use super::{Result, SqliteStore, rows::Col};
use crate::store::{
    later,
    requests::{Begun, Fingerprint, KEPT, Reply, RequestKey, RequestStore},
};

const FIND: &str = "SELECT sha256, bytes, status, body FROM request
    WHERE principal_id = :principal AND key = :key AND forget_at > :now
        AND (status IS NOT NULL OR lease_until > :now)";
const BEGIN: &str = "INSERT OR REPLACE INTO request (principal_id, key, lease_until, forget_at)
    VALUES (:principal, :key, :lease, :forget)";
const RENEW: &str = "UPDATE request SET lease_until = :lease
    WHERE principal_id = :principal AND key = :key AND status IS NULL";
const FINISH: &str = "UPDATE request
    SET sha256 = :sha256, bytes = :bytes, status = :status, body = :body, forget_at = :forget
    WHERE principal_id = :principal AND key = :key AND status IS NULL";
const GIVE_BACK: &str = "DELETE FROM request
    WHERE principal_id = :principal AND key = :key AND status IS NULL";
const FORGET: &str = "DELETE FROM request WHERE rowid IN
    (SELECT rowid FROM request WHERE forget_at <= ?1 LIMIT ?2)";

#[async_trait]
impl RequestStore for SqliteStore {
    async fn begin(&self, key: RequestKey, lease: SignedDuration) -> Result<Begun> {
        self.write(move |db, now| {
            let found = db
                .prepare_cached(FIND)?
                .query_row(
                    named_params! {
                        ":principal": Col(key.principal), ":key": key.key, ":now": Col(now),
                    },
                    |row| {
                        let Some(status) = row.get("status")? else {
                            return Ok(Begun::Running);
                        };
                        let fingerprint = Fingerprint {
                            sha256: row.get("sha256")?,
                            bytes: row.get("bytes")?,
                        };
                        let body = row.get("body")?;
                        Ok(Begun::Answered(fingerprint, Reply { status, body }))
                    },
                )
                .optional()?;
            if let Some(begun) = found {
                return Ok(begun);
            }
            db.prepare_cached(BEGIN)?.execute(named_params! {
                ":principal": Col(key.principal), ":key": key.key,
                ":lease": Col(later(now, lease)), ":forget": Col(later(now, KEPT)),
            })?;
            Ok(Begun::New)
        })
        .await
    }

    async fn renew(&self, key: RequestKey, lease: SignedDuration) -> Result<()> {
        self.write(move |db, now| {
            db.prepare_cached(RENEW)?.execute(named_params! {
                ":principal": Col(key.principal), ":key": key.key,
                ":lease": Col(later(now, lease)),
            })?;
            Ok(())
        })
        .await
    }

    async fn finish(&self, key: RequestKey, request: Fingerprint, reply: Reply) -> Result<()> {
        self.write(move |db, now| {
            db.prepare_cached(FINISH)?.execute(named_params! {
                ":principal": Col(key.principal), ":key": key.key, ":sha256": request.sha256,
                ":bytes": request.bytes, ":status": reply.status, ":body": reply.body,
                ":forget": Col(later(now, KEPT)),
            })?;
            Ok(())
        })
        .await
    }

    async fn give_back(&self, key: RequestKey) -> Result<()> {
        self.write(move |db, _| {
            let whose = named_params! { ":principal": Col(key.principal), ":key": key.key };
            db.prepare_cached(GIVE_BACK)?.execute(whose)?;
            Ok(())
        })
        .await
    }

    async fn forget_requests(&self, most: u32) -> Result<u32> {
        self.write(move |db, now| {
            let forgotten = db.prepare_cached(FORGET)?.execute((Col(now), most))?;
            Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
        })
        .await
    }
}
