//! Images that were cut, broken, or made to do harm.

use super::{samples::*, *};
use crate::intake::image::{jpeg::segment, png::chunk};

fn refused(bytes: &[u8], mime_type: &str) -> String {
    let error = inspected(bytes, mime_type).unwrap_err().to_string();
    for images in [Images::Keep, Images::Jpeg] {
        let again = made(bytes, mime_type, images).unwrap_err().to_string();
        assert_eq!(again, error);
    }
    error
}

#[test]
fn a_bomb_is_refused_before_it_is_decoded() {
    let mut png = png();
    png[16..24].copy_from_slice(&[0, 0, 0x2a, 0xf8, 0, 0, 0x2a, 0xf8]);
    assert_eq!(
        refused(&png, "image/png"),
        "This image is too large: it is 11000 × 11000 pixels, and at most 100 megapixels are taken."
    );
    png[16..20].copy_from_slice(&[0; 4]);
    assert!(refused(&png, "image/png").contains("no width or no height"));
    png[16..20].copy_from_slice(&70_000_u32.to_be_bytes());
    assert!(refused(&png, "image/png").contains("no side may be longer than 65500"));
    let mut jpeg = jpeg();
    let frame = jpeg.windows(2).position(|two| two == b"\xff\xc0").unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(b"\xf0\0\xf0\0");
    assert!(refused(&jpeg, "image/jpeg").contains("61440 × 61440"));
    let header = riff_chunk(*b"VP8X", b"\0\0\0\0\xff\x3f\0\xff\x3f\0");
    assert!(refused(&riff(&[header]), "image/webp").contains("16384 × 16384"));
    let mut gif = gif();
    gif[6..10].copy_from_slice(b"\xff\xf0\xff\xf0");
    assert!(refused(&gif, "image/gif").contains("61695 × 61695"));
}

#[test]
fn an_animation_of_too_many_frames_is_refused() {
    let gif = |size: u8, frames| {
        let head = [b"GIF89a\0", &[size][..], b"\0", &[size], b"\0\0\0"].concat();
        let frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
        [&head[..], &frame.repeat(frames), b"\x3b"].concat()
    };
    assert_eq!(
        inspected(&gif(1, 2_000), "image/gif").unwrap().frames,
        2_000
    );
    let error = refused(&gif(1, 2_001), "image/gif");
    assert!(
        error.contains("an animation of more than 2000 frames"),
        "{error}"
    );
    let error = refused(&gif(4, 1_000), "image/gif");
    assert!(
        error.contains("more than 1000 megapixels together"),
        "{error}"
    );
}

#[test]
fn frames_are_counted_in_every_format() {
    let limits = Limits {
        max_frames: 1,
        ..Limits::default()
    };
    for (mime_type, bytes) in [
        ("image/png", apng()),
        ("image/webp", animated_webp()),
        ("image/gif", gif_of(2)),
    ] {
        let found = inspect(&mut Cursor::new(bytes), mime_type, &limits);
        assert!(matches!(found, Err(ImageError::TooLarge(_))), "{mime_type}");
    }
}

#[test]
fn a_frame_cannot_be_larger_than_the_image_says() {
    let picture = webp()[12..].to_vec();
    let mut webp = animated_webp();
    let frame = webp.windows(4).position(|four| four == b"ANMF").unwrap();
    webp[frame + 8 + 6] = 0x30;
    assert!(refused(&webp, "image/webp").contains("larger than the image"));
    let mut apng = apng();
    let frame = apng.windows(4).position(|four| four == b"fcTL").unwrap();
    apng[frame + 4 + 7] = 49;
    assert!(refused(&apng, "image/png").contains("larger than the image"));
    apng[frame + 4 + 7] = 48;
    apng[frame + 4 + 11] = 33;
    assert!(refused(&apng, "image/png").contains("larger than the image"));
    let mut gif = gif();
    let frame = head_of_gif(&gif) + 19 + 8;
    assert_eq!(gif[frame], 0x2c);
    gif[frame + 5..frame + 9].copy_from_slice(b"\xff\xf0\xff\xf0");
    assert!(refused(&gif, "image/gif").contains("61695 × 61695"));
    // The header of an extended WebP says one pixel, its picture says more.
    let tiny = riff_chunk(*b"VP8X", &[0; 10]);
    let webp = riff(&[tiny, picture]);
    assert!(refused(&webp, "image/webp").contains("two different sizes"));
    let mut webp = animated_webp();
    let frame = webp.windows(4).position(|four| four == b"ANMF").unwrap();
    webp[frame + 8 + 6] = 0x2e;
    assert!(refused(&webp, "image/webp").contains("two different sizes"));
}

#[test]
fn an_image_without_pixels_is_refused() {
    let pixels = png().windows(4).position(|four| four == b"IDAT").unwrap();
    let end = chunk(*b"IEND", b"");
    let png = [&png()[..pixels - 4], &end].concat();
    let gif = b"GIF89a\x01\0\x01\0\0\0\0\x3b";
    let webp = riff(&[riff_chunk(*b"VP8X", &[0; 10])]);
    let scan = jpeg()
        .windows(2)
        .position(|two| two == b"\xff\xda")
        .unwrap();
    let jpeg = [&jpeg()[..scan], b"\xff\xd9"].concat();
    for (bytes, mime_type) in [
        (&jpeg[..], "image/jpeg"),
        (&png, "image/png"),
        (&webp, "image/webp"),
        (gif, "image/gif"),
    ] {
        assert!(
            refused(bytes, mime_type).contains("no pixels"),
            "{mime_type}"
        );
    }
}

#[test]
fn what_cannot_be_shown_without_an_unknown_part_is_refused() {
    let mut png = png();
    insert(&mut png, 33, &chunk(*b"CgBI", b"\x50\0\x20\x06"));
    assert!(refused(&png, "image/png").contains("an unknown kind"));
}

#[test]
fn what_decoding_takes_is_counted_before() {
    let limits = Limits {
        max_alloc_bytes: 48 * 32 * 3 - 1,
        ..Limits::default()
    };
    for (name, mime_type, bytes) in all() {
        let mut source = Cursor::new(&bytes);
        let copy = fit_within(&mut source, mime_type, 512, None, &limits);
        let small = matches!(name, "interlaced png" | "palette png" | "lossy webp");
        let refused = matches!(copy, Err(ImageError::TooLarge(_)));
        assert_eq!(refused, !small, "{name}");
    }
}

#[test]
fn a_progressive_jpeg_takes_more_than_another() {
    let limits = Limits {
        max_alloc_bytes: 12_000,
        ..Limits::default()
    };
    let copy = |bytes: &[u8]| {
        let mut source = Cursor::new(bytes);
        fit_within(&mut source, "image/jpeg", 512, None, &limits).is_ok()
    };
    assert!(copy(&jpeg()));
    assert!(!copy(&progressive_jpeg()));
}

#[test]
fn text_that_fills_memory_never_reaches_a_decoder() {
    let mut png = png();
    let text = [b"Comment\0", &vec![b'x'; 20 << 20][..]].concat();
    insert(&mut png, 33, &chunk(*b"tEXt", &text));
    let (made, _) = made(&png, "image/png", Images::Jpeg).unwrap();
    assert_eq!(made.output, Output::Written("image/jpeg"));
}

#[test]
fn a_profile_of_many_megabytes_is_left_out() {
    let mut bytes = png();
    insert(&mut bytes, 33, &chunk(*b"iCCP", &vec![7; 5 << 20]));
    assert_eq!(made(&bytes, "image/png", Images::Keep).unwrap().1, png());
}

#[test]
fn an_image_of_endless_pieces_is_refused() {
    let mut png = png();
    let pieces = [chunk(*b"tEXt", b""), chunk(*b"pHYs", b"")].concat();
    insert(&mut png, 33, &pieces.repeat(50_001));
    assert!(refused(&png, "image/png").contains("too many pieces"));
    let mut jpeg = jpeg();
    let scan = jpeg.windows(2).position(|two| two == b"\xff\xda").unwrap();
    let scans = segment(0xda, b"\x01\x01\0\0\x3f\0").repeat(501);
    insert(&mut jpeg, scan, &scans);
    assert!(refused(&jpeg, "image/jpeg").contains("too many scans"));
    // Each box says that it goes on to the end, and so holds the next.
    let nested = b"\0\0\0\0meta\0\0\0\0".repeat(200_000);
    assert_eq!(inspected(&nested, "image/heic").unwrap().size, None);
}

#[test]
fn a_second_file_at_the_end_is_cut_off() {
    let tail = b"PK\x03\x04 and a whole archive PK\x05\x06";
    for (name, mime_type, bytes) in all() {
        let (_, clean) = made(&bytes, mime_type, Images::Keep).unwrap();
        let both = [&clean[..], tail].concat();
        let (made, after) = made(&both, mime_type, Images::Keep).unwrap();
        assert_eq!(
            made.output,
            Output::Written(Format::of(mime_type).unwrap().mime_type())
        );
        assert_eq!(after, clean, "{name}");
    }
}

#[test]
fn a_script_in_the_clothes_of_an_image_is_refused() {
    let script = b"GIF89a=1;alert(document.domain)//";
    assert!(refused(script, "image/gif").contains("12605 × 24891"));
    let script = b"GIF89a/*\x08\0\0\0\0*/=1;alert(1)";
    assert!(refused(script, "image/gif").contains("a block of it is of an unknown kind"));
}

#[test]
fn an_image_cut_anywhere_is_damaged() {
    for (name, mime_type, bytes) in all() {
        let (_, bytes) = made(&bytes, mime_type, Images::Keep).unwrap();
        for end in 0..bytes.len() {
            let error = inspected(&bytes[..end], mime_type);
            assert!(
                matches!(error, Err(ImageError::Damaged(_))),
                "{name} at {end}: {error:?}"
            );
        }
    }
}

#[test]
fn broken_pixels_are_found_where_they_are_decoded() {
    let mut broken = png();
    let pixels = broken.windows(4).position(|four| four == b"IDAT").unwrap();
    broken[pixels + 12] ^= 0x55;
    assert!(made(&broken, "image/png", Images::Keep).is_ok());
    let error = made(&broken, "image/png", Images::Jpeg).unwrap_err();
    assert!(matches!(error, ImageError::Undecodable(_)), "{error:?}");
}

/// In a process of its own, so that it sees its own memory and no other story's.
#[test]
fn no_change_of_a_few_bytes_breaks_more_than_the_image() {
    const ALONE: &str = "ASKFILE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return change_bytes();
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name])
        .env(ALONE, "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

fn change_bytes() {
    let limits = Limits {
        max_pixels: 1_000_000,
        max_alloc_bytes: 16 << 20,
        ..Limits::default()
    };
    let mut seed = 7_u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    let before = most_memory();
    for (_, mime_type, bytes) in all() {
        for _ in 0..400 {
            let mut broken = bytes.clone();
            for _ in 0..=random(3) {
                let at = random(broken.len());
                broken[at] = u8::try_from(random(256)).unwrap();
            }
            let mut source = Cursor::new(&broken);
            let mut out = Vec::new();
            let _ = inspect(&mut source, mime_type, &limits);
            let _ = make_uniform(&mut source, mime_type, Images::Jpeg, &limits, &mut out);
            let _ = fit_within(&mut source, mime_type, 32, Some(10_000), &limits);
        }
    }
    let more = most_memory() - before;
    assert!(more < 24 << 10, "{more} KiB more than before");
}

/// KiB of memory that this process had at most.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let figure = line.and_then(|line| line.split_whitespace().nth(1));
    figure.unwrap().parse().unwrap()
}
