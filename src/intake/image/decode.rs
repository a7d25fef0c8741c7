//! Pixels, with at most one copy of them in memory: eight bits for each colour, and no alpha.

use std::io::BufReader;

use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, RgbImage,
    codecs::{gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder},
};

use super::{
    Format, ImageError,
    limits::{Limits, area},
    plan::Plan,
    png::MAX_PROFILE_BYTES,
};
use crate::objects::ReadSeek;

/// What a decoder reads at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// What the PNG decoder may take for lines, chunks and the colour profile; a longer profile is not
/// used.
const PNG_BYTES: u64 = 16 << 20;

/// An image's first picture, as stored: its orientation is not yet applied.
pub(super) struct Decoded {
    /// Of eight bits, grey or RGB.
    pub(super) image: DynamicImage,
    /// Its colour profile, if that describes these pixels.
    pub(super) profile: Option<Vec<u8>>,
}

pub(super) fn decode(
    source: &mut dyn ReadSeek,
    format: Format,
    plan: &Plan,
    limits: &Limits,
) -> Result<Decoded, ImageError> {
    let reader = BufReader::with_capacity(BUFFER_BYTES, plan.parts.open(source));
    let mut decoder: Box<dyn ImageDecoder + '_> = match format {
        Format::Jpeg => Box::new(JpegDecoder::new(reader)?),
        Format::Png => {
            let mut limits = image::Limits::no_limits();
            limits.max_alloc = Some(PNG_BYTES);
            Box::new(PngDecoder::with_limits(reader, limits)?)
        }
        Format::WebP => Box::new(WebPDecoder::new(reader)?),
        Format::Gif => Box::new(GifDecoder::new(reader)?),
        Format::Heic => return Err(ImageError::Unsupported),
    };
    // The limits were held against what the walk found; a decoder that reads another size is not
    // followed.
    if plan.size != Some(decoder.dimensions()) {
        return Err(ImageError::Damaged("it says two different sizes"));
    }
    let (width, height) = decoder.dimensions();
    // What is turned later is in memory twice then.
    let turning = if plan.is_turned() {
        6 * area(width, height)
    } else {
        0
    };
    limits.check_memory(turning.max(decoder.total_bytes() + plan.scratch_bytes))?;
    let color = decoder.color_type();
    let profile = decoder.icc_profile()?.filter(|profile| {
        // Where a profile names the colours that it is for. In a PNG it is packed, and small there.
        color.has_color()
            && profile.get(16..20) == Some(b"RGB ")
            && profile.len() as u64 <= MAX_PROFILE_BYTES
    });
    let bytes = usize::try_from(decoder.total_bytes()).map_err(|_| ImageError::Unsupported)?;
    let mut samples = vec![0; bytes];
    decoder.read_image(&mut samples)?;
    simplify(&mut samples, color);
    let image = if color.has_color() {
        RgbImage::from_raw(width, height, samples).map(DynamicImage::ImageRgb8)
    } else {
        GrayImage::from_raw(width, height, samples).map(DynamicImage::ImageLuma8)
    };
    let image = image.ok_or(ImageError::Unsupported)?;
    Ok(Decoded { image, profile })
}

/// Makes samples grey or RGB of eight bits, in place.
fn simplify(samples: &mut Vec<u8>, color: ColorType) {
    match color {
        ColorType::La8 => squeeze(samples, |[l, a]: [u8; 2]| [on_white(l, a)]),
        ColorType::Rgba8 => squeeze(samples, |[r, g, b, a]: [u8; 4]| {
            [on_white(r, a), on_white(g, a), on_white(b, a)]
        }),
        ColorType::L16 | ColorType::Rgb16 => squeeze(samples, |sample: [u8; 2]| [high(sample)]),
        ColorType::La16 | ColorType::Rgba16 => {
            squeeze(samples, |sample: [u8; 2]| [high(sample)]);
            let eight = if color == ColorType::La16 {
                ColorType::La8
            } else {
                ColorType::Rgba8
            };
            simplify(samples, eight);
        }
        _ => {}
    }
    samples.shrink_to_fit();
}

fn squeeze<const FROM: usize, const TO: usize>(
    samples: &mut Vec<u8>,
    change: impl Fn([u8; FROM]) -> [u8; TO],
) {
    let pixels = samples.len() / FROM;
    for pixel in 0..pixels {
        let mut before = [0; FROM];
        before.copy_from_slice(&samples[pixel * FROM..][..FROM]);
        samples[pixel * TO..][..TO].copy_from_slice(&change(before));
    }
    samples.truncate(pixels * TO);
}

/// What is seen of a colour on white.
fn on_white(color: u8, alpha: u8) -> u8 {
    let (color, alpha) = (u32::from(color), u32::from(alpha));
    let blended = (color * alpha + 255 * (255 - alpha) + 127) / 255;
    u8::try_from(blended).unwrap_or(u8::MAX)
}

/// The nearest of 256 steps.
fn high(sample: [u8; 2]) -> u8 {
    let nearest = (u32::from(u16::from_ne_bytes(sample)) + 128) / 257;
    u8::try_from(nearest).unwrap_or(u8::MAX)
}

impl From<image::ImageError> for ImageError {
    fn from(error: image::ImageError) -> Self {
        match error {
            image::ImageError::Limits(_) => {
                Self::TooLarge("its parts take too much memory".to_owned())
            }
            image::ImageError::IoError(error)
                if error.kind() != std::io::ErrorKind::UnexpectedEof =>
            {
                Self::Io(error)
            }
            image::ImageError::Unsupported(_) => Self::Unsupported,
            error => Self::Undecodable(error),
        }
    }
}
