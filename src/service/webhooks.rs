//! Telling back ends what happens: what is queued is delivered, at least once each.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use jiff::SignedDuration;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::{Service, answers, authority::must, signed};
use crate::{
    domain::{
        caller::Caller,
        capability::Capability,
        ids::{WebhookId, random_uuid},
        webhook::{Endpoint, Webhook},
    },
    error::{Error, Result},
    hook,
    notify::webhook::{Refused, Sender},
    store::{
        identity::IdentityStore,
        webhooks::{Outcome, Replay, Subscriber, Tried},
    },
};

/// How often it is looked for what is due.
const EVERY: Duration = Duration::from_secs(2);
/// How many are on their way to one endpoint at once.
const AT_ONCE: usize = 32;
/// What a try may come late, on a machine that has much to do.
const SLACK: Duration = Duration::from_secs(5);
/// How long those on their way have to arrive when askfile stops; others are sent again.
const LAST: Duration = Duration::from_secs(2);

impl Service {
    /// Delivers what is queued until [`Self::close`], to each endpoint in its own time.
    pub(super) async fn keep_told(&self) {
        let endpoints = &self.settings.webhooks;
        if endpoints.is_empty() {
            return;
        }
        let _telling = self.telling.token();
        let sender = match Sender::new() {
            Ok(sender) => sender,
            Err(error) => return Error::internal(error).log(),
        };
        let each = endpoints.iter().map(|endpoint| {
            let endpoint = Arc::new(endpoint.clone());
            self.keep_endpoint_told(endpoint, sender.clone())
        });
        join_all(each).await;
    }

    /// Waits, after [`Self::close`], until it is remembered what came of the webhooks on their way.
    pub(crate) async fn webhooks_arrived(&self) {
        self.telling.close();
        self.telling.wait().await;
    }

    async fn keep_endpoint_told(&self, endpoint: Arc<Endpoint>, sender: Sender) {
        let mut sending = JoinSet::new();
        let mut tried = Vec::new();
        while !self.closing.is_cancelled() {
            let queued = self.waiters.webhooks();
            let taken = self.settle_and_take(&endpoint, tried, AT_ONCE - sending.len());
            for webhook in taken.await {
                let (service, endpoint) = (self.clone(), Arc::clone(&endpoint));
                let sender = sender.clone();
                sending.spawn(async move { service.deliver(&endpoint, &sender, webhook).await });
            }
            tried = Vec::new();
            tokio::select! {
                Some(done) = sending.join_next() => tried.extend(done),
                () = queued, if sending.len() < AT_ONCE => {}
                () = tokio::time::sleep(EVERY), if sending.len() < AT_ONCE => {}
                () = self.closing.cancelled() => {}
            }
            // Whatever else has come back is remembered in the same transaction.
            while let Some(done) = sending.try_join_next() {
                tried.extend(done);
            }
        }
        let last = tokio::time::timeout(LAST, async {
            while let Some(done) = sending.join_next().await {
                tried.extend(done);
            }
        });
        // What has not arrived by then is due again when its lease is over.
        let _ = last.await;
        self.settle_and_take(&endpoint, tried, 0).await;
    }

    /// Both in one transaction where the database groups them.
    async fn settle_and_take(
        &self,
        endpoint: &Endpoint,
        tried: Vec<Tried>,
        most: usize,
    ) -> Vec<Webhook> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let take = async {
            if most == 0 {
                return Ok(Vec::new());
            }
            let lease = signed(endpoint.timeout + SLACK);
            self.webhooks
                .take_webhooks(&endpoint.name, most, lease)
                .await
        };
        let (settled, taken) = tokio::join!(self.webhooks.settle(tried), take);
        if let Err(error) = settled {
            Error::from(error).log();
        }
        taken.unwrap_or_else(|error| {
            Error::from(error).log();
            Vec::new()
        })
    }

    async fn deliver(&self, endpoint: &Endpoint, sender: &Sender, webhook: Webhook) -> Tried {
        hook::reached("webhook-taken");
        let (id, now) = (webhook.id.to_string(), self.clock.now());
        let sent = sender.post(endpoint, &id, now, webhook.body.clone());
        let outcome = match sent.await {
            Ok(_) => Outcome::Delivered,
            Err(refused) => self.failed(endpoint, &webhook, refused),
        };
        hook::reached("webhook-sent");
        Tried {
            id: webhook.id,
            tries: webhook.tries,
            outcome,
        }
    }

    fn failed(&self, endpoint: &Endpoint, webhook: &Webhook, refused: Refused) -> Outcome {
        let pause = webhook.pause(self.clock.now(), refused.retry_after);
        let again_in = pause.filter(|_| !refused.for_good).map(spread);
        let said = match again_in {
            Some(_) => "a webhook was not taken",
            None => "a webhook is given up",
        };
        tracing::warn!(
            endpoint = endpoint.name, webhook.id = %webhook.id, event = webhook.event.as_str(),
            cause = refused.why, tries = webhook.tries,
            again_in_seconds = again_in.map(|pause| pause.as_secs()), "{said}",
        );
        Outcome::Failed {
            problem: refused.why,
            again_in,
        }
    }

    /// Up to `most` webhooks, the newest first; the dead ones alone, or all.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator.
    pub async fn webhooks(
        &self,
        caller: &Caller,
        dead_alone: bool,
        most: u32,
    ) -> Result<Vec<Webhook>> {
        must(caller, Capability::Admin)?;
        Ok(self.webhooks.webhooks(dead_alone, most).await?)
    }

    /// Queues webhooks again; says how many.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::NotFound`] for one that
    /// there is not.
    pub async fn replay_webhooks(&self, caller: &Caller, which: Replay) -> Result<u32> {
        must(caller, Capability::Admin)?;
        let is_one = matches!(which, Replay::One(_));
        match self.webhooks.replay(which).await? {
            0 if is_one => Err(Error::NotFound),
            replayed => Ok(replayed),
        }
    }

    /// Posts an event that tells nothing, `webhook.test`, to an endpoint, and gives what it answered.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::Unavailable`] where it is
    /// not taken.
    pub async fn try_webhook(&self, caller: &Caller, endpoint: &Endpoint) -> Result<StatusCode> {
        must(caller, Capability::Admin)?;
        let sender = Sender::new().map_err(Error::internal)?;
        let now = self.clock.now();
        let (id, body) = (WebhookId::new(now).to_string(), answers::trial(now));
        let sent = sender.post(endpoint, &id, now, body).await;
        sent.map_err(|refused| Error::Unavailable(refused.why))
    }
}

/// A pause, longer by up to a fifth: what failed together is not tried together again.
fn spread(pause: SignedDuration) -> SignedDuration {
    let part = i32::try_from(random_uuid().as_u128() % 200).unwrap_or(0);
    pause.saturating_add(pause / 1000 * part)
}

/// Who is told what, by the settings.
///
/// # Errors
/// [`Error::InvalidArgument`] for a workspace that there is not.
pub(super) async fn subscribers(
    identities: &dyn IdentityStore,
    endpoints: &[Endpoint],
) -> Result<Vec<Subscriber>> {
    let mut subscribers = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        let mut within = Vec::with_capacity(endpoint.workspaces.len());
        for named in &endpoint.workspaces {
            let found = identities.workspace(named).await?.ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "webhook.{}.workspaces: there is no {named}; `askfile workspace list` lists them.",
                    endpoint.name
                ))
            })?;
            within.push(found.id);
        }
        subscribers.push(Subscriber {
            endpoint: endpoint.name.clone(),
            events: endpoint.events.clone(),
            workspaces: (!within.is_empty()).then_some(within),
        });
    }
    Ok(subscribers)
}
