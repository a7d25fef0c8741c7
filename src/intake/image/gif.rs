//! What stays of a GIF: its pictures, how long each is shown, how often, and the colour profile.

use std::ops::Range;

use image::metadata::Orientation;

use super::{
    ImageError,
    limits::{Limits, area},
    plan::{Parts, Plan},
    source::Source,
};

const EXTENSION: u8 = 0x21;
const PICTURE: u8 = 0x2c;
const END: u8 = 0x3b;

const TEXT: u8 = 0x01;
const CONTROL: u8 = 0xf9;
const APPLICATION: u8 = 0xff;

pub(super) fn plan(source: &mut Source, limits: &Limits) -> Result<Plan, ImageError> {
    if !matches!(&source.array()?, b"GIF87a" | b"GIF89a") {
        return Err(ImageError::Damaged("it does not begin as a GIF does"));
    }
    let [w0, w1, h0, h1, flags, _, _] = source.array()?;
    let (width, height) = (
        u32::from(u16::from_le_bytes([w0, w1])),
        u32::from(u16::from_le_bytes([h0, h1])),
    );
    limits.check_size(width, height)?;
    source.skip(table_bytes(flags))?;
    let mut parts = Parts::of(source.len());
    parts.keep(0..source.at())?;
    let mut walk = Walk {
        source,
        limits,
        size: (width, height),
        frames: 0,
        largest: 0,
        control: None,
        parts,
    };
    loop {
        let at = walk.source.at();
        match walk.source.byte()? {
            EXTENSION => walk.extension(at)?,
            PICTURE => walk.picture(at)?,
            END => return walk.finish(at),
            // Some programs leave zeros between blocks, and decoders pass over them.
            0 => {}
            _ => return Err(ImageError::Damaged("a block of it is of an unknown kind")),
        }
    }
}

/// How long the table of colours is that these bits announce.
fn table_bytes(flags: u8) -> u64 {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 0x07) + 1)
    }
}

struct Walk<'a, 'b> {
    source: &'a mut Source<'b>,
    limits: &'a Limits,
    size: (u32, u32),
    frames: u32,
    /// Pixels of the largest picture, which need not be as large as the whole.
    largest: u64,
    /// How the next picture is shown.
    control: Option<Range<u64>>,
    parts: Parts,
}

impl Walk<'_, '_> {
    fn extension(&mut self, at: u64) -> Result<(), ImageError> {
        let label = self.source.byte()?;
        if label == APPLICATION {
            return self.application(at);
        }
        self.skip_blocks()?;
        match label {
            CONTROL => self.control = Some(at..self.source.at()),
            // No program draws these texts; what is said of how to show them goes as well.
            TEXT => self.control = None,
            _ => {}
        }
        Ok(())
    }

    fn application(&mut self, at: u64) -> Result<(), ImageError> {
        let count = self.source.byte()?;
        let name = self.source.bytes(count.into())?;
        self.skip_blocks()?;
        let range = at..self.source.at();
        let stays = match &name[..] {
            // Two blocks at most, of a few bytes each.
            b"NETSCAPE2.0" | b"ANIMEXTS1.0" => range.end - range.start <= 32,
            name => name == b"ICCRGBG1012",
        };
        if stays {
            self.parts.keep(range)?;
        }
        Ok(())
    }

    fn picture(&mut self, at: u64) -> Result<(), ImageError> {
        let [_, _, _, _, w0, w1, h0, h1, flags] = self.source.array()?;
        let (width, height) = (
            u32::from(u16::from_le_bytes([w0, w1])),
            u32::from(u16::from_le_bytes([h0, h1])),
        );
        self.limits.check_size(width, height)?;
        self.frames += 1;
        self.largest = self.largest.max(area(width, height));
        self.limits
            .check_frames(self.frames, self.size.0, self.size.1)?;
        self.source.skip(table_bytes(flags) + 1)?;
        self.skip_blocks()?;
        if let Some(control) = self.control.take() {
            self.parts.keep(control)?;
        }
        self.parts.keep(at..self.source.at())
    }

    /// Passes over blocks up to the empty one that ends them.
    fn skip_blocks(&mut self) -> Result<(), ImageError> {
        loop {
            let count = self.source.byte()?;
            if count == 0 {
                return Ok(());
            }
            self.source.skip(count.into())?;
        }
    }

    fn finish(mut self, at: u64) -> Result<Plan, ImageError> {
        if self.frames == 0 {
            return Err(ImageError::Damaged("it has no pixels"));
        }
        self.parts.keep(at..self.source.at())?;
        Ok(Plan {
            size: Some(self.size),
            frames: self.frames,
            animated: self.frames > 1,
            orientation: Orientation::NoTransforms,
            // A picture is decoded beside the whole one: its numbers, and its colours.
            scratch_bytes: 5 * self.largest,
            parts: self.parts,
        })
    }
}
