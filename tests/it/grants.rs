//! Grants where askfile itself takes in the bytes: what is granted, and to whom.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG, mins, secs,
    web::{Answer, Link, With, at, get, press, put, request},
};

const ATTEMPT: &str = "11111111-2222-4333-8444-555555555555";

/// A link that files may be sent to directly.
async fn link(askfile: &Askfile) -> Link {
    askfile.ask(json!({ "transfer": "direct" })).await
}

fn asking(link: &Link, what: &Value) -> Request<Body> {
    let body = what.to_string().into();
    let request = request(Method::POST, &link.below("/grant"));
    request.body(body).unwrap()
}

fn picture() -> Value {
    json!({ "filename": "a.png", "mime_type": "image/png", "size_bytes": PNG.len() })
}

/// Leave to send the picture.
struct Grant {
    id: String,
    url: String,
}

impl Grant {
    async fn of(askfile: &Askfile, link: &Link) -> Self {
        Self::asked(askfile, link, &picture()).await
    }

    async fn asked(askfile: &Askfile, link: &Link, what: &Value) -> Self {
        let answer = askfile.send(asking(link, what)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let told = answer.json();
        let text = |key: &str| told[key].as_str().unwrap().to_owned();
        let headers =
            json!({ "content-type": "image/png", "content-length": PNG.len().to_string() });
        assert_eq!(
            (&told["method"], &told["headers"]),
            (&json!("PUT"), &headers)
        );
        Self {
            id: text("grant_id"),
            url: text("url"),
        }
    }

    /// The PUT that was granted, with other bytes or another type perhaps.
    fn put(&self, mime_type: &str, bytes: &'static [u8]) -> Request<Body> {
        request(Method::PUT, at(&self.url))
            .header("content-type", mime_type)
            .header("content-length", bytes.len())
            .body(bytes.into())
            .unwrap()
    }

    async fn send(&self, askfile: &Askfile) -> Answer {
        askfile.send(self.put("image/png", PNG)).await
    }

    fn complete(&self, link: &Link) -> Request<Body> {
        press(&link.below(&format!("/grant/{}/complete", self.id)))
    }

    fn give_back(&self, link: &Link) -> Request<Body> {
        let path = link.below(&format!("/grant/{}", self.id));
        request(Method::DELETE, &path).body(Body::empty()).unwrap()
    }
}

#[tokio::test]
async fn a_file_is_sent_under_a_grant() {
    let askfile = Askfile::start().await;
    let link = link(&askfile).await;
    let what = json!({ "filename": "../my \u{202e}picture.png", "mime_type": "IMAGE/png; q=1",
        "size_bytes": PNG.len(), "description": " A note ", "attempt": ATTEMPT });
    let grant = Grant::asked(&askfile, &link, &what).await;
    let early = askfile.send(grant.complete(&link)).await;
    early.is(409, "NOT_READY", "nothing was sent");
    let receipt = grant.send(&askfile).await.receipt();
    assert_eq!(receipt["media_id"], grant.id.as_str());
    assert_eq!(receipt["original_filename"], "my picture.png");
    let completed = askfile.send(grant.complete(&link)).await;
    assert!(
        completed
            .header("set-cookie")
            .starts_with("askfile_receipt=")
    );
    assert_eq!(completed.receipt(), receipt);
    let again = askfile.send(asking(&link, &what)).await;
    assert_eq!(again.receipt(), receipt, "the attempt was stored before");
    let status = askfile.status(&link).await;
    assert_eq!(status["result"]["media"][0]["description"], "A note");
}

#[tokio::test]
async fn what_was_not_granted_is_refused_and_the_grant_is_as_good_as_before() {
    let askfile = Askfile::start().await;
    let link = link(&askfile).await;
    let grant = Grant::of(&askfile, &link).await;
    for (mime_type, bytes) in [
        ("image/jpeg", PNG),
        ("image/png", &PNG[1..]),
        ("text/html", b"<script>".as_slice()),
    ] {
        let refused = askfile.send(grant.put(mime_type, bytes)).await;
        refused.is(422, "SPEC_MISMATCH", mime_type);
    }
    let without_length = request(Method::PUT, at(&grant.url)).header("content-type", "image/png");
    let without_length = askfile.send(without_length.body(PNG.into()).unwrap()).await;
    without_length.is(422, "SPEC_MISMATCH", "no length");
    assert_eq!(askfile.status(&link).await["status"], "pending");
    grant.send(&askfile).await.receipt();
}

#[tokio::test]
async fn a_grant_is_good_for_one_file() {
    let askfile = Askfile::start().await;
    let link = askfile
        .ask(json!({ "transfer": "direct", "max_files": 2 }))
        .await;
    let grant = Grant::of(&askfile, &link).await;
    let (one, two) = tokio::join!(grant.send(&askfile), grant.send(&askfile));
    let (first, second) = if one.status == 201 {
        (one, two)
    } else {
        (two, one)
    };
    first.receipt();
    assert_eq!(second.status, StatusCode::CONFLICT, "{second:?}");
    let third = grant.send(&askfile).await;
    third.is(409, "ALREADY_USED", "it was sent");
    assert_eq!(askfile.stored().len(), 1);
    assert_eq!(askfile.staged(), [""; 0]);
}

#[tokio::test]
async fn a_grant_holds_its_slot_until_it_is_given_back_or_over() {
    let askfile = Askfile::start().await;
    let link = askfile
        .ask(json!({ "transfer": "direct", "expires_in_seconds": 3600 }))
        .await;
    let grant = Grant::of(&askfile, &link).await;
    let refused = askfile.send(put(&link, PNG)).await;
    refused.is(409, "IN_USE", "it is granted");
    let refused = askfile.send(asking(&link, &picture())).await;
    refused.is(409, "IN_USE", "it is granted");
    for _ in 0..2 {
        let back = askfile.send(grant.give_back(&link)).await;
        assert_eq!(back.status, StatusCode::NO_CONTENT);
    }
    grant.send(&askfile).await.is(409, "CONFLICT", "given back");
    let grant = Grant::of(&askfile, &link).await;
    askfile.clock.advance(mins(16) - secs(1));
    assert_eq!(askfile.status(&link).await["phase"], "receiving");
    askfile.clock.advance(secs(1));
    assert_eq!(askfile.status(&link).await["phase"], "waiting");
    grant.send(&askfile).await.is(409, "CONFLICT", "over");
    askfile.put(&link, PNG).await;
}

#[tokio::test]
async fn an_attempt_takes_over_its_own_grant() {
    let askfile = Askfile::start().await;
    let link = link(&askfile).await;
    let mut what = picture();
    what["attempt"] = json!(ATTEMPT);
    let lost = Grant::asked(&askfile, &link, &what).await;
    let grant = Grant::asked(&askfile, &link, &what).await;
    lost.send(&askfile).await.is(409, "CONFLICT", "overtaken");
    assert_eq!(askfile.status(&link).await["phase"], "receiving");
    let proxied = put(&link, PNG).with("askfile-attempt", ATTEMPT);
    askfile.send(proxied).await.receipt();
    grant
        .send(&askfile)
        .await
        .is(409, "ALREADY_USED", "overtaken");
}

#[tokio::test]
async fn a_grant_of_before_the_expiry_outlives_the_link() {
    let askfile = Askfile::start().await;
    let link = link(&askfile).await;
    askfile.clock.advance(mins(14));
    let grant = Grant::of(&askfile, &link).await;
    askfile.clock.advance(mins(2));
    let late = askfile.send(asking(&link, &picture())).await;
    late.is(403, "LINK_EXPIRED", "no grants after it");
    grant.send(&askfile).await.receipt();
}

#[tokio::test]
async fn a_link_that_was_closed_ends_its_grants() {
    let askfile = Askfile::start().await;
    let (cancelled, declined) = (link(&askfile).await, link(&askfile).await);
    let one = Grant::of(&askfile, &cancelled).await;
    askfile
        .call("upload_cancel", json!({ "token": cancelled.token }))
        .await;
    one.send(&askfile).await.is(409, "CANCELLED", "cancelled");
    let two = Grant::of(&askfile, &declined).await;
    askfile.send(press(&declined.below("/decline"))).await;
    two.send(&askfile).await.is(409, "DECLINED", "declined");
    let completed = askfile.send(two.complete(&declined)).await;
    completed.is(409, "DECLINED", "declined");
    assert_eq!(askfile.stored(), [""; 0]);
}

#[tokio::test]
async fn what_is_no_sound_request_for_a_grant_says_why() {
    let askfile = Askfile::start().await;
    let link = askfile
        .ask(json!({ "transfer": "direct", "allowed_mime_types": ["image/*"] }))
        .await;
    let with = |key: &str, value: Value| {
        let mut what = picture();
        what[key] = value;
        what
    };
    let cases = [
        (json!({}), "INVALID_ARGUMENT", "missing field `filename`"),
        (
            with("kind", json!(1)),
            "INVALID_ARGUMENT",
            "unknown field `kind`",
        ),
        (
            with("attempt", json!("x")),
            "INVALID_ARGUMENT",
            "attempt: this is not a UUID.",
        ),
        (
            with("mime_type", json!("a\r\nb/c")),
            "INVALID_ARGUMENT",
            "is not a type",
        ),
        (
            with("description", json!("x".repeat(501))),
            "INVALID_ARGUMENT",
            "description",
        ),
        (
            with("size_bytes", json!(0)),
            "FILE_MISSING",
            "The file is empty.",
        ),
        (
            with("size_bytes", json!(51 << 20)),
            "SIZE_EXCEEDED",
            "50 MB",
        ),
        (
            with("size_bytes", json!(-1)),
            "INVALID_ARGUMENT",
            "asks for no grant",
        ),
        (
            with("mime_type", json!("application/pdf")),
            "MIME_NOT_ALLOWED",
            "application/pdf is not accepted here. Accepted: JPEG, PNG",
        ),
    ];
    for (what, code, words) in cases {
        let refused = askfile.send(asking(&link, &what)).await;
        refused.is(422, code, words);
        let message = refused.json()["message"].to_string();
        assert!(message.contains(words), "{message}");
    }
    let large = json!({ "x": "y".repeat(20_000) });
    let refused = askfile.send(asking(&link, &large)).await;
    refused.is(422, "MALFORMED_BODY", "16 KiB are enough");
    askfile.is_untouched(&link).await;
}

#[tokio::test]
async fn the_signed_link_guards_all_that_is_below_it() {
    let askfile = Askfile::start().await;
    let link = link(&askfile).await;
    let grant = Grant::of(&askfile, &link).await;
    let strange = [
        format!("{}&utm=1", link.below("/grant")),
        link.below("/grant").replace("signature=", "signature=0"),
        format!(
            "{}&expires=1",
            link.below(&format!("/grant/{}/complete", grant.id))
        ),
    ];
    for path in strange {
        askfile
            .send(press(&path))
            .await
            .is(403, "LINK_INVALID", &path);
    }
    let tampered = at(&grant.url).replace("expires=1", "expires=2");
    let tampered = request(Method::PUT, &tampered).body(PNG.into()).unwrap();
    askfile
        .send(tampered)
        .await
        .is(403, "LINK_INVALID", "tampered");
    let other = self::link(&askfile).await;
    let of_another = askfile.send(grant.complete(&other)).await;
    of_another.is(409, "CONFLICT", "it is another link's");
    askfile.send(grant.give_back(&other)).await;
    let unknown = press(&link.below("/grant/not-a-uuid/complete"));
    askfile.send(unknown).await.is(404, "NOT_FOUND", "no name");
    let read = askfile.send(get(&link.below("/grant"))).await;
    assert_eq!(read.status, StatusCode::METHOD_NOT_ALLOWED);
    grant.send(&askfile).await.receipt();
}

#[tokio::test]
async fn each_grant_counts_once_for_the_rate_limit() {
    let askfile = Askfile::start().await;
    for _ in 0..10 {
        let link = link(&askfile).await;
        let grant = Grant::of(&askfile, &link).await;
        grant.send(&askfile).await.receipt();
        askfile.send(grant.complete(&link)).await.receipt();
    }
    let link = link(&askfile).await;
    let refused = askfile.send(asking(&link, &picture())).await;
    refused.is(429, "RATE_LIMITED", "the eleventh");
    askfile.is_untouched(&link).await;
}

#[tokio::test]
async fn the_way_of_files_is_the_settings_and_then_the_agents_to_say() {
    use askfile::domain::transfer::Transfer;
    let cases = [
        // setting, argument, and whether there are grants
        (None, json!({}), Some(false)),
        (None, json!({ "transfer": "auto" }), Some(false)),
        (None, json!({ "transfer": "direct" }), Some(true)),
        (Some(Transfer::Direct), json!({}), Some(true)),
        (
            Some(Transfer::Direct),
            json!({ "transfer": "proxy" }),
            Some(false),
        ),
        (Some(Transfer::Proxy), json!({}), Some(false)),
        (Some(Transfer::Proxy), json!({ "transfer": "direct" }), None),
    ];
    for (setting, arguments, wanted) in cases {
        let askfile = Askfile::start_with(|settings| settings.transfer = setting).await;
        let case = format!("{setting:?} {arguments}");
        let Some(has_grants) = wanted else {
            let refused = askfile.call("upload_create", arguments).await;
            assert_eq!(refused["code"], "INVALID_ARGUMENT", "{case}: {refused}");
            continue;
        };
        let link = askfile.ask(arguments).await;
        let answer = askfile.send(asking(&link, &picture())).await;
        if has_grants {
            assert_eq!(answer.status, StatusCode::CREATED, "{case}: {answer:?}");
        } else {
            answer.is(409, "CONFLICT", &case);
            askfile.put(&link, PNG).await;
        }
    }
}

#[tokio::test]
async fn a_grant_makes_room_for_its_file() {
    let room = 2 * PNG.len() as u64 - 1;
    let askfile = Askfile::start_with(|settings| settings.quota_stored = Some(room)).await;
    let (one, two) = (link(&askfile).await, link(&askfile).await);
    let grant = Grant::of(&askfile, &one).await;
    let refused = askfile.send(asking(&two, &picture())).await;
    refused.is(429, "QUOTA_EXCEEDED", "the other one has the room");
    askfile.is_untouched(&two).await;
    askfile.send(grant.give_back(&one)).await;
    let grant = Grant::of(&askfile, &two).await;
    grant.send(&askfile).await.receipt();
}
