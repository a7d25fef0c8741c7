//! EXIF: of all it tells, only how to hold the picture is wanted.

use image::metadata::Orientation;

/// What JPEG writes before it; some programs write it elsewhere too.
pub(super) const PREFIX: &[u8] = b"Exif\0\0";

/// The orientation that a block of EXIF states.
pub(super) fn orientation(block: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(block.strip_prefix(PREFIX).unwrap_or(block))
}

/// A block that states an orientation and nothing else.
pub(super) fn minimal(orientation: Orientation) -> Vec<u8> {
    let mut block = b"MM\0\x2a\0\0\0\x08".to_vec();
    // One entry: the tag 0x0112, one number of 16 bits, and no further directory.
    block.extend(b"\0\x01\x01\x12\0\x03\0\0\0\x01\0");
    block.push(orientation.to_exif());
    block.extend(b"\0\0\0\0\0\0");
    block
}
