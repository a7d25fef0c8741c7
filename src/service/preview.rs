//! Pictures made smaller, for people to look at and for models to see. Made when asked for: a preview
//! takes some tens of milliseconds, and few are asked for twice.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Service, Signed,
    download::{must_be_passed, unreadable},
};
use crate::{
    domain::{
        audit::Actor,
        media::{Dimensions, Media, object_key},
    },
    error::{Error, Result},
    intake::image::{ImageError, Limits, fit_within},
    store::later,
};

/// Longest side of a preview, in pixels.
const PREVIEW_SIDE: u32 = 512;
/// Longest side of what a model is shown, in pixels: more is scaled down by those that look at it.
const MODEL_SIDE: u32 = 1_568;
/// Most bytes of it: as base64, and with what is said beside it, it stays below 1 MB.
const MODEL_BYTES: usize = 700_000;

/// A picture, and its type.
pub type Picture = (Vec<u8>, &'static str);

impl Service {
    /// A link to a small copy of a picture, until then; `None` for what has none.
    #[must_use]
    pub fn preview_url(&self, media: &Media, expires_at: Timestamp) -> Option<String> {
        let url = || self.file_url(&self.preview_keys, "previews", media, expires_at);
        media.can_be_scaled().then(url)
    }

    /// A link to a small copy of a picture, as long as links live that nobody asked more of.
    #[must_use]
    pub fn preview_for_now(&self, media: &Media) -> Option<String> {
        self.preview_url(media, later(self.clock.now(), super::LINK_LIFE))
    }

    /// The picture that a preview link is for.
    ///
    /// # Errors
    /// As [`Self::downloaded`].
    pub async fn previewed(&self, link: &Signed) -> Result<Media> {
        self.linked_file(&self.preview_keys, "previews", link).await
    }

    /// A small copy of a picture, for whoever has the link.
    ///
    /// # Errors
    /// [`Error::ScanPending`], [`Error::ScanBlocked`]; [`Error::Damaged`] or
    /// [`Error::ImageTooLarge`] for what cannot be decoded; [`Error::NotFound`] if it was deleted
    /// just now.
    pub async fn preview(&self, media: &Media) -> Result<Picture> {
        let picture = self.scaled(media, PREVIEW_SIDE, None).await?;
        self.note_read(media, &Actor::Link, "preview").await;
        Ok(picture)
    }

    /// A copy of a picture that models take.
    ///
    /// # Errors
    /// As [`Self::preview`].
    pub async fn model_copy(&self, media: &Media) -> Result<Picture> {
        self.scaled(media, MODEL_SIDE, Some(MODEL_BYTES)).await
    }

    async fn scaled(&self, media: &Media, side: u32, bytes: Option<usize>) -> Result<Picture> {
        must_be_passed(media)?;
        let mime_type = media.stored.mime_type.clone();
        let key = object_key(media.id, &mime_type);
        let pixels = media.dimensions.map_or(0, Dimensions::area);
        let service = self.clone();
        // A task of its own: decoding goes on when the caller goes away, and keeps its place.
        let scaling = tokio::spawn(async move {
            let _place = service.decoders.place(pixels).await?;
            let objects = Arc::clone(&service.objects);
            let scaling = tokio::task::spawn_blocking(move || {
                let mut source = objects.read(&key)?;
                fit_within(&mut source, &mime_type, side, bytes, &Limits::default())
            });
            scaling.await.map_err(Error::internal)
        });
        let scaled = scaling.await.map_err(Error::internal)??;
        scaled.map_err(|error| match error {
            ImageError::Io(cause) => unreadable(cause),
            ImageError::TooLarge(_) => Error::ImageTooLarge(error.to_string()),
            ImageError::Damaged(_) | ImageError::Undecodable(_) | ImageError::Unsupported => {
                Error::Damaged(error.to_string())
            }
        })
    }
}
