//! Taking in a file: a claim, its bytes, its media.

mod file;
mod pulse;
mod verdict;

use std::{net::IpAddr, sync::Arc};

use tokio::sync::SemaphorePermit;

pub(super) use self::{file::Claim, pulse::Pulse};
use super::{
    LinkedSession, Service, close::log_move, grant::essence, progress::Flow, rate::Payer, signed,
};
use crate::{
    domain::{
        ids::{AttemptId, ClaimId, MediaId},
        media::Media,
        session::{State, UploadSession},
        transfer::Spec,
    },
    error::{Error, ErrorKind, Result},
    hook,
    intake::body::{FileBody, MOST_OUTSIDE_FILE},
    store::{ClaimOutcome, ClaimRequest, SessionRef, SessionView, StoreError},
};

/// A body that wants to become a file of a session.
#[derive(Debug)]
pub struct Incoming {
    /// The bytes, or what is wrong with the request's form: that is told only where nothing else
    /// stands in the way.
    pub body: Result<FileBody>,
    /// What the sender says the body's length is.
    pub declared_bytes: Option<u64>,
    /// The page's name for this attempt.
    pub attempt: Option<AttemptId>,
    /// What the sender says of its type.
    pub mime_type: Option<String>,
    /// Who sends.
    pub from: IpAddr,
}

/// What came of it.
#[derive(Debug)]
pub struct Received {
    /// The session that it came by.
    pub session: UploadSession,
    /// The stored file.
    pub media: Media,
}

impl Service {
    /// Takes in one file. When this returns `Ok`, the file is durable and whoever waits was told.
    ///
    /// # Errors
    /// In this order: as [`Error::of_closed`]; [`Error::InUse`] without a free slot;
    /// [`Error::RateLimited`]; [`Error::Busy`] or [`Error::InsufficientStorage`]; then what is wrong
    /// with the file. Nothing is stored then, and the link is as good as before.
    pub async fn receive(&self, link: &LinkedSession, incoming: Incoming) -> Result<Received> {
        let payer = Payer::of(&link.view.session, incoming.from);
        self.receive_of(&link.view, incoming, Some(payer)).await
    }

    /// The same, charged to somebody; `None`: who was charged already.
    pub(super) async fn receive_of(
        &self,
        view: &SessionView,
        incoming: Incoming,
        payer: Option<Payer>,
    ) -> Result<Received> {
        let session = &view.session;
        if let Some(media) = sent_before(view, incoming.attempt) {
            return Ok(Received {
                session: session.clone(),
                media,
            });
        }
        self.may_claim(view, incoming.attempt, payer)?;
        let (attempt, declared_bytes) = (incoming.attempt, incoming.declared_bytes);
        let largest = session.limits.max_size_bytes;
        let declared = incoming.declared_bytes.unwrap_or(largest);
        let is_too_large = declared > largest.saturating_add(MOST_OUTSIDE_FILE);
        let body = match &session.spec {
            Some(spec) => declared_body(spec, incoming)?,
            None if is_too_large => return Err(Error::SizeExceeded { limit: largest }),
            None => incoming.body?,
        };
        self.must_have_room(declared).await?;
        // In a task of its own: when the client goes away, what was begun is still ended properly.
        let (service, session) = (self.clone(), session.clone());
        let sender = Sender {
            payer,
            attempt,
            declared_bytes,
            bytes: body.file_bytes(declared_bytes),
        };
        let task = async move { service.take_in(session, body, sender).await };
        tokio::spawn(task).await.map_err(Error::internal)?
    }

    /// What stands in the way of a claim before anything is looked at that is to be sent.
    pub(super) fn may_claim(
        &self,
        view: &SessionView,
        attempt: Option<AttemptId>,
        payer: Option<Payer>,
    ) -> Result<()> {
        let SessionView { session, tally, .. } = view;
        if let Some(error) = Error::of_closed(session.state) {
            return Err(error);
        }
        // What an attempt that was here before may still do, the store knows: by its claim.
        if self.clock.now() >= session.redeem_by && attempt.is_none() {
            return Err(Error::LinkExpired);
        }
        if tally.is_full() && attempt.is_none() {
            let retry_after = self.settings.idle_timeout.as_secs();
            return Err(Error::InUse {
                retry_after: u32::try_from(retry_after).unwrap_or(u32::MAX),
            });
        }
        if let Some(payer) = payer.filter(|_| tally.taken() == 0) {
            let (limit, whom) = self.rates.of(payer);
            limit.check(whom)?;
        }
        self.must_not_be_closing()
    }

    pub(super) async fn must_have_room(&self, bytes: u64) -> Result<()> {
        let free = self.objects.free_bytes().await.map_err(Error::internal)?;
        match free {
            Some(free) if free < self.settings.min_free_disk.saturating_add(bytes) => {
                tracing::warn!(
                    free_bytes = free,
                    "an upload was refused: the disk is nearly full"
                );
                Err(Error::InsufficientStorage)
            }
            _ => Ok(()),
        }
    }

    async fn take_in(
        &self,
        session: UploadSession,
        body: FileBody,
        sender: Sender,
    ) -> Result<Received> {
        let mut claim = Claim {
            id: ClaimId::random(),
            media: MediaId::new(self.clock.now()),
            reserved: 0,
        };
        let request = ClaimRequest {
            session: session.id,
            claim: claim.id,
            media: claim.media,
            attempt: sender.attempt,
            lease: signed(self.lease()),
            bytes: sender.bytes,
            grant: None,
        };
        let slot = match self.claim(request, sender.payer).await? {
            ClaimOutcome::Taken { slot, reserved } => {
                claim.reserved = reserved;
                slot
            }
            ClaimOutcome::StoredBefore(media) => {
                return Ok(Received {
                    session,
                    media: *media,
                });
            }
        };
        log_move(session.id, session.state, State::Receiving);
        hook::reached("claimed");
        // After the claim, so that of a thousand bodies on one link none is told that the server is
        // busy, or that it came too often, when it is the link that is taken.
        let permit = match self.admit(sender.payer, slot) {
            Ok(permit) => permit,
            Err(error) => {
                self.store.release(claim.id, None).await?;
                return Err(error);
            }
        };
        let flow = self.flows.begin(session.id, sender.declared_bytes);
        self.fill(&session, claim, permit, flow, body).await
    }

    /// Stores a file under its claim, and waits for the verdict on it.
    pub(super) async fn fill(
        &self,
        session: &UploadSession,
        claim: Claim,
        permit: SemaphorePermit<'_>,
        flow: Arc<Flow>,
        mut body: FileBody,
    ) -> Result<Received> {
        match self.store_file(session, claim, flow, &mut body).await {
            Ok(stored) => {
                hook::reached("committed");
                log_move(session.id, State::Receiving, stored.view.session.state);
                drop(permit);
                self.judged(stored, claim.media).await
            }
            Err(mut failure) => {
                tracing::info!(
                    upload.id = %session.id, code = failure.error.row().code, "a file was refused",
                );
                // What landed in the store is there still, for another turn.
                let is_for_later = body.is_staged() && !is_refusal(&failure.error);
                if body.is_staged() {
                    // Its bytes were there before it was looked at.
                    failure = self.discarded(claim, None, failure.error).await;
                }
                if failure.is_clean && !is_for_later {
                    let why = failure.error.to_last_error();
                    if let Err(error) = self.store.release(claim.id, Some(why)).await {
                        Error::from(error).log();
                    }
                }
                Err(self.told(session, failure.error).await)
            }
        }
    }

    /// Takes a claim. One that the workspace has no room for is charged too, or whoever is refused
    /// could try for ever.
    ///
    /// # Errors
    /// As [`crate::store::UploadStore::claim`]; [`Error::RateLimited`].
    pub(super) async fn claim(
        &self,
        request: ClaimRequest,
        payer: Option<Payer>,
    ) -> Result<ClaimOutcome> {
        let outcome = self.store.claim(request).await;
        if let (Err(StoreError::OverQuota(_)), Some(payer)) = (&outcome, payer) {
            let (limit, whom) = self.rates.of(payer);
            limit.charge(whom)?;
        }
        Ok(outcome?)
    }

    /// A place for a body that has its claim, charged to who sends it.
    ///
    /// # Errors
    /// [`Error::Busy`] or [`Error::RateLimited`].
    fn admit(&self, payer: Option<Payer>, slot: u32) -> Result<SemaphorePermit<'_>> {
        let permit = self.place()?;
        self.charge(payer, slot)?;
        Ok(permit)
    }

    /// A place for a body.
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub(super) fn place(&self) -> Result<SemaphorePermit<'_>> {
        let permit = self.bodies.try_acquire();
        permit.map_err(|_| Error::Busy { retry_after: 5 })
    }

    /// Counts a claim that was taken.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(super) fn charge(&self, payer: Option<Payer>, slot: u32) -> Result<()> {
        // The further files of one session are the same person's.
        match payer {
            Some(payer) if slot == 0 => {
                let (limit, whom) = self.rates.of(payer);
                limit.charge(whom)
            }
            _ => Ok(()),
        }
    }
}

impl Service {
    /// A body that lost its claim because its session was closed is told so.
    pub(super) async fn told(&self, session: &UploadSession, error: Error) -> Error {
        if !matches!(error, Error::Conflict(_)) {
            return error;
        }
        let now = self.store.find(SessionRef::Id(session.id)).await;
        let closed = now
            .ok()
            .flatten()
            .and_then(|view| Error::of_closed(view.session.state));
        closed.unwrap_or(error)
    }
}

/// Who sends.
#[derive(Debug, Clone, Copy)]
struct Sender {
    /// Who is charged for it.
    payer: Option<Payer>,
    attempt: Option<AttemptId>,
    declared_bytes: Option<u64>,
    /// How many bytes the file has, at the least and as far as can be told.
    bytes: (u64, u64),
}

/// The body of an upload that was declared.
///
/// # Errors
/// [`Error::SpecMismatch`] unless it is what was declared, as far as can be said before it is read.
fn declared_body(spec: &Spec, incoming: Incoming) -> Result<FileBody> {
    let mime_type = incoming.mime_type.as_deref().and_then(essence);
    let is_of_spec = mime_type.as_ref() == Some(&spec.mime_type)
        && incoming.declared_bytes == Some(spec.size_bytes);
    match incoming.body.map(|body| body.of_spec(spec)) {
        Ok(Some(body)) if is_of_spec => Ok(body),
        _ => Err(Error::SpecMismatch(format!(
            "This address takes one PUT with Content-Type: {} and Content-Length: {}, and nothing \
             else.",
            spec.mime_type, spec.size_bytes
        ))),
    }
}

/// Whether the file is not taken as it is, so that another turn would bring nothing else.
pub(super) fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Conflict(_) => false,
        Error::QuotaExceeded(_) => true,
        error => error.row().kind == ErrorKind::ValidationError,
    }
}

/// What an earlier request of the same attempt brought, whose answer was lost.
pub(super) fn sent_before(view: &SessionView, attempt: Option<AttemptId>) -> Option<Media> {
    let attempt = attempt?;
    let mut media = view.media.iter();
    media.find(|media| media.attempt == Some(attempt)).cloned()
}
