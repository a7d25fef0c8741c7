//! Smaller copies of images, for previews and for models.

use image::{DynamicImage, imageops::FilterType};

use super::{Format, ImageError, JPEG, Limits, decode, encode};
use crate::objects::ReadSeek;

/// Tried one after another until the copy has as few bytes as wanted.
const QUALITIES: [u8; 5] = [85, 75, 60, 45, 30];

/// Profiles of cameras and screens are far smaller; larger ones weigh more than they help in a copy.
const MAX_PROFILE_BYTES: usize = 16 * 1024;

/// The first picture of an image, upright, on white and as JPEG, with no side longer than `max_side`
/// pixels and, where a maximum is given, in at most so many bytes. Never larger than it is.
///
/// # Errors
/// [`ImageError::Unsupported`] for HEIC and types that are not known here; [`ImageError::TooLarge`]
/// also if not even a tiny copy has so few bytes; [`ImageError::Damaged`],
/// [`ImageError::Undecodable`], [`ImageError::Io`].
pub fn fit_within(
    source: &mut dyn ReadSeek,
    mime_type: &str,
    max_side: u32,
    max_bytes: Option<usize>,
    limits: &Limits,
) -> Result<(Vec<u8>, &'static str), ImageError> {
    let format = Format::of(mime_type).ok_or(ImageError::Unsupported)?;
    let plan = format.plan(source, limits)?;
    let decoded = decode::decode(source, format, &plan, limits)?;
    let profile = decoded
        .profile
        .filter(|profile| profile.len() <= MAX_PROFILE_BYTES);
    let mut image = shrink(decoded.image, max_side);
    image.apply_orientation(plan.orientation);
    loop {
        for quality in QUALITIES {
            let mut copy = Vec::new();
            encode::jpeg(&image, profile.as_deref(), quality, &mut copy)?;
            if max_bytes.is_none_or(|most| copy.len() <= most) {
                return Ok((copy, JPEG));
            }
        }
        let side = image.width().max(image.height()) / 2;
        if side == 0 {
            return Err(ImageError::TooLarge(
                "no copy of it is as small as wanted".to_owned(),
            ));
        }
        image = shrink(image, side);
    }
}

fn shrink(image: DynamicImage, max_side: u32) -> DynamicImage {
    let side = image.width().max(image.height());
    if side <= max_side {
        image
    } else if side >= 2 * max_side {
        // A plain mean is good enough here, and takes no memory beside the copy.
        image.thumbnail(max_side, max_side)
    } else {
        image.resize(max_side, max_side, FilterType::CatmullRom)
    }
}
