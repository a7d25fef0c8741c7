//! What becomes of images between the person and the agent.

use std::io::Cursor;

use axum::http::StatusCode;
use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::{Value, json};

use crate::harness::{Askfile, web::put};

/// A picture three pixels wide and two high.
fn picture(format: ImageFormat) -> Vec<u8> {
    let pixels = RgbImage::from_fn(3, 2, |x, y| {
        image::Rgb([x.to_be_bytes()[3] * 80, y.to_be_bytes()[3] * 80, 9])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(pixels)
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

/// The same as PNG, with a comment that names its sender.
fn told_on() -> Vec<u8> {
    const COMMENT: &[u8] = b"\0\0\0\x0etEXtAuthor\0Ana Ape\xc4\x8b\xa7\x25";
    let mut bytes = picture(ImageFormat::Png);
    let before_end = bytes.len() - 12;
    bytes.splice(before_end..before_end, COMMENT.iter().copied());
    bytes
}

fn dimensions(media: &Value) -> (Option<u64>, Option<u64>) {
    (media["width"].as_u64(), media["height"].as_u64())
}

async fn sent(askfile: &Askfile, purpose: &str, bytes: &[u8]) -> Value {
    let link = askfile.ask(json!({ "purpose": purpose })).await;
    let answer = askfile.send(put(&link, bytes.to_vec())).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let media = askfile.status(&link).await["result"]["media"][0].clone();
    assert_eq!(
        answer.json()["sha256"],
        media["sha256"],
        "both know the same"
    );
    assert_eq!(askfile.staged(), [""; 0]);
    media
}

#[tokio::test]
async fn an_image_loses_what_it_tells_of_its_sender_and_keeps_its_format() {
    let askfile = Askfile::start().await;
    let media = sent(&askfile, "general", &told_on()).await;
    let stored = askfile.bytes(&askfile.stored()[0]);
    assert_eq!(stored, picture(ImageFormat::Png));
    assert_eq!(media["mime_type"], "image/png");
    assert_eq!(media["size_bytes"], stored.len());
    assert_eq!(media["original_size_bytes"], told_on().len());
    assert_ne!(media["sha256"], media["original_sha256"]);
    assert_eq!(dimensions(&media), (Some(3), Some(2)));
}

#[tokio::test]
async fn an_image_that_tells_nothing_stays_as_it_came() {
    let askfile = Askfile::start().await;
    for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let media = sent(&askfile, "general", &picture(format)).await;
        assert_eq!(media["sha256"], media["original_sha256"], "{format:?}");
        assert_eq!(dimensions(&media), (Some(3), Some(2)), "{format:?}");
    }
}

#[tokio::test]
async fn stills_become_jpeg_where_the_purpose_says_so() {
    let askfile = Askfile::start().await;
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let media = sent(&askfile, "post_media", &picture(format)).await;
        assert_eq!(media["mime_type"], "image/jpeg");
        assert_eq!(media["original_mime_type"], format.to_mime_type());
        assert_eq!(dimensions(&media), (Some(3), Some(2)));
        let name = format!("{}.jpg", media["media_id"].as_str().unwrap());
        assert!(askfile.stored().contains(&name), "{name}");
        let stored = askfile.bytes(&name);
        assert_eq!(media["size_bytes"], stored.len());
        let decoded = image::load_from_memory_with_format(&stored, ImageFormat::Jpeg);
        assert_eq!(decoded.unwrap().width(), 3);
    }
    let media = sent(&askfile, "post_media", &picture(ImageFormat::Gif)).await;
    assert_eq!(media["mime_type"], "image/gif", "it could be an animation");
}

#[tokio::test]
async fn an_image_that_cannot_be_used_is_refused_and_leaves_nothing() {
    let whole = picture(ImageFormat::Png);
    let mut enormous = whole.clone();
    enormous[16..24].copy_from_slice(&[0, 0, 0x9c, 0x40, 0, 0, 0x9c, 0x40]);
    let table = [
        (&whole[..whole.len() - 20], "MALFORMED_BODY", "damaged"),
        (&enormous[..], "IMAGE_TOO_LARGE", "40000 × 40000 pixels"),
    ];
    for purpose in ["general", "post_media"] {
        for (bytes, code, why) in table {
            let askfile = Askfile::start().await;
            let link = askfile.ask(json!({ "purpose": purpose })).await;
            let answer = askfile.send(put(&link, bytes.to_vec())).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{why}");
            assert_eq!(answer.json()["code"], code, "{answer:?}");
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            assert!(message.contains(why), "{message}");
            askfile.is_as_before(&link, why).await;
            assert_eq!(askfile.status(&link).await["last_error"]["code"], code);
            let again = askfile.send(put(&link, whole.clone())).await;
            assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
        }
    }
}

#[tokio::test]
async fn heic_stays_as_it_is_and_is_flagged() {
    let askfile = Askfile::start().await;
    let heic = [
        &b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..],
        &b"\0\0\0\x08free"[..],
    ]
    .concat();
    let media = sent(&askfile, "person_source", &heic).await;
    assert_eq!(media["mime_type"], "image/heic");
    assert_eq!(media["model_readable"], false);
    assert_eq!(media["sha256"], media["original_sha256"]);
    let png = sent(&askfile, "general", &picture(ImageFormat::Png)).await;
    assert_eq!(png["model_readable"], Value::Null);
}
