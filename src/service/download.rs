//! Handing out bytes: by a handle's signed address, which leads to a download link that lives for
//! minutes only.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Service;
use crate::{
    domain::{
        caller::Caller,
        ids::{MediaId, WorkspaceId},
        media::{Media, ScanStatus, object_key},
    },
    error::{Error, Result},
    objects::{Bytes, Download},
    store::{MediaRef, later},
};

/// How long a download link lives.
const DOWNLOAD_LIFE: SignedDuration = SignedDuration::from_mins(5);
/// How long the store's own address lives at least, and at most.
const SHORTEST_LIFE: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(1);

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
    /// [`Error::LinkInvalid`]; [`Error::NotFound`] once the media is deleted.
    pub async fn follow_handle(
        &self,
        workspace: WorkspaceId,
        handle: &str,
        signature: &str,
    ) -> Result<String> {
        let path = handle_path(workspace, handle);
        if !self.handle_keys.verify(&path, signature) {
            return Err(Error::LinkInvalid);
        }
        let which = MediaRef::Handle(handle.to_owned());
        let media = self.store.media(workspace, which).await?;
        let media = media.ok_or(Error::NotFound)?;
        let expires = later(self.clock.now(), DOWNLOAD_LIFE).as_second();
        let message = download_message(workspace, media.id, expires);
        let signature = self.download_keys.sign(&message);
        Ok(format!(
            "{}{message}&signature={signature}",
            self.public_url()
        ))
    }

    /// What a download link is for, and until when.
    ///
    /// # Errors
    /// [`Error::LinkInvalid`], [`Error::LinkExpired`]; [`Error::NotFound`] once the media is
    /// deleted, and for what no scanner has passed.
    pub async fn download(
        &self,
        workspace: WorkspaceId,
        media: MediaId,
        expires: i64,
        signature: &str,
    ) -> Result<(Media, Timestamp)> {
        let message = download_message(workspace, media, expires);
        if !self.download_keys.verify(&message, signature) {
            return Err(Error::LinkInvalid);
        }
        let expires_at = Timestamp::from_second(expires).map_err(|_| Error::LinkInvalid)?;
        if self.clock.now() >= expires_at {
            return Err(Error::LinkExpired);
        }
        Ok((self.harmless(workspace, media).await?, expires_at))
    }

    /// Where the store itself hands a file out until then; `None` where we do.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn download_url(
        &self,
        media: &Media,
        disposition: &str,
        until: Timestamp,
    ) -> Result<Option<String>> {
        let now = self.clock.now();
        let lives = until.duration_since(now).clamp(SHORTEST_LIFE, LONGEST_LIFE);
        let download = Download {
            content_type: &media.stored.mime_type,
            disposition,
            now,
            lives: Duration::try_from(lives).unwrap_or_default(),
        };
        let url = self.objects.download_url(&key_of(media), &download).await;
        url.map_err(Error::of_storage)
    }

    /// A file of the caller's own workspace, and its bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`] once the media is deleted, and for what no scanner has passed.
    pub async fn open_media(&self, caller: &Caller, media: MediaId) -> Result<(Media, Bytes)> {
        let media = self.harmless(caller.workspace.id, media).await?;
        let bytes = self.bytes(&media).await?;
        Ok((media, bytes))
    }

    /// The bytes of a media that may be handed out.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Internal`].
    pub async fn bytes(&self, media: &Media) -> Result<Bytes> {
        let bytes = self.objects.open(&key_of(media)).await;
        bytes.map_err(Error::of_storage)
    }

    async fn harmless(&self, workspace: WorkspaceId, media: MediaId) -> Result<Media> {
        let found = self.store.media(workspace, MediaRef::Id(media)).await?;
        found
            .filter(|media| matches!(media.scan_status, ScanStatus::Skipped | ScanStatus::Clean))
            .ok_or(Error::NotFound)
    }
}

fn key_of(media: &Media) -> String {
    object_key(media.id, &media.stored.mime_type)
}

fn handle_path(workspace: WorkspaceId, handle: &str) -> String {
    format!("/m/{workspace}/{handle}")
}

/// Path and query of a download link, as they are signed.
fn download_message(workspace: WorkspaceId, media: MediaId, expires: i64) -> String {
    format!("/downloads/{workspace}/{media}?expires={expires}")
}
