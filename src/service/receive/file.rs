//! One file's bytes, from the body to their final name, under a claim.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;

use super::pulse::Pulse;
use crate::{
    domain::{
        ids::{ClaimId, MediaId, new_handle},
        limits::Limits,
        media::{Content, ScanStatus, object_key, staging_key},
        mime::Kind,
        session::UploadSession,
    },
    error::{Error, Result},
    hook,
    intake::{
        body::FileBody,
        filename,
        sniff::{HEAD_BYTES, Sniffed, ZIP, sniff},
        stage::{AlreadyStaged, NotAsPromised, Stage, Written},
    },
    objects::Coming,
    service::{Service, progress::Flow, signed},
    store::{NewCheck, NewMedia, SessionView, StoreError},
};

/// The slowest disk that a sync is waited for, in bytes a second.
const SLOWEST_DISK: u64 = 10 * 1024 * 1024;

/// A claim, and the media that is to come of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Claim {
    pub id: ClaimId,
    pub media: MediaId,
    /// For how many bytes there is room.
    pub reserved: u64,
}

/// The first kilobytes of a file.
#[derive(Debug, Default)]
struct Head {
    start: Vec<u8>,
    pieces: Vec<Bytes>,
    bytes: u64,
}

/// A file that is a media now.
pub(super) struct Stored {
    pub view: SessionView,
    /// The turn to judge it, where there is something to judge.
    pub check: Option<NewCheck>,
}

/// Why a file was not stored.
pub(super) struct Failure {
    pub error: Error,
    /// Nothing is left of its bytes, so that the claim can be given back. Else the sweep will look.
    pub is_clean: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            is_clean: true,
        }
    }
}

enum StreamError {
    Disk,
    Other(Error),
}

impl From<Error> for StreamError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Service {
    /// Stores one file under its claim.
    pub(super) async fn store_file(
        &self,
        session: &UploadSession,
        claim: Claim,
        flow: Arc<Flow>,
        body: &mut FileBody,
    ) -> Result<Stored, Failure> {
        let declared_bytes = flow.declared_bytes();
        let mut pulse = Pulse::of(self, claim, flow);
        let (head, name) = self.head(body, &session.limits, &mut pulse).await?;
        let name = name.unwrap_or_default();
        let sniffed = sniff(&head.start, &name);
        let cap = cap_for(sniffed, &session.limits)?;
        if head.bytes > cap {
            return Err(Error::SizeExceeded { limit: cap }.into());
        }
        let objects = Arc::clone(&self.objects);
        let mut stage = if body.is_staged() {
            let staged = AlreadyStaged::at(objects, staging_key(claim.id));
            Stage::start(move || Ok(Box::new(staged)), sniffed)
        } else {
            let coming = self.coming(claim, sniffed, declared_bytes.unwrap_or(cap).min(cap));
            self.begin(claim, &coming).await?;
            Stage::start(move || objects.stage(&coming), sniffed)
        };
        let description = match self.stream(body, &mut stage, &mut pulse, &head, cap).await {
            Ok(description) => description,
            Err(error) => {
                // Where the disk failed, its own reason is the better one.
                let error = match error {
                    StreamError::Disk => match stage.finish().await {
                        Ok(_) => Error::internal("the disk failed without a reason"),
                        Err(cause) => of_staging(cause),
                    },
                    StreamError::Other(error) => {
                        stage.abandon().await;
                        error
                    }
                };
                return Err(self.discarded(claim, None, error).await);
            }
        };
        let written = self.sync(stage, &mut pulse, claim, sniffed).await?;
        hook::reached("staged");
        let new = self.described(session, claim, written, &name, description);
        let new = match new {
            Ok(new) => new,
            Err(error) => return Err(self.discarded(claim, None, error).await),
        };
        self.commit(claim, &mut pulse, new).await
    }

    /// What is known of a file's bytes before they are staged.
    fn coming(&self, claim: Claim, sniffed: Sniffed, most_bytes: u64) -> Coming {
        let key = staging_key(claim.id);
        let is_judged = |mime: &&str| self.first_turn(mime, key.clone()).is_some();
        let certain = sniffed.promised().filter(|mime| !is_judged(mime));
        Coming {
            meant_for: certain.map(|mime| object_key(claim.media, mime)),
            key,
            most_bytes,
            is_read_back: sniffed == Sniffed::Zip,
        }
    }

    /// Gets the store ready, and remembers with the claim what that leaves there.
    async fn begin(&self, claim: Claim, coming: &Coming) -> Result<(), Failure> {
        let begun = self.objects.begin(coming).await;
        let Some(begun) = begun.map_err(Error::of_storage)? else {
            return Ok(());
        };
        match self.store.note_begun(claim.id, begun).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.discarded(claim, None, error.into()).await),
        }
    }

    /// The first kilobytes, and what the sender calls the file.
    async fn head(
        &self,
        body: &mut FileBody,
        limits: &Limits,
        pulse: &mut Pulse<'_>,
    ) -> Result<(Head, Option<String>), Error> {
        let name = self.in_time(body, FileBody::open).await?;
        pulse.beat(0).await?;
        let mut head = Head::default();
        while head.start.len() < HEAD_BYTES {
            let Some(piece) = self.in_time(body, FileBody::piece).await? else {
                break;
            };
            let bytes = piece.len() as u64;
            head.bytes += bytes;
            let wanted = piece.len().min(HEAD_BYTES - head.start.len());
            head.start.extend_from_slice(&piece[..wanted]);
            head.pieces.push(piece);
            pulse.beat(bytes).await?;
            if head.bytes > limits.max_size_bytes {
                break;
            }
        }
        if head.bytes == 0 {
            let why = match name.as_deref() {
                None | Some("") => "No file was chosen, or it is empty.",
                Some(_) => "The file is empty.",
            };
            return Err(Error::FileMissing(why.into()));
        }
        Ok((head, name))
    }

    /// # Errors
    /// [`Error::MalformedBody`] if the sender is silent for too long.
    async fn in_time<T>(
        &self,
        body: &mut FileBody,
        work: impl AsyncFnOnce(&mut FileBody) -> Result<T>,
    ) -> Result<T> {
        if body.is_staged() {
            // Nobody sends, and how long the store may be silent is its own matter.
            return work(body).await;
        }
        tokio::time::timeout(self.settings.idle_timeout, work(body))
            .await
            .map_err(|_| Error::MalformedBody("The sender fell silent, so it was ended.".into()))?
    }

    /// Sends the file to the disk, counting. Gives the description.
    async fn stream(
        &self,
        body: &mut FileBody,
        stage: &mut Stage,
        pulse: &mut Pulse<'_>,
        head: &Head,
        cap: u64,
    ) -> Result<Option<String>, StreamError> {
        let mut size_bytes = head.bytes;
        for piece in &head.pieces {
            stage
                .append(piece.clone())
                .await
                .map_err(|_| StreamError::Disk)?;
        }
        hook::reached("first-bytes");
        while let Some(piece) = self.in_time(body, FileBody::piece).await? {
            let bytes = piece.len() as u64;
            size_bytes += bytes;
            if size_bytes > cap {
                return Err(Error::SizeExceeded { limit: cap }.into());
            }
            let (appended, kept) = pulse.during(stage.append(piece)).await;
            appended.map_err(|_| StreamError::Disk)?;
            kept?;
            pulse.beat(bytes).await?;
        }
        pulse.beat(0).await?;
        Ok(self.in_time(body, FileBody::close).await?)
    }

    /// Makes the bytes durable, and the claim say where they will be published, so that a crash
    /// after this leaves nothing that cannot be found.
    async fn sync(
        &self,
        stage: Stage,
        pulse: &mut Pulse<'_>,
        claim: Claim,
        sniffed: Sniffed,
    ) -> Result<Written, Failure> {
        let largest = self.settings.max_file_size;
        let lease = self.lease() + Duration::from_secs(largest / SLOWEST_DISK);
        pulse.lengthen(lease);
        let seal = |mime: Option<&str>| {
            let key = mime.map(|mime| object_key(claim.media, mime));
            self.store.heartbeat(claim.id, signed(lease), key)
        };
        let promised = sniffed.promised();
        let both = async { tokio::join!(stage.finish(), seal(promised)) };
        let ((written, sealed), kept) = pulse.during(both).await;
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                let error = of_staging(error);
                return Err(self.discarded(claim, None, error).await);
            }
        };
        let sealed = match (sealed, &written.content) {
            (Ok(()), Ok(content)) if promised.is_none() => seal(Some(&content.mime_type)).await,
            (sealed, _) => sealed,
        };
        match kept.and(sealed.map_err(Error::from)) {
            Ok(()) => Ok(written),
            Err(error) => Err(self.discarded(claim, None, error).await),
        }
    }

    /// The media to be, if the whole file is what is wanted.
    fn described(
        &self,
        session: &UploadSession,
        claim: Claim,
        written: Written,
        name: &str,
        description: Option<String>,
    ) -> Result<NewMedia> {
        let not_allowed = |found: Option<&str>| Error::MimeNotAllowed {
            found: found.map(str::to_owned),
            allowed: session.limits.allowed_mime_types.clone(),
        };
        let content: Content = written.content.map_err(|NotAsPromised| not_allowed(None))?;
        if !session.limits.allows(&content.mime_type) {
            return Err(not_allowed(Some(&content.mime_type)));
        }
        let limit = session.limits.cap(Kind::of(&content.mime_type));
        if content.size_bytes > limit {
            return Err(Error::SizeExceeded { limit });
        }
        let now = self.clock.now();
        let check = self.first_turn(&content.mime_type, staging_key(claim.id));
        let specs = self.settings.purpose(&session.purpose);
        let handles = specs.map_or(&[][..], |purpose| &purpose.handles);
        Ok(NewMedia {
            original_filename: filename::harmless(name, &content.mime_type),
            description,
            original: content.clone(),
            stored: content,
            dimensions: None,
            scan_status: match check {
                Some(_) => ScanStatus::Pending,
                None => ScanStatus::Skipped,
            },
            handles: handles
                .iter()
                .map(|spec| (spec.name.clone(), new_handle(&spec.prefix, now)))
                .collect(),
            check,
        })
    }

    /// Makes the bytes a media; what has to be judged is published after that.
    async fn commit(
        &self,
        claim: Claim,
        pulse: &mut Pulse<'_>,
        new: NewMedia,
    ) -> Result<Stored, Failure> {
        let key = object_key(claim.media, &new.stored.mime_type);
        let check = new.check.clone();
        if check.is_none() {
            self.publish(claim, pulse, &key).await?;
        }
        match self.store.commit_upload(claim.id, new).await {
            Ok(view) => Ok(Stored { view, check }),
            // Whether it was committed is not known. If not, the claim is still there and the sweep
            // finds the bytes by it; if it was, they are a media's.
            Err(error @ StoreError::Database(_)) => Err(Failure {
                error: error.into(),
                is_clean: false,
            }),
            Err(error) => Err(self.discarded(claim, Some(&key), error.into()).await),
        }
    }

    async fn publish(&self, claim: Claim, pulse: &mut Pulse<'_>, key: &str) -> Result<(), Failure> {
        let staged = staging_key(claim.id);
        let (published, kept) = pulse.during(self.objects.publish(&staged, key)).await;
        if let Err(error) = published.map_err(of_staging).and(kept) {
            return Err(self.discarded(claim, Some(key), error).await);
        }
        hook::reached("published");
        Ok(())
    }

    /// Deletes the bytes of a claim that failed.
    pub(super) async fn discarded(&self, claim: Claim, key: Option<&str>, error: Error) -> Failure {
        let mut gone = self.objects.delete(&staging_key(claim.id)).await;
        if let (Ok(()), Some(key)) = (&gone, key) {
            gone = self.objects.delete(key).await;
        }
        Failure {
            is_clean: gone.is_ok(),
            error,
        }
    }
}

/// What staged bytes failed with: where they are gone, the sweep was here, because the claim was
/// lost.
fn of_staging(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => StoreError::ClaimGone.into(),
        _ => Error::of_storage(error),
    }
}

/// The largest size of what this may turn out to be.
fn cap_for(sniffed: Sniffed, limits: &Limits) -> Result<u64> {
    let candidates = sniffed.candidates();
    let allowed = candidates.iter().filter(|mime| limits.allows(mime));
    allowed
        .map(|mime| limits.cap(Kind::of(mime)))
        .max()
        .ok_or_else(|| Error::MimeNotAllowed {
            found: match sniffed {
                Sniffed::Zip => Some(ZIP.to_owned()),
                _ => candidates.first().map(|mime| (*mime).to_owned()),
            },
            allowed: limits.allowed_mime_types.clone(),
        })
}
