//! Files that a program sends itself, with its key: link, bytes and verdict in one call.

use std::net::{IpAddr, Ipv4Addr};

use tokio::time::Instant;

use super::{
    AttachRequest, CreateRequest, Incoming, Received, Service, Turn, What, attach::check_target,
    authority::must,
};
use crate::{
    domain::{
        attachment::{Attachment, Target},
        caller::Caller,
        capability::Capability,
        ids::UploadId,
        media::{Media, ScanStatus},
        session::{State, Tally},
        transfer::Transfer,
    },
    error::{Error, Result},
    intake::body::{FileBody, Texts},
    store::{NewSession, SessionRef, SessionView},
};

/// What a program sends.
#[derive(Debug)]
pub struct SendRequest {
    /// What it is for, and whose it will be.
    pub session: CreateRequest,
    /// Largest file, in bytes, where that is less than what is taken anyway.
    pub most_bytes: Option<u64>,
    /// The file.
    pub body: FileBody,
    /// What the sender says the body's length is.
    pub declared_bytes: Option<u64>,
}

impl Service {
    /// Takes in a file, and answers once it is judged. What is refused leaves a cancelled session and
    /// nothing else.
    ///
    /// # Errors
    /// As [`Self::create`] and [`Self::receive`]; [`Error::ScanPending`] if it is not judged in time.
    pub async fn send(&self, caller: &Caller, request: SendRequest) -> Result<Media> {
        let (service, caller) = (self.clone(), caller.clone());
        // In a task of its own: when the client goes away, what was begun is still ended properly.
        let sending = tokio::spawn(async move { service.sent(&caller, request).await });
        sending.await.map_err(Error::internal)?
    }

    /// Takes in a file and puts it on a target. What cannot be put there is not kept.
    ///
    /// # Errors
    /// As [`Self::send`] and [`Self::attach`].
    pub async fn send_to(
        &self,
        caller: &Caller,
        request: SendRequest,
        target: Target,
        texts: Texts,
    ) -> Result<Vec<Attachment>> {
        must(caller, Capability::MediaAttach)?;
        check_target(&target)?;
        // What can be told before the file comes is told before.
        let purpose = request.session.purpose.as_deref();
        let purpose = purpose.unwrap_or(&self.settings.default_purpose);
        self.must_suit(purpose, &[], &target)?;
        let (service, caller) = (self.clone(), caller.clone());
        let sending = tokio::spawn(async move {
            let media = service.sent(&caller, request).await?;
            let attached = async {
                let request = AttachRequest {
                    what: What::Session(SessionRef::Id(media.upload_id)),
                    target,
                    alt: texts.take(ALT),
                    position: texts
                        .take(POSITION)
                        .map(|text| position(&text))
                        .transpose()?,
                };
                service.attach(&caller, request).await
            };
            match attached.await {
                Ok((attached, _)) => Ok(attached),
                Err(error) => {
                    service.unsend(&caller, &media).await;
                    Err(error)
                }
            }
        });
        sending.await.map_err(Error::internal)?
    }

    /// Takes back what was sent.
    async fn unsend(&self, caller: &Caller, media: &Media) {
        let (of, by) = (media.workspace_id, caller.actor());
        let deleted = match self.store.delete_media(of, media.id, false, by).await {
            Ok(()) => self.delete_doomed().await.map(drop),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = deleted {
            error.log();
        }
    }

    async fn sent(&self, caller: &Caller, request: SendRequest) -> Result<Media> {
        let session = self.to_send(caller, request.session, request.most_bytes);
        let session = session.await?;
        let (body, declared_bytes) = (request.body, request.declared_bytes);
        let (id, received) = self.brought(session, body, declared_bytes).await?;
        let judged = match received {
            Ok(received) if received.media.scan_status == ScanStatus::Pending => {
                let deadline = Instant::now() + self.settings.max_wait;
                self.judged_in_time(caller, id, deadline).await
            }
            received => received.map(|received| received.media),
        };
        if judged.is_err() {
            self.give_up(caller, id).await;
        }
        judged.map_err(Error::without_link)
    }

    /// The session for a file that its caller has at hand, and has been charged for.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(super) async fn to_send(
        &self,
        caller: &Caller,
        session: CreateRequest,
        most_bytes: Option<u64>,
    ) -> Result<NewSession> {
        let mut new = self.to_create(caller, session).await?;
        let limits = &mut new.limits;
        if let Some(most) = most_bytes {
            limits.max_size_bytes = limits.max_size_bytes.min(most);
            let by_kind = limits.max_size_bytes_by_kind.values_mut();
            by_kind.for_each(|cap| *cap = most.min(*cap));
        }
        new.transfer = Transfer::Proxy;
        self.rates.sent.charge(caller.principal.id)?;
        Ok(new)
    }

    /// Takes in a file for such a session, which it makes; gives what came of it.
    ///
    /// # Errors
    /// Where there is no session.
    pub(super) async fn brought(
        &self,
        session: NewSession,
        body: FileBody,
        declared_bytes: Option<u64>,
    ) -> Result<(UploadId, Result<Received>)> {
        let session = self.mint(session).await?;
        let id = session.id;
        let view = SessionView {
            session,
            media: Vec::new(),
            tally: Tally {
                slots: 1,
                ..Tally::default()
            },
        };
        let incoming = Incoming {
            body: Ok(body),
            declared_bytes,
            attempt: None,
            mime_type: None,
            from: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        Ok((id, self.receive_of(&view, incoming, None).await))
    }

    /// Closes a session by which nothing came.
    pub(super) async fn give_up(&self, caller: &Caller, id: UploadId) {
        if let Err(error) = self.store.cancel(id, caller.actor()).await {
            Error::from(error).log();
        }
    }

    /// # Errors
    /// [`Error::ScanPending`] at the deadline; [`Error::ScanBlocked`].
    pub(super) async fn judged_in_time(
        &self,
        caller: &Caller,
        id: UploadId,
        deadline: Instant,
    ) -> Result<Media> {
        let mut view = self.status(caller, SessionRef::Id(id)).await?;
        while view.session.state == State::Checking {
            view = match self.wait_turn(caller, &view, deadline).await? {
                Turn::Over(now) if now.session.state == State::Checking => {
                    return Err(Error::ScanPending);
                }
                Turn::Over(now) | Turn::Pending(now) => now,
            };
        }
        let why = view.session.last_error.map(|last| last.message);
        let media = view.media.into_iter().next();
        media.ok_or_else(|| Error::ScanBlocked(why.unwrap_or_default()))
    }
}

/// The fields of a form that puts its file on a target.
pub const ALT: &str = "alt";
/// See [`ALT`].
pub const POSITION: &str = "position";

fn position(text: &str) -> Result<u32> {
    let read = text.trim().parse();
    read.map_err(|_| Error::InvalidArgument("position: a whole number, from 0 on.".into()))
}

/// Pictures that programs send on their own.
pub const PICTURES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];

/// Largest of them, in bytes.
pub const MOST_PICTURE_BYTES: u64 = 25 << 20;

impl SendRequest {
    /// A picture, for a workspace of the caller's.
    #[must_use]
    pub fn picture(workspace: Option<String>, body: FileBody, declared: Option<u64>) -> Self {
        Self {
            session: CreateRequest {
                workspace_id: workspace,
                allowed_mime_types: Some(PICTURES.map(str::to_owned).into()),
                ..CreateRequest::default()
            },
            most_bytes: Some(MOST_PICTURE_BYTES),
            body,
            declared_bytes: declared,
        }
    }
}
