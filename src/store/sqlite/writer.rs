//! The one thread that writes. It commits waiting jobs in groups, because the cost of a commit is
//! the disk's and not the job's: 64 callers get ten times the commits a second that they would get
//! one by one.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{Semaphore, broadcast, oneshot};

use super::{Change, Result, StoreError, Watching};

/// Most jobs in one commit.
const GROUP: usize = 128;
/// Most jobs that wait; more callers wait for a place.
const QUEUE: usize = 1024;
/// How often another process's changes are looked for, while somebody waits for them.
const LOOK: Duration = Duration::from_millis(200);

/// Hands jobs to the thread that writes. The thread ends when this is dropped, and that is waited for:
/// a process that ended before would leave what it wrote in the WAL, beside the file.
#[derive(Debug)]
pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
    /// After `orders`, by whose drop the thread ends.
    _thread: Joined,
    places: Arc<Semaphore>,
    /// Held by everybody who watches, and once here.
    watched: Arc<()>,
}

/// What the thread is told to do.
enum Order {
    Write(Box<dyn Job>),
    /// Look for another process's changes: somebody has begun to watch.
    Look,
}

/// Some writing inside a group's transaction, and its answer once that is committed.
trait Job: Send {
    fn run(&mut self, db: &Connection) -> Result<()>;
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Call<T, F> {
    work: Option<F>,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<()> {
        if let Some(work) = self.work.take() {
            self.outcome = Some(work(db)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => Ok(outcome),
            (Ok(()), None) => Err(lost("the job was not run")),
            (Err(error), _) => Err(error),
        };
        // A caller that went away needs no answer.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    pub(super) fn start(db: Connection, changes: broadcast::Sender<Change>) -> Result<Self> {
        let (orders, queue) = mpsc::channel();
        let watched = Arc::new(());
        let seen = data_version(&db);
        let mut thread = Thread {
            db,
            queue,
            changes,
            watched: Arc::downgrade(&watched),
            seen,
            looked: Instant::now(),
        };
        let thread = thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || thread.run())
            .map_err(|error| StoreError::Database(error.into()))?;
        Ok(Self {
            orders,
            _thread: Joined(Some(thread)),
            places: Arc::new(Semaphore::new(QUEUE)),
            watched,
        })
    }

    /// Has other processes' changes looked for while the result is held.
    pub(super) fn watch(&self) -> Watching {
        let watching = Watching(Arc::clone(&self.watched));
        // A thread that has stopped says so to the next who writes.
        let _ = self.orders.send(Order::Look);
        watching
    }

    /// Runs `work` in a transaction; what it returns is durable.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let _place = self
            .places
            .acquire()
            .await
            .map_err(|closed| StoreError::Database(closed.into()))?;
        let (reply, answer) = oneshot::channel();
        let call = Call {
            work: Some(work),
            outcome: None,
            reply,
        };
        self.orders
            .send(Order::Write(Box::new(call)))
            .map_err(|_| lost("the writer has stopped"))?;
        answer.await.map_err(|_| lost("the writer has stopped"))?
    }
}

/// A thread whose end is waited for.
#[derive(Debug)]
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

fn lost(why: &'static str) -> StoreError {
    StoreError::Database(why.into())
}

struct Thread {
    db: Connection,
    queue: mpsc::Receiver<Order>,
    changes: broadcast::Sender<Change>,
    watched: Weak<()>,
    /// The state of the database that was looked at last.
    seen: Option<i64>,
    looked: Instant,
}

impl Thread {
    fn run(&mut self) {
        while let Ok(order) = self.next() {
            let mut group = Vec::new();
            let further = self.queue.try_iter().take(GROUP - 1);
            for order in order.into_iter().chain(further) {
                if let Order::Write(job) = order {
                    group.push(job);
                }
            }
            if !group.is_empty() {
                commit(&self.db, group);
            }
            if self.is_watched() && self.looked.elapsed() >= LOOK {
                self.look();
            }
        }
    }

    /// The next order; none, where it is time to look. Without anybody who watches, the thread
    /// sleeps until it is told something.
    fn next(&self) -> Result<Option<Order>, mpsc::RecvError> {
        if !self.is_watched() {
            return self.queue.recv().map(Some);
        }
        match self.queue.recv_timeout(LOOK) {
            Ok(order) => Ok(Some(order)),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(mpsc::RecvError),
        }
    }

    /// Whether anybody but the [`Writer`] itself holds it.
    fn is_watched(&self) -> bool {
        self.watched.strong_count() > 1
    }

    fn look(&mut self) {
        self.looked = Instant::now();
        // On the connection that writes, this number moves by other processes' commits alone.
        let now = data_version(&self.db);
        if now != self.seen {
            self.seen = now;
            let _ = self.changes.send(Change::Elsewhere);
        }
    }
}

fn data_version(db: &Connection) -> Option<i64> {
    db.prepare_cached("PRAGMA data_version")
        .and_then(|mut query| query.query_row([], |row| row.get(0)))
        .ok()
}

/// Runs each job in a savepoint of one transaction; answers only once all of it is on disk.
fn commit(db: &Connection, group: Vec<Box<dyn Job>>) {
    if let Err(error) = execute(db, "BEGIN IMMEDIATE") {
        return answer_all(group, &error);
    }
    let mut ran = Vec::with_capacity(group.len());
    for mut job in group {
        match in_savepoint(db, job.as_mut()) {
            Ok(()) => ran.push(job),
            Err(error) => job.answer(Err(error)),
        }
    }
    match execute(db, "COMMIT") {
        Ok(()) => ran.into_iter().for_each(|job| job.answer(Ok(()))),
        Err(error) => {
            let _ = execute(db, "ROLLBACK");
            answer_all(ran, &error);
        }
    }
}

fn in_savepoint(db: &Connection, job: &mut dyn Job) -> Result<()> {
    execute(db, "SAVEPOINT job")?;
    let outcome = catch_unwind(AssertUnwindSafe(|| job.run(db)))
        .unwrap_or_else(|_| Err(lost("the job panicked")));
    if outcome.is_err() {
        execute(db, "ROLLBACK TO job")?;
    }
    execute(db, "RELEASE job")?;
    outcome
}

fn execute(db: &Connection, sql: &'static str) -> Result<()> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn answer_all(group: Vec<Box<dyn Job>>, error: &StoreError) {
    let why = match error {
        StoreError::Database(cause) => cause.to_string(),
        other => other.to_string(),
    };
    for job in group {
        job.answer(Err(StoreError::Database(why.clone().into())));
    }
}
