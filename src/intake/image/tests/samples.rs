//! Images to try things on. Whatever must not be stored holds the word [`SECRET`].

use std::io::Cursor;

use image::{
    DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage,
    codecs::gif::{GifEncoder, Repeat},
};
use jpeg_encoder::{ColorType, Encoder};

use crate::intake::image::{jpeg::segment, png::chunk};

pub const SECRET: &[u8] = b"SECRET";

pub const RED: [u8; 3] = [220, 20, 30];
pub const GREEN: [u8; 3] = [30, 200, 40];
pub const BLUE: [u8; 3] = [20, 40, 210];
pub const GREY: [u8; 3] = [120, 120, 120];

/// 48 × 32 pixels: red and green above, blue and grey below.
pub fn picture() -> RgbImage {
    RgbImage::from_fn(48, 32, |x, y| {
        Rgb(match (x < 24, y < 16) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => GREY,
        })
    })
}

pub fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A block of EXIF as cameras write it: their make, the orientation, where it was taken.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x03\0".to_vec();
    block.extend(b"\x0f\x01\x02\0\x07\0\0\0\x32\0\0\0");
    block.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    block.extend(b"\x25\x88\x04\0\x01\0\0\0\x3a\0\0\0\0\0\0\0");
    block.extend(b"SECRET\0\0 a GPS directory SECRET");
    block
}

/// Says of which colours it is, and nothing more.
pub fn profile(colors: [u8; 4]) -> Vec<u8> {
    let mut profile = vec![0; 128];
    profile[16..20].copy_from_slice(&colors);
    profile[36..40].copy_from_slice(b"acsp");
    profile
}

pub fn jpeg() -> Vec<u8> {
    jpeg_of(picture().as_raw(), ColorType::Rgb, false)
}

pub fn progressive_jpeg() -> Vec<u8> {
    jpeg_of(picture().as_raw(), ColorType::Rgb, true)
}

/// 48 × 32 pixels of ink.
pub fn cmyk_jpeg() -> Vec<u8> {
    let ink = |[r, g, b]: [u8; 3]| [255 - r, 255 - g, 255 - b, 0];
    let inks: Vec<u8> = picture().pixels().flat_map(|pixel| ink(pixel.0)).collect();
    let mut bytes = jpeg_of(&inks, ColorType::Cmyk, false);
    let colors = [b"ICC_PROFILE\0\x01\x01", &profile(*b"CMYK")[..]].concat();
    insert(&mut bytes, 2, &segment(0xe2, &colors));
    bytes
}

fn jpeg_of(samples: &[u8], color: ColorType, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    encoder.set_progressive(progressive);
    encoder.encode(samples, 48, 32, color).unwrap();
    bytes
}

/// A JPEG as a phone sends it.
pub fn talkative_jpeg(orientation: u8) -> Vec<u8> {
    let mut bytes = jpeg();
    let jfif = [b"JFIF\0\x01\x01\0\0\x01\0\x01\x02\x01", SECRET].concat();
    let exif = [b"Exif\0\0", &exif(orientation)[..]].concat();
    let colors = [b"ICC_PROFILE\0\x01\x01", &profile(*b"RGB ")[..]].concat();
    let segments = [
        segment(0xe0, &jfif),
        segment(0xe0, b"JFXX\0\x10 SECRET small picture"),
        segment(0xe1, &exif),
        segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x>SECRET</x>"),
        segment(0xe2, b"MPF\0SECRET further pictures"),
        segment(0xe2, &colors),
        segment(0xed, b"Photoshop 3.0\08BIM SECRET"),
        segment(0xfe, b"SECRET comment"),
    ];
    // In the place of the encoder's own first segment.
    bytes.splice(2..20, segments.concat());
    bytes.extend(b"PK\x03\x04 SECRET archive");
    bytes
}

pub fn png() -> Vec<u8> {
    encoded(picture(), ImageFormat::Png)
}

/// A PNG with everything that programs write beside the pixels.
pub fn talkative_png(orientation: u8) -> Vec<u8> {
    let mut bytes = png();
    let chunks = [
        chunk(*b"gAMA", &45_455_u32.to_be_bytes()),
        chunk(*b"pHYs", b"\0\0\x0b\x13\0\0\x0b\x13\x01"),
        chunk(*b"iCCP", &compressed_profile(*b"RGB ")),
        chunk(*b"tEXt", b"Author\0SECRET"),
        chunk(*b"zTXt", b"Comment\0\0SECRET"),
        chunk(*b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0SECRET"),
        chunk(*b"tIME", b"\x07\xea\x01\x01\0\0\0"),
        chunk(*b"sRGB", &[b'x'; 2_000]),
        chunk(*b"prVt", SECRET),
        chunk(*b"eXIf", &exif(orientation)),
    ];
    insert(&mut bytes, 33, &chunks.concat());
    bytes.extend(b"SECRET tail");
    bytes
}

pub fn compressed_profile(colors: [u8; 4]) -> Vec<u8> {
    [b"name\0\0", &zlib(&profile(colors))[..]].concat()
}

/// Two frames, of which the first is the still as well.
pub fn apng() -> Vec<u8> {
    let bytes = png();
    let (head, pixels) = (&bytes[..33], pixels_of_png(&bytes));
    let control = |order: u32| {
        let sizes = [order, 48, 32, 0, 0].map(u32::to_be_bytes).concat();
        chunk(*b"fcTL", &[&sizes[..], b"\0\x01\0\x0a\0\0"].concat())
    };
    [
        head,
        &chunk(*b"acTL", b"\0\0\0\x02\0\0\0\0"),
        &control(0),
        &chunk(*b"tEXt", b"Author\0SECRET"),
        &chunk(*b"IDAT", &pixels),
        &control(1),
        &chunk(*b"fdAT", &[b"\0\0\0\x02", &pixels[..]].concat()),
        &chunk(*b"IEND", b""),
    ]
    .concat()
}

fn pixels_of_png(bytes: &[u8]) -> Vec<u8> {
    let (mut at, mut pixels) = (8, Vec::new());
    while at < bytes.len() {
        let count = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if &bytes[at + 4..at + 8] == b"IDAT" {
            pixels.extend(&bytes[at + 8..at + 8 + count]);
        }
        at += 12 + count;
    }
    pixels
}

/// 2 × 2 pixels, sent in seven passes: red and green above, blue and grey below.
pub fn interlaced_png() -> Vec<u8> {
    let rows = [&[0], &RED[..], &[0], &GREEN, &[0], &BLUE, &GREY].concat();
    [
        b"\x89PNG\r\n\x1a\n",
        &chunk(*b"IHDR", b"\0\0\0\x02\0\0\0\x02\x08\x02\0\0\x01")[..],
        &chunk(*b"IDAT", &zlib(&rows)),
        &chunk(*b"IEND", b""),
    ]
    .concat()
}

/// 2 × 2 pixels of four colours from a table, two bits each, of which the last is clear.
pub fn palette_png() -> Vec<u8> {
    [
        b"\x89PNG\r\n\x1a\n",
        &chunk(*b"IHDR", b"\0\0\0\x02\0\0\0\x02\x02\x03\0\0\0")[..],
        &chunk(*b"PLTE", &[RED, GREEN, BLUE, GREY].concat()),
        &chunk(*b"tRNS", b"\xff\xff\xff\0"),
        &chunk(*b"IDAT", &zlib(b"\0\x10\0\xb0")),
        &chunk(*b"IEND", b""),
    ]
    .concat()
}

/// Bytes in the form of compressed ones.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let count = u16::try_from(bytes.len()).unwrap();
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    [
        b"\x78\x01\x01",
        &count.to_le_bytes()[..],
        &(!count).to_le_bytes(),
        bytes,
        &(b << 16 | a).to_be_bytes(),
    ]
    .concat()
}

pub fn webp() -> Vec<u8> {
    encoded(picture(), ImageFormat::WebP)
}

/// One pixel, of the lossy kind.
pub fn lossy_webp() -> Vec<u8> {
    let picture = b"\x30\x01\0\x9d\x01\x2a\x01\0\x01\0\x0e\xc0\xfe\x25\xa4\0\x03\x70\0\0\0\0";
    riff(&[riff_chunk(*b"VP8 ", picture)])
}

/// A WebP with everything that programs write beside the pixels.
pub fn talkative_webp(orientation: u8) -> Vec<u8> {
    let mut bytes = riff(&[
        extended(0x2c),
        riff_chunk(*b"ICCP", &profile(*b"RGB ")),
        riff_chunk(*b"prVt", SECRET),
        picture_of_webp(&webp()),
        riff_chunk(*b"EXIF", &exif(orientation)),
        riff_chunk(*b"XMP ", b"<x>SECRET</x>"),
    ]);
    bytes.extend(b"SECRET tail");
    bytes
}

/// Two frames, of which the second has a block of its own.
pub fn animated_webp() -> Vec<u8> {
    let head = b"\0\0\0\0\0\0\x2f\0\0\x1f\0\0\x64\0\0\0";
    let frame = [&head[..], &picture_of_webp(&webp())].concat();
    let second = [&frame[..], &riff_chunk(*b"prVt", SECRET)].concat();
    riff(&[
        extended(0x06),
        riff_chunk(*b"ANIM", b"\xff\xff\xff\xff\0\0"),
        riff_chunk(*b"ANMF", &frame),
        riff_chunk(*b"ANMF", &second),
        riff_chunk(*b"XMP ", SECRET),
    ])
}

/// The header of an extended file of 48 × 32 pixels.
fn extended(flags: u8) -> Vec<u8> {
    riff_chunk(*b"VP8X", &[flags, 0, 0, 0, 47, 0, 0, 31, 0, 0])
}

/// The chunk that has the pixels of a file that is not extended.
fn picture_of_webp(bytes: &[u8]) -> Vec<u8> {
    bytes[12..].to_vec()
}

pub fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = [b"WEBP", &chunks.concat()[..]].concat();
    riff_chunk(*b"RIFF", &body)
}

pub fn riff_chunk(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let count = u32::try_from(body.len()).unwrap().to_le_bytes();
    let filling = &[0][..body.len() % 2];
    [&kind, &count, body, filling].concat()
}

pub fn gif() -> Vec<u8> {
    gif_of(1)
}

pub fn gif_of(frames: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.set_repeat(Repeat::Infinite).unwrap();
    let frame: RgbaImage = DynamicImage::from(picture()).to_rgba8();
    for _ in 0..frames {
        encoder
            .encode_frame(image::Frame::new(frame.clone()))
            .unwrap();
    }
    drop(encoder);
    bytes
}

/// A GIF of two frames with everything that programs write beside them.
pub fn talkative_gif() -> Vec<u8> {
    let mut bytes = gif_of(2);
    let head = head_of_gif(&bytes);
    let blocks = [
        &b"\x21\xfe\x06SECRET\0"[..],
        b"\x21\xff\x0bXMP DataXMP\x06SECRET\0",
        b"\x21\xff\x0bNETSCAPE2.0\x20SECRET SECRET SECRET SECRET ----\0",
        b"\x21\xff\x0bICCRGBG1012\x04icc!\0",
        b"\x21\xf9\x04\0\0\0\0\0\x21\x01\x0cgrid of text\x06SECRET\0",
        b"\x21\x77\x06SECRET\0",
    ];
    insert(&mut bytes, head, &blocks.concat());
    bytes.extend(b"SECRET tail");
    bytes
}

/// Where the blocks of a GIF begin.
pub fn head_of_gif(bytes: &[u8]) -> usize {
    let flags = bytes[10];
    if flags & 0x80 == 0 {
        13
    } else {
        13 + (3 << ((flags & 7) + 1))
    }
}

/// As phones make it: tiles, the picture, a preview, and a quarter of a turn.
pub fn heic() -> Vec<u8> {
    let size = |width: u32, height: u32| {
        let sizes = [0, width, height].map(u32::to_be_bytes).concat();
        boxed(*b"ispe", &sizes)
    };
    let properties = [
        size(512, 512),
        size(4032, 3024),
        boxed(*b"irot", &[3]),
        size(320, 240),
    ];
    let container = boxed(*b"ipco", &properties.concat());
    let properties = boxed(*b"iprp", &container);
    let handler = boxed(*b"hdlr", b"\0\0\0\0\0\0\0\0pict");
    [
        boxed(*b"ftyp", b"heic\0\0\0\0mif1heic"),
        boxed(*b"meta", &[&[0; 4], &handler[..], &properties].concat()),
        boxed(*b"mdat", b"SECRET"),
    ]
    .concat()
}

pub fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let count = u32::try_from(8 + body.len()).unwrap().to_be_bytes();
    [&count, &kind, body].concat()
}

pub fn insert(bytes: &mut Vec<u8>, at: usize, more: &[u8]) {
    bytes.splice(at..at, more.iter().copied());
}

/// One of each kind that can be decoded.
pub fn all() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("jpeg", "image/jpeg", jpeg()),
        ("progressive jpeg", "image/jpeg", progressive_jpeg()),
        ("cmyk jpeg", "image/jpeg", cmyk_jpeg()),
        ("talkative jpeg", "image/jpeg", talkative_jpeg(6)),
        ("png", "image/png", png()),
        ("talkative png", "image/png", talkative_png(6)),
        ("interlaced png", "image/png", interlaced_png()),
        ("palette png", "image/png", palette_png()),
        ("animated png", "image/png", apng()),
        ("webp", "image/webp", webp()),
        ("lossy webp", "image/webp", lossy_webp()),
        ("talkative webp", "image/webp", talkative_webp(6)),
        ("animated webp", "image/webp", animated_webp()),
        ("gif", "image/gif", gif()),
        ("talkative gif", "image/gif", talkative_gif()),
    ]
}
