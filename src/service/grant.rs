//! Files that are sent under a grant: first a claim, then the bytes, straight into the store where it
//! can take them.

mod landed;

use std::{net::IpAddr, time::Duration};

use axum::body::Body;
use jiff::{SignedDuration, Timestamp};

use super::{
    LinkedSession, Received, Service,
    close::log_move,
    rate::Payer,
    receive::{Claim, sent_before},
    signed,
};
use crate::{
    domain::{
        ids::{AttemptId, ClaimId, MediaId},
        limits::Limits,
        media::landing_key,
        mime::Kind,
        session::{CLAIM_MAX_AGE, State, UploadSession},
        transfer::{Spec, Transfer},
    },
    error::{Error, Result},
    hook,
    intake::body::{FileBody, description},
    objects::{Direct, SignedUpload, Upload},
    store::{ClaimOutcome, ClaimRequest, Grant, Landing, NewGrant, SessionRef},
};

/// How long a grant lives at the least.
const SHORTEST_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long at the most: what lands then has still to be taken in while the claim lives.
pub(super) const LONGEST_LIFE: Duration = Duration::from_secs(115 * 60);
/// The slowest sender that a grant's life is enough for, in bytes a second.
const SLOWEST_SENDER: u64 = 128 * 1024;
/// How long after a grant's life its claim is kept, for what lands in the last moment.
const SPARE: Duration = Duration::from_secs(60);
/// How long after a grant's life its bytes may still be landing: the store judges the address when
/// they begin to come.
const LATE: SignedDuration = CLAIM_MAX_AGE;
/// Most that stores copy, or take in one request, in bytes.
pub(super) const MOST_BYTES: u64 = 5 << 30;
/// Longest name that is kept with a grant, in characters.
const MOST_NAME: usize = 1_000;
/// A type that says nothing.
const ANY_TYPE: &str = "application/octet-stream";

/// Asks for a grant.
#[derive(Debug)]
pub struct GrantRequest {
    /// What is going to be sent.
    pub spec: Spec,
    /// The page's name for this attempt.
    pub attempt: Option<AttemptId>,
    /// Who asks.
    pub from: IpAddr,
}

/// What came of a [`GrantRequest`].
#[derive(Debug)]
pub enum Granted {
    /// The file may be sent.
    Granted {
        /// The grant's name: that of the media that will come of it.
        id: MediaId,
        /// Where it is sent to; `None`: to askfile, by the grant's name.
        upload: Option<SignedUpload>,
        /// What is to be sent.
        spec: Spec,
        /// Until when sending can begin.
        expires_at: Timestamp,
    },
    /// The same attempt was stored before; this is what it brought.
    StoredBefore(Box<Received>),
}

/// The body of a grant that askfile takes in.
#[derive(Debug)]
pub struct GrantedBody {
    /// The bytes.
    pub body: Body,
    /// What the request says of its type.
    pub mime_type: Option<String>,
    /// What it says of its length.
    pub size_bytes: Option<u64>,
}

impl Service {
    /// Takes a claim under which a file may be sent: to the store itself, where that is possible.
    ///
    /// # Errors
    /// As [`Self::receive`]; [`Error::Conflict`] where the file can only be sent through askfile.
    pub async fn grant(&self, link: &LinkedSession, request: GrantRequest) -> Result<Granted> {
        let session = &link.view.session;
        if let Some(media) = sent_before(&link.view, request.attempt) {
            let session = session.clone();
            return Ok(Granted::StoredBefore(Box::new(Received { session, media })));
        }
        let payer = Some(Payer::of(session, request.from));
        self.may_claim(&link.view, request.attempt, payer)?;
        let through_link = "This file is sent through the link itself: POST or PUT it there.";
        if session.spec.is_some() || session.transfer != Transfer::Direct {
            return Err(Error::Conflict(through_link.into()));
        }
        let spec = checked(request.spec, &session.limits)?;
        if spec.size_bytes > MOST_BYTES {
            return Err(Error::Conflict(through_link.into()));
        }
        let lives = life(spec.size_bytes);
        self.begin_grant(session, spec, request.attempt, lives, payer)
            .await
    }

    /// Takes a claim for what is within the limits; the grant lives so long.
    pub(super) async fn begin_grant(
        &self,
        session: &UploadSession,
        spec: Spec,
        attempt: Option<AttemptId>,
        lives: Duration,
        payer: Option<Payer>,
    ) -> Result<Granted> {
        let direct = self.objects.direct();
        if direct.is_none() {
            self.must_have_room(spec.size_bytes).await?;
        }
        let now = self.clock.now();
        let id = MediaId::new(now);
        let key = landing_key(id);
        let landing = direct.map(|_| Landing {
            key: key.clone(),
            over_in: signed(lives) + LATE,
        });
        let claim = ClaimRequest {
            session: session.id,
            claim: ClaimId::random(),
            media: id,
            attempt,
            lease: signed(lives + SPARE),
            bytes: (spec.size_bytes, spec.size_bytes),
            grant: Some(NewGrant {
                spec: spec.clone(),
                landing,
            }),
        };
        let name = claim.claim;
        let slot = match self.claim(claim, payer).await? {
            ClaimOutcome::Taken { slot, .. } => slot,
            ClaimOutcome::StoredBefore(media) => {
                let (session, media) = (session.clone(), *media);
                return Ok(Granted::StoredBefore(Box::new(Received { session, media })));
            }
        };
        log_move(session.id, session.state, State::Receiving);
        hook::reached("granted");
        let upload = async {
            self.charge(payer, slot)?;
            let Some(direct) = direct else {
                return Ok(None);
            };
            let upload = Upload {
                content_type: &spec.mime_type,
                size_bytes: spec.size_bytes,
                once: session.spec.is_none(),
                now,
                lives,
            };
            let signed = direct.upload(&key, &upload).await;
            signed.map(Some).map_err(Error::of_storage)
        };
        match upload.await {
            Ok(upload) => Ok(Granted::Granted {
                id,
                upload,
                spec,
                expires_at: now.saturating_add(signed(lives)).unwrap_or(Timestamp::MAX),
            }),
            Err(error) => {
                self.store.release(name, None).await?;
                Err(error)
            }
        }
    }

    /// The origin that a browser may put this session's files to, if that is not askfile's own.
    #[must_use]
    pub fn store_of(&self, session: &UploadSession) -> Option<&str> {
        let direct = self.objects.direct();
        let direct = direct.filter(|_| session.transfer == Transfer::Direct);
        direct.map(Direct::origin)
    }

    /// Gives the claim of a grant back. Safe to repeat.
    ///
    /// # Errors
    /// [`Error::Internal`], [`Error::Unavailable`].
    pub async fn give_back(&self, link: &LinkedSession, id: MediaId) -> Result<()> {
        let Some(grant) = self.store.grant(link.view.session.id, id).await? else {
            return Ok(());
        };
        if !grant.is_in_turn {
            // What lands after this is deleted once nothing can land any more.
            self.store.release(grant.claim, None).await?;
            self.forget_landed(&grant).await;
        }
        Ok(())
    }

    /// Takes in the body of a grant, where it comes through askfile.
    ///
    /// # Errors
    /// [`Error::SpecMismatch`] unless it is what was granted, and the grant is as good as before;
    /// [`Error::Conflict`] once the grant is over; else as [`Self::receive`].
    pub async fn receive_granted(
        &self,
        link: &LinkedSession,
        id: MediaId,
        sent: GrantedBody,
    ) -> Result<Received> {
        let session = link.view.session.clone();
        let found = self.store.grant(session.id, id).await?;
        let Some(grant) = found.filter(|grant| grant.lands_at.is_none()) else {
            return Err(self
                .over(link, id)
                .await?
                .err()
                .unwrap_or(Error::AlreadyUsed));
        };
        let Spec {
            mime_type,
            size_bytes,
            ..
        } = &grant.spec;
        let is_same_type = sent.mime_type.as_deref().and_then(essence).as_ref() == Some(mime_type);
        if !is_same_type || sent.size_bytes != Some(*size_bytes) {
            return Err(Error::SpecMismatch(format!(
                "What was granted is {mime_type} of {size_bytes} bytes, and nothing else."
            )));
        }
        self.must_not_be_closing()?;
        let service = self.clone();
        // In a task of its own: when the client goes away, what was begun is still ended properly.
        let task = async move {
            let permit = service.place()?;
            let lease = signed(service.lease());
            let claim = Claim {
                id: service.store.take_grant(grant.claim, lease).await?,
                media: grant.media,
                reserved: grant.spec.size_bytes,
            };
            let flow = service.flows.begin(session.id, Some(grant.spec.size_bytes));
            let body = FileBody::granted(sent.body, grant.spec);
            service.fill(&session, claim, permit, flow, body).await
        };
        tokio::spawn(task).await.map_err(Error::internal)?
    }

    /// What became of a grant that is over: its file, or why there is none.
    async fn over(&self, link: &LinkedSession, id: MediaId) -> Result<Result<Received>> {
        let which = SessionRef::Id(link.view.session.id);
        let view = self.store.find(which).await?.ok_or(Error::NotFound)?;
        let mut media = view.media.into_iter();
        if let Some(media) = media.find(|media| media.id == id) {
            let session = view.session;
            return Ok(Ok(Received { session, media }));
        }
        let why = Error::of_closed(view.session.state).unwrap_or_else(|| {
            let last = view.session.last_error.map(|last| last.message);
            let over = "This grant is over, or there never was one by that name: ask for another.";
            Error::Conflict(last.unwrap_or_else(|| over.into()))
        });
        Ok(Err(why))
    }
}

/// What is going to be sent, if it is within the limits as far as that is known.
fn checked(spec: Spec, limits: &Limits) -> Result<Spec> {
    let declared = spec.mime_type;
    let mime_type = essence(&declared).ok_or_else(|| {
        let why = format!("mime_type: `{declared}` is not a type such as `image/png`.");
        Error::InvalidArgument(why)
    })?;
    let is_known = mime_type != ANY_TYPE;
    if is_known && !limits.allows(&mime_type) {
        return Err(Error::TypeNotAllowed {
            declared: mime_type,
            allowed: limits.allowed_mime_types.clone(),
        });
    }
    let limit = if is_known {
        limits.cap(Kind::of(&mime_type))
    } else {
        limits.max_size_bytes
    };
    match spec.size_bytes {
        0 => return Err(Error::FileMissing("The file is empty.".into())),
        size_bytes if size_bytes > limit => return Err(Error::SizeExceeded { limit }),
        _ => {}
    }
    let words = spec.description.as_deref().unwrap_or_default();
    Ok(Spec {
        filename: spec.filename.chars().take(MOST_NAME).collect(),
        mime_type,
        size_bytes: spec.size_bytes,
        description: description(words)?,
    })
}

/// A type without its parameters, in lower case; of nothing, the type that says nothing. It goes into
/// a header, so other characters than those of types are refused.
pub(super) fn essence(mime_type: &str) -> Option<String> {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    if essence.is_empty() {
        return Some(ANY_TYPE.to_owned());
    }
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
    let is_part = |part: &str| (1..=127).contains(&part.len()) && part.bytes().all(is_letter);
    let (kind, name) = essence.split_once('/')?;
    (is_part(kind) && is_part(name)).then(|| essence.to_ascii_lowercase())
}

/// How long somebody may take to send so many bytes.
pub(super) fn life(size_bytes: u64) -> Duration {
    let needed = Duration::from_secs(size_bytes / SLOWEST_SENDER);
    needed.clamp(SHORTEST_LIFE, LONGEST_LIFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_without_its_parameters() {
        let table = [
            ("image/PNG", Some("image/png")),
            ("text/plain; charset=utf-8", Some("text/plain")),
            ("", Some(ANY_TYPE)),
            ("image", None),
            ("image/p\r\nng", None),
            ("image/png, text/html", None),
        ];
        for (text, wanted) in table {
            assert_eq!(essence(text).as_deref(), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_large_file_has_more_time_but_never_more_than_its_claim() {
        assert_eq!(life(1), SHORTEST_LIFE);
        assert_eq!(life(SLOWEST_SENDER * 3600), Duration::from_secs(3600));
        let longest = life(u64::MAX) + SPARE;
        assert!(signed(longest) < CLAIM_MAX_AGE);
    }
}
