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
    intake::image::{ImageError, Limits, Made, Output, make_uniform},
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
        let objects = Arc::clone(&self.objects);
        let (source, mime_type) = (source.to_owned(), media.stored.mime_type.clone());
        // Each decoder takes the memory of a picture.
        let permit = self.decoders.acquire().await;
        let _permit = permit.map_err(|error| Stop::Failed(Error::internal(error)))?;
        let made = tokio::task::spawn_blocking(move || {
            let mut source = objects.read(&source)?;
            let mut remake = Remake::under(objects, staging_key(turn));
            let limits = Limits::default();
            let made = make_uniform(&mut source, &mime_type, images, &limits, &mut remake)?;
            Ok::<_, ImageError>(remake.finish(made))
        });
        let made = made
            .await
            .map_err(|error| Stop::Failed(Error::internal(error)))?;
        self.keep(turn, made?).await
    }

    /// Makes what was written of an image durable.
    async fn keep(&self, turn: ClaimId, remade: Remade) -> Result<Uniform, Stop> {
        let Remade { uniform, staging } = remade;
        let (Some(content), Some(staging)) = (&uniform.remade, staging) else {
            return Ok(uniform);
        };
        let begun = self
            .objects
            .begin(&coming(staging_key(turn), content.size_bytes))
            .await;
        let begun = begun.map_err(ImageError::Io)?;
        if let Some(begun) = &begun {
            // Should this process die meanwhile.
            let after = self.turn_lease();
            self.store.doom(begun.clone(), after).await?;
        }
        let synced = tokio::task::spawn_blocking(move || staging.sync()).await;
        let synced = synced.map_err(|error| Stop::Failed(Error::internal(error)))?;
        synced.map_err(ImageError::Io)?;
        if let Some(begun) = begun {
            self.store.forget_doomed(begun).await?;
        }
        Ok(uniform)
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
                Self::Refused(Error::MalformedBody(error.to_string()))
            }
        }
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
