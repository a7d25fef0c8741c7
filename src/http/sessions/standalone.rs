//! The stream by which the client of a session hears what it did not ask for.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use futures_util::{Stream, StreamExt as _};
use rmcp::transport::common::server_side_http::ServerSseMessage;

/// A stream that can be ended from elsewhere, at once, also while nobody reads it: of clients that are
/// gone without a word nobody does.
pub(super) struct Standalone(Arc<Mutex<Open>>);

/// Ends a stream.
#[derive(Debug, Default)]
pub(super) struct Ending(Weak<Mutex<Open>>);

/// What a stream has while it is open.
#[derive(Default)]
struct Open {
    source: Option<Pin<Box<dyn Stream<Item = ServerSseMessage> + Send>>>,
    reader: Option<Waker>,
}

impl Standalone {
    pub(super) fn new(source: impl Stream<Item = ServerSseMessage> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Open {
            source: Some(Box::pin(source)),
            reader: None,
        })))
    }

    pub(super) fn ending(&self) -> Ending {
        Ending(Arc::downgrade(&self.0))
    }
}

impl Ending {
    /// Its source is dropped when this returns.
    pub(super) fn end(self) {
        let Some(open) = self.0.upgrade() else {
            return;
        };
        let ended = mem::take(&mut *lock(&open));
        drop(ended.source);
        if let Some(reader) = ended.reader {
            reader.wake();
        }
    }
}

impl Stream for Standalone {
    type Item = ServerSseMessage;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut open = lock(&self.0);
        let Some(source) = &mut open.source else {
            return Poll::Ready(None);
        };
        let next = source.poll_next_unpin(context);
        if next.is_pending() {
            open.reader = Some(context.waker().clone());
        }
        next
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
