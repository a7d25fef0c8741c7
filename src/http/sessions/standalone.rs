//! The streams by which the client of a session hears what it did not ask for.
//!
//! There may be several: a client whose network is gone opens another one while nobody knows that the one
//! before is dead, and some open one too many. It is told by the newest. Those before stay open and are
//! silent: a client that still has them would open them anew, in turns and without end. Once the newest
//! closes they end, so that whoever still has one opens the next.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use futures_util::{Stream, StreamExt as _};
use rmcp::transport::common::server_side_http::ServerSseMessage;

/// Most that one session has open.
const MOST: usize = 8;

/// The streams of one session, the newest last.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams(Arc<tokio::sync::Mutex<Vec<Weak<Mutex<Open>>>>>);

/// One of them.
pub(super) struct Standalone {
    open: Arc<Mutex<Open>>,
    all: Streams,
}

/// What a stream has while it is open.
struct Open {
    source: Source,
    reader: Option<Waker>,
}

enum Source {
    Told(Pin<Box<dyn Stream<Item = ServerSseMessage> + Send>>),
    Silent,
    Ended,
}

impl Streams {
    /// Opens the newest. rmcp tells nothing by a stream while there is another, so the sources of those
    /// before are dropped first: also of those that nobody reads.
    pub(super) async fn open<S, E>(
        &self,
        source: impl Future<Output = Result<S, E>>,
    ) -> Result<Standalone, E>
    where
        S: Stream<Item = ServerSseMessage> + Send + 'static,
    {
        // Before the lock: where nothing comes of it, this is dropped after that, and ends the others.
        let newest = Standalone {
            open: Arc::new(Mutex::new(Open {
                source: Source::Silent,
                reader: None,
            })),
            all: self.clone(),
        };
        let mut all = self.0.lock().await;
        all.retain(|one| one.strong_count() > 0);
        if all.len() >= MOST {
            set(&all.remove(0), Source::Ended);
        }
        for one in all.iter() {
            set(one, Source::Silent);
        }
        let weak = Arc::downgrade(&newest.open);
        all.push(weak.clone());
        set(&weak, Source::Told(Box::pin(source.await?)));
        drop(all);
        Ok(newest)
    }
}

fn set(one: &Weak<Mutex<Open>>, source: Source) {
    let Some(one) = one.upgrade() else {
        return;
    };
    let mut open = lock(&one);
    let before = mem::replace(&mut open.source, source);
    let reader = open.reader.take();
    drop(open);
    drop(before);
    if let Some(reader) = reader {
        reader.wake();
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Standalone {
    fn drop(&mut self) {
        // Where somebody has the lock, there is a newer one in a moment.
        let Ok(mut all) = self.all.0.try_lock() else {
            return;
        };
        // One that nobody has any more came to nothing while this one was opened.
        let is_newest = |one: &Weak<Mutex<Open>>| {
            one.as_ptr() == Arc::as_ptr(&self.open) || one.strong_count() == 0
        };
        if all.last().is_some_and(is_newest) {
            for one in all.drain(..) {
                set(&one, Source::Ended);
            }
        }
    }
}

impl Stream for Standalone {
    type Item = ServerSseMessage;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut open = lock(&self.open);
        let next = match &mut open.source {
            Source::Told(source) => source.poll_next_unpin(context),
            Source::Silent => Poll::Pending,
            Source::Ended => Poll::Ready(None),
        };
        if next.is_pending() {
            open.reader = Some(context.waker().clone());
        }
        next
    }
}
