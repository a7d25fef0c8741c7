//! Handing out bytes, by signed links that live for minutes. A handle's address lives as long as the
//! file and leads to such a link.

use std::{io, net::IpAddr, ops::Range, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{Service, authority::must};
use crate::{
    domain::{
        audit::Actor,
        caller::Caller,
        capability::Capability,
        ids::{MediaId, WorkspaceId},
        media::{Media, ScanStatus, object_key},
    },
    error::{Error, Result},
    link::KeyRing,
    objects::{Bytes, Download},
    store::{MediaRef, later},
};

/// How long a link lives if nothing else is asked for.
pub const LINK_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// How long the store's own address lives at least, and at most.
const SHORTEST_LIFE: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Path, expiry and signature of a link to a file, as they came in.
#[derive(Debug)]
pub struct Signed {
    /// Whose file.
    pub workspace: WorkspaceId,
    /// Which file.
    pub media: MediaId,
    /// Unix seconds.
    pub expires: i64,
    /// Lower-case hexadecimal.
    pub signature: String,
    /// Who shows it.
    pub from: IpAddr,
}

impl Service {
    /// The address, without expiry, by which other programs fetch a media by its handle.
    #[must_use]
    pub fn handle_url(&self, workspace: WorkspaceId, handle: &str) -> String {
        let path = handle_path(workspace, handle);
        let signature = self.handle_keys.sign(&path);
        format!("{}{path}?signature={signature}", self.public_url())
    }

    /// A fresh download link, for who has a handle's address.
    ///
    /// # Errors
    /// [`Error::LinkInvalid`], or [`Error::RateLimited`] for too many such; [`Error::NotFound`] once
    /// the media is deleted.
    pub async fn follow_handle(
        &self,
        workspace: WorkspaceId,
        handle: &str,
        signature: &str,
        from: IpAddr,
    ) -> Result<String> {
        let path = handle_path(workspace, handle);
        if !self.handle_keys.verify(&path, signature) {
            return Err(self.wrong_link(from, Error::LinkInvalid));
        }
        let which = MediaRef::Handle(handle.to_owned());
        let media = self.store.media(&[workspace], which).await?;
        let media = media.ok_or(Error::NotFound)?;
        Ok(self.download_url(&media, later(self.clock.now(), LINK_LIFE)))
    }

    /// A link to the bytes, until then.
    #[must_use]
    pub fn download_url(&self, media: &Media, expires_at: Timestamp) -> String {
        self.file_url(&self.download_keys, "downloads", media, expires_at)
    }

    /// The file that a download link is for.
    ///
    /// # Errors
    /// [`Error::LinkInvalid`], or [`Error::RateLimited`] for too many such; [`Error::LinkExpired`];
    /// [`Error::NotFound`] once the media is deleted; [`Error::ScanPending`], [`Error::ScanBlocked`].
    pub async fn downloaded(&self, link: &Signed) -> Result<Media> {
        self.linked_file(&self.download_keys, "downloads", link)
            .await
    }

    /// Where the store itself hands a file out as long as the link lives; `None` where we do.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store has no keys for us.
    pub async fn url_at_store(
        &self,
        media: &Media,
        disposition: &str,
        link: &Signed,
    ) -> Result<Option<String>> {
        let now = self.clock.now();
        let until = Timestamp::from_second(link.expires).map_err(|_| Error::LinkInvalid)?;
        let lives = until.duration_since(now).clamp(SHORTEST_LIFE, LONGEST_LIFE);
        let download = Download {
            content_type: &media.stored.mime_type,
            disposition,
            now,
            lives: Duration::try_from(lives).unwrap_or_default(),
        };
        let key = object_key(media.id, &media.stored.mime_type);
        let url = self.objects.download_url(&key, &download).await;
        let url = url.map_err(Error::of_storage)?;
        if url.is_some() {
            self.note_read(media, &Actor::Link, "redirect").await;
        }
        Ok(url)
    }

    /// Bytes of a file, for whoever this is: those of `range`.
    ///
    /// # Errors
    /// [`Error::ScanPending`], [`Error::ScanBlocked`]; [`Error::NotFound`] if it was deleted just now.
    pub async fn bytes(&self, media: &Media, range: Range<u64>, by: &Actor) -> Result<Bytes> {
        must_be_passed(media)?;
        let key = object_key(media.id, &media.stored.mime_type);
        let bytes = self.objects.open(&key, range).await.map_err(unreadable)?;
        self.note_read(media, by, "file").await;
        Ok(bytes)
    }

    /// A file of the caller's own workspaces, and its bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`] once the media is deleted; [`Error::ScanPending`],
    /// [`Error::ScanBlocked`].
    pub async fn open_media(&self, caller: &Caller, media: MediaId) -> Result<(Media, Bytes)> {
        must(caller, Capability::MediaRead)?;
        let found = self.store.media(&caller.workspaces, MediaRef::Id(media));
        let media = found.await?.ok_or(Error::NotFound)?;
        let whole = 0..media.stored.size_bytes;
        let bytes = self.bytes(&media, whole, &caller.actor()).await?;
        Ok((media, bytes))
    }

    pub(super) fn file_url(
        &self,
        keys: &KeyRing,
        route: &str,
        media: &Media,
        expires_at: Timestamp,
    ) -> String {
        let message = message(route, media.workspace_id, media.id, expires_at.as_second());
        let signature = keys.sign(&message);
        format!("{}{message}&signature={signature}", self.public_url())
    }

    pub(super) async fn linked_file(
        &self,
        keys: &KeyRing,
        route: &str,
        link: &Signed,
    ) -> Result<Media> {
        let message = message(route, link.workspace, link.media, link.expires);
        if !keys.verify(&message, &link.signature) {
            return Err(self.wrong_link(link.from, Error::LinkInvalid));
        }
        let expires_at = Timestamp::from_second(link.expires).map_err(|_| Error::LinkInvalid)?;
        if self.clock.now() >= expires_at {
            return Err(Error::LinkExpired);
        }
        let within = [link.workspace];
        let found = self.store.media(&within, MediaRef::Id(link.media));
        let media = found.await?.ok_or(Error::NotFound)?;
        must_be_passed(&media)?;
        Ok(media)
    }
}

/// # Errors
/// [`Error::ScanPending`], [`Error::ScanBlocked`] for what may not be handed out.
pub(super) fn must_be_passed(media: &Media) -> Result<()> {
    match media.scan_status {
        ScanStatus::Skipped | ScanStatus::Clean => Ok(()),
        ScanStatus::Pending => Err(Error::ScanPending),
        ScanStatus::Blocked => Err(Error::ScanBlocked(
            "This file did not pass its check and was deleted.".into(),
        )),
    }
}

/// Reading a file failed; one that is gone was deleted since its row was read.
pub(super) fn unreadable(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound,
        _ => Error::of_storage(error),
    }
}

fn handle_path(workspace: WorkspaceId, handle: &str) -> String {
    format!("/m/{workspace}/{handle}")
}

/// Path and query of a link to a file, as they are signed.
fn message(route: &str, workspace: WorkspaceId, media: MediaId, expires: i64) -> String {
    format!("/{route}/{workspace}/{media}?expires={expires}")
}
