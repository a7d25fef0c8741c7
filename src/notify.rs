//! Wakes whoever waits for a session to change, or for what a key opens; sends webhooks.

pub mod webhook;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::{
    Notify,
    broadcast::{Receiver, error::RecvError},
    futures::Notified,
};

use crate::{domain::ids::UploadId, store::Change};

/// Everybody who waits. One subscription to the store serves them all.
#[derive(Debug, Default)]
pub struct Waiters {
    sessions: Mutex<Places>,
    access: Notify,
    webhooks: Notify,
}

/// Places to wait for a session each. Those that nobody has any more are swept out when there are twice
/// as many as the last sweep left, so that a place costs the same however many wait.
#[derive(Debug, Default)]
struct Places {
    all: HashMap<UploadId, Weak<Notify>>,
    left: usize,
}

/// So few are not worth sweeping.
const FEW: usize = 64;

impl Places {
    fn get(&self, id: UploadId) -> Option<Arc<Notify>> {
        self.all.get(&id).and_then(Weak::upgrade)
    }

    fn make(&mut self, id: UploadId) -> Arc<Notify> {
        if self.all.len() >= 2 * self.left.max(FEW) {
            self.all.retain(|_, notify| notify.strong_count() > 0);
            self.left = self.all.len();
        }
        let notify = Arc::new(Notify::new());
        self.all.insert(id, Arc::downgrade(&notify));
        notify
    }
}

impl Waiters {
    /// Listens to the store's changes for as long as somebody holds the result.
    ///
    /// Must be called inside a tokio runtime.
    #[must_use]
    pub fn listen(mut changes: Receiver<Change>) -> Arc<Self> {
        let waiters = Arc::new(Self::default());
        let listening = Arc::downgrade(&waiters);
        tokio::spawn(async move {
            loop {
                let change = changes.recv().await;
                let Some(waiters) = listening.upgrade() else {
                    return;
                };
                match change {
                    Ok(Change::Session(id)) => waiters.wake(id),
                    Ok(Change::Webhooks) => waiters.webhooks.notify_waiters(),
                    // Which ones it is about is not known, so all look again.
                    Ok(Change::Elsewhere | Change::Access) | Err(RecvError::Lagged(_)) => {
                        waiters.wake_all();
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
        waiters
    }

    /// A place to wait for changes of this session. Take it before reading the session, or a change
    /// between the two is missed.
    #[must_use]
    pub fn watch(&self, id: UploadId) -> Arc<Notify> {
        let mut places = self.lock();
        places.get(id).unwrap_or_else(|| places.make(id))
    }

    /// A place to wait for changes of what keys open. Take it before looking at the key.
    pub fn access(&self) -> Notified<'_> {
        self.access.notified()
    }

    /// A place to wait for webhooks that are queued. Take it before looking for some.
    pub fn webhooks(&self) -> Notified<'_> {
        self.webhooks.notified()
    }

    /// Wakes everybody, for example because the server is about to stop.
    pub fn wake_all(&self) {
        self.access.notify_waiters();
        self.webhooks.notify_waiters();
        for notify in self.lock().all.values().filter_map(Weak::upgrade) {
            notify.notify_waiters();
        }
    }

    fn wake(&self, id: UploadId) {
        if let Some(notify) = self.lock().get(id) {
            notify.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn ids(count: usize) -> Vec<UploadId> {
        (0..count)
            .map(|_| UploadId::new(Timestamp::UNIX_EPOCH))
            .collect()
    }

    #[test]
    fn places_that_nobody_has_any_more_are_swept_out() {
        let waiters = Waiters::default();
        for id in ids(10_000) {
            drop(waiters.watch(id));
        }
        assert!(waiters.lock().all.len() <= 2 * FEW);
    }

    #[test]
    fn who_takes_a_place_again_and_again_has_nothing_swept() {
        let waiters = Waiters::default();
        let ids = ids(1_000);
        let held: Vec<_> = ids.iter().map(|id| waiters.watch(*id)).collect();
        let (gone, again) = (ids[0], ids[1]);
        drop(held);
        for _ in 0..100 {
            drop(waiters.watch(again));
        }
        assert!(waiters.lock().all.contains_key(&gone));
        assert_eq!(waiters.lock().all.len(), 1_000);
    }
}
