//! Links to files: whole ones, parts of them, and small copies of pictures.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::Form,
    mins, secs,
    web::{With, at, get, post, put, request},
};

/// A text of ten bytes, with a name that is not plain.
const TEXT: &[u8] = b"0123456789";

async fn stored(askfile: &Askfile, name: &str, bytes: &[u8]) -> Value {
    let link = askfile.link().await;
    let sent = askfile.send(post(&link, Form::with(name, bytes))).await;
    shown(askfile, &sent.receipt()["media_id"], json!({})).await
}

/// What `media_get` answers.
async fn shown(askfile: &Askfile, media: &Value, mut arguments: Value) -> Value {
    arguments["media_id"] = media.clone();
    askfile.call("media_get", arguments).await
}

fn url<'a>(shown: &'a Value, name: &str) -> &'a str {
    shown[name].as_str().unwrap()
}

#[tokio::test]
async fn a_file_goes_out_as_data_under_its_name() {
    let askfile = Askfile::start().await;
    let named = "attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%2250%25%22.txt";
    let sent = put(&askfile.link().await, TEXT).with("content-disposition", named);
    let media = askfile.send(sent).await.receipt()["media_id"].take();
    let shown = shown(&askfile, &media, json!({})).await;
    let file = askfile.fetch(url(&shown, "download_url")).await;
    assert_eq!((file.status, &file.body[..]), (StatusCode::OK, TEXT));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-length", "10"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "private, no-cache"),
        ("etag", &format!("\"{}\"", url(&shown, "sha256"))),
        (
            "content-disposition",
            "attachment; filename=\"Gr__e _50__.txt\"; \
             filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%2250%25%22.txt",
        ),
    ] {
        assert_eq!(file.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn a_part_of_a_file_is_had_by_its_range() {
    let askfile = Askfile::start().await;
    let shown = stored(&askfile, "a.txt", TEXT).await;
    let part = |range: &str| {
        let asked = get(at(url(&shown, "download_url"))).with("range", range);
        askfile.send(asked)
    };
    for (range, bytes, place) in [
        ("bytes=0-0", &b"0"[..], "bytes 0-0/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=2-99", b"23456789", "bytes 2-9/10"),
    ] {
        let answer = part(range).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(&answer.body[..], bytes, "{range}");
        assert_eq!(answer.header("content-range"), place);
        assert_eq!(answer.header("content-length"), bytes.len().to_string());
    }
    let none = part("bytes=10-").await;
    assert_eq!(none.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(none.header("content-range"), "bytes */10");
    let several = part("bytes=0-1,4-5").await;
    assert_eq!(
        (several.status, &several.body[..]),
        (StatusCode::OK, TEXT),
        "the whole file answers several ranges"
    );
}

#[tokio::test]
async fn a_large_file_comes_whole_and_in_order_from_any_byte_on() {
    let askfile = Askfile::start().await;
    let bytes: Vec<u8> = (0_u32..300_000)
        .flat_map(|n| format!("{n:06}\n").into_bytes())
        .collect();
    let shown = stored(&askfile, "a.txt", &bytes).await;
    let path = at(url(&shown, "download_url"));
    assert_eq!(askfile.send(get(path)).await.body, bytes);
    for start in [1, 256 * 1024 - 1, 256 * 1024, 1_000_001] {
        let asked = get(path).with("range", &format!("bytes={start}-"));
        assert_eq!(askfile.send(asked).await.body, bytes[start..], "{start}");
    }
}

#[tokio::test]
async fn who_has_a_file_is_told_so_and_who_has_another_gets_it_whole() {
    let askfile = Askfile::start().await;
    let shown = stored(&askfile, "a.txt", TEXT).await;
    let path = at(url(&shown, "download_url"));
    let etag = format!("\"{}\"", url(&shown, "sha256"));
    let known = askfile.send(get(path).with("if-none-match", &etag)).await;
    assert_eq!(
        (known.status, known.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    assert_eq!(known.header("etag"), etag);
    let resumed = |etag: &str| {
        let asked = get(path).with("range", "bytes=4-");
        askfile.send(asked.with("if-range", etag))
    };
    assert_eq!(&resumed(&etag).await.body[..], b"456789");
    assert_eq!(&resumed("\"other\"").await.body[..], TEXT);
}

#[tokio::test]
async fn a_head_request_tells_everything_but_the_bytes() {
    let askfile = Askfile::start().await;
    let shown = stored(&askfile, "a.txt", TEXT).await;
    let path = at(url(&shown, "download_url"));
    let asked = request(Method::HEAD, path).body(axum::body::Body::empty());
    let head = askfile.send(asked.unwrap()).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), "10");
    assert_eq!(head.header("accept-ranges"), "bytes");
}

#[tokio::test]
async fn a_link_lives_as_long_as_was_asked_for_and_an_hour_at_most() {
    let askfile = Askfile::start().await;
    let media = stored(&askfile, "a.txt", TEXT).await["media_id"].take();
    for (asked, life) in [
        (json!({}), mins(5)),
        (json!({ "expires_in_seconds": 1 }), secs(1)),
        (json!({ "expires_in_seconds": 3_600 }), mins(60)),
    ] {
        let shown = shown(&askfile, &media, asked.clone()).await;
        let link = url(&shown, "download_url");
        askfile.clock.advance(life - secs(1));
        assert_eq!(askfile.fetch(link).await.status, StatusCode::OK, "{asked}");
        askfile.clock.advance(secs(1));
        let late = askfile.fetch(link).await;
        late.is(403, "LINK_EXPIRED", &asked.to_string());
    }
    for seconds in [0, 3_601] {
        let asked = json!({ "expires_in_seconds": seconds });
        let refused = shown(&askfile, &media, asked).await;
        assert_eq!(refused["code"], "INVALID_ARGUMENT", "{seconds}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_judged_or_was_blocked_is_never_handed_out() {
    let askfile = Askfile::start().await;
    let shown = stored(&askfile, "a.png", PNG).await;
    for (status, code, http) in [
        ("pending", "SCAN_PENDING", 409),
        ("blocked", "SCAN_BLOCKED", 403),
    ] {
        askfile.sql("UPDATE media SET scan_status = ?1", status);
        for link in ["download_url", "preview_url"] {
            let answer = askfile.fetch(url(&shown, link)).await;
            answer.is(http, code, link);
            let retry_after = if status == "pending" { "5" } else { "" };
            assert_eq!(answer.header("retry-after"), retry_after);
        }
        let which = json!({ "media_id": shown["media_id"] });
        let refused = askfile.call("media_get", which).await;
        assert_eq!(refused["code"], code);
    }
}

#[tokio::test]
async fn a_preview_is_a_small_picture_by_a_link_of_its_own() {
    let askfile = Askfile::start().await;
    let wide = image::RgbImage::from_pixel(1_200, 300, image::Rgb([9, 99, 199]));
    let mut png = std::io::Cursor::new(Vec::new());
    wide.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let shown = stored(&askfile, "a.png", png.get_ref()).await;
    let preview = askfile.fetch(url(&shown, "preview_url")).await;
    assert_eq!(preview.status, StatusCode::OK, "{preview:?}");
    assert_eq!(preview.header("content-type"), "image/jpeg");
    assert_eq!(
        preview.header("content-security-policy"),
        "sandbox; default-src 'none'"
    );
    let small = image::load_from_memory(&preview.body).unwrap();
    assert_eq!((small.width(), small.height()), (512, 128));
    let etag = preview.header("etag");
    let again = get(at(url(&shown, "preview_url"))).with("if-none-match", etag);
    assert_eq!(askfile.send(again).await.status, StatusCode::NOT_MODIFIED);

    let swapped = url(&shown, "preview_url").replace("/previews/", "/downloads/");
    let swapped = askfile.fetch(&swapped).await;
    swapped.is(403, "LINK_INVALID", "a preview opens no file");
    let swapped = url(&shown, "download_url").replace("/downloads/", "/previews/");
    askfile
        .fetch(&swapped)
        .await
        .is(403, "LINK_INVALID", "nor the other way");
    askfile.clock.advance(mins(5));
    let late = askfile.fetch(url(&shown, "preview_url")).await;
    late.is(403, "LINK_EXPIRED", "as downloads do");
}

#[tokio::test]
async fn what_is_no_picture_has_no_preview() {
    let askfile = Askfile::start().await;
    let shown = stored(&askfile, "a.txt", TEXT).await;
    assert_eq!(shown["preview_url"], json!(null));
}

#[tokio::test]
async fn a_deleted_file_is_gone_by_every_link() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let media = askfile.send(put(&link, PNG)).await.receipt()["media_id"].take();
    let shown = shown(&askfile, &media, json!({})).await;
    let deleted = askfile.call("media_delete", json!({ "media_id": media }));
    assert_eq!(deleted.await["ok"], true);
    for link in ["download_url", "preview_url"] {
        askfile
            .fetch(url(&shown, link))
            .await
            .is(404, "NOT_FOUND", link);
    }
}
