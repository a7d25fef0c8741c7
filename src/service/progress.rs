//! How a session's files come along, for whoever has the page open.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{LinkedSession, Service, status::LOOK_AGAIN};
use crate::{
    domain::{caller::Caller, ids::UploadId, session::Status},
    error::{Error, Result},
    store::{SessionRef, SessionView},
};

/// How often somebody who watches hears of a session: a wake for each piece of bytes would be too
/// much.
const SAMPLE: Duration = Duration::from_millis(100);
/// Most pages that watch one session, and most of its owner's programs.
const MOST_WATCHERS: usize = 16;

/// How a session stands, and how far the bodies that this process receives for it have come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Progress {
    /// The session as it stands.
    pub view: SessionView,
    /// Bytes of files that have come.
    pub received_bytes: u64,
    /// What the senders say will come, if they all do.
    pub size_bytes: Option<u64>,
}

/// A body on its way.
#[derive(Debug)]
pub(super) struct Flow {
    session: UploadId,
    received_bytes: AtomicU64,
    size_bytes: Option<u64>,
}

impl Flow {
    /// What the sender says is the body's length.
    pub(super) fn declared_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    /// So many more bytes came.
    pub(super) fn count(&self, bytes: u64) {
        self.received_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// All bodies on their way, and all pages that watch. Both leave by being dropped.
#[derive(Debug, Default)]
pub(super) struct Flows {
    bodies: Mutex<Vec<Weak<Flow>>>,
    watchers: Mutex<Vec<Weak<Place>>>,
}

/// One of the places among those who watch. Pages do not take those of the owner's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    session: UploadId,
    is_owners: bool,
}

impl Flows {
    /// A body begins.
    pub(super) fn begin(&self, session: UploadId, size_bytes: Option<u64>) -> Arc<Flow> {
        let flow = Arc::new(Flow {
            session,
            received_bytes: AtomicU64::new(0),
            size_bytes,
        });
        living(&self.bodies, |bodies| bodies.push(Arc::downgrade(&flow)));
        flow
    }

    /// Bytes that came and bytes that are said to come, of all bodies of a session.
    fn of(&self, session: UploadId) -> (u64, Option<u64>) {
        living(&self.bodies, |bodies| {
            let flows = bodies.iter().filter_map(Weak::upgrade);
            let flows: Vec<_> = flows.filter(|flow| flow.session == session).collect();
            let received = flows
                .iter()
                .map(|flow| flow.received_bytes.load(Ordering::Relaxed));
            let size = flows.iter().map(|flow| flow.size_bytes).sum();
            (received.sum(), size)
        })
    }

    /// A place among those who watch, if one is free.
    fn watch(&self, wanted: Place) -> Option<Arc<Place>> {
        living(&self.watchers, |watchers| {
            let place = Arc::new(wanted);
            let others = watchers.iter().filter_map(Weak::upgrade);
            let is_free = others.filter(|other| **other == wanted).count() < MOST_WATCHERS;
            is_free.then(|| {
                watchers.push(Arc::downgrade(&place));
                place
            })
        })
    }
}

/// What tells one standing from another.
fn digest(progress: &Progress) -> u64 {
    let mut hasher = DefaultHasher::new();
    progress.hash(&mut hasher);
    hasher.finish()
}

/// Does something with those that still live.
fn living<T, R>(all: &Mutex<Vec<Weak<T>>>, work: impl FnOnce(&mut Vec<Weak<T>>) -> R) -> R {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|one| one.strong_count() > 0);
    work(&mut all)
}

/// What somebody who watches has been told last. There may be thousands: all of it would take two
/// kilobytes.
#[derive(Debug)]
struct Seen {
    digest: u64,
    status: Status,
    at: Instant,
}

/// Somebody who watches a session.
#[derive(Debug)]
pub struct Watch {
    service: Service,
    place: Arc<Place>,
    /// Whose programs watch; `None`: whoever has the link.
    owner: Option<Caller>,
    seen: Option<Seen>,
}

impl Service {
    /// Watches the session of a link.
    ///
    /// # Errors
    /// [`Error::Busy`] where too many do.
    pub fn watch(&self, link: &LinkedSession) -> Result<Watch> {
        self.watch_as(link.view.session.id, None)
    }

    /// Watches a session of the caller's workspaces.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Busy`] where too many do.
    pub async fn watch_own(&self, caller: &Caller, which: SessionRef) -> Result<Watch> {
        let view = self.known(caller, which).await?;
        self.watch_as(view.session.id, Some(caller.clone()))
    }

    fn watch_as(&self, session: UploadId, owner: Option<Caller>) -> Result<Watch> {
        self.must_not_be_closing()?;
        let place = self.flows.watch(Place {
            session,
            is_owners: owner.is_some(),
        });
        Ok(Watch {
            service: self.clone(),
            place: place.ok_or(Error::Busy { retry_after: 5 })?,
            owner,
            seen: None,
        })
    }

    async fn progress(&self, id: UploadId) -> Result<Progress> {
        let view = self.store.find(SessionRef::Id(id)).await?;
        let (received_bytes, size_bytes) = self.flows.of(id);
        Ok(Progress {
            view: view.ok_or(Error::NotFound)?,
            received_bytes,
            size_bytes: size_bytes.filter(|size| *size > 0),
        })
    }
}

impl Watch {
    /// How it stands at first, then each change; `None` after a final status and when the server
    /// stops.
    ///
    /// # Errors
    /// [`Error::NotFound`] once the session is forgotten; [`Error::Unauthenticated`] once the owner's key
    /// is revoked.
    pub async fn next(&mut self) -> Result<Option<Progress>> {
        let (service, id) = (&self.service, self.place.session);
        if let Some(seen) = &self.seen {
            if seen.status != Status::Pending {
                return Ok(None);
            }
            sleep_until(seen.at + SAMPLE).await;
        }
        let _watching = service.store.watch();
        let changes = service.waiters.watch(id);
        loop {
            let mut signal = pin!(changes.notified());
            signal.as_mut().enable();
            // Read after the place was taken, so that no change falls between the two.
            if let Some(owner) = &self.owner {
                let owner = service.by_now(owner).await?;
                service.known(&owner, SessionRef::Id(id)).await?;
            }
            // Of all that watch, each would otherwise keep the room that this takes.
            let now = Box::pin(service.progress(id)).await?;
            let digest = digest(&now);
            if self.seen.as_ref().is_none_or(|seen| seen.digest != digest) {
                self.seen = Some(Seen {
                    digest,
                    status: now.view.session.state.status(),
                    at: Instant::now(),
                });
                return Ok(Some(now));
            }
            if service.closing.is_cancelled() {
                return Ok(None);
            }
            let is_receiving = now.view.tally.receiving > 0;
            let look_again = if is_receiving { SAMPLE } else { LOOK_AGAIN };
            tokio::select! {
                () = signal => {}
                () = service.closing.cancelled() => {}
                () = sleep_until(Instant::now() + look_again) => {}
            }
        }
    }
}
