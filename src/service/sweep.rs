//! Cleaning up after what time, crashes and closed browsers left behind.

use std::time::Duration;

use jiff::SignedDuration;

use super::Service;
use crate::{
    domain::media::staging_key,
    error::{Error, Result},
    store::Due,
};

/// How often a server sweeps.
const EVERY: Duration = Duration::from_secs(15);
/// How many are taken at once.
const BATCH: u32 = 100;
/// For how long a lost claim is one sweeper's alone.
const LEASE: SignedDuration = SignedDuration::from_mins(1);

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Sessions whose time was over.
    pub expired_sessions: u32,
    /// Claims that were lost, with what they had left in storage.
    pub lost_claims: u32,
    /// Files that were to be kept no longer.
    pub retired_media: u32,
    /// Objects that were nobody's any more and were deleted.
    pub deleted_objects: u32,
    /// Sessions that ended long ago and were forgotten.
    pub forgotten_sessions: u32,
}

impl Service {
    /// Does all that is due. Safe to run at any time, by any number of processes.
    ///
    /// # Errors
    /// [`Error::Internal`]; what was not done is due again a minute later.
    pub async fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        loop {
            let lost = self.store.take_lost_claims(BATCH, LEASE).await?;
            if lost.is_empty() {
                break;
            }
            for claim in lost {
                // Staged bytes first: a writer that wakes late then has nothing to publish.
                let staged = [claim.begun, claim.lands_at, Some(staging_key(claim.id))];
                for key in staged.into_iter().chain([claim.media_key]).flatten() {
                    let deleted = self.objects.delete(&key).await;
                    deleted.map_err(Error::of_storage)?;
                }
                self.store.forget_claim(claim.id).await?;
                swept.lost_claims += 1;
            }
        }
        loop {
            let moved = self.store.expire_sessions(BATCH).await?;
            if moved.is_empty() {
                break;
            }
            for (id, state) in moved {
                tracing::info!(upload.id = %id, to = state.as_str(), "the link's time is over");
                swept.expired_sessions += 1;
            }
        }
        loop {
            let retired = self.store.retire_media(BATCH).await?;
            if retired.is_empty() {
                break;
            }
            for media in retired {
                tracing::info!(media.id = %media, "a file was kept as long as it should be");
                swept.retired_media += 1;
            }
        }
        swept.deleted_objects = self.delete_doomed().await?;
        loop {
            let forgotten = self.store.forget_sessions(BATCH).await?;
            swept.forgotten_sessions += forgotten;
            if forgotten < BATCH {
                break;
            }
        }
        while self.requests.forget_requests(BATCH).await? == BATCH {}
        while self.webhooks.forget_webhooks(BATCH).await? == BATCH {}
        while self.identities.forget_tokens(BATCH).await? == BATCH {}
        while self.oauth.forget_oauth(BATCH).await? == BATCH {}
        Ok(swept)
    }

    /// Deletes bytes that are nobody's any more; says how many objects that were.
    pub(super) async fn delete_doomed(&self) -> Result<u32> {
        let mut count = 0;
        loop {
            let doomed = self.store.take_doomed(BATCH, LEASE).await?;
            if doomed.is_empty() {
                return Ok(count);
            }
            for key in doomed {
                let deleted = self.objects.delete(&key).await;
                deleted.map_err(Error::of_storage)?;
                self.store.forget_doomed(key).await?;
                count += 1;
            }
        }
    }

    /// What [`Self::sweep`] would find to do.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn due(&self) -> Result<Due> {
        Ok(self.store.due().await?)
    }

    /// Sweeps now and then until [`Self::close`].
    pub(super) async fn keep_swept(&self) {
        loop {
            if let Err(error) = self.sweep().await {
                error.log();
            }
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}
