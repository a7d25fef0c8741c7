//! Reading an image's structure: what is not there is never read, nor asked for.

use std::io::{BufRead, BufReader, Read, Seek};

use super::ImageError;
use crate::objects::ReadSeek;

/// The bytes of an image, and where in them we are.
pub(super) struct Source<'a> {
    reader: BufReader<&'a mut dyn ReadSeek>,
    at: u64,
    len: u64,
}

/// What is said of an image that was cut.
const CUT: ImageError = ImageError::Damaged("it ends too early");

impl<'a> Source<'a> {
    pub(super) fn new(source: &'a mut dyn ReadSeek) -> Result<Self, ImageError> {
        let mut reader = BufReader::new(source);
        let len = reader.seek(std::io::SeekFrom::End(0))?;
        reader.rewind()?;
        Ok(Self { reader, at: 0, len })
    }

    /// How many bytes came before.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// How many bytes there are in all.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, ImageError> {
        Ok(self.array::<1>()?[0])
    }

    /// The next few bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        let mut bytes = [0; N];
        self.advance(N as u64)?;
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next bytes, of which there may be up to 64 KiB.
    pub(super) fn bytes(&mut self, count: u16) -> Result<Vec<u8>, ImageError> {
        let mut bytes = vec![0; usize::from(count)];
        self.advance(u64::from(count))?;
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Passes over bytes.
    pub(super) fn skip(&mut self, count: u64) -> Result<(), ImageError> {
        self.advance(count)?;
        self.reader.seek_relative(count.cast_signed())?;
        Ok(())
    }

    /// Passes over what lies before a place.
    pub(super) fn skip_to(&mut self, at: u64) -> Result<(), ImageError> {
        match at.checked_sub(self.at) {
            Some(count) => self.skip(count),
            None => Err(ImageError::Damaged("a part of it is too short")),
        }
    }

    /// Passes over all bytes up to this one, and over it.
    pub(super) fn skip_past(&mut self, wanted: u8) -> Result<(), ImageError> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Err(CUT);
            }
            let found = buffer.iter().position(|byte| *byte == wanted);
            let passed = found.map_or(buffer.len(), |index| index + 1);
            self.reader.consume(passed);
            self.at += passed as u64;
            if found.is_some() {
                return Ok(());
            }
        }
    }

    fn advance(&mut self, count: u64) -> Result<(), ImageError> {
        if count > self.len - self.at {
            return Err(CUT);
        }
        self.at += count;
        Ok(())
    }
}
