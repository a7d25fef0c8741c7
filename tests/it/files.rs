//! Which files are taken. Whatever is refused leaves nothing behind, and the link as it was.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::{Feed, Form},
    web::{Link, With, post, put},
};

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n";
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// A picture that goes on for so many bytes.
fn long_png(bytes: usize) -> Vec<u8> {
    let mut png = PNG.to_vec();
    png.resize(bytes, 0);
    png
}

/// A link for any file of at most 1,000 bytes refuses what this makes of it.
async fn refuses(
    askfile: &Askfile,
    why: &str,
    code: &str,
    send: impl FnOnce(&Link) -> Request<Body>,
) {
    let link = askfile.ask(json!({ "max_size_bytes": 1_000 })).await;
    let refused = askfile.send(send(&link)).await;
    refused.is(422, code, why);
    askfile.is_as_before(&link, why).await;
    let last_error = &askfile.status(&link).await["last_error"];
    if *last_error != Value::Null {
        assert_eq!(last_error["code"], code, "{why}");
        assert_eq!(last_error["message"], refused.json()["message"], "{why}");
    }
    askfile.clock.advance(crate::harness::mins(1));
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_however_it_comes() {
    let askfile = Askfile::start().await;
    let large = long_png(1_001);
    let code = "SIZE_EXCEEDED";
    refuses(&askfile, "raw", code, |link| put(link, large.clone())).await;
    refuses(&askfile, "a form", code, |link| {
        post(link, Form::with("a.png", &large))
    })
    .await;
    refuses(&askfile, "it says so itself", code, |link| {
        put(link, Body::empty()).with("content-length", "9999999")
    })
    .await;
    refuses(&askfile, "it says it is small", code, |link| {
        put(link, large.clone()).with("content-length", "10")
    })
    .await;
    refuses(&askfile, "piece by piece", code, |link| {
        let (feed, body) = Feed::new();
        large.chunks(100).for_each(|piece| feed.send(piece));
        put(link, body)
    })
    .await;
    let much_larger = long_png(100_000);
    refuses(
        &askfile,
        "after the first pieces went to the disk",
        code,
        |link| {
            let (feed, body) = Feed::new();
            much_larger.chunks(400).for_each(|piece| feed.send(piece));
            put(link, body)
        },
    )
    .await;
}

#[tokio::test]
async fn a_file_that_grows_too_large_is_refused_before_its_end() {
    let askfile = Askfile::start().await;
    // Beyond the limit with its first bytes, with those by which its type is told, and later.
    for (largest, first) in [(1_000, 1_001), (1_000, 100), (10_000, 100)] {
        let link = askfile.ask(json!({ "max_size_bytes": largest })).await;
        let (feed, body) = Feed::new();
        feed.send(&long_png(first));
        for _ in 0..10 {
            feed.send(&[0; 1_000]);
        }
        // The sender would go on; the answer does not wait for it.
        let refused = askfile.open(put(&link, body)).await;
        assert_eq!(refused.status(), 422);
        askfile.is_as_before(&link, "it did not end").await;
        let why = &askfile.status(&link).await["last_error"]["code"];
        assert_eq!(why, "SIZE_EXCEEDED", "{largest}, {first}");
        drop(feed);
    }
}

#[tokio::test]
async fn a_file_of_exactly_the_largest_size_is_taken() {
    let askfile = Askfile::start().await;
    let link = askfile
        .ask(json!({ "max_size_bytes": 1_000, "max_files": 2 }))
        .await;
    let largest = long_png(1_000);
    askfile.send(put(&link, largest.clone())).await.receipt();
    askfile
        .send(post(&link, Form::with("a.png", &largest)))
        .await
        .receipt();
}

#[tokio::test]
async fn each_kind_of_file_has_its_own_largest_size() {
    let askfile = Askfile::start_with(|settings| {
        settings.max_file_size = 2_000;
        settings.max_image_size = Some(100);
    })
    .await;
    let limits = askfile.call("upload_create", json!({})).await["limits"].take();
    assert_eq!(
        (
            &limits["max_size_bytes"],
            &limits["max_size_bytes_by_kind"]["image"]
        ),
        (&json!(2_000), &json!(100))
    );
    let link = askfile.ask(json!({ "max_files": 3 })).await;
    let text: &[u8] = &[b'x'; 2_000];
    askfile.send(put(&link, text.to_vec())).await.receipt();
    askfile.send(put(&link, long_png(100))).await.receipt();
    askfile
        .send(put(&link, long_png(101)))
        .await
        .is(422, "SIZE_EXCEEDED", "an image");
}

#[tokio::test]
async fn the_largest_size_of_a_kind_holds_where_whole_families_of_types_are_taken() {
    for families in [
        &["application/*"][..],
        &["image/*", "application/*"],
        &["*/*"],
    ] {
        let askfile = Askfile::start_with(|settings| {
            let families: Vec<_> = families.iter().map(|text| text.parse().unwrap()).collect();
            settings.purposes[0].accepts.clone_from(&families);
            settings.allowed_types = families;
            settings.max_document_size = Some(100);
        })
        .await;
        let link = askfile.link().await;
        let mut pdf = PDF.to_vec();
        pdf.resize(101, b'\n');
        let refused = askfile.send(put(&link, pdf)).await;
        refused.is(422, "SIZE_EXCEEDED", &format!("{families:?}"));
    }
}

#[tokio::test]
async fn a_file_is_judged_by_its_bytes_and_never_by_its_name() {
    let askfile = Askfile::start().await;
    let late_binary = [&[b'x'; 5_000][..], b"\0\x01\x02"].concat();
    let table: [(&[u8], &str); 11] = [
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
            "a.png",
        ),
        (b"<?xml version='1.0'?><!-- x --><svg/>", "a.png"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "a.txt"),
        (b"  <html>", "a.md"),
        (b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff", "a.jpg"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", "a.pdf"),
        (b"PK\x03\x04\x14\0\0\0\0\0", "a.docx"),
        (b"RIFF\x24\0\0\0ACONanih", "a.webp"),
        (b"\0\x01\x02\x03", "a.txt"),
        (b"caf\xe9 ol\xe9", "a.txt"),
        (&late_binary, "a.txt"),
    ];
    for (bytes, name) in table {
        let link = askfile.link().await;
        let why = format!("{name}: {}", bytes.escape_ascii());
        let refused = askfile.send(post(&link, Form::with(name, bytes))).await;
        refused.is(422, "MIME_NOT_ALLOWED", &why);
        askfile.is_as_before(&link, &why).await;
        assert_eq!(
            askfile.status(&link).await["last_error"]["code"],
            "MIME_NOT_ALLOWED"
        );
        askfile.clock.advance(crate::harness::mins(1));
    }
    for (bytes, name, kind, mime) in [
        (PNG, "a.exe", "image", "image/png"),
        (PDF, "a.png", "document", "application/pdf"),
        (b"a,b\n1,2\n", "a.CSV", "document", "text/csv"),
        (b"a,b\n1,2\n", "a.png", "document", "text/plain"),
    ] {
        let link = askfile.link().await;
        let receipt = askfile
            .send(post(&link, Form::with(name, bytes)))
            .await
            .receipt();
        assert_eq!(
            (&receipt["type"], &receipt["original_mime_type"]),
            (&json!(kind), &json!(mime))
        );
        assert_eq!(receipt["original_filename"], name, "kept as data");
    }
}

#[tokio::test]
async fn a_link_takes_what_was_asked_for_and_the_purpose_allows() {
    let askfile = Askfile::start().await;
    let only_png = askfile
        .ask(json!({ "allowed_mime_types": ["image/png"] }))
        .await;
    let for_a_person = askfile.ask(json!({ "purpose": "person_source" })).await;
    let for_a_post = askfile.ask(json!({ "purpose": "post_media" })).await;
    for (link, bytes) in [
        (&only_png, GIF),
        (&for_a_person, PDF),
        (&for_a_post, b"some text"),
    ] {
        let refused = askfile.send(put(link, bytes)).await;
        refused.is(422, "MIME_NOT_ALLOWED", &link.token);
    }
    askfile.is_as_before(&only_png, "wrong type").await;
    let message = askfile.status(&only_png).await["last_error"]["message"].take();
    let message = message.as_str().unwrap();
    assert!(
        message.contains("is GIF") && message.contains("PNG"),
        "{message}"
    );
    for (link, bytes) in [(&only_png, PNG), (&for_a_person, GIF), (&for_a_post, PNG)] {
        askfile.put(link, bytes).await;
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    let askfile = Askfile::start().await;
    refuses(&askfile, "an empty body", "FILE_MISSING", |link| {
        put(link, "")
    })
    .await;
    refuses(&askfile, "an empty file", "FILE_MISSING", |link| {
        post(link, Form::with("a.png", b""))
    })
    .await;
    refuses(&askfile, "no file chosen", "FILE_MISSING", |link| {
        post(link, Form::with("", b""))
    })
    .await;
    refuses(&askfile, "an empty form", "FILE_MISSING", |link| {
        post(link, Form::default())
    })
    .await;
    refuses(&askfile, "only a description", "FILE_MISSING", |link| {
        post(link, Form::default().text("description", "x"))
    })
    .await;
    refuses(&askfile, "two files", "TOO_MANY_FILES", |link| {
        post(link, Form::with("a.png", PNG).file("media", "b.png", PNG))
    })
    .await;
    refuses(&askfile, "a file beside it", "TOO_MANY_FILES", |link| {
        post(link, Form::with("a.png", PNG).file("other", "b.png", PNG))
    })
    .await;
}

#[tokio::test]
async fn a_form_that_was_written_wrong_is_told_how() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    for (form, told) in [
        (
            Form::default().text("media", "./photo.jpg"),
            "an @ goes before",
        ),
        (
            Form::default().file("file", "a.png", PNG),
            "not in the field named media",
        ),
    ] {
        let refused = askfile.send(post(&link, form)).await;
        refused.is(422, "FILE_MISSING", told);
        let message = refused.json()["message"].take();
        assert!(message.as_str().unwrap().contains(told), "{message}");
        askfile.is_as_before(&link, told).await;
    }
}

#[tokio::test]
async fn a_part_of_a_file_or_a_coded_one_is_refused() {
    let askfile = Askfile::start().await;
    for (name, value) in [
        ("content-range", "bytes 0-69/100"),
        ("content-encoding", "gzip"),
    ] {
        refuses(&askfile, name, "MALFORMED_BODY", |link| {
            put(link, PNG).with(name, value)
        })
        .await;
        refuses(&askfile, name, "MALFORMED_BODY", |link| {
            post(link, Form::with("a.png", PNG)).with(name, value)
        })
        .await;
    }
    let link = askfile.link().await;
    let whole = put(&link, PNG).with("content-encoding", "identity");
    askfile.send(whole).await.receipt();
}

#[tokio::test]
async fn a_name_is_data_and_never_a_path() {
    let askfile = Askfile::start_with(|settings| settings.rate_limit_uploads_per_minute = 0).await;
    let long = format!("{}.png", "é".repeat(300));
    let table = [
        ("photo.png", "photo.png"),
        ("../../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\fakepath\\photo.png", "photo.png"),
        ("..", "upload.png"),
        (".htaccess", "htaccess"),
        ("a\u{85}\u{2028}b.png", "ab.png"),
        ("invoice\u{202e}gnp.exe", "invoicegnp.exe"),
        ("a\u{200b}\u{feff}.png", "a.png"),
        ("a%00.png%2e%2f", "a.png%2e%2f"),
        (
            "<img src=x onerror=alert(1)>.png",
            "<img src=x onerror=alert(1)>.png",
        ),
        ("été 📷.png", "été 📷.png"),
    ];
    for (name, kept) in table {
        let link = askfile.link().await;
        let receipt = askfile
            .send(post(&link, Form::with(name, PNG)))
            .await
            .receipt();
        assert_eq!(receipt["original_filename"], kept, "{name:?}");
    }
    let link = askfile.link().await;
    let receipt = askfile
        .send(post(&link, Form::with(&long, PNG)))
        .await
        .receipt();
    let kept = receipt["original_filename"].as_str().unwrap();
    assert!(
        kept.chars().count() == 200 && kept.ends_with("é.png"),
        "{kept}"
    );
    for name in askfile.stored() {
        let (id, extension) = name.split_once('.').unwrap();
        assert!(
            id.parse::<askfile::domain::ids::MediaId>().is_ok() && extension == "png",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_raw_body_is_named_by_its_header() {
    let askfile = Askfile::start().await;
    let table = [
        (None, "upload.png"),
        (Some("attachment; filename=\"a b.png\""), "a b.png"),
        (Some("attachment; filename=\"a;b.png\""), "a;b.png"),
        (Some("attachment; filename=../x.png"), "x.png"),
        (
            Some("attachment; filename*=UTF-8''%C3%A9t%C3%A9%2F..%2Fx.png"),
            "x.png",
        ),
        (
            Some("attachment; filename=\"x\"; filename*=UTF-8''%e2%80%aex.png"),
            "x.png",
        ),
        (
            Some("attachment; filename*=UTF-8''a%00%0D%0Ab.png"),
            "ab.png",
        ),
        (Some("attachment"), "upload.png"),
        (Some("attachment; filename=\"\""), "upload.png"),
    ];
    for (header, kept) in table {
        let link = askfile.link().await;
        let mut request = put(&link, PNG);
        if let Some(header) = header {
            request = request.with("content-disposition", header);
        }
        let receipt = askfile.send(request).await.receipt();
        assert_eq!(receipt["original_filename"], kept, "{header:?}");
    }
}
