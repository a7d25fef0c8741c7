//! [`UploadStore`] in one SQLite file.

mod audit;
mod checking;
mod copy;
mod declared;
mod deleting;
mod examine;
mod files;
mod grants;
mod identity;
mod inventory;
mod listing;
mod oauth;
#[cfg(test)]
mod plan;
mod quota;
mod readers;
mod requests;
mod rows;
mod schema;
mod sessions;
mod sweeping;
mod targets;
mod webhooks;
mod workspaces;
mod writer;

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, ErrorCode, config::DbConfig};
use tokio::sync::broadcast;

pub use self::{
    copy::copy,
    examine::{Examination, examine},
};
use self::{
    readers::{Reader, Readers},
    sessions::claims,
    webhooks::Outbox,
    writer::Writer,
};
use super::{
    Change, Check, ClaimOutcome, ClaimRequest, Due, Grant, LostClaim, MediaPage, MediaQuery,
    MediaRef, NewAttachment, NewMedia, NewSession, Passed, Result, SessionRef, SessionView, Stock,
    StoreError, UploadStore, Watching,
};
use crate::{
    clock::Clock,
    domain::{
        attachment::Attachment,
        audit::Actor,
        ids::{AttemptId, ClaimId, MediaId, UploadId, WorkspaceId},
        media::Media,
        quota::Quota,
        session::{LastError, State, UploadSession},
    },
};

/// How long a process waits for another one's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// Everything in one SQLite file: one thread writes, a few connections read. Who drops it waits until
/// the file is closed.
#[derive(Debug)]
pub struct SqliteStore {
    /// Closed before the writer: who closes last moves what is in the WAL into the file, and those that
    /// only read cannot.
    readers: Readers,
    writer: Writer,
    clock: Arc<dyn Clock>,
    changes: broadcast::Sender<Change>,
    /// Of workspaces that have none of their own.
    quota: Quota,
    /// Empty while nobody is told anything.
    outbox: OnceLock<Arc<Outbox>>,
}

impl SqliteStore {
    /// Opens the file, or makes it, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`], or [`StoreError::Database`] if SQLite refuses.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        make_private(path)?;
        let mut db = Connection::open(path)?;
        configure(&db)?;
        use_wal(&db)?;
        // The default of WAL, NORMAL, can lose the last commits when the power goes.
        db.pragma_update(None, "synchronous", "FULL")?;
        // A migration may make a table anew that others refer to.
        db.pragma_update(None, "foreign_keys", "off")?;
        schema::migrate(&mut db)?;
        db.pragma_update(None, "foreign_keys", "on")?;
        let changes = broadcast::Sender::new(4096);
        Ok(Self {
            writer: Writer::start(db, changes.clone())?,
            readers: Readers::open(path)?,
            clock,
            changes,
            quota: Quota::default(),
            outbox: OnceLock::new(),
        })
    }

    /// The same, where workspaces without quotas of their own have these.
    #[must_use]
    pub fn with_quota(self, quota: Quota) -> Self {
        Self { quota, ..self }
    }

    /// Reads on the calling thread, at one instant. A few indexed rows take some microseconds, and
    /// waking another thread for them takes ten times as long.
    fn read<T>(&self, work: impl FnOnce(&Connection, Timestamp) -> Result<T>) -> Result<T> {
        self.with_reader(|reader, now| {
            let db = &reader.db;
            db.prepare_cached("BEGIN")?.execute([])?;
            let found = work(db, now);
            db.prepare_cached("COMMIT")?.execute([])?;
            found
        })
    }

    /// The same, where each statement is at an instant of its own.
    fn with_reader<T>(&self, work: impl FnOnce(&mut Reader, Timestamp) -> Result<T>) -> Result<T> {
        let mut reader = self.readers.next()?;
        work(&mut reader, self.clock.now())
    }

    /// Writes at an instant that is taken when the turn has come: a process that was paused in
    /// the queue must not judge leases by the time it fell asleep.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, Timestamp) -> Result<T> + Send + 'static,
    {
        let clock = Arc::clone(&self.clock);
        let Some(outbox) = self.outbox.get().map(Arc::clone) else {
            return self.writer.call(move |db| work(db, clock.now())).await;
        };
        // Whatever is to be told is noted in the log, so what was noted is told.
        let write = move |db: &Connection| {
            let (now, before) = (clock.now(), audit::newest(db)?);
            let done = work(db, now)?;
            Ok((done, outbox.queue(db, before, now)?))
        };
        let (done, is_any) = self.writer.call(write).await?;
        if is_any {
            self.queued();
        }
        Ok(done)
    }

    fn changed(&self, id: UploadId) {
        // Nobody listening is no fault.
        let _ = self.changes.send(Change::Session(id));
    }

    fn queued(&self) {
        let _ = self.changes.send(Change::Webhooks);
    }
}

fn configure(db: &Connection) -> Result<()> {
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "trusted_schema", "off")?;
    // Else a statement on a table with a partial index is planned anew for every value bound to it,
    // which costs several times what running it does.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Makes the file, where there is none, for its owner alone: it holds tokens. SQLite gives the files
/// beside it the same mode.
fn make_private(path: &Path) -> Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| StoreError::Database(error.into()))?;
    Ok(())
}

/// Of several processes that open a new file at once, one changes its mode; SQLite does not let the
/// others wait for that, it refuses them at once.
fn use_wal(db: &Connection) -> Result<()> {
    let began = Instant::now();
    loop {
        match db.pragma_update(None, "journal_mode", "wal") {
            Err(rusqlite::Error::SqliteFailure(why, _))
                if why.code == ErrorCode::DatabaseBusy && began.elapsed() < BUSY =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return Ok(other?),
        }
    }
}

#[async_trait]
impl UploadStore for SqliteStore {
    async fn create(&self, new: NewSession) -> Result<UploadSession> {
        let quota = self.quota;
        self.write(move |db, now| sessions::create(db, &new, quota, now))
            .await
    }

    async fn find(&self, which: SessionRef) -> Result<Option<SessionView>> {
        self.read(|db, now| sessions::view(db, None, which, now))
    }

    async fn find_within(
        &self,
        workspaces: &[WorkspaceId],
        which: SessionRef,
    ) -> Result<Option<SessionView>> {
        self.read(|db, now| sessions::view(db, Some(workspaces), which, now))
    }

    async fn open(&self, id: UploadId) -> Result<()> {
        self.write(move |db, now| sessions::open(db, id, now))
            .await?;
        self.changed(id);
        Ok(())
    }

    async fn claim(&self, request: ClaimRequest) -> Result<ClaimOutcome> {
        let (id, quota) = (request.session, self.quota);
        let outcome = self
            .write(move |db, now| claims::claim(db, &request, quota, now))
            .await?;
        self.changed(id);
        Ok(outcome)
    }

    async fn grant(&self, session: UploadId, media: MediaId) -> Result<Option<Grant>> {
        self.read(|db, now| grants::find(db, session, media, now))
    }

    async fn landings(
        &self,
        of: Option<UploadId>,
        after: Option<MediaId>,
        most: u32,
    ) -> Result<Vec<Grant>> {
        self.read(|db, now| grants::landings(db, of, after, most, now))
    }

    async fn take_grant(&self, claim: ClaimId, lease: SignedDuration) -> Result<ClaimId> {
        self.write(move |db, now| grants::take(db, claim, lease, now))
            .await
    }

    async fn heartbeat(
        &self,
        claim: ClaimId,
        lease: SignedDuration,
        media_key: Option<String>,
    ) -> Result<()> {
        self.write(move |db, now| claims::heartbeat(db, claim, lease, media_key.as_deref(), now))
            .await
    }

    async fn reserve(&self, claim: ClaimId, bytes: u64) -> Result<()> {
        let quota = self.quota;
        self.write(move |db, _| claims::reserve(db, claim, bytes, quota))
            .await
    }

    async fn note_begun(&self, claim: ClaimId, begun: String) -> Result<()> {
        self.write(move |db, _| claims::note_begun(db, claim, &begun))
            .await
    }

    async fn commit_upload(&self, claim: ClaimId, media: NewMedia) -> Result<SessionView> {
        let quota = self.quota;
        let view = self
            .write(move |db, now| claims::commit_upload(db, claim, &media, quota, now))
            .await?;
        self.changed(view.session.id);
        Ok(view)
    }

    async fn take_checks(&self, most: u32, lease: SignedDuration) -> Result<Vec<Check>> {
        self.write(move |db, now| checking::take(db, most, lease, now))
            .await
    }

    async fn renew_check(
        &self,
        media: MediaId,
        turn: ClaimId,
        lease: SignedDuration,
    ) -> Result<()> {
        self.write(move |db, now| checking::renew(db, media, turn, lease, now))
            .await
    }

    async fn pass_check(
        &self,
        media: MediaId,
        turn: ClaimId,
        passed: Passed,
    ) -> Result<SessionView> {
        let quota = self.quota;
        let view = self
            .write(move |db, now| checking::pass(db, media, turn, &passed, quota, now))
            .await?;
        self.changed(view.session.id);
        Ok(view)
    }

    async fn block(&self, media: MediaId, turn: ClaimId, why: LastError) -> Result<()> {
        let session = self
            .write(move |db, now| checking::block(db, media, turn, &why, now))
            .await?;
        self.changed(session);
        Ok(())
    }

    async fn release(&self, claim: ClaimId, why: Option<LastError>) -> Result<()> {
        let session = self
            .write(move |db, now| claims::release(db, claim, why.as_ref(), now))
            .await?;
        if let Some(id) = session {
            self.changed(id);
        }
        Ok(())
    }

    async fn done(&self, id: UploadId, by: Actor) -> Result<State> {
        let state = self
            .write(move |db, now| sessions::done(db, id, &by, now))
            .await?;
        self.changed(id);
        Ok(state)
    }

    async fn decline(&self, id: UploadId, reason: Option<String>, by: Actor) -> Result<()> {
        self.write(move |db, now| sessions::decline(db, id, reason.as_deref(), &by, now))
            .await?;
        self.changed(id);
        Ok(())
    }

    async fn cancel(&self, id: UploadId, by: Actor) -> Result<()> {
        self.write(move |db, now| sessions::cancel(db, id, &by, now))
            .await?;
        self.changed(id);
        Ok(())
    }

    async fn consume(&self, id: UploadId, wanted: NewAttachment) -> Result<Vec<Attachment>> {
        let attached = self
            .write(move |db, now| targets::consume(db, id, &wanted, now))
            .await?;
        self.changed(id);
        Ok(attached)
    }

    async fn attach(
        &self,
        workspace: WorkspaceId,
        media: MediaId,
        wanted: NewAttachment,
    ) -> Result<Attachment> {
        self.write(move |db, now| targets::attach(db, workspace, media, &wanted, now))
            .await
    }

    async fn media(&self, workspaces: &[WorkspaceId], which: MediaRef) -> Result<Option<Media>> {
        self.read(|db, _| files::find(db, workspaces, &which))
    }

    async fn list_media(&self, workspace: WorkspaceId, query: MediaQuery) -> Result<MediaPage> {
        self.read(|db, _| listing::page(db, workspace, &query))
    }

    async fn delete_media(
        &self,
        workspace: WorkspaceId,
        media: MediaId,
        force: bool,
        by: Actor,
    ) -> Result<()> {
        let session = self
            .write(move |db, now| deleting::delete(db, workspace, media, force, &by, now))
            .await?;
        self.changed(session);
        Ok(())
    }

    async fn retire_media(&self, most: u32) -> Result<Vec<MediaId>> {
        let retired = self
            .write(move |db, now| deleting::retire(db, most, now))
            .await?;
        let mut media = Vec::with_capacity(retired.len());
        for (id, session) in retired {
            self.changed(session);
            media.push(id);
        }
        Ok(media)
    }

    async fn expire_sessions(&self, most: u32) -> Result<Vec<(UploadId, State)>> {
        let moved = self
            .write(move |db, now| sweeping::expire(db, most, now))
            .await?;
        for (id, _) in &moved {
            self.changed(*id);
        }
        Ok(moved)
    }

    async fn take_lost_claims(&self, most: u32, lease: SignedDuration) -> Result<Vec<LostClaim>> {
        self.write(move |db, now| sweeping::take_lost(db, most, lease, now))
            .await
    }

    async fn forget_claim(&self, claim: ClaimId) -> Result<()> {
        self.write(move |db, _| sweeping::forget_claim(db, claim))
            .await
    }

    async fn doom(&self, key: String, after: SignedDuration) -> Result<()> {
        self.write(move |db, now| sweeping::doom(db, &key, crate::store::later(now, after)))
            .await
    }

    async fn take_doomed(&self, most: u32, lease: SignedDuration) -> Result<Vec<String>> {
        self.write(move |db, now| sweeping::take_doomed(db, most, lease, now))
            .await
    }

    async fn forget_doomed(&self, key: String) -> Result<()> {
        self.write(move |db, _| sweeping::forget_doomed(db, &key))
            .await
    }

    async fn stock(&self, after: Option<MediaId>, most: u32) -> Result<Vec<Stock>> {
        self.read(|db, _| inventory::stock(db, after, most))
    }

    async fn is_owned(&self, key: &str) -> Result<bool> {
        self.read(|db, _| inventory::is_owned(db, key))
    }

    async fn forget_sessions(&self, most: u32) -> Result<u32> {
        self.write(move |db, now| sweeping::forget(db, most, now))
            .await
    }

    async fn due(&self) -> Result<Due> {
        self.read(sweeping::due)
    }

    async fn ping(&self) -> Result<()> {
        self.read(|db, _| Ok(db.query_row("SELECT 1", [], |_| Ok(()))?))
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    fn watch(&self) -> Watching {
        self.writer.watch()
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => Self::Busy,
            _ => Self::Database(error.into()),
        }
    }
}
