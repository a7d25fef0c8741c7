//! What stays of a WebP: its pictures, their order, the colour profile, and its orientation.

use std::ops::Range;

use image::metadata::Orientation;

use super::{
    ImageError, exif,
    limits::{Limits, area},
    plan::{Parts, Plan},
    png::MAX_PROFILE_BYTES,
    source::Source,
};

/// What the header of an extended file says is in it.
const MOVES: u8 = 0x02;
const HAS_EXIF: u8 = 0x08;
const HAS_ALPHA: u8 = 0x10;
const HAS_PROFILE: u8 = 0x20;

/// What a chunk that only describes may take.
const MAX_DESCRIPTION_BYTES: u64 = 64;

const NOT_WEBP: ImageError = ImageError::Damaged("it does not begin as a WebP does");
const TOO_LONG: ImageError = ImageError::Damaged("a part of it is longer than the whole");
const OTHER_SIZE: ImageError = ImageError::Damaged("it says two different sizes");

pub(super) fn plan(source: &mut Source, limits: &Limits) -> Result<Plan, ImageError> {
    if &source.array()? != b"RIFF" {
        return Err(NOT_WEBP);
    }
    let end = 8 + u64::from(u32::from_le_bytes(source.array()?));
    if &source.array()? != b"WEBP" {
        return Err(NOT_WEBP);
    }
    if end > source.len() {
        return Err(ImageError::Damaged("it ends too early"));
    }
    let mut walk = Walk {
        source,
        limits,
        extended: None,
        size: None,
        has_pixels: false,
        is_plain: true,
        has_profile: false,
        frames: 0,
        orientation: None,
        body: Parts::of(end),
    };
    while walk.source.at() < end {
        let chunk = next_chunk(walk.source, end)?;
        walk.take(&chunk)?;
        walk.source.skip_to(chunk.range.end)?;
    }
    walk.finish(end)
}

/// A block with a name and a length.
struct Chunk {
    kind: [u8; 4],
    /// Where it begins, and where the next one does.
    range: Range<u64>,
    /// How long its content is.
    count: u64,
}

/// The chunk that begins here, inside of what ends at `end`.
fn next_chunk(source: &mut Source, end: u64) -> Result<Chunk, ImageError> {
    let at = source.at();
    let kind = source.array()?;
    let count = u64::from(u32::from_le_bytes(source.array()?));
    let content_end = at + 8 + count;
    if content_end > end {
        return Err(TOO_LONG);
    }
    Ok(Chunk {
        kind,
        // Contents of an odd length are filled up; some programs forget it at the end.
        range: at..(content_end + count % 2).min(end),
        count,
    })
}

/// The first chunk of a file that has more than one picture's pixels.
struct Extended {
    range: Range<u64>,
    content: [u8; 10],
}

impl Extended {
    fn moves(&self) -> bool {
        self.content[0] & MOVES != 0
    }
}

struct Walk<'a, 'b> {
    source: &'a mut Source<'b>,
    limits: &'a Limits,
    extended: Option<Extended>,
    size: Option<(u32, u32)>,
    has_pixels: bool,
    /// Whether all pixels are of the lossy kind, without alpha.
    is_plain: bool,
    has_profile: bool,
    frames: u32,
    orientation: Option<Orientation>,
    /// What stays after the headers.
    body: Parts,
}

impl Walk<'_, '_> {
    fn take(&mut self, chunk: &Chunk) -> Result<(), ImageError> {
        let moves = self.extended.as_ref().map(Extended::moves);
        match (&chunk.kind, moves) {
            (b"VP8X", None) if chunk.range.start == 12 => self.header(chunk),
            (b"VP8 " | b"VP8L", None | Some(false)) if !self.has_pixels => {
                let size = picture_size(self.source, chunk)?;
                if *self.size.get_or_insert(size) != size {
                    return Err(OTHER_SIZE);
                }
                self.limits.check_size(size.0, size.1)?;
                self.has_pixels = true;
                self.is_plain &= &chunk.kind == b"VP8 ";
                self.body.keep(chunk.range.clone())
            }
            (b"ALPH", Some(false)) if !self.has_pixels => {
                self.is_plain = false;
                self.body.keep(chunk.range.clone())
            }
            (b"ANMF", Some(true)) => self.frame(chunk),
            (b"ANIM", Some(true)) if chunk.count <= MAX_DESCRIPTION_BYTES => {
                self.body.keep(chunk.range.clone())
            }
            (b"ICCP", Some(_)) if !self.has_profile && chunk.count <= MAX_PROFILE_BYTES => {
                self.has_profile = true;
                self.body.keep(chunk.range.clone())
            }
            (b"EXIF", Some(_)) if self.orientation.is_none() => self.exif(chunk),
            _ => Ok(()),
        }
    }

    fn header(&mut self, chunk: &Chunk) -> Result<(), ImageError> {
        if chunk.count != 10 {
            return Err(ImageError::Damaged("its header has a wrong length"));
        }
        let content: [u8; 10] = self.source.array()?;
        let [_, _, _, _, w @ .., h0, h1, h2] = content;
        let (width, height) = (1 + u24(w), 1 + u24([h0, h1, h2]));
        self.limits.check_size(width, height)?;
        self.size = Some((width, height));
        self.extended = Some(Extended {
            range: chunk.range.clone(),
            content,
        });
        Ok(())
    }

    /// One picture of an animation.
    fn frame(&mut self, chunk: &Chunk) -> Result<(), ImageError> {
        let (canvas_width, canvas_height) = self.size.unwrap_or_default();
        self.frames += 1;
        self.limits
            .check_frames(self.frames, canvas_width, canvas_height)?;
        let head: [u8; 16] = self.source.array()?;
        let [x0, x1, x2, y0, y1, y2, w0, w1, w2, h0, h1, h2, ..] = head;
        let (x, y) = (2 * u24([x0, x1, x2]), 2 * u24([y0, y1, y2]));
        let size = (1 + u24([w0, w1, w2]), 1 + u24([h0, h1, h2]));
        if x + size.0 > canvas_width || y + size.1 > canvas_height {
            return Err(ImageError::Damaged("a frame is larger than the image"));
        }
        let (from, end) = (self.source.at(), chunk.range.start + 8 + chunk.count);
        let mut parts = Parts::of(self.source.len());
        let mut has_pixels = false;
        while self.source.at() < end {
            let inner = next_chunk(self.source, end)?;
            match &inner.kind {
                b"VP8 " | b"VP8L" if !has_pixels => {
                    if picture_size(self.source, &inner)? != size {
                        return Err(OTHER_SIZE);
                    }
                    has_pixels = true;
                    parts.keep(inner.range.clone())?;
                }
                b"ALPH" if !has_pixels => parts.keep(inner.range.clone())?,
                _ => {}
            }
            self.source.skip_to(inner.range.end)?;
        }
        if !has_pixels {
            return Err(ImageError::Damaged("a frame has no pixels"));
        }
        self.has_pixels = true;
        if parts.len() == end - from {
            return self.body.keep(chunk.range.clone());
        }
        let count = length(16 + parts.len())?;
        self.body.add([b"ANMF", &count[..], &head].concat())?;
        self.body.append(parts)
    }

    fn exif(&mut self, chunk: &Chunk) -> Result<(), ImageError> {
        let block = self
            .source
            .bytes(u16::try_from(chunk.count).unwrap_or(u16::MAX))?;
        self.orientation = exif::orientation(&block);
        match self.orientation.map(exif::minimal) {
            Some(minimal) if minimal == block => self.body.keep(chunk.range.clone()),
            Some(minimal) => {
                let count = length(minimal.len() as u64)?;
                self.body.add([b"EXIF", &count[..], &minimal].concat())
            }
            None => Ok(()),
        }
    }

    fn finish(self, end: u64) -> Result<Plan, ImageError> {
        let Some(size) = self.size.filter(|_| self.has_pixels) else {
            return Err(ImageError::Damaged("it has no pixels"));
        };
        let mut parts = Parts::of(self.source.len());
        let header_bytes = if self.extended.is_some() { 18 } else { 0 };
        let total = 4 + header_bytes + self.body.len();
        if total + 8 == end {
            parts.keep(0..12)?;
        } else {
            parts.add([b"RIFF", &length(total)?[..], b"WEBP"].concat())?;
        }
        let animated = self.extended.as_ref().is_some_and(Extended::moves);
        let bytes_per_pixel = match (animated, self.is_plain) {
            // Brightness, and colours at half the size.
            (false, true) => 2,
            // The lossless kind has four bytes, and may be the alpha of the other.
            (false, false) => 7,
            // A frame of these beside the whole picture.
            (true, _) => 12,
        };
        if let Some(Extended { range, mut content }) = self.extended {
            let before = content;
            content[0] &= MOVES | HAS_ALPHA;
            if self.has_profile {
                content[0] |= HAS_PROFILE;
            }
            if self.orientation.is_some() {
                content[0] |= HAS_EXIF;
            }
            if content == before {
                parts.keep(range)?;
            } else {
                parts.add([b"VP8X\x0a\0\0\0", &content[..]].concat())?;
            }
        }
        parts.append(self.body)?;
        Ok(Plan {
            size: Some(size),
            frames: self.frames.max(1),
            animated,
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
            scratch_bytes: bytes_per_pixel * area(size.0, size.1) + self.source.len(),
            parts,
        })
    }
}

/// What a picture's own first bytes say of its size.
fn picture_size(source: &mut Source, chunk: &Chunk) -> Result<(u32, u32), ImageError> {
    const NOT_A_PICTURE: ImageError = ImageError::Damaged("its pixels do not begin as they should");
    if chunk.count < 10 {
        return Err(NOT_A_PICTURE);
    }
    let head: [u8; 10] = source.array()?;
    match (&chunk.kind, head) {
        (b"VP8 ", [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1]) => Ok((
            u32::from(u16::from_le_bytes([w0, w1]) & 0x3fff),
            u32::from(u16::from_le_bytes([h0, h1]) & 0x3fff),
        )),
        (b"VP8L", [0x2f, a, b, c, d, ..]) => {
            let bits = u32::from_le_bytes([a, b, c, d]);
            Ok((1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)))
        }
        _ => Err(NOT_A_PICTURE),
    }
}

fn u24([a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

fn length(bytes: u64) -> Result<[u8; 4], ImageError> {
    let bytes = u32::try_from(bytes).map_err(|_| TOO_LONG)?;
    Ok(bytes.to_le_bytes())
}
