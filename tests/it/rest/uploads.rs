//! Files that programs send, over `/v1/uploads`.

use askfile::{config::Settings, domain::attachment::Room};
use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::Form,
    keys::ALL,
    rest::rest,
    secs,
    web::{Answer, With, at, from, get, request},
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

/// A picture that is going to be sent.
fn a_png() -> Value {
    json!({
        "metadata": { "name": "A picture", "externalId": "case-7", "labels": { "of": "a cat" } },
        "spec": { "contentType": "image/png", "filename": "cat.png", "sizeBytes": PNG.len() },
    })
}

fn url(upload: &Value) -> &str {
    at(upload["info"]["uploadUrl"].as_str().unwrap())
}

fn path(upload: &Value) -> String {
    format!("/v1/uploads/{}", upload["metadata"]["id"].as_str().unwrap())
}

/// A PUT to an address, as programs do it.
fn sent(url: &str, kind: &str, bytes: &'static [u8]) -> Request<Body> {
    request(Method::PUT, url)
        .header("content-type", kind)
        .header("content-length", bytes.len())
        .body(bytes.into())
        .unwrap()
}

/// A form, to this path.
fn form(path: &str, form: Form) -> Request<Body> {
    let bytes = form.bytes();
    request(POST, path)
        .header("content-type", Form::content_type())
        .header("content-length", bytes.len())
        .body(bytes.into())
        .unwrap()
}

fn picture(bytes: &[u8]) -> Form {
    Form::default().file("file", "cat.png", bytes)
}

impl Askfile {
    async fn declare(&self, what: Value) -> Value {
        self.done(POST, "/v1/uploads", what).await
    }

    /// How an upload stands.
    async fn upload(&self, upload: &Value) -> Value {
        self.done(GET, &path(upload), Value::Null).await
    }
}

fn status(upload: &Value) -> &str {
    let word = upload["info"]["status"].as_str().unwrap();
    word.strip_prefix("UPLOAD_STATUS_").unwrap()
}

#[tokio::test]
async fn what_was_declared_is_put_and_then_complete() {
    let askfile = Askfile::start().await;
    let answer = askfile.rest(POST, "/v1/uploads", a_png()).await;
    assert_eq!(answer.status, 201);
    let upload = answer.json();
    let metadata = &upload["metadata"];
    let starts = |name: &str, prefix: &str| metadata[name].as_str().unwrap().starts_with(prefix);
    assert!(starts("id", "upl_") && starts("accountId", "acct_") && starts("profileId", "prof_"));
    let home = &askfile.service.open_caller(None).workspaces[0];
    assert_eq!(metadata["workspaceId"], home.to_string());
    assert_eq!(
        (
            &metadata["name"],
            &metadata["externalId"],
            &metadata["labels"]
        ),
        (
            &json!("A picture"),
            &json!("case-7"),
            &json!({ "of": "a cat" })
        )
    );
    let size = PNG.len().to_string();
    let spec = json!({ "contentType": "image/png", "filename": "cat.png", "sizeBytes": size });
    assert_eq!(upload["spec"], spec);
    assert_eq!(status(&upload), "PENDING");
    assert!(upload["info"]["uploadUrlExpiresAt"].is_string());
    let by = &upload["info"]["createdBy"];
    assert_eq!(by["spec"]["type"], "PROFILE_TYPE_SYSTEM");
    assert_eq!(by["metadata"]["id"], metadata["profileId"]);
    assert_eq!(askfile.upload(&upload).await, upload);

    let receipt = askfile.send(sent(url(&upload), "image/png", PNG)).await;
    let receipt = receipt.receipt();
    assert_eq!(receipt["original_filename"], "cat.png");
    let done = askfile.upload(&upload).await;
    assert_eq!(status(&done), "COMPLETE");
    assert_eq!(done["info"]["uploadUrl"], Value::Null);
    assert_eq!(done["info"]["uploadUrlExpiresAt"], Value::Null);
    let again = askfile.send(sent(url(&upload), "image/png", PNG)).await;
    again.is(409, "ALREADY_USED", "a link is used once");

    let post = json!({ "upload_id": metadata["id"] });
    askfile.done(POST, "/v1/targets/post/7/media", post).await;
    assert_eq!(status(&askfile.upload(&upload).await), "CONSUMED");
}

#[tokio::test]
async fn anything_else_than_what_was_declared_leaves_it_pending() {
    let askfile = Askfile::start().await;
    let upload = askfile.declare(a_png()).await;
    let url = url(&upload);
    let as_form = form(url, picture(PNG));
    let raw_post = request(POST, url)
        .header("content-type", "image/png")
        .header("content-length", PNG.len())
        .body(PNG.into())
        .unwrap();
    let of_no_length = request(Method::PUT, url)
        .header("content-type", "image/png")
        .body(Body::from_stream(futures_util::stream::iter([Ok::<
            _,
            std::io::Error,
        >(
            PNG
        )])))
        .unwrap();
    let of_no_type = request(Method::PUT, url)
        .header("content-length", PNG.len())
        .body(PNG.into())
        .unwrap();
    let longer: &'static [u8] = [PNG, b"\0"].concat().leak();
    for (wrong, why) in [
        (sent(url, "image/jpeg", PNG), "another type"),
        (sent(url, "image/png", &PNG[1..]), "shorter"),
        (sent(url, "image/png", longer), "longer"),
        (of_no_length, "of no length"),
        (of_no_type, "of no type"),
        (raw_post, "posted"),
        (as_form, "a form"),
    ] {
        let refused = askfile.send(wrong).await;
        refused.is(422, "SPEC_MISMATCH", why);
        assert!(
            refused.json()["message"]
                .as_str()
                .unwrap()
                .contains(&format!("Content-Length: {}", PNG.len())),
            "{refused:?}"
        );
        assert_eq!(status(&askfile.upload(&upload).await), "PENDING", "{why}");
    }
    // Its first bytes must be those of its type, too.
    let other: &'static [u8] = vec![b'x'; PNG.len()].leak();
    let refused = askfile.send(sent(url, "image/png", other)).await;
    refused.is(422, "MIME_NOT_ALLOWED", "no picture");
    assert!(askfile.stored().is_empty() && askfile.staged().is_empty());
    let page = askfile.send(get(url).with("accept", "text/html")).await;
    assert_eq!(page.status, 409);
    assert!(page.html().contains("for a program"), "{}", page.html());
    let right = sent(url, "image/PNG; charset=binary", PNG);
    askfile.send(right).await.receipt();
}

#[tokio::test]
async fn what_is_wrong_with_a_declaration_is_said_where_it_is() {
    let askfile = Askfile::start_with(|settings| settings.max_image_size = Some(1_000)).await;
    let with = |pointer: &str, value: Value| {
        let mut body = a_png();
        match pointer.rsplit_once('/') {
            Some((part, name)) => body.pointer_mut(part).unwrap()[name] = value,
            None => body[pointer] = value,
        }
        body
    };
    let long = "x".repeat(201);
    #[rustfmt::skip]
    let table = [
        ("/spec/sizeBytes", json!(1_001), "1000"),
        ("/spec/sizeBytes", json!("0"), "between 1"),
        ("/spec/sizeBytes", json!("9.5"), "whole number"),
        ("/spec/sizeBytes", json!(-1), "whole number"),
        ("/spec/sizeBytes", json!(""), "whole number"),
        ("/spec/contentType", json!("application/zip"), "not accepted here"),
        ("/spec/contentType", json!("zip"), "not a type"),
        ("/spec/contentType", json!(""), "not a type"),
        ("/spec/filename", json!(""), "1 to 255"),
        ("/metadata/name", json!(""), "1 to 200"),
        ("/metadata/name", json!(long), "200"),
        ("/metadata/externalId", json!(long), "200"),
        ("/metadata/colour", json!(1), "unknown field"),
        ("/spec/colour", json!(1), "unknown field"),
    ];
    for (pointer, value, says) in table {
        let refused = askfile
            .rest(POST, "/v1/uploads", with(pointer, value))
            .await;
        let (mut loc, why) = refused.mistake();
        let mut way: Vec<Value> = pointer.split('/').skip(1).map(Value::from).collect();
        if says == "unknown field" {
            way.pop();
            loc.truncate(2);
        }
        assert_eq!(loc[1..], way, "{pointer}: {why}");
        assert!(why.contains(says), "{pointer}: {why}");
    }
    for (missing, loc) in [
        (json!({ "spec": a_png()["spec"] }), "metadata"),
        (json!({ "metadata": a_png()["metadata"] }), "spec"),
    ] {
        let refused = askfile.rest(POST, "/v1/uploads", missing).await;
        assert_eq!(refused.mistake().0, ["body", loc]);
    }
    let refused = askfile
        .rest(POST, "/v1/uploads", with("colour", json!(1)))
        .await;
    assert_eq!(refused.mistake().0, ["body", "colour"]);
    // What the server sets is passed over, and a length may be text.
    let mut body = with("/spec/sizeBytes", json!("9"));
    for name in ["id", "accountId", "workspaceId", "profileId", "createdAt"] {
        body["metadata"][name] = json!("mine");
    }
    body["info"] = json!({ "status": "UPLOAD_STATUS_COMPLETE" });
    let upload = askfile.declare(body).await;
    assert_eq!(
        (status(&upload), &upload["spec"]["sizeBytes"]),
        ("PENDING", &json!("9"))
    );
    assert_ne!(upload["metadata"]["id"], "mine");
}

#[tokio::test]
async fn uploads_are_listed_by_status_id_and_label() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    askfile.workspace("st-two").await;
    let key = askfile.key("one", ALL, &["st-one"]).await;
    let other = askfile.key("two", ALL, &["st-two"]).await;
    let ask = async |key: &str, method: Method, path: &str, body: Value| {
        let answer = askfile.send(rest(Some(key), method, path, &body)).await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.json()
    };
    let mut uploads = Vec::new();
    for n in 0..4 {
        askfile.clock.advance(secs(1));
        let mut body = a_png();
        body["metadata"] = json!({
            "name": "x", "externalId": format!("case-{}", n % 2),
            "labels": { "n": n.to_string(), "all": "yes" },
        });
        uploads.push(ask(&key, POST, "/v1/uploads", body).await);
    }
    // A link for a person is no upload of a program.
    ask(&key, POST, "/v1/links", json!({})).await;
    ask(&other, POST, "/v1/uploads", a_png()).await;
    askfile
        .send(sent(url(&uploads[0]), "image/png", PNG))
        .await
        .receipt();
    ask(&key, DELETE, &path(&uploads[1]), Value::Null).await;

    let listed = async |query: &str| -> Vec<usize> {
        let path = format!("/v1/uploads?{query}");
        let mut page = ask(&key, GET, &path, Value::Null).await;
        let items = page["items"].take();
        let place = |item: &Value| {
            let mut all = uploads.iter();
            all.position(|upload| upload["metadata"] == item["metadata"])
                .unwrap()
        };
        items.as_array().unwrap().iter().map(place).collect()
    };
    assert_eq!(listed("").await, [3, 2, 1, 0]);
    assert_eq!(listed("status=UPLOAD_STATUS_PENDING").await, [3, 2]);
    assert_eq!(listed("status=UPLOAD_STATUS_COMPLETE").await, [0]);
    assert_eq!(listed("status=UPLOAD_STATUS_CANCELLED").await, [1]);
    assert_eq!(listed("external_id=case-1").await, [3, 1]);
    assert_eq!(listed("label=all%3Dyes&label=n%3D2").await, [2]);
    assert_eq!(listed("label=n%3D3&external_id=case-1").await, [3]);
    assert_eq!(listed("label=n%3D3&external_id=case-0").await, [0_usize; 0]);
    let page = ask(&key, GET, "/v1/uploads?limit=3", Value::Null).await;
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(listed(&format!("cursor={next}")).await, [0]);
    askfile.clock.advance(secs(86_400));
    assert_eq!(listed("status=UPLOAD_STATUS_PENDING").await, [0_usize; 0]);
    askfile.service.sweep().await.unwrap();
    assert_eq!(listed("status=UPLOAD_STATUS_EXPIRED").await, [3, 2, 0]);
    let unset = rest(
        Some(&key),
        GET,
        "/v1/uploads?status=UPLOAD_STATUS_UNSPECIFIED",
        &Value::Null,
    );
    assert_eq!(askfile.send(unset).await.mistake().0, ["query", "status"]);
    // Who made a link for a person does not find it here either.
    let link = ask(&key, POST, "/v1/links", json!({})).await;
    let as_upload = format!("/v1/uploads/{}", link["upload_id"].as_str().unwrap());
    let none = askfile
        .send(rest(Some(&key), GET, &as_upload, &Value::Null))
        .await;
    assert_eq!(none.problem(), (404, "NOT_FOUND".into()));
}

#[tokio::test]
async fn what_was_declared_is_kept_for_a_day_unless_something_gets_it() {
    let askfile = Askfile::start().await;
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let upload = askfile.declare(a_png()).await;
        askfile
            .send(sent(url(&upload), "image/png", PNG))
            .await
            .receipt();
        uploads.push(upload);
    }
    let post = json!({ "upload_id": uploads[0]["metadata"]["id"] });
    askfile.done(POST, "/v1/targets/post/7/media", post).await;
    askfile.clock.advance(secs(86_399));
    askfile.service.sweep().await.unwrap();
    assert_eq!(askfile.stored().len(), 2);
    askfile.clock.advance(secs(2));
    askfile.service.sweep().await.unwrap();
    assert_eq!(askfile.stored().len(), 1);
    assert_eq!(status(&askfile.upload(&uploads[0]).await), "CONSUMED");
    assert_eq!(status(&askfile.upload(&uploads[1]).await), "EXPIRED");
}

#[tokio::test]
async fn deleting_cancels_what_is_pending_and_forgets_what_has_ended() {
    let askfile = Askfile::start().await;
    let pending = askfile.declare(a_png()).await;
    let cancelled = askfile.done(DELETE, &path(&pending), Value::Null).await;
    assert_eq!(status(&cancelled), "CANCELLED");
    let late = askfile.send(sent(url(&pending), "image/png", PNG)).await;
    late.is(409, "CANCELLED", "it was taken back");
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let upload = askfile.declare(a_png()).await;
        askfile
            .send(sent(url(&upload), "image/png", PNG))
            .await
            .receipt();
        uploads.push(upload);
    }
    let post = json!({ "upload_id": uploads[0]["metadata"]["id"] });
    askfile.done(POST, "/v1/targets/post/7/media", post).await;
    for (upload, left) in [(&uploads[1], 1), (&uploads[0], 1), (&pending, 1)] {
        askfile.done(DELETE, &path(upload), Value::Null).await;
        let gone = askfile.rest(GET, &path(upload), Value::Null).await;
        assert_eq!(gone.problem(), (404, "NOT_FOUND".into()));
        let again = askfile.rest(DELETE, &path(upload), Value::Null).await;
        assert_eq!(again.problem(), (404, "NOT_FOUND".into()));
        assert_eq!(askfile.stored().len(), left, "what is attached stays");
    }
    let on_post = askfile
        .done(GET, "/v1/targets/post/7/media", Value::Null)
        .await;
    assert_eq!(on_post["items"].as_array().unwrap().len(), 1);
    assert_eq!(askfile.count("SELECT count(*) FROM declared_label"), 0);
    askfile.usage_is_counted_right("after deleting uploads");
}

#[tokio::test]
async fn who_may_send_but_not_delete_cancels_alone() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    let key = askfile.key("one", "asset:upload", &["st-one"]).await;
    let ask = async |method: Method, path: &str, body: Value| {
        askfile.send(rest(Some(&key), method, path, &body)).await
    };
    let upload = ask(POST, "/v1/uploads", a_png()).await.json();
    askfile
        .send(sent(url(&upload), "image/png", PNG))
        .await
        .receipt();
    let refused = ask(DELETE, &path(&upload), Value::Null).await;
    assert_eq!(refused.problem(), (403, "PERMISSION_DENIED".into()));
    assert_eq!(askfile.stored().len(), 1);
    let by = ask(GET, &path(&upload), Value::Null).await.json()["info"]["createdBy"].take();
    assert_eq!(
        (&by["spec"]["type"], &by["spec"]["name"]),
        (&json!("PROFILE_TYPE_API_KEY"), &json!("one"))
    );
}

#[tokio::test]
async fn a_declared_file_counts_for_who_declared_it_and_not_for_its_address() {
    let askfile = Askfile::start_with(|settings| settings.rate_limit_uploads_per_minute = 2).await;
    let mut uploads = Vec::new();
    for _ in 0..3 {
        uploads.push(askfile.declare(a_png()).await);
    }
    let send = async |upload: &Value, address: &str| -> Answer {
        let mut request = sent(url(upload), "image/png", PNG);
        request.extensions_mut().insert(from(address));
        askfile.send(request).await
    };
    send(&uploads[0], "10.0.0.1").await.receipt();
    send(&uploads[1], "10.0.0.2").await.receipt();
    let refused = send(&uploads[2], "10.0.0.3").await;
    refused.is(429, "RATE_LIMITED", "whatever address it comes from");
    // A person at that address has a budget of their own.
    let link = askfile.link().await;
    askfile.put(&link, PNG).await;
}

#[tokio::test]
async fn a_picture_is_sent_in_one_form() {
    let askfile = Askfile::start().await;
    let with_words = picture(PNG).text("description", "a cat");
    let answer = askfile.send(form("/v1/uploads", with_words)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let key = answer["upload_key"].as_str().unwrap();
    let id = key
        .strip_prefix("medias/")
        .and_then(|id| id.strip_suffix(".png"));
    assert!(id.is_some(), "{key}");
    let image = askfile
        .send(get(at(answer["image_url"].as_str().unwrap())))
        .await;
    assert_eq!(image.status, 200);
    let named = key.replace('/', "%2F");
    let media = askfile
        .done(GET, &format!("/v1/media/{named}"), Value::Null)
        .await;
    assert_eq!(media["description"], "a cat");
    assert_eq!(
        media["retain_until"],
        Value::Null,
        "kept until it is deleted"
    );
    let post = json!({ "upload_key": key });
    askfile.done(POST, "/v1/targets/post/7/media", post).await;
    // A picture of five minutes is no file.
    let post = json!({ "media_id": answer["image_url"] });
    let refused = askfile.rest(POST, "/v1/targets/post/7/media", post).await;
    assert_eq!(refused.problem(), (404, "NOT_FOUND".into()));
}

#[tokio::test]
async fn a_form_that_is_refused_leaves_nothing() {
    let askfile = Askfile::start_with(|settings| settings.max_image_size = Some(1_000)).await;
    let gif = b"GIF89a\x01\0\x01\0\0\0\0;";
    let large = [PNG, &[0; 1_000]].concat();
    let table = [
        (picture(gif), "not accepted"),
        (picture(&large), "1000 bytes"),
        (picture(b""), "empty"),
        (Form::default().text("file", "x"), "the field file"),
        (
            Form::default().file("media", "a.png", PNG),
            "field named file",
        ),
        (picture(PNG).text("colour", "red"), "no such field"),
        (picture(PNG).file("file", "b.png", PNG), "one file"),
        (Form::default(), ""),
    ];
    for (wrong, says) in table {
        let refused = askfile.send(form("/v1/uploads", wrong)).await;
        let (loc, why) = refused.mistake();
        assert_eq!(loc[0], "body");
        assert!(why.contains(says), "{says}: {why}");
    }
    assert!(askfile.stored().is_empty() && askfile.staged().is_empty());
    let open = "SELECT count(*) FROM upload_session WHERE state <> 'cancelled'";
    assert_eq!(askfile.count(open), 0);
    askfile.usage_is_counted_right("after refused forms");
}

#[tokio::test]
async fn sixty_pictures_a_minute_are_taken_from_one_caller() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    let keys = [
        askfile.key("one", ALL, &["st-one"]).await,
        askfile.key("two", ALL, &["st-one"]).await,
    ];
    let send = async |key: &str| {
        let request = form("/v1/uploads", picture(PNG));
        let request = request.with("authorization", &format!("Bearer {key}"));
        askfile.send(request).await
    };
    for n in 0..60 {
        let answer = send(&keys[0]).await;
        assert_eq!(answer.status, 200, "{n}: {answer:?}");
    }
    let refused = send(&keys[0]).await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED".into()));
    assert_eq!(send(&keys[1]).await.status, 200, "another caller");
    assert_eq!(askfile.stored().len(), 61);
}

#[tokio::test]
async fn a_file_is_sent_and_attached_in_one_form() {
    let askfile = Askfile::start_with(|settings: &mut Settings| {
        settings.target_types = vec![askfile::domain::attachment::TargetType {
            name: "avatar".into(),
            accepts: vec!["image/png".parse().unwrap()],
            room: Room {
                most: Some(1),
                one_shot: false,
            },
        }];
    })
    .await;
    let (avatar, post) = ("/v1/targets/avatar/7/media", "/v1/targets/post/7/media");
    let whole = picture(PNG).text("alt", "a cat").text("position", "3");
    let sent = askfile.send(form(avatar, whole)).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let attached = &sent.json()["attachments"][0];
    assert_eq!(
        (&attached["alt"], &attached["position"]),
        (&json!("a cat"), &json!(3))
    );
    let listed = askfile.done(GET, avatar, Value::Null).await;
    assert_eq!(listed["items"][0]["media_id"], attached["media_id"]);

    let before = askfile.stored();
    let long = "x".repeat(2_001);
    let mut refused = vec![askfile.send(form(avatar, picture(PNG))).await.problem().1];
    for wrong in [
        picture(PNG).text("position", "first"),
        picture(PNG).text("alt", &long),
        picture(b"\x7fELF\x02\x01\x01\0"),
    ] {
        refused.push(askfile.send(form(post, wrong)).await.mistake().1);
    }
    let text = form(
        "/v1/targets/avatar/8/media",
        Form::default().file("file", "a.txt", b"hello"),
    );
    refused.push(askfile.send(text).await.mistake().1);
    assert_eq!(refused[0], "CONFLICT");
    assert!(
        refused[1].starts_with("position") && refused[2].starts_with("alt"),
        "{refused:?}"
    );
    assert_eq!(
        askfile.stored(),
        before,
        "what cannot be attached is not kept: {refused:?}"
    );
    let media = askfile.done(GET, "/v1/media", Value::Null).await;
    assert_eq!(media["items"].as_array().unwrap().len(), 1);
    askfile.usage_is_counted_right("after forms that could not be attached");
}
