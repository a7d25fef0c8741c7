//! The heartbeat of a claim.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::file::Claim;
use crate::{
    error::Result,
    service::{Service, progress::Flow, signed},
    store::StoreError,
};

/// For how many more bytes there is to be room at the least.
const LEAST_ROOM: u64 = 1 << 20;
/// What writing a heartbeat may take.
const SLACK: Duration = Duration::from_secs(1);

/// Keeps a claim. It follows the bytes and not a timer, so that a slot is not held by
/// somebody who sends nothing.
pub(in crate::service) struct Pulse<'a> {
    service: &'a Service,
    claim: Claim,
    flow: Arc<Flow>,
    lease: Duration,
    last: Instant,
    /// How many bytes came.
    came: u64,
}

impl<'a> Pulse<'a> {
    pub(in crate::service) fn of(service: &'a Service, claim: Claim, flow: Arc<Flow>) -> Self {
        Self {
            service,
            claim,
            flow,
            lease: service.lease(),
            last: Instant::now(),
            came: 0,
        }
    }

    /// So many bytes of the file came. Now and then, that keeps the claim.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] once the claim was lost; [`crate::Error::QuotaExceeded`] without room for them.
    pub(super) async fn beat(&mut self, bytes: u64) -> Result<()> {
        self.came += bytes;
        self.flow.count(bytes);
        if self.came > self.claim.reserved {
            self.reserve().await?;
        }
        if self.last.elapsed() >= self.service.beat_every() {
            let (store, lease) = (&self.service.store, signed(self.lease));
            store.heartbeat(self.claim.id, lease, None).await?;
            self.last = Instant::now();
        }
        Ok(())
    }

    /// Makes room for more than came, so that it is not asked for with each piece; near the end of the
    /// quota for no more than that.
    async fn reserve(&mut self) -> Result<()> {
        let store = &self.service.store;
        let wanted = self.came + (self.came / 4).max(LEAST_ROOM);
        self.claim.reserved = match store.reserve(self.claim.id, wanted).await {
            Err(StoreError::OverQuota(_)) => {
                store.reserve(self.claim.id, self.came).await?;
                self.came
            }
            reserved => {
                reserved?;
                wanted
            }
        };
        Ok(())
    }

    /// From now on each heartbeat keeps the claim for so long.
    pub(super) fn lengthen(&mut self, lease: Duration) {
        self.lease = lease;
    }

    /// Keeps the claim while the place for bytes is behind: then it is not the sender who is silent.
    /// The work is waited for, even once the claim was lost; that comes second.
    pub(in crate::service) async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> (T, Result<()>) {
        let (mut work, mut kept) = (pin!(work), Ok(()));
        loop {
            let next = self.last + self.service.beat_every();
            tokio::select! {
                biased;
                done = &mut work => return (done, kept),
                () = sleep_until(next), if kept.is_ok() => kept = self.beat(0).await,
            }
        }
    }
}

impl Service {
    /// How often bytes keep their claim.
    fn beat_every(&self) -> Duration {
        (self.settings.idle_timeout / 6).min(Duration::from_secs(5))
    }

    /// How long a claim lives from one heartbeat to the next: the longest silence that is borne, and
    /// what a heartbeat may come late.
    pub(in crate::service) fn lease(&self) -> Duration {
        self.settings.idle_timeout + self.beat_every() + SLACK
    }
}
