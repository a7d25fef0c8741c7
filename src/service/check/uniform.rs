//! Making an image uniform: what is left of it is staged under its check's turn.

use std::{
    io::{self, Write},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::Stop;
use crate::{
    domain::{
        ids::ClaimId,
        media::{Content, Dimensions, Media, staging_key},
        mime::Kind,
        purpose::Images,
    },
    error::Error,
    intake::image::{ImageError, Limits, Made, Output, inspect, make_uniform},
    objects::{Coming, Objects, Staging},
    service::Service,
};

/// What an image is now; what was written of it is still to be synced.
struct Remade {
    uniform: Uniform,
    staging: Option<Box<dyn Staging>>,
}

/// What is to be stored of a file.
pub(super) struct Uniform {
    /// What was made of it, if it does not stay as it came.
    pub remade: Option<Content>,
    pub dimensions: Option<Dimensions>,
}

impl Service {
    /// What is to be stored of a file whose bytes are at `source`.
    pub(super) async fn uniform(
        &self,
        media: &Media,
        turn: ClaimId,
        source: &str,
    ) -> Result<Uniform, Stop> {
        if media.kind() != Kind::Image {
            return Ok(Uniform {
                remade: None,
                dimensions: None,
            });
        }
        let purpose = self.settings.purpose(&media.purpose);
        let images = purpose.map_or(Images::Keep, |purpose| purpose.images);
        let image = Image {
            objects: Arc::clone(&self.objects),
            source: source.to_owned(),
            mime_type: media.stored.mime_type.clone(),
        };
        let pixels = match images {
            Images::Keep => 0,
            Images::Jpeg => image.clone().pixels().await?,
        };
        let place = self.decoders.place(pixels).await;
        let _place = place.map_err(Stop::Failed)?;
        // Waiting may have taken long.
        self.store
            .renew_check(media.id, turn, self.turn_lease())
            .await?;
        let remade = image.made(images, staging_key(turn)).await?;
        self.keep(turn, remade).await
    }

    /// Makes what was written of an image durable.
    async fn keep(&self, turn: ClaimId, remade: Remade) -> Result<Uniform, Stop> {
        let Remade { uniform, staging } = remade;
        let (Some(content), Some(staging)) = (&uniform.remade, staging) else {
            return Ok(uniform);
        };
        let coming = coming(staging_key(turn), content.size_bytes);
        let begun = self.objects.begin(&coming).await;
        let begun = begun.map_err(ImageError::Io)?;
        if let Some(begun) = &begun {
            // Should this process die meanwhile.
            let after = self.turn_lease();
            self.store.doom(begun.clone(), after).await?;
        }
        blocking(move || Ok(staging.sync()?)).await?;
        if let Some(begun) = begun {
            self.store.forget_doomed(begun).await?;
        }
        Ok(uniform)
    }
}

/// An image whose bytes came.
#[derive(Clone)]
struct Image {
    objects: Arc<dyn Objects>,
    source: String,
    mime_type: String,
}

impl Image {
    async fn pixels(self) -> Result<u64, Stop> {
        blocking(move || {
            let mut source = self.objects.read(&self.source)?;
            let facts = inspect(&mut source, &self.mime_type, &Limits::default())?;
            let (width, height) = facts.size.unwrap_or_default();
            Ok(Dimensions { width, height }.area())
        })
        .await
    }

    async fn made(self, images: Images, staged: String) -> Result<Remade, Stop> {
        blocking(move || {
            let mut source = self.objects.read(&self.source)?;
            let mut remake = Remake::under(self.objects, staged);
            let limits = Limits::default();
            let made = make_uniform(&mut source, &self.mime_type, images, &limits, &mut remake)?;
            Ok(remake.finish(made))
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, Stop> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Stop::Failed(Error::internal(error)))?;
    Ok(done?)
}

impl From<ImageError> for Stop {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Io(cause) => match Error::of_storage(cause) {
                // Waiting with the file would only keep the room that is missing.
                full @ Error::InsufficientStorage => Self::Refused(full),
                other => Self::Failed(other),
            },
            ImageError::TooLarge(_) => Self::Refused(Error::ImageTooLarge(error.to_string())),
            ImageError::Damaged(_) | ImageError::Undecodable(_) | ImageError::Unsupported => {
                Self::Refused(Error::Damaged(error.to_string()))
            }
        }
    }
}

/// What is made of an image is published once its check has passed.
fn coming(key: String, most_bytes: u64) -> Coming {
    Coming {
        key,
        meant_for: None,
        most_bytes,
        is_read_back: false,
    }
}

/// An image that is being written anew; staged from its first byte on.
struct Remake {
    objects: Arc<dyn Objects>,
    key: String,
    staging: Option<Box<dyn Staging>>,
    digest: Sha256,
    size_bytes: u64,
}

impl Remake {
    fn under(objects: Arc<dyn Objects>, key: String) -> Self {
        Self {
            objects,
            key,
            staging: None,
            digest: Sha256::new(),
            size_bytes: 0,
        }
    }

    fn finish(self, made: Made) -> Remade {
        let remade = match made.output {
            Output::Written(mime_type) => Some(Content {
                mime_type: mime_type.to_owned(),
                size_bytes: self.size_bytes,
                sha256: self.digest.finalize().into(),
            }),
            Output::AsItCame => None,
        };
        let dimensions = made
            .size
            .map(|(width, height)| Dimensions { width, height });
        Remade {
            uniform: Uniform { remade, dimensions },
            staging: self.staging,
        }
    }
}

impl Write for Remake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.staging.is_none() {
            self.staging = Some(self.objects.stage(&coming(self.key.clone(), u64::MAX))?);
        }
        if let Some(staging) = &mut self.staging {
            staging.append(bytes)?;
        }
        self.digest.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
