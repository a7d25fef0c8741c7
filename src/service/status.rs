//! How a session stands, and waiting for it to change.

use std::{pin::pin, time::Duration};

use tokio::time::Instant;

use super::Service;
use crate::{
    domain::{caller::Caller, session::Status},
    error::{Error, Result},
    store::{SessionRef, SessionView},
};

/// A signal is a hint: the session is read this often without one.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What one turn of waiting brought.
#[derive(Debug)]
pub enum Turn {
    /// The session is not pending any more, or the time is over.
    Over(SessionView),
    /// Still pending: something changed, or a few seconds passed.
    Pending(SessionView),
}

impl Service {
    /// The session as it stands.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what the caller's workspaces do not have.
    pub async fn status(&self, caller: &Caller, which: SessionRef) -> Result<SessionView> {
        let view = self.known(caller, which).await?;
        self.looked_for(view).await
    }

    /// The same, as the last that was told has left it.
    pub(super) async fn known(&self, caller: &Caller, which: SessionRef) -> Result<SessionView> {
        let found = self.store.find_within(&caller.workspaces, which);
        found.await?.ok_or(Error::NotFound)
    }

    /// Waits until a session is not pending any more, or until `deadline`. Of all that wait it holds next to
    /// nothing: there may be thousands.
    ///
    /// # Errors
    /// As [`Self::wait_turn`].
    pub async fn wait_over(
        &self,
        caller: &Caller,
        which: SessionRef,
        deadline: Instant,
    ) -> Result<()> {
        let id = Box::pin(self.status(caller, which)).await?.session.id;
        let _watching = self.store.watch();
        let changes = self.waiters.watch(id);
        loop {
            let mut signal = pin!(changes.notified());
            signal.as_mut().enable();
            // Read after the place was taken, so that no change falls between the two.
            let is_pending = Box::pin(async {
                let caller = self.by_now(caller).await?;
                let now = self.status(&caller, SessionRef::Id(id)).await?;
                Ok::<_, Error>(now.session.state.status() == Status::Pending)
            });
            if !is_pending.await? || Instant::now() >= deadline || self.closing.is_cancelled() {
                return Ok(());
            }
            let look_again = deadline.min(Instant::now() + LOOK_AGAIN);
            tokio::select! {
                () = signal => {}
                () = self.closing.cancelled() => {}
                () = tokio::time::sleep_until(look_again) => {}
            }
        }
    }

    /// Waits for one change, for a few seconds or until `deadline`, whichever comes first. Call it
    /// again until it is [`Turn::Over`].
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unauthenticated`] once the caller's key is revoked.
    pub async fn wait_turn(
        &self,
        caller: &Caller,
        seen: &SessionView,
        deadline: Instant,
    ) -> Result<Turn> {
        let which = SessionRef::Id(seen.session.id);
        let changes = self.waiters.watch(seen.session.id);
        let mut signal = pin!(changes.notified());
        signal.as_mut().enable();
        let _watching = self.store.watch();
        let caller = &self.by_now(caller).await?;
        // Read after the place was taken, so that no change falls between the two.
        let now = self.status(caller, which).await?;
        if now.session.state.status() != Status::Pending
            || Instant::now() >= deadline
            || self.closing.is_cancelled()
        {
            return Ok(Turn::Over(now));
        }
        if now != *seen {
            return Ok(Turn::Pending(now));
        }
        let look_again = deadline.min(Instant::now() + LOOK_AGAIN);
        tokio::select! {
            () = signal => {}
            () = self.closing.cancelled() => {}
            () = tokio::time::sleep_until(look_again) => {}
        }
        Ok(Turn::Pending(now))
    }
}
