//! Forms: their parts, and how much may stand around the file.

use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::{Feed, Form},
    web::{Link, With, post, put, request},
};

const KIB: usize = 1024;

#[tokio::test]
async fn a_description_may_stand_before_or_after_the_file() {
    let askfile = Askfile::start().await;
    let before = Form::default()
        .text("description", "my cat")
        .file("media", "a.png", PNG);
    let after = Form::with("a.png", PNG).text("description", "my cat");
    for form in [before, after] {
        let link = askfile.link().await;
        askfile.send(post(&link, form)).await.receipt();
        let status = askfile.status(&link).await;
        assert_eq!(status["result"]["media"][0]["description"], "my cat");
    }
}

#[tokio::test]
async fn a_form_that_is_put_is_still_a_form() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let form = Form::with("a.png", PNG).bytes();
    let form = put(&link, form).with("content-type", &Form::content_type());
    let receipt = askfile.send(form).await.receipt();
    assert_eq!(receipt["original_filename"], "a.png");
    assert_eq!(receipt["original_size_bytes"], PNG.len());
}

#[tokio::test]
async fn a_description_is_plain_text_of_five_hundred_characters() {
    let askfile = Askfile::start().await;
    for (text, kept) in [
        ("ä".repeat(500), json!("ä".repeat(500))),
        (" a\r\nb\u{202e}\u{7}<b> ".into(), json!("a\nb<b>")),
        (" \r\n".into(), json!(null)),
    ] {
        let link = askfile.link().await;
        let form = Form::with("a.png", PNG).text("description", &text);
        askfile.send(post(&link, form)).await.receipt();
        let status = askfile.status(&link).await;
        assert_eq!(status["result"]["media"][0]["description"], kept);
    }
    let stored = askfile.stored();
    let long = "ä".repeat(501);
    let before = Form::default()
        .text("description", &long)
        .file("media", "a.png", PNG);
    let after = Form::with("a.png", PNG).text("description", &long);
    for form in [before, after] {
        let link = askfile.link().await;
        askfile
            .send(post(&link, form))
            .await
            .is(422, "INVALID_ARGUMENT", "501");
        assert_eq!(
            (askfile.stored(), askfile.staged().len()),
            (stored.clone(), 0)
        );
        assert_eq!(askfile.status(&link).await["status"], "pending");
    }
}

#[tokio::test]
async fn sixteen_kibibytes_may_pass_before_the_file_begins() {
    let askfile = Askfile::start().await;
    let padded = |padding: usize| {
        let form = Form::default().text("csrf", &"x".repeat(padding));
        form.file("media", "a.png", PNG)
    };
    let long_header = |padding: usize| {
        let header = format!(
            "name=\"media\"; filename=\"a.png\"\r\nX-Long: {}",
            "x".repeat(padding)
        );
        Form::default().part(&header, PNG)
    };
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    for form in [
        padded(17 * KIB),
        long_header(17 * KIB),
        padded(200 * KIB),
        long_header(200 * KIB),
    ] {
        let refused = askfile.send(post(&link, form)).await;
        refused.is(422, "MALFORMED_BODY", "17 KiB and more");
        askfile.is_as_before(&link, "17 KiB and more").await;
    }
    for form in [padded(15 * KIB), long_header(15 * KIB)] {
        askfile.send(post(&link, form)).await.receipt();
    }
}

#[tokio::test]
async fn sixty_four_kibibytes_may_stand_outside_the_file() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    let padded = |padding: usize| Form::with("a.png", PNG).text("csrf", &"x".repeat(padding));
    for padding in [65 * KIB, 1000 * KIB] {
        let refused = askfile.send(post(&link, padded(padding))).await;
        refused.is(422, "MALFORMED_BODY", "65 KiB and more");
        askfile.is_as_before(&link, "65 KiB and more").await;
    }
    askfile.send(post(&link, padded(60 * KIB))).await.receipt();
    let large: Vec<u8> = (0..500 * KIB).map(|n| b"text\n"[n % 5]).collect();
    let form = Form::with("a.txt", &large).text("csrf", &"x".repeat(60 * KIB));
    let sent = askfile.send(post(&link, form)).await.receipt();
    assert_eq!(
        sent["original_size_bytes"],
        large.len(),
        "the file itself does not count"
    );
}

#[tokio::test]
async fn a_header_without_an_end_is_not_kept_for_long() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let (feed, body) = Feed::new();
    let start = Form::default()
        .part("name=\"media\"; filename=\"a.png\"", b"")
        .bytes();
    let header = start
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap();
    feed.send(&start[..header]);
    feed.send(b"\r\nX-Endless: ");
    for _ in 0..64 {
        feed.send(&[b'x'; KIB]);
    }
    // The client goes on for as long as it is let; the answer does not wait for it to end.
    let endless = request(axum::http::Method::POST, &link.path())
        .header("content-type", Form::content_type())
        .body(body)
        .unwrap();
    let answer = tokio::spawn({
        let refused = askfile.open(endless);
        async move { refused.await.status() }
    });
    assert_eq!(answer.await.unwrap(), 422);
    drop(feed);
    askfile.is_as_before(&link, "endless").await;
}

async fn refuses(askfile: &Askfile, link: &Link, content_type: Option<&str>, body: &[u8]) {
    let mut form = post(link, Form::default());
    form.headers_mut().remove("content-type");
    *form.body_mut() = body.to_vec().into();
    if let Some(content_type) = content_type {
        form = form.with("content-type", content_type);
    }
    let why = format!("{content_type:?}: {}", body.escape_ascii());
    askfile.send(form).await.is(422, "MALFORMED_BODY", &why);
    askfile.is_as_before(link, &why).await;
}

#[tokio::test]
async fn what_is_no_form_or_half_of_one_is_refused() {
    let askfile = Askfile::start_with(|settings| settings.rate_limit_uploads_per_minute = 0).await;
    let link = askfile.link().await;
    let whole = Form::with("a.png", PNG).bytes();
    for content_type in [
        None,
        Some("image/png"),
        Some("multipart/form-data"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/mixed; boundary=x"),
    ] {
        refuses(&askfile, &link, content_type, &whole).await;
    }
    let content_type = Form::content_type();
    for cut in [10, whole.len() / 2, whole.len() - 40, whole.len() - 8] {
        refuses(&askfile, &link, Some(&content_type), &whole[..cut]).await;
    }
    refuses(&askfile, &link, Some(&content_type), b"no form at all").await;
    askfile.send(put(&link, PNG)).await.receipt();
}
