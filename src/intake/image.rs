//! Images made uniform: what they tell about their sender is taken out, stills become JPEG where a
//! purpose asks for it, and what would hurt whoever opens it is refused before it is decoded.
//!
//! Nothing here opens files or spawns threads: bytes come from a reader, go to a writer, and the
//! caller says how many images may be decoded at once.
//!
//! Metadata is taken out without touching a pixel. Each format's own file walks an image to its end
//! and plans which of its bytes stay; what is not known to matter for how it looks is left out. What
//! moves loses its metadata too, but never its format. Decoders see an image only through such a
//! plan, so text and other blocks that swell in memory never reach them.
//!
//! An image that keeps its format is walked, not decoded: what its pixels hold changes nothing for
//! askfile, and decoding would cost a second of work and up to [`Limits::max_alloc_bytes`] for each.
//! A broken pixel is found where it is decoded, in [`make_uniform`] to JPEG and in [`fit_within`].

mod decode;
mod encode;
mod exif;
mod gif;
mod heic;
mod jpeg;
mod limits;
mod plan;
mod png;
mod scale;
mod source;
#[cfg(test)]
mod tests;
mod webp;

use std::io::{self, Write};

pub use self::{limits::Limits, scale::fit_within};
use self::{plan::Plan, source::Source};
use crate::{domain::purpose::Images, objects::ReadSeek};

/// What an image is, told without decoding it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Width and height in pixels, as it is shown: after its orientation was applied.
    pub size: Option<(u32, u32)>,
    /// How many pictures it shows one after another.
    pub frames: u32,
    /// Whether it moves.
    pub animated: bool,
}

/// An image made uniform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Which bytes to store.
    pub output: Output,
    /// Width and height in pixels, as it is shown.
    pub size: Option<(u32, u32)>,
}

/// Which bytes of an image to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Those that came; nothing was written.
    AsItCame,
    /// Those that were written, of this MIME type.
    Written(&'static str),
}

/// Why an image is refused.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Its structure is broken.
    #[error("This image is damaged: {0}. Export or save it again, and send that.")]
    Damaged(&'static str),
    /// Its structure holds, but not its pixels.
    #[error("This image is damaged: it cannot be decoded. Export or save it again, and send that.")]
    Undecodable(#[source] image::ImageError),
    /// Decoding it would take more than is allowed.
    #[error("This image is too large: {0}.")]
    TooLarge(String),
    /// It is of a kind that is not decoded here.
    #[error("Images of this kind cannot be shown. Send it as JPEG or PNG.")]
    Unsupported,
    /// Reading or writing failed.
    #[error("The image could not be read or written.")]
    Io(#[from] io::Error),
}

/// A format that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    Heic,
}

impl Format {
    fn of(mime_type: &str) -> Option<Self> {
        Some(match mime_type {
            JPEG => Self::Jpeg,
            "image/png" => Self::Png,
            "image/webp" => Self::WebP,
            "image/gif" => Self::Gif,
            "image/heic" => Self::Heic,
            _ => return None,
        })
    }

    fn mime_type(self) -> &'static str {
        match self {
            Self::Jpeg => JPEG,
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Heic => "image/heic",
        }
    }

    /// Walks an image to its end.
    fn plan(self, source: &mut dyn ReadSeek, limits: &Limits) -> Result<Plan, ImageError> {
        let mut source = Source::new(source)?;
        match self {
            Self::Jpeg => jpeg::plan(&mut source, limits),
            Self::Png => png::plan(&mut source, limits),
            Self::WebP => webp::plan(&mut source, limits),
            Self::Gif => gif::plan(&mut source, limits),
            Self::Heic => heic::plan(&mut source, limits),
        }
    }
}

const JPEG: &str = "image/jpeg";

/// The best that JPEG can do; with whole colours, no pixel is far from what it was.
const STORED_QUALITY: u8 = 100;

/// What an image is. It is walked to its end, but no pixel is decoded.
///
/// Of a type that is not known here, nothing is told.
///
/// # Errors
/// [`ImageError::Damaged`], [`ImageError::TooLarge`], [`ImageError::Io`].
pub fn inspect(
    source: &mut dyn ReadSeek,
    mime_type: &str,
    limits: &Limits,
) -> Result<Facts, ImageError> {
    let Some(format) = Format::of(mime_type) else {
        return Ok(Facts {
            size: None,
            frames: 1,
            animated: false,
        });
    };
    Ok(format.plan(source, limits)?.facts())
}

/// Takes out what an image tells about its sender, and turns stills of PNG and WebP into JPEG where
/// `images` says so.
///
/// HEIC, and types that are not known here, stay as they came, with all that they tell. After an
/// error, what was written is of no use.
///
/// # Errors
/// Any [`ImageError`].
pub fn make_uniform(
    source: &mut dyn ReadSeek,
    mime_type: &str,
    images: Images,
    limits: &Limits,
    out: &mut dyn Write,
) -> Result<Made, ImageError> {
    let Some(format) = Format::of(mime_type) else {
        return Ok(Made {
            output: Output::AsItCame,
            size: None,
        });
    };
    let plan = format.plan(source, limits)?;
    let still = matches!(format, Format::Png | Format::WebP) && !plan.animated;
    let output = if still && images == Images::Jpeg {
        let mut decoded = decode::decode(source, format, &plan, limits)?;
        decoded.image.apply_orientation(plan.orientation);
        encode::jpeg(
            &decoded.image,
            decoded.profile.as_deref(),
            STORED_QUALITY,
            out,
        )?;
        Output::Written(JPEG)
    } else if plan.parts.is_whole() {
        Output::AsItCame
    } else {
        io::copy(&mut plan.parts.open(source), out)?;
        Output::Written(format.mime_type())
    };
    Ok(Made {
        output,
        size: plan.facts().size,
    })
}
