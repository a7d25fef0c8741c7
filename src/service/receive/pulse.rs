//! The heartbeat of a claim.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    domain::ids::ClaimId,
    error::Result,
    service::{Service, signed},
};

/// Keeps a claim. It follows the bytes and not a timer, so that a slot is not held by
/// somebody who sends nothing.
pub(super) struct Pulse<'a> {
    service: &'a Service,
    claim: ClaimId,
    last: Instant,
}

impl<'a> Pulse<'a> {
    pub(super) fn of(service: &'a Service, claim: ClaimId) -> Self {
        Self {
            service,
            claim,
            last: Instant::now(),
        }
    }

    /// Bytes came. Now and then, that keeps the claim.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] once the claim was lost.
    pub(super) async fn beat(&mut self) -> Result<()> {
        let lease = self.service.settings.idle_timeout;
        let every = (lease / 6).min(Duration::from_secs(5));
        if self.last.elapsed() >= every {
            let store = &self.service.store;
            store.heartbeat(self.claim, signed(lease), None).await?;
            self.last = Instant::now();
        }
        Ok(())
    }
}
