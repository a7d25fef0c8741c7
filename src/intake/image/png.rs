//! What stays of a PNG: the chunks that change how it looks, and its orientation.

use image::metadata::Orientation;

use super::{
    ImageError, exif,
    limits::Limits,
    plan::{Parts, Plan},
    source::Source,
};

/// Colour profiles are below a megabyte, almost all below four kilobytes.
pub(super) const MAX_PROFILE_BYTES: u64 = 4 << 20;

/// More than any chunk of [`LOOKS`] needs.
const MAX_LOOKS_BYTES: u64 = 1024;

/// Chunks beside the pixels that change how it looks.
const LOOKS: [&[u8; 4]; 14] = [
    b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"pHYs",
    b"bKGD", b"hIST", b"acTL", b"fcTL",
];

pub(super) fn plan(source: &mut Source, limits: &Limits) -> Result<Plan, ImageError> {
    if &source.array()? != b"\x89PNG\r\n\x1a\n" {
        return Err(ImageError::Damaged("it does not begin as a PNG does"));
    }
    if &source.array()? != b"\0\0\0\x0dIHDR" {
        return Err(ImageError::Damaged("its size does not come first"));
    }
    let width = u32::from_be_bytes(source.array()?);
    let height = u32::from_be_bytes(source.array()?);
    limits.check_size(width, height)?;
    source.skip(9)?;
    let mut parts = Parts::of(source.len());
    parts.keep(0..source.at())?;
    let (mut orientation, mut frames, mut animated, mut has_pixels) = (None, 0, false, false);
    loop {
        let at = source.at();
        let count = u32::from_be_bytes(source.array()?);
        let kind: [u8; 4] = source.array()?;
        let end = at + 12 + u64::from(count);
        match &kind {
            b"IEND" => {
                source.skip(u64::from(count) + 4)?;
                match count {
                    0 => parts.keep(at..end)?,
                    _ => parts.add(chunk(kind, &[]))?,
                }
                break;
            }
            b"eXIf" if orientation.is_none() => {
                let block = source.bytes(u16::try_from(count).unwrap_or(u16::MAX))?;
                orientation = exif::orientation(&block);
                match orientation.map(exif::minimal) {
                    Some(minimal) if minimal == block => parts.keep(at..end)?,
                    Some(minimal) => parts.add(chunk(kind, &minimal))?,
                    None => {}
                }
            }
            b"fcTL" => {
                frames += 1;
                limits.check_frames(frames, width, height)?;
                source.skip(4)?;
                let within = u32::from_be_bytes(source.array()?) <= width
                    && u32::from_be_bytes(source.array()?) <= height;
                if !within {
                    return Err(ImageError::Damaged("a frame is larger than the image"));
                }
            }
            b"acTL" => animated = true,
            b"IDAT" => has_pixels = true,
            _ => {}
        }
        if stays(kind, u64::from(count))? {
            parts.keep(at..end)?;
        }
        source.skip_to(end)?;
    }
    if !has_pixels {
        return Err(ImageError::Damaged("it has no pixels"));
    }
    Ok(Plan {
        size: Some((width, height)),
        frames: frames.max(1),
        animated,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        scratch_bytes: 0,
        parts,
    })
}

/// Whether a chunk stays as it is.
fn stays(kind: [u8; 4], bytes: u64) -> Result<bool, ImageError> {
    // A capital first letter says that the image cannot be shown without it.
    let critical = kind[0].is_ascii_uppercase();
    match &kind {
        b"IDAT" | b"fdAT" => Ok(true),
        b"iCCP" => Ok(bytes <= MAX_PROFILE_BYTES),
        _ if LOOKS.contains(&&kind) => Ok(bytes <= MAX_LOOKS_BYTES),
        _ if critical => Err(ImageError::Damaged("a part of it is of an unknown kind")),
        _ => Ok(false),
    }
}

pub(super) fn chunk(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let [.., a, b, c, d] = body.len().to_be_bytes();
    let checked = [&kind, body].concat();
    let sum = rawzip::crc32(&checked).to_be_bytes();
    [&[a, b, c, d], &checked[..], &sum].concat()
}
