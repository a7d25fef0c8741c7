//! What is taken out of images that keep their format, and what stays.

use super::{samples::*, *};
use crate::intake::image::exif;

#[test]
fn a_jpeg_keeps_pixels_profile_and_orientation_and_nothing_else() {
    let before = talkative_jpeg(6);
    for images in [Images::Keep, Images::Jpeg] {
        let (made, after) = made(&before, "image/jpeg", images).unwrap();
        assert_eq!(made.output, Output::Written("image/jpeg"));
        assert_eq!(made.size, Some((32, 48)));
        assert_eq!(pixels(&after), pixels(&before));
        assert!(!contains(&after, SECRET));
        let stated = exif::minimal(image::metadata::Orientation::Rotate90);
        let expected = [
            b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xe1\0\x22Exif\0\0",
            &stated[..],
            b"\xff\xe2\0\x90ICC_PROFILE\0\x01\x01",
            &profile(*b"RGB "),
            // And on with what the encoder wrote after its first segment.
            &jpeg()[20..],
        ]
        .concat();
        assert_eq!(after, expected);
    }
}

#[test]
fn a_jpeg_of_ink_keeps_what_says_so() {
    let mut before = cmyk_jpeg();
    assert!(contains(&before, b"Adobe"));
    insert(&mut before, 2, b"\xff\xfe\0\x08SECRET");
    let (_, after) = made(&before, "image/jpeg", Images::Jpeg).unwrap();
    assert_eq!(after, cmyk_jpeg());
}

#[test]
fn a_png_keeps_what_changes_its_looks() {
    let before = talkative_png(6);
    let (made, after) = made(&before, "image/png", Images::Keep).unwrap();
    assert_eq!(made.output, Output::Written("image/png"));
    assert_eq!(made.size, Some((32, 48)));
    assert_eq!(pixels(&after), pixels(&before));
    assert!(!contains(&after, SECRET));
    for kind in [b"gAMA", b"pHYs", b"iCCP"] {
        assert!(contains(&after, kind));
    }
    for kind in [b"tEXt", b"zTXt", b"iTXt", b"tIME", b"sRGB", b"prVt"] {
        assert!(!contains(&after, kind));
    }
    let minimal = exif::minimal(image::metadata::Orientation::Rotate90);
    assert!(contains(
        &after,
        &[b"\0\0\0\x1aeXIf", &minimal[..]].concat()
    ));
    assert!(after.ends_with(b"IEND\xae\x42\x60\x82"));
}

#[test]
fn a_webp_keeps_its_profile_and_says_what_it_has() {
    let before = talkative_webp(6);
    let (made, after) = made(&before, "image/webp", Images::Keep).unwrap();
    assert_eq!(made.output, Output::Written("image/webp"));
    assert_eq!(made.size, Some((32, 48)));
    assert_eq!(pixels(&after), pixels(&before));
    assert!(!contains(&after, SECRET));
    let minimal = exif::minimal(image::metadata::Orientation::Rotate90);
    let expected = riff(&[
        riff_chunk(*b"VP8X", &[0x28, 0, 0, 0, 47, 0, 0, 31, 0, 0]),
        riff_chunk(*b"ICCP", &profile(*b"RGB ")),
        webp()[12..].to_vec(),
        riff_chunk(*b"EXIF", &minimal),
    ]);
    assert_eq!(after, expected);
}

#[test]
fn a_gif_keeps_its_frames_its_loop_and_its_profile() {
    let before = talkative_gif();
    for images in [Images::Keep, Images::Jpeg] {
        let (made, after) = made(&before, "image/gif", images).unwrap();
        assert_eq!(made.output, Output::Written("image/gif"));
        assert_eq!(made.size, Some((48, 32)));
        assert!(!contains(&after, SECRET));
        let mut expected = gif_of(2);
        let head = head_of_gif(&expected);
        insert(&mut expected, head, b"\x21\xff\x0bICCRGBG1012\x04icc!\0");
        assert_eq!(after, expected);
        assert!(contains(&after, b"NETSCAPE2.0\x03\x01\0\0\0"));
    }
}

#[test]
fn how_a_text_of_a_gif_is_shown_goes_with_the_text() {
    let head = b"GIF89a\x01\0\x01\0\0\0\0";
    let picture = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";
    let text = b"\x21\xf9\x04\0\xff\xff\0\0\x21\x01\x0cgrid of text\x06SECRET\0";
    let before = [&head[..], text, picture].concat();
    let (_, after) = made(&before, "image/gif", Images::Keep).unwrap();
    assert_eq!(after, [&head[..], picture].concat());
}

#[test]
fn what_moves_keeps_its_format_and_loses_its_metadata() {
    for (mime_type, before) in [("image/png", apng()), ("image/webp", animated_webp())] {
        let facts = inspected(&before, mime_type).unwrap();
        let expected = Facts {
            size: Some((48, 32)),
            frames: 2,
            animated: true,
        };
        assert_eq!(facts, expected);
        let (made, after) = made(&before, mime_type, Images::Jpeg).unwrap();
        assert_eq!(made.output, Output::Written(expected_type(mime_type)));
        assert!(!contains(&after, SECRET));
        assert_eq!(inspected(&after, mime_type).unwrap(), expected);
        assert!(pixels(&after) == pixels(&before));
    }
}

fn expected_type(mime_type: &str) -> &'static str {
    if mime_type == "image/png" {
        "image/png"
    } else {
        "image/webp"
    }
}

#[test]
fn what_is_clean_stays_as_it_came() {
    for (name, mime_type, bytes) in all() {
        let (_, clean) = made(&bytes, mime_type, Images::Keep).unwrap();
        let (made, _) = made(&clean, mime_type, Images::Keep).unwrap();
        assert_eq!(made.output, Output::AsItCame, "{name}");
        if !contains(&bytes, SECRET) {
            assert_eq!(clean, bytes, "{name}");
        }
    }
}

#[test]
fn what_states_no_orientation_gets_none() {
    let mut before = jpeg();
    insert(&mut before, 20, b"\xff\xe1\0\x0eExif\0\0SECRET");
    assert_eq!(made(&before, "image/jpeg", Images::Keep).unwrap().1, jpeg());
    for (before, mime_type) in [
        (talkative_png(0), "image/png"),
        (talkative_webp(9), "image/webp"),
    ] {
        let (made, after) = made(&before, mime_type, Images::Keep).unwrap();
        assert_eq!(made.size, Some((48, 32)));
        assert!(!contains(&after, b"eXIf") && !contains(&after, b"EXIF"));
    }
}

#[test]
fn a_heic_stays_and_its_size_is_told_as_it_is_shown() {
    let (made, _) = made(&heic(), "image/heic", Images::Jpeg).unwrap();
    assert_eq!(made.output, Output::AsItCame);
    assert_eq!(made.size, Some((3024, 4032)));
    // One that is laid out in another way is stored as well; its size is not known.
    let facts = inspected(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic").unwrap();
    assert_eq!(facts.size, None);
}

#[test]
fn other_types_are_left_alone() {
    let (made, _) = made(b"II*\0", "image/tiff", Images::Jpeg).unwrap();
    assert_eq!((made.output, made.size), (Output::AsItCame, None));
}
