//! Which bytes of an image stay, and an image read as if it had only those.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use image::metadata::Orientation;

use super::{Facts, ImageError};
use crate::objects::ReadSeek;

/// What a walk through an image found.
#[derive(Debug)]
pub(super) struct Plan {
    /// Width and height as stored, where they are known.
    pub(super) size: Option<(u32, u32)>,
    /// How many pictures there are.
    pub(super) frames: u32,
    /// Whether it moves.
    pub(super) animated: bool,
    /// How to turn what is stored into what is shown.
    pub(super) orientation: Orientation,
    /// Bytes that a decoder takes besides the picture it makes, at most.
    pub(super) scratch_bytes: u64,
    /// What stays.
    pub(super) parts: Parts,
}

impl Plan {
    /// What is told to others.
    pub(super) fn facts(&self) -> Facts {
        let size = self.size.map(|(width, height)| {
            if self.is_turned() {
                (height, width)
            } else {
                (width, height)
            }
        });
        Facts {
            size,
            frames: self.frames,
            animated: self.animated,
        }
    }

    /// Whether it is shown a quarter turned, so that what was its width is its height.
    pub(super) fn is_turned(&self) -> bool {
        matches!(
            self.orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        )
    }
}

/// Most parts of one image. Each kept block that follows a dropped one begins a part; real images
/// have a few.
const MOST_PARTS: usize = 50_000;

/// What stays of an image, in order.
#[derive(Debug)]
pub(super) struct Parts {
    list: Vec<Part>,
    len: u64,
    source_len: u64,
}

#[derive(Debug)]
struct Part {
    /// Where it begins among what stays.
    at: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Bytes of the source.
    Kept(Range<u64>),
    /// Bytes that take the place of others.
    New(Vec<u8>),
}

impl Parts {
    /// Nothing yet, of a source of so many bytes.
    pub(super) fn of(source_len: u64) -> Self {
        Self {
            list: Vec::new(),
            len: 0,
            source_len,
        }
    }

    /// All of the source.
    pub(super) fn whole(source_len: u64) -> Self {
        let content = Content::Kept(0..source_len);
        Self {
            list: vec![Part { at: 0, content }],
            len: source_len,
            source_len,
        }
    }

    /// How many bytes stay so far.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Keeps these bytes of the source.
    pub(super) fn keep(&mut self, range: Range<u64>) -> Result<(), ImageError> {
        let added = range.end - range.start;
        match self.list.last_mut().map(|part| &mut part.content) {
            Some(Content::Kept(last)) if last.end == range.start => last.end = range.end,
            _ => self.push(Content::Kept(range))?,
        }
        self.len += added;
        Ok(())
    }

    /// Adds bytes that the source does not have in this place.
    pub(super) fn add(&mut self, bytes: Vec<u8>) -> Result<(), ImageError> {
        let added = bytes.len() as u64;
        self.push(Content::New(bytes))?;
        self.len += added;
        Ok(())
    }

    fn push(&mut self, content: Content) -> Result<(), ImageError> {
        if self.list.len() == MOST_PARTS {
            return Err(ImageError::Damaged("it is made of too many pieces"));
        }
        self.list.push(Part {
            at: self.len,
            content,
        });
        Ok(())
    }

    /// Adds the parts of another plan of the same source.
    pub(super) fn append(&mut self, others: Self) -> Result<(), ImageError> {
        for part in others.list {
            match part.content {
                Content::Kept(range) => self.keep(range)?,
                Content::New(bytes) => self.add(bytes)?,
            }
        }
        Ok(())
    }

    /// Whether what stays is all of the source, unchanged.
    pub(super) fn is_whole(&self) -> bool {
        matches!(
            self.list.as_slice(),
            [Part { content: Content::Kept(range), .. }] if *range == (0..self.source_len)
        )
    }

    /// Reads what stays of the source.
    pub(super) fn open<'a>(&'a self, source: &'a mut dyn ReadSeek) -> Stripped<'a> {
        Stripped {
            parts: self,
            source,
            at: 0,
        }
    }
}

/// An image as if it had only the parts that stay.
pub(super) struct Stripped<'a> {
    parts: &'a Parts,
    source: &'a mut dyn ReadSeek,
    at: u64,
}

impl Read for Stripped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let parts = &self.parts.list;
        let next = parts.partition_point(|part| part.at <= self.at);
        if self.at >= self.parts.len || next == 0 {
            return Ok(0);
        }
        let part = &parts[next - 1];
        let offset = self.at - part.at;
        let read = match &part.content {
            Content::Kept(range) => {
                self.source.seek(SeekFrom::Start(range.start + offset))?;
                let left = range.end - range.start - offset;
                (&mut *self.source).take(left).read(buffer)?
            }
            Content::New(bytes) => {
                let left = usize::try_from(offset).map_or(&[][..], |offset| &bytes[offset..]);
                (&mut &*left).read(buffer)?
            }
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Stripped<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.parts.len.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
