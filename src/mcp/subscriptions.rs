//! Telling clients that a resource changed which they subscribed to.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http::request::Parts;
use rmcp::{
    RoleServer,
    model::{ResourceUpdatedNotificationParam, SubscriptionFilter},
    service::{Peer, RequestContext, SubscriptionContext, SubscriptionSink},
};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::{Tools, asker, changes::Telling};
use crate::{
    domain::{caller::Caller, resource::ResourceUri},
    error::{Error, Result},
    service::{Follower, Place},
};

/// Most resources that one session, or one who listens, is subscribed to.
const MOST: usize = 128;
const SESSION: &str = "mcp-session-id";

/// What one connection is subscribed to. All ends with the connection. A clone is for another
/// connection, and has none of it.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    all: Arc<All>,
    telling_again: Telling,
}

#[derive(Debug, Default)]
struct All(Mutex<HashMap<String, Subscription>>);

#[derive(Debug)]
struct Subscription {
    telling: AbortOnDropHandle<()>,
    was_told: Arc<AtomicBool>,
}

impl Clone for Subscriptions {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl All {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Subscription>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> Vec<String> {
        let all = self.lock();
        let told = all
            .iter()
            .filter(|(_, one)| one.was_told.load(Ordering::Relaxed));
        told.map(|(uri, _)| uri.clone()).collect()
    }
}

impl Subscriptions {
    /// # Errors
    /// [`Error::InvalidArgument`] for one too many.
    fn add(&self, uri: &str, mut follower: Follower, peer: &Peer<RoleServer>) -> Result<()> {
        let mut all = self.all.lock();
        if all.len() >= MOST && !all.contains_key(uri) {
            all.retain(|_, one| !one.telling.is_finished());
            if all.len() >= MOST {
                return Err(too_many());
            }
        }
        // Whoever told of it until now may have seen a change and not have come to tell it.
        let is_again = all.contains_key(uri);
        let was_told = Arc::new(AtomicBool::new(false));
        let (told, peer, to_tell) = (Arc::clone(&was_told), peer.clone(), uri.to_owned());
        let telling = tokio::spawn(async move {
            let mut is_new = is_again;
            while is_new || follower.changed().await {
                is_new = false;
                told.store(true, Ordering::Relaxed);
                if !tell(&peer, &to_tell).await {
                    return;
                }
            }
        });
        let telling = AbortOnDropHandle::new(telling);
        all.insert(uri.to_owned(), Subscription { telling, was_told });
        Ok(())
    }

    pub(super) fn remove(&self, uri: &str) {
        self.all.lock().remove(uri);
    }

    /// Tells again whatever was told, each time that a client hears again.
    fn tell_again(&self, hearing: &Hearing, peer: &Peer<RoleServer>) {
        let (all, hearing, peer) = (Arc::clone(&self.all), hearing.clone(), peer.clone());
        self.telling_again.begin_once(async move {
            loop {
                hearing.begun().await;
                for uri in all.told() {
                    tell(&peer, &uri).await;
                }
            }
        });
    }
}

async fn tell(peer: &Peer<RoleServer>, uri: &str) -> bool {
    let param = ResourceUpdatedNotificationParam::new(uri);
    peer.notify_resource_updated(param).await.is_ok()
}

/// Signals how it is with the streams that the client of a session hears by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hearing(Arc<Signals>);

#[derive(Debug, Default)]
struct Signals {
    begun: Notify,
    is_vain: Notify,
}

impl Hearing {
    /// There is one anew. Of what was told without one, a few messages are kept, and the rest is lost.
    pub(crate) fn begins(&self) {
        self.0.begun.notify_one();
    }

    async fn begun(&self) {
        self.0.begun.notified().await;
    }

    /// Nothing is told by those that there are, until the client comes with something else.
    pub(super) fn is_in_vain(&self) {
        self.0.is_vain.notify_waiters();
    }

    /// Resolves once that is so.
    pub(crate) async fn in_vain(self) {
        self.0.is_vain.notified().await;
    }
}

fn too_many() -> Error {
    Error::InvalidArgument(format!(
        "At most {MOST} resources can be subscribed to at one time: unsubscribe from one first."
    ))
}

/// Clients before 2026-07-28, as long as their session lives.
impl Tools {
    /// # Errors
    /// [`Error::NotFound`] for what the caller's workspaces do not have; [`Error::InvalidArgument`] for
    /// one too many, and where there is no session.
    pub(super) async fn subscribe_session(
        &self,
        uri: &str,
        context: &RequestContext<RoleServer>,
    ) -> Result<()> {
        must_be_in_session(context)?;
        let caller = self.caller(context)?;
        self.service.charge_call(&caller)?;
        let what = ResourceUri::read(uri).ok_or(Error::NotFound)?;
        let asker = asker(&context.extensions, &caller);
        let place = self.place(context, &caller)?;
        let follower = self.service.follow(asker, what, place).await?;
        if !follower.can_change() {
            return Ok(());
        }
        if let Some(hearing) = context.extensions.get::<Hearing>() {
            self.subscriptions.tell_again(hearing, &context.peer);
        }
        self.subscriptions.add(uri, follower, &context.peer)
    }
}

impl Tools {
    /// A place among those who follow.
    ///
    /// # Errors
    /// As [`Service::place_to_follow`](crate::service::Service::place_to_follow).
    pub(super) fn place(
        &self,
        context: &RequestContext<RoleServer>,
        caller: &Caller,
    ) -> Result<Place> {
        let parts = context.extensions.get::<Parts>();
        let from = parts.and_then(|parts| parts.extensions.get::<IpAddr>());
        self.service.place_to_follow(caller, from.copied())
    }
}

/// What comes over HTTP and belongs to no session can be answered, and told nothing later.
fn must_be_in_session(context: &RequestContext<RoleServer>) -> Result<()> {
    let parts = context.extensions.get::<Parts>();
    if parts.is_none_or(|parts| parts.headers.contains_key(SESSION)) {
        return Ok(());
    }
    Err(Error::InvalidArgument(
        "Resources are subscribed to in a session, which this server does not keep: listen by \
         protocol version 2026-07-28."
            .into(),
    ))
}

/// Clients since 2026-07-28, as long as they listen.
impl Tools {
    /// Tells how each resource stands now, since it may have changed before anybody listened, and then of
    /// each change. Goes on until it is dropped.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for too many. What the caller's workspaces do not have is never told
    /// of, and is not told from what never changes.
    pub(super) async fn tell_changes(
        &self,
        context: &SubscriptionContext,
        caller: &Caller,
    ) -> Result<()> {
        let requested = context.requested().resource_subscriptions.as_deref();
        if requested.is_some_and(|uris| uris.len() > MOST) {
            return Err(too_many());
        }
        let mut uris = context.accepted().resource_subscriptions.clone();
        let uris = uris.get_or_insert_default();
        uris.sort_unstable();
        uris.dedup();
        if !uris.is_empty() {
            let telling = FuturesUnordered::new();
            for uri in uris {
                let Some(what) = ResourceUri::read(uri) else {
                    continue;
                };
                let place = self.place(context.request_context(), caller)?;
                let asker = caller.clone().into();
                match self.service.follow(asker, what, place).await {
                    Ok(follower) => telling.push(tell_listener(context.sink(), uri, follower)),
                    Err(Error::NotFound | Error::PermissionDenied(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            telling.collect::<()>().await;
        }
        std::future::pending().await
    }
}

async fn tell_listener(sink: &SubscriptionSink, uri: &str, mut follower: Follower) {
    while sink.notify_resource_updated(uri).await.is_ok() && follower.changed().await {}
}

/// What of these resources can be listened to, as far as their addresses tell.
pub(super) fn accepted(requested: &SubscriptionFilter) -> Option<Vec<String>> {
    let uris = requested.resource_subscriptions.as_ref()?;
    if uris.len() > MOST {
        return None;
    }
    let ours = uris.iter().filter(|uri| ResourceUri::read(uri).is_some());
    Some(ours.cloned().collect())
}
