//! Pixels as JPEG, without any metadata but a colour profile.

use std::io::{BufWriter, Write};

use image::DynamicImage;
use jpeg_encoder::{ColorType, Encoder, EncodingError, SamplingFactor};

use super::ImageError;

/// Writes an image of eight bits, grey or RGB. From quality 90 on, colours are as fine as brightness.
pub(super) fn jpeg(
    image: &DynamicImage,
    profile: Option<&[u8]>,
    quality: u8,
    out: &mut dyn Write,
) -> Result<(), ImageError> {
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    let mut encoder = Encoder::new(&mut out, quality);
    if quality >= 90 {
        encoder.set_sampling_factor(SamplingFactor::F_1_1);
    }
    if let Some(profile) = profile {
        encoder.add_icc_profile(profile)?;
    }
    let color = match image {
        DynamicImage::ImageLuma8(_) => ColorType::Luma,
        _ => ColorType::Rgb,
    };
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| ImageError::Unsupported);
    let (width, height) = (side(image.width())?, side(image.height())?);
    encoder.encode(image.as_bytes(), width, height, color)?;
    out.flush()?;
    Ok(())
}

impl From<EncodingError> for ImageError {
    fn from(error: EncodingError) -> Self {
        match error {
            EncodingError::IoError(error) => Self::Io(error),
            _ => Self::Unsupported,
        }
    }
}
