//! What stays of a JPEG: its frame, tables and scans, the colour profile, and its orientation.

use image::metadata::Orientation;

use super::{
    ImageError, exif,
    limits::{Limits, area},
    plan::{Parts, Plan},
    source::Source,
};

const HUFFMAN_TABLE: u8 = 0xc4;
const RESERVED_FRAME: u8 = 0xc8;
const ARITHMETIC_TABLE: u8 = 0xcc;
const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const QUANTIZATION_TABLE: u8 = 0xdb;
const LINES: u8 = 0xdc;
const RESTART_INTERVAL: u8 = 0xdd;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;

/// Most scans of one image. Progressive ones have about ten; every further one is work for whoever
/// opens it, and takes only a few bytes.
const MOST_SCANS: u32 = 500;

pub(super) fn plan(source: &mut Source, limits: &Limits) -> Result<Plan, ImageError> {
    if source.array()? != [0xff, START] {
        return Err(ImageError::Damaged("it does not begin as a JPEG does"));
    }
    let mut parts = Parts::of(source.len());
    parts.keep(0..2)?;
    let (mut frame, mut orientation, mut scans) = (None, None, 0);
    let (mut at, mut marker) = next_marker(source)?;
    while marker != END {
        let Some(count) = u16::from_be_bytes(source.array()?).checked_sub(2) else {
            return Err(ImageError::Damaged("a segment has no length"));
        };
        let body = source.bytes(count)?;
        let end = source.at();
        let next = next_marker(source)?;
        match marker {
            APP0 | APP1 | APP2 | APP14 => match clean(marker, &body, &mut orientation) {
                Some(cleaned) if cleaned == body => parts.keep(at..end)?,
                Some(cleaned) => parts.add(segment(marker, &cleaned))?,
                None => {}
            },
            SCAN if frame.is_none() => {
                return Err(ImageError::Damaged("its pixels come before its size"));
            }
            SCAN if scans == MOST_SCANS => {
                return Err(ImageError::Damaged("it has too many scans"));
            }
            SCAN => {
                scans += 1;
                parts.keep(at..next.0)?;
            }
            HUFFMAN_TABLE | ARITHMETIC_TABLE | QUANTIZATION_TABLE | LINES | RESTART_INTERVAL => {
                parts.keep(at..end)?;
            }
            START => return Err(ImageError::Damaged("another image begins inside it")),
            0xc0..=0xcf if marker != RESERVED_FRAME => {
                if frame.is_some() {
                    return Err(ImageError::Damaged("it has two sizes"));
                }
                let found = Frame::read(marker, &body)?;
                limits.check_size(found.width, found.height)?;
                frame = Some(found);
                parts.keep(at..end)?;
            }
            _ => {}
        }
        (at, marker) = next;
    }
    parts.keep(at..source.at())?;
    let Some(frame) = frame.filter(|_| scans > 0) else {
        return Err(ImageError::Damaged("it has no pixels"));
    };
    Ok(Plan {
        size: Some((frame.width, frame.height)),
        frames: 1,
        animated: false,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        scratch_bytes: frame.scratch_bytes() + 2 * source.len(),
        parts,
    })
}

/// The next marker, and where it is. Passes over pixels, and over what lies between segments, as
/// every decoder does.
fn next_marker(source: &mut Source) -> Result<(u64, u8), ImageError> {
    loop {
        source.skip_past(0xff)?;
        let mut byte = source.byte()?;
        while byte == 0xff {
            byte = source.byte()?;
        }
        // A stuffed zero, a marker without meaning, restarts within a scan.
        if !matches!(byte, 0x00 | 0x01 | 0xd0..=0xd7) {
            return Ok((source.at() - 2, byte));
        }
    }
}

/// What stays of an application's segment.
fn clean(marker: u8, body: &[u8], orientation: &mut Option<Orientation>) -> Option<Vec<u8>> {
    match marker {
        // The last two numbers are the size of a small picture that follows, which may show more
        // than the large one does.
        APP0 if body.starts_with(b"JFIF\0") => Some([body.get(..12)?, &[0, 0]].concat()),
        APP1 if body.starts_with(exif::PREFIX) && orientation.is_none() => {
            *orientation = exif::orientation(body);
            orientation.map(|stated| [exif::PREFIX, &exif::minimal(stated)].concat())
        }
        APP2 if body.starts_with(b"ICC_PROFILE\0") => Some(body.to_vec()),
        // Says how colours were transformed; without it, they come out wrong.
        APP14 if body.starts_with(b"Adobe") => Some(body.get(..12)?.to_vec()),
        _ => None,
    }
}

pub(super) fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let [.., high, low] = (body.len() + 2).to_be_bytes();
    [&[0xff, marker, high, low], body].concat()
}

struct Frame {
    width: u32,
    height: u32,
    components: u8,
    progressive: bool,
}

impl Frame {
    fn read(marker: u8, body: &[u8]) -> Result<Self, ImageError> {
        let [_, h0, h1, w0, w1, components, ..] = *body else {
            return Err(ImageError::Damaged("its size is cut"));
        };
        Ok(Self {
            width: u16::from_be_bytes([w0, w1]).into(),
            height: u16::from_be_bytes([h0, h1]).into(),
            components,
            progressive: marker & 0x03 == 2,
        })
    }

    /// A progressive image is put together in memory, two bytes for each sample.
    fn scratch_bytes(&self) -> u64 {
        if self.progressive {
            2 * u64::from(self.components) * area(self.width, self.height)
        } else {
            0
        }
    }
}
