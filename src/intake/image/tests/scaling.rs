//! Copies for previews and for models.

use image::{ImageFormat, Rgb};

use super::{samples::*, *};

fn copy(bytes: &[u8], mime_type: &str, side: u32, most: Option<usize>) -> Vec<u8> {
    let limits = Limits::default();
    let (copy, copy_type) =
        fit_within(&mut Cursor::new(bytes), mime_type, side, most, &limits).unwrap();
    assert_eq!(copy_type, "image/jpeg");
    copy
}

#[test]
fn the_longer_side_fits_and_small_images_stay_small() {
    for (side, expected) in [
        (24, (24, 16)),
        (40, (40, 27)),
        (48, (48, 32)),
        (512, (48, 32)),
    ] {
        let copy = copy(&png(), "image/png", side, None);
        assert_eq!(pixels(&copy).dimensions(), expected);
    }
}

#[test]
fn every_format_has_a_copy_of_its_first_picture() {
    for (name, mime_type, bytes) in all() {
        let copy = pixels(&copy(&bytes, mime_type, 40, None));
        if copy.width() < 24 {
            continue;
        }
        // What is red lies at the top: on the left, or on the right after a quarter of a turn.
        let x = if name.starts_with("talkative") && name != "talkative gif" {
            copy.width() - 5
        } else {
            5
        };
        let red = copy.get_pixel(x, 5).0;
        assert!(
            red[0] > 180 && red[1] < 60 && red[2] < 70,
            "{name}: {red:?}"
        );
    }
}

#[test]
fn quality_goes_down_until_the_copy_fits_and_then_its_size() {
    let mut seed = 1_u32;
    let noise = RgbImage::from_fn(256, 256, |_, _| {
        Rgb([0; 3].map(|_: u8| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        }))
    });
    let bytes = encoded(noise, ImageFormat::Png);
    let free = copy(&bytes, "image/png", 256, None);
    let less = copy(&bytes, "image/png", 256, Some(free.len() / 2));
    assert!(less.len() <= free.len() / 2);
    assert_eq!(pixels(&less).width(), 256);
    let least = copy(&bytes, "image/png", 256, Some(4_000));
    assert!(least.len() <= 4_000 && pixels(&least).width() < 256);
    let limits = Limits::default();
    let none = fit_within(&mut Cursor::new(&bytes), "image/png", 256, Some(9), &limits);
    assert!(matches!(none, Err(ImageError::TooLarge(_))));
}

#[test]
fn of_what_cannot_be_decoded_there_is_no_copy() {
    for (mime_type, bytes) in [("image/heic", heic()), ("image/tiff", b"II*\0".to_vec())] {
        let limits = Limits::default();
        let none = fit_within(&mut Cursor::new(&bytes), mime_type, 512, None, &limits);
        assert!(matches!(none, Err(ImageError::Unsupported)), "{mime_type}");
    }
}
