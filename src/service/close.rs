//! Ending a session: the agent cancels, the person declines or has no more files.

use super::{LinkedSession, Service, authority::must};
use crate::{
    domain::{audit::Actor, caller::Caller, capability::Capability, ids::UploadId, session::State},
    error::{Error, Result},
    intake::filename::harmless_text,
    store::{SessionRef, SessionView, StoreError},
};

/// Longest reason for declining, in characters.
const MOST_REASON: usize = 500;

impl Service {
    /// Closes a link in the agent's name. Safe to repeat.
    ///
    /// # Errors
    /// [`Error::NotFound`], or as [`Error::of_closed`] in another final state.
    pub async fn cancel(&self, caller: &Caller, which: SessionRef) -> Result<SessionView> {
        must(caller, Capability::AssetUpload)?;
        let before = self.known(caller, which).await?;
        self.store.cancel(before.session.id, caller.actor()).await?;
        log_move(before.session.id, before.session.state, State::Cancelled);
        self.status(caller, which).await
    }

    /// Completes a session of several files with those that are there, in the name of who asked.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InUse`] while a file is arriving, or as [`Error::of_closed`].
    pub async fn complete(&self, caller: &Caller, which: SessionRef) -> Result<SessionView> {
        must(caller, Capability::AssetUpload)?;
        let before = self.status(caller, which).await?;
        let done = self.store.done(before.session.id, caller.actor());
        let state = done.await?;
        log_move(before.session.id, before.session.state, state);
        self.status(caller, which).await
    }

    /// Closes a link in the person's name. Safe to repeat.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the reason is too long, or as [`Error::of_closed`].
    pub async fn decline(&self, link: &LinkedSession, reason: Option<&str>) -> Result<()> {
        let session = &link.view.session;
        let reason = reason.map(harmless_text).filter(|text| !text.is_empty());
        if reason
            .as_ref()
            .is_some_and(|text| text.chars().count() > MOST_REASON)
        {
            return Err(Error::InvalidArgument(format!(
                "The reason is longer than {MOST_REASON} characters."
            )));
        }
        self.store.decline(session.id, reason, Actor::Link).await?;
        log_move(session.id, session.state, State::Declined);
        Ok(())
    }

    /// The same on the word of the program that asked the person. What has ended before stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn decline_for(&self, caller: &Caller, which: SessionRef) -> Result<SessionView> {
        must(caller, Capability::AssetUpload)?;
        let before = self.known(caller, which).await?;
        let id = before.session.id;
        match self.store.decline(id, None, caller.actor()).await {
            Ok(()) => log_move(id, before.session.state, State::Declined),
            Err(StoreError::Closed(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.status(caller, which).await
    }

    /// Completes a session of several files with those that are there. Safe to repeat.
    ///
    /// # Errors
    /// [`Error::FileMissing`] without any file, [`Error::InUse`] while one is arriving, or as
    /// [`Error::of_closed`].
    pub async fn done(&self, link: &LinkedSession) -> Result<()> {
        let session = &link.view.session;
        if session.state == State::Pending && link.view.media.is_empty() {
            return Err(Error::FileMissing("No file was sent yet.".into()));
        }
        let state = self.store.done(session.id, Actor::Link).await?;
        log_move(session.id, session.state, state);
        Ok(())
    }
}

/// One line a move.
pub(super) fn log_move(id: UploadId, from: State, to: State) {
    if from != to {
        tracing::info!(
            upload.id = %id, from = from.as_str(), to = to.as_str(),
            "the upload session moved",
        );
    }
}
