//! Stills made JPEG.

use image::{
    DynamicImage, GrayAlphaImage, GrayImage, ImageDecoder, ImageFormat, LumaA, Rgba, RgbaImage,
    codecs::jpeg::JpegDecoder, metadata::Orientation,
};

use super::{samples::*, *};
use crate::intake::image::png::chunk;

fn to_jpeg(bytes: &[u8], mime_type: &str) -> (Made, Vec<u8>) {
    let (made, after) = made(bytes, mime_type, Images::Jpeg).unwrap();
    assert_eq!(made.output, Output::Written("image/jpeg"));
    assert_eq!(made.size, Some(pixels(&after).dimensions()));
    (made, after)
}

#[test]
fn stills_become_jpeg_that_looks_the_same() {
    for (mime_type, bytes) in [("image/png", png()), ("image/webp", webp())] {
        let (_, after) = to_jpeg(&bytes, mime_type);
        let (before, after) = (pixels(&bytes), pixels(&after));
        assert!(
            before
                .pixels()
                .zip(after.pixels())
                .all(|(a, b)| alike(a.0, b.0))
        );
    }
}

#[test]
fn colours_are_stored_as_finely_as_brightness() {
    let (_, after) = to_jpeg(&png(), "image/png");
    // The frame's three components, each sampled once.
    assert!(contains(
        &after,
        b"\x03\x00\x11\x00\x01\x11\x01\x02\x11\x01"
    ));
}

/// Where the red corner and the green corner of what is stored are shown, for each orientation.
#[test]
fn every_orientation_comes_out_upright() {
    let [top_left, top_right] = [(0.25, 0.25), (0.75, 0.25)];
    let [bottom_left, bottom_right] = [(0.25, 0.75), (0.75, 0.75)];
    let table = [
        (1, top_left, top_right),
        (2, top_right, top_left),
        (3, bottom_right, bottom_left),
        (4, bottom_left, bottom_right),
        (5, top_left, bottom_left),
        (6, top_right, bottom_right),
        (7, bottom_right, top_right),
        (8, bottom_left, top_left),
    ];
    for (orientation, red, green) in table {
        for (mime_type, bytes) in [
            ("image/png", talkative_png(orientation)),
            ("image/webp", talkative_webp(orientation)),
        ] {
            let (made, after) = to_jpeg(&bytes, mime_type);
            let turned = orientation > 4;
            assert_eq!(made.size, Some(if turned { (32, 48) } else { (48, 32) }));
            let at = |(x, y): (f32, f32)| sample(&pixels(&after), x, y);
            assert!(alike(at(red), RED), "{mime_type} {orientation}");
            assert!(alike(at(green), GREEN), "{mime_type} {orientation}");
            let mut decoder = JpegDecoder::new(Cursor::new(&after)).unwrap();
            assert_eq!(decoder.orientation().unwrap(), Orientation::NoTransforms);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small pictures"
)]
fn sample(image: &RgbImage, x: f32, y: f32) -> [u8; 3] {
    let (width, height) = (image.width() as f32, image.height() as f32);
    image.get_pixel((width * x) as u32, (height * y) as u32).0
}

#[test]
fn what_is_clear_becomes_white() {
    let clear = RgbaImage::from_fn(16, 16, |x, _| {
        Rgba([200, 0, 0, if x < 8 { 0 } else { 128 }])
    });
    for (mime_type, format) in [
        ("image/png", ImageFormat::Png),
        ("image/webp", ImageFormat::WebP),
    ] {
        let (_, after) = to_jpeg(&encoded(clear.clone(), format), mime_type);
        assert!(alike(pixels(&after).get_pixel(2, 2).0, [255, 255, 255]));
        assert!(alike(pixels(&after).get_pixel(13, 13).0, [227, 127, 127]));
    }
    let clear = GrayAlphaImage::from_pixel(8, 8, LumaA([0, 0]));
    let (_, after) = to_jpeg(&encoded(clear, ImageFormat::Png), "image/png");
    assert!(alike(pixels(&after).get_pixel(4, 4).0, [255, 255, 255]));
}

#[test]
fn sixteen_bits_become_eight() {
    let image = DynamicImage::from(picture());
    let mut clear = image.to_rgba16();
    for pixel in clear.pixels_mut() {
        pixel.0[3] = 0x8000;
    }
    let (_, after) = to_jpeg(&encoded(image.to_rgb16(), ImageFormat::Png), "image/png");
    assert!(alike(pixels(&after).get_pixel(4, 4).0, RED));
    let (_, after) = to_jpeg(&encoded(clear, ImageFormat::Png), "image/png");
    assert!(alike(pixels(&after).get_pixel(4, 4).0, [238, 138, 143]));
    let (_, after) = to_jpeg(&encoded(image.to_luma16(), ImageFormat::Png), "image/png");
    let grey = image.to_luma8().get_pixel(4, 4).0[0];
    assert!(alike(pixels(&after).get_pixel(4, 4).0, [grey; 3]));
}

#[test]
fn grey_stays_grey() {
    let grey = GrayImage::from_fn(16, 16, |x, _| image::Luma([if x < 8 { 30 } else { 220 }]));
    let (_, after) = to_jpeg(&encoded(grey, ImageFormat::Png), "image/png");
    let after = image::load_from_memory(&after).unwrap();
    assert_eq!(after.color(), image::ColorType::L8);
    assert!(after.to_luma8().get_pixel(2, 2).0[0].abs_diff(30) < 3);
}

#[test]
fn palettes_and_passes_are_understood() {
    let (_, after) = to_jpeg(&interlaced_png(), "image/png");
    assert_eq!(pixels(&after).dimensions(), (2, 2));
    let corner = |bytes: &[u8]| pixels(&to_jpeg(bytes, "image/png").1).get_pixel(0, 0).0;
    assert!(alike(corner(&interlaced_png()), RED));
    assert!(alike(corner(&palette_png()), RED));
    let clear = pixels(&to_jpeg(&palette_png(), "image/png").1)
        .get_pixel(1, 1)
        .0;
    assert!(alike(clear, [255; 3]));
}

#[test]
fn a_profile_is_kept_where_it_is_of_these_colours() {
    let kept = |bytes: &[u8], mime_type| {
        let (_, after) = to_jpeg(bytes, mime_type);
        JpegDecoder::new(Cursor::new(&after))
            .unwrap()
            .icc_profile()
            .unwrap()
    };
    let with = |mut bytes: Vec<u8>, colors| {
        let chunk = chunk(*b"iCCP", &compressed_profile(colors));
        insert(&mut bytes, 33, &chunk);
        bytes
    };
    let grey = || encoded(GrayImage::new(8, 8), ImageFormat::Png);
    assert_eq!(
        kept(&with(png(), *b"RGB "), "image/png"),
        Some(profile(*b"RGB "))
    );
    assert_eq!(
        kept(&talkative_webp(1), "image/webp"),
        Some(profile(*b"RGB "))
    );
    assert_eq!(kept(&with(png(), *b"CMYK"), "image/png"), None);
    assert_eq!(kept(&with(grey(), *b"GRAY"), "image/png"), None);
    assert_eq!(kept(&with(grey(), *b"RGB "), "image/png"), None);
}
