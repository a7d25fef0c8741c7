//! Stories of images, all of them made here: by encoders, and block by block.

mod hostile;
mod making;
mod samples;
mod scaling;
mod stripping;

use std::io::Cursor;

use image::RgbImage;

use super::*;

/// What becomes of an image, and the bytes that would be stored.
fn made(bytes: &[u8], mime_type: &str, images: Images) -> Result<(Made, Vec<u8>), ImageError> {
    let mut out = Vec::new();
    let made = make_uniform(
        &mut Cursor::new(bytes),
        mime_type,
        images,
        &Limits::default(),
        &mut out,
    )?;
    if made.output == Output::AsItCame {
        assert!(out.is_empty());
        out = bytes.to_vec();
    }
    Ok((made, out))
}

fn inspected(bytes: &[u8], mime_type: &str) -> Result<Facts, ImageError> {
    inspect(&mut Cursor::new(bytes), mime_type, &Limits::default())
}

fn pixels(bytes: &[u8]) -> RgbImage {
    image::load_from_memory(bytes).unwrap().to_rgb8()
}

/// Whether two colours look alike after JPEG had them.
fn alike(one: [u8; 3], other: [u8; 3]) -> bool {
    one.iter().zip(other).all(|(a, b)| a.abs_diff(b) <= 6)
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
