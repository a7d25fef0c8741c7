//! Wakes whoever waits for a session to change, or for what a key opens; sends webhooks.

pub mod webhook;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
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
    sessions: Mutex<HashMap<UploadId, Weak<Notify>>>,
    access: Notify,
    webhooks: Notify,
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
        let mut waiting = self.lock();
        if let Some(notify) = waiting.get(&id).and_then(Weak::upgrade) {
            return notify;
        }
        waiting.retain(|_, notify| notify.strong_count() > 0);
        let notify = Arc::new(Notify::new());
        waiting.insert(id, Arc::downgrade(&notify));
        notify
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
        for notify in self.lock().values().filter_map(Weak::upgrade) {
            notify.notify_waiters();
        }
    }

    fn wake(&self, id: UploadId) {
        if let Some(notify) = self.lock().get(&id).and_then(Weak::upgrade) {
            notify.notify_waiters();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UploadId, Weak<Notify>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
