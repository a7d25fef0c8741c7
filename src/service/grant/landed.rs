//! What was put straight into the store: seeing that it is there, and taking it in.

use std::{io, time::Duration};

use futures_util::{StreamExt, stream};

use super::{Claim, Grant, MediaId, Received, Service, signed};
use crate::{
    domain::{
        ids::UploadId,
        media::staging_key,
        session::{State, UploadSession},
        transfer::Transfer,
    },
    error::{Error, Result},
    hook,
    intake::body::FileBody,
    service::{
        LinkedSession,
        receive::{Pulse, is_refusal},
    },
    store::{SessionRef, SessionView, StoreError},
};

/// How often it is looked whether something landed of which nobody told.
const EVERY: Duration = Duration::from_secs(10);
/// How many grants are looked at in one go.
const PAGE: u32 = 100;
/// How many are looked at, or taken in, at once.
const AT_ONCE: usize = 4;
/// How long who sent a file waits until it is taken in; that goes on after it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long who asks how it stands waits for that.
const GLANCE: Duration = Duration::from_secs(2);

impl Service {
    /// Takes in what was sent under a grant. Safe to repeat.
    ///
    /// # Errors
    /// [`Error::NotReady`] where nothing landed yet, or it is just being taken in; what is wrong with
    /// the file; [`Error::Conflict`] once the grant is over without one.
    pub async fn complete_grant(&self, link: &LinkedSession, id: MediaId) -> Result<Received> {
        let session = link.view.session.clone();
        let Some(grant) = self.store.grant(session.id, id).await? else {
            return self.over(link, id).await?;
        };
        if grant.is_in_turn || !self.has_landed(&grant).await? {
            return Err(Error::NotReady);
        }
        let service = self.clone();
        let taking = tokio::spawn(async move { service.take_landed(&session, grant).await });
        match tokio::time::timeout(PATIENCE, taking).await {
            Ok(taken) => match taken.map_err(Error::internal)? {
                // Somebody else was quicker by a moment.
                Err(Error::Conflict(_)) => self.over_or_in_turn(link, id).await,
                taken => taken,
            },
            Err(_) => Err(Error::NotReady),
        }
    }

    async fn over_or_in_turn(&self, link: &LinkedSession, id: MediaId) -> Result<Received> {
        match self.store.grant(link.view.session.id, id).await? {
            Some(_) => Err(Error::NotReady),
            None => self.over(link, id).await?,
        }
    }

    async fn has_landed(&self, grant: &Grant) -> Result<bool> {
        let Some(key) = &grant.lands_at else {
            return Ok(false);
        };
        match self.objects.size(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::of_storage(error)),
        }
    }

    /// Makes what landed a file of its session.
    async fn take_landed(&self, session: &UploadSession, grant: Grant) -> Result<Received> {
        let permit = self.place()?;
        let claim = Claim {
            id: self
                .store
                .take_grant(grant.claim, signed(self.lease()))
                .await?,
            media: grant.media,
            reserved: grant.spec.size_bytes,
        };
        let flow = self.flows.begin(session.id, Some(grant.spec.size_bytes));
        let mut pulse = Pulse::of(self, claim, flow.clone());
        let (copied, kept) = pulse.during(self.copy_landed(&grant, claim)).await;
        let taken = match copied.and_then(|body| kept.map(|()| body)) {
            Ok(body) => self.fill(session, claim, permit, flow, body).await,
            Err(error) => Err(self.not_copied(session, claim, error).await),
        };
        if taken.as_ref().err().is_none_or(is_refusal) {
            self.forget_landed(&grant).await;
        }
        taken
    }

    /// What landed may be changed by whoever has its address, on a store that knows no
    /// `If-None-Match`. So it is copied first, and what is judged and kept is the copy, to which nobody
    /// else has a way.
    async fn copy_landed(&self, grant: &Grant, claim: Claim) -> Result<FileBody> {
        let (Some(direct), Some(key)) = (self.objects.direct(), &grant.lands_at) else {
            return Err(Error::Conflict(
                "The store takes no files directly now.".into(),
            ));
        };
        let staged = staging_key(claim.id);
        let copied = direct.copy(key, &staged).await;
        copied.map_err(of_landed)?;
        hook::reached("copied");
        let expected = grant.spec.size_bytes;
        let size_bytes = self.objects.size(&staged).await.map_err(of_landed)?;
        if size_bytes != expected {
            return Err(Error::SpecMismatch(format!(
                "The file has {size_bytes} bytes, and {expected} were granted."
            )));
        }
        let bytes = self.objects.open(&staged, 0..size_bytes).await;
        Ok(FileBody::staged(
            bytes.map_err(of_landed)?,
            grant.spec.clone(),
        ))
    }

    /// Ends a turn over a file that could not even be looked at.
    async fn not_copied(&self, session: &UploadSession, claim: Claim, error: Error) -> Error {
        let gone = self.objects.delete(&staging_key(claim.id)).await;
        // Else the turn runs out, and the next one follows.
        if gone.is_ok() && is_refusal(&error) {
            let released = self
                .store
                .release(claim.id, Some(error.to_last_error()))
                .await;
            if let Err(error) = released {
                Error::from(error).log();
            }
        }
        self.told(session, error).await
    }

    /// Deletes what landed. That it may not be there any more some time after is known anyway.
    pub(super) async fn forget_landed(&self, grant: &Grant) {
        if let Some(key) = &grant.lands_at
            && let Err(error) = self.objects.delete(key).await
        {
            Error::of_storage(error).log();
        }
    }

    /// The session as it stands once it was looked whether its files have landed, for a moment at
    /// most.
    pub(in crate::service) async fn looked_for(&self, view: SessionView) -> Result<SessionView> {
        let session = &view.session;
        let may_land = session.transfer == Transfer::Direct && session.state == State::Receiving;
        if !may_land || self.objects.direct().is_none() {
            return Ok(view);
        }
        let (service, id) = (self.clone(), session.id);
        let looking = tokio::spawn(async move { service.take_all_landed(Some(id)).await });
        if let Ok(looked) = tokio::time::timeout(GLANCE, looking).await {
            looked.map_err(Error::internal)??;
        }
        let now = self.store.find(SessionRef::Id(id)).await?;
        now.ok_or(Error::NotFound)
    }

    /// Takes in what landed and of which nobody told: pages that were closed, processes that died.
    ///
    /// # Errors
    /// [`Error::Internal`]; one file's trouble does not keep the others.
    pub async fn take_all_landed(&self, of: Option<UploadId>) -> Result<()> {
        let mut after = None;
        loop {
            let grants = self.store.landings(of, after, PAGE).await?;
            let Some(last) = grants.last() else {
                return Ok(());
            };
            after = Some(last.media);
            stream::iter(grants)
                .for_each_concurrent(AT_ONCE, |grant| async {
                    if let Err(error) = self.take_if_landed(grant).await {
                        error.log();
                    }
                })
                .await;
        }
    }

    async fn take_if_landed(&self, grant: Grant) -> Result<()> {
        if !self.has_landed(&grant).await? {
            return Ok(());
        }
        let view = self.store.find(SessionRef::Id(grant.session)).await?;
        let session = view.ok_or(Error::NotFound)?.session;
        self.take_landed(&session, grant).await.map(drop)
    }

    /// Takes in what landed until [`Self::close`].
    pub(in crate::service) async fn keep_landed(&self) {
        if self.objects.direct().is_none() {
            return;
        }
        while !self.closing.is_cancelled() {
            if let Err(error) = self.take_all_landed(None).await {
                error.log();
            }
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

/// What landed failed with: where it is gone, the grant was given back or its session was closed.
fn of_landed(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => StoreError::ClaimGone.into(),
        _ => Error::of_storage(error),
    }
}
