//! [`WebhookStore`] in the same file, and what every transaction queues in it.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, named_params};

use super::{
    MediaRef, Result, SessionRef, SqliteStore, StoreError, audit, files,
    rows::{Col, get, get_opt},
    sessions,
};
use crate::{
    domain::{
        audit::{Action, Entry, EntryId},
        ids::{MediaId, UploadId, WebhookId},
        media::Media,
        webhook::{Webhook, WebhookState},
    },
    store::{
        later,
        webhooks::{Happened, KEPT, Outcome, Replay, Subscriber, Tell, Tried, WebhookStore},
    },
};

const NEXT: &str = "INSERT INTO webhook_sequence (session_id, endpoint, last) VALUES (?1, ?2, 1)
    ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last";
const END_SEQUENCE: &str = "DELETE FROM webhook_sequence WHERE session_id = ?1
    AND NOT EXISTS (SELECT 1 FROM upload_session WHERE id = ?1)
    AND NOT EXISTS (SELECT 1 FROM media WHERE session_id = ?1)";
const QUEUE: &str = "INSERT INTO webhook
    (id, endpoint, session_id, event, body, created_at, due_at)
    VALUES (:id, :endpoint, :session_id, :event, :body, :now, :now)";
const IS_DUE: &str = "SELECT 1 FROM webhook WHERE endpoint = ?1 AND due_at <= ?2";
// A row that was added later has a higher rowid.
const DUE: &str = "SELECT * FROM webhook
    WHERE endpoint = :endpoint AND due_at <= :now ORDER BY due_at, rowid LIMIT :most";
const TAKE: &str = "UPDATE webhook SET due_at = :until, tries = tries + 1 WHERE id = :id";
const DELIVERED: &str = "UPDATE webhook SET state = 'delivered', due_at = NULL, problem = NULL
    WHERE id = ?1 AND due_at IS NOT NULL";
const AGAIN: &str = "UPDATE webhook SET due_at = :due_at, problem = :problem
    WHERE id = :id AND tries = :tries AND due_at IS NOT NULL";
const DEAD: &str = "UPDATE webhook SET state = 'dead', due_at = NULL, problem = :problem
    WHERE id = :id AND tries = :tries AND due_at IS NOT NULL";
const NEWEST: &str = "SELECT * FROM webhook ORDER BY rowid DESC LIMIT ?1";
const NEWEST_DEAD: &str = "SELECT * FROM webhook
    WHERE due_at IS NULL AND state = 'dead' ORDER BY created_at DESC LIMIT ?1";
const REPLAY_ONE: &str = "UPDATE webhook
    SET state = 'waiting', due_at = :now, tries = 0 WHERE id = :id";
const REPLAY: &str = "UPDATE webhook SET state = 'waiting', due_at = :now, tries = 0
    WHERE due_at IS NULL AND state = :state AND created_at >= :since";
const FORGET: &str = "DELETE FROM webhook WHERE rowid IN (SELECT rowid FROM webhook
    WHERE due_at IS NULL AND state IN ('delivered', 'dead') AND created_at <= ?1 LIMIT ?2)";

#[async_trait]
impl WebhookStore for SqliteStore {
    fn subscribe(&self, subscribers: Vec<Subscriber>, tell: Tell) {
        if !subscribers.is_empty() {
            self.outbox
                .get_or_init(|| Outbox { subscribers, tell }.into());
        }
    }

    async fn take_webhooks(
        &self,
        endpoint: &str,
        most: u32,
        lease: SignedDuration,
    ) -> Result<Vec<Webhook>> {
        // Whoever looks every few seconds and finds nothing need not wait for the writer.
        let is_due = self.read(|db, now| {
            let mut query = db.prepare_cached(IS_DUE)?;
            Ok(query.exists((endpoint, Col(now)))?)
        })?;
        if !is_due {
            return Ok(Vec::new());
        }
        let endpoint = endpoint.to_owned();
        self.write(move |db, now| take(db, &endpoint, most, lease, now))
            .await
    }

    async fn settle(&self, tries: Vec<Tried>) -> Result<()> {
        if tries.is_empty() {
            return Ok(());
        }
        self.write(move |db, now| tries.iter().try_for_each(|tried| settle(db, tried, now)))
            .await
    }

    async fn webhooks(&self, dead_alone: bool, most: u32) -> Result<Vec<Webhook>> {
        self.read(|db, _| {
            let sql = if dead_alone { NEWEST_DEAD } else { NEWEST };
            let mut query = db.prepare_cached(sql)?;
            let found = query.query_map([most], webhook)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    async fn replay(&self, which: Replay) -> Result<u32> {
        let replayed = self
            .write(move |db, now| {
                let replayed = match which {
                    Replay::One(id) => db
                        .prepare_cached(REPLAY_ONE)?
                        .execute(named_params! { ":id": Col(id), ":now": Col(now) })?,
                    Replay::Ended { dead_alone, since } => {
                        let delivered = (!dead_alone).then_some(WebhookState::Delivered);
                        let states = delivered.into_iter().chain([WebhookState::Dead]);
                        let mut replay = db.prepare_cached(REPLAY)?;
                        states
                            .map(|state| {
                                replay.execute(named_params! {
                                ":state": state.as_str(), ":since": Col(since), ":now": Col(now),
                            })
                            })
                            .sum::<Result<usize, _>>()?
                    }
                };
                Ok(u32::try_from(replayed).unwrap_or(u32::MAX))
            })
            .await?;
        self.queued();
        Ok(replayed)
    }

    async fn forget_webhooks(&self, most: u32) -> Result<u32> {
        self.write(move |db, now| {
            let old = Col(later(now, -KEPT));
            let forgotten = db.prepare_cached(FORGET)?.execute((old, most))?;
            Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
        })
        .await
    }
}

/// Who is told what this process changes, and in which words.
#[derive(Debug)]
pub(super) struct Outbox {
    subscribers: Vec<Subscriber>,
    tell: Tell,
}

impl Outbox {
    /// Queues what was noted in the log after this line, inside the transaction that noted it; says
    /// whether it was anything.
    pub(super) fn queue(&self, db: &Connection, since: EntryId, now: Timestamp) -> Result<bool> {
        let mut is_any = false;
        for entry in audit::added(db, since)? {
            let Some(event) = entry.action.told() else {
                continue;
            };
            let wants = |of: &&Subscriber| of.takes(event, entry.workspace_id);
            let subscribers: Vec<_> = self.subscribers.iter().filter(wants).collect();
            if subscribers.is_empty() {
                continue;
            }
            is_any = true;
            let mut happened = happened(db, event, entry, now)?;
            for subscriber in subscribers {
                self.queue_for(db, &mut happened, &subscriber.endpoint, now)?;
            }
            if event == Action::MediaDeleted && happened.session.is_none() {
                db.prepare_cached(END_SEQUENCE)?
                    .execute([Col(happened.upload)])?;
            }
        }
        Ok(is_any)
    }

    fn queue_for(
        &self,
        db: &Connection,
        happened: &mut Happened,
        endpoint: &str,
        now: Timestamp,
    ) -> Result<()> {
        let upload = Col(happened.upload);
        happened.sequence = db
            .prepare_cached(NEXT)?
            .query_row((upload, endpoint), |row| row.get(0))?;
        db.prepare_cached(QUEUE)?.execute(named_params! {
            ":id": Col(WebhookId::new(now)), ":endpoint": endpoint, ":session_id": upload,
            ":event": happened.event.as_str(), ":body": (self.tell)(happened), ":now": Col(now),
        })?;
        Ok(())
    }
}

/// What a line of the log tells of, as it is at the end of the transaction: as everybody sees it first.
fn happened(db: &Connection, event: Action, entry: Entry, now: Timestamp) -> Result<Happened> {
    let media = media_of(db, &entry)?;
    let of_media = media.as_ref().map(|media| media.upload_id);
    let upload = of_media.or_else(|| named(&entry));
    let upload = upload.ok_or(StoreError::NotFound)?;
    Ok(Happened {
        event,
        upload,
        sequence: 0,
        session: sessions::view(db, None, SessionRef::Id(upload), now)?,
        media,
        entry,
    })
}

/// The upload that a line of the log names.
fn named(entry: &Entry) -> Option<UploadId> {
    let names = [
        Some(entry.subject.as_str()),
        entry.detail["upload_id"].as_str(),
    ];
    names
        .into_iter()
        .flatten()
        .find_map(|name| name.parse().ok())
}

fn media_of(db: &Connection, entry: &Entry) -> Result<Option<Media>> {
    let (Ok(id), Some(workspace)) = (entry.subject.parse::<MediaId>(), entry.workspace_id) else {
        return Ok(None);
    };
    files::find(db, &[workspace], &MediaRef::Id(id))
}

fn take(
    db: &Connection,
    endpoint: &str,
    most: u32,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<Vec<Webhook>> {
    let mut query = db.prepare_cached(DUE)?;
    let due = query.query_map(
        named_params! { ":endpoint": endpoint, ":now": Col(now), ":most": most },
        webhook,
    )?;
    let mut due = due.collect::<Result<Vec<_>, _>>()?;
    let mut take = db.prepare_cached(TAKE)?;
    for webhook in &mut due {
        let until = later(now, lease);
        take.execute(named_params! { ":id": Col(webhook.id), ":until": Col(until) })?;
        webhook.tries += 1;
        webhook.due_at = Some(until);
    }
    Ok(due)
}

fn settle(db: &Connection, tried: &Tried, now: Timestamp) -> Result<()> {
    let id = Col(tried.id);
    match &tried.outcome {
        Outcome::Delivered => db.prepare_cached(DELIVERED)?.execute([id])?,
        Outcome::Failed {
            problem,
            again_in: Some(pause),
        } => db.prepare_cached(AGAIN)?.execute(named_params! {
            ":id": id, ":tries": tried.tries, ":problem": problem,
            ":due_at": Col(later(now, *pause)),
        })?,
        Outcome::Failed {
            problem,
            again_in: None,
        } => db.prepare_cached(DEAD)?.execute(named_params! {
            ":id": id, ":tries": tried.tries, ":problem": problem,
        })?,
    };
    Ok(())
}

fn webhook(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    Ok(Webhook {
        id: get(row, "id")?,
        endpoint: row.get("endpoint")?,
        event: get(row, "event")?,
        body: row.get("body")?,
        created_at: get(row, "created_at")?,
        state: get(row, "state")?,
        tries: row.get("tries")?,
        due_at: get_opt(row, "due_at")?,
        problem: row.get("problem")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::plan::go_by_index;

    #[test]
    fn what_is_due_dead_or_old_is_found_by_index() {
        go_by_index(&[
            (IS_DUE, "webhook_due (endpoint=? AND due_at<?)"),
            (DUE, "webhook_due (endpoint=? AND due_at<?)"),
            (NEWEST_DEAD, "webhook_ended (state=?)"),
            (REPLAY, "webhook_ended (state=? AND created_at>?)"),
            (FORGET, "webhook_ended (state=? AND created_at<?)"),
        ]);
    }
}
