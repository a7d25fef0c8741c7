//! Uploads that programs declare where files are kept in a bucket: the address is the store's.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    home::Home,
    server::Server,
    store::{Store, settings_at},
    wire::{Answer, Connection, File, head},
};

const SIZE: usize = 9_000;
const SETTINGS: [(&str, &str); 1] = [("idle_timeout", "2s")];

fn film() -> File {
    let head = Bytes::from_static(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom");
    File::starting(head, SIZE)
}

async fn ask(server: &Server, method: &str, path: &str, body: &str) -> Value {
    let length = body.len().to_string();
    let headers = [
        ("content-type", "application/json"),
        ("content-length", &length),
    ];
    let head = head(method, path, &headers);
    let mut connection = Connection::open(server.address()).await.unwrap();
    let request = [head, body.to_owned().into()];
    let answer = connection.exchange(&request).await.unwrap();
    assert!(answer.status < 300, "{:?}", answer.json());
    answer.json()
}

async fn declare(server: &Server) -> Value {
    let body = json!({
        "metadata": { "name": "A film" },
        "spec": { "contentType": "video/mp4", "filename": "a film.mp4", "sizeBytes": SIZE },
    });
    ask(server, "POST", "/v1/uploads", &body.to_string()).await
}

fn id(upload: &Value) -> &str {
    upload["metadata"]["id"].as_str().unwrap()
}

fn url(upload: &Value) -> &str {
    upload["info"]["uploadUrl"].as_str().unwrap()
}

async fn again(server: &Server, upload: &Value) -> Value {
    ask(server, "GET", &format!("/v1/uploads/{}", id(upload)), "").await
}

/// A PUT with just what was declared, as any program sends it.
async fn put(store: &Store, url: &str, mime_type: &str, bytes: Bytes) -> Answer {
    let headers = [
        ("content-type", mime_type.to_owned()),
        ("content-length", bytes.len().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    store.ask("PUT", url, &headers, bytes).await
}

#[tokio::test]
async fn a_program_puts_what_it_declared_straight_into_the_bucket() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let upload = declare(&server).await;
    let address = url(&upload).to_owned();
    assert!(address.contains(&store.address.to_string()), "{address}");
    let film = film();
    for (mime_type, bytes) in [
        ("video/quicktime", film.bytes()),
        ("video/mp4", film.bytes().slice(1..)),
    ] {
        let refused = put(&store, &address, mime_type, bytes).await;
        assert_eq!(refused.status, 403, "{mime_type}");
    }
    let pending = again(&server, &upload).await;
    assert_eq!(pending["info"]["status"], "UPLOAD_STATUS_PENDING");
    assert_eq!(
        pending["info"]["uploadUrlExpiresAt"],
        upload["info"]["uploadUrlExpiresAt"]
    );
    // The address that is told now is as good.
    let sent = put(&store, url(&pending), "video/mp4", film.bytes()).await;
    assert_eq!(sent.status, 200);
    let done = again(&server, &upload).await;
    assert_eq!(done["info"]["status"], "UPLOAD_STATUS_COMPLETE", "{done}");
    assert_eq!(done["info"]["uploadUrl"], Value::Null);
    let media = server.media_of(id(&upload)).await;
    assert_eq!(media[0]["sha256"], film.sha256());
    assert_eq!(media[0]["original_filename"], "a film.mp4");
    store.holds_only(&server, &[id(&upload)]).await;
}

#[tokio::test]
async fn what_the_bucket_took_and_is_refused_may_be_sent_through_askfile() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let upload = declare(&server).await;
    let wrong = File::pdf(1, SIZE);
    let sent = put(&store, url(&upload), "video/mp4", wrong.bytes()).await;
    assert_eq!(sent.status, 200);
    let pending = again(&server, &upload).await;
    assert_eq!(pending["info"]["status"], "UPLOAD_STATUS_PENDING");
    let address = url(&pending);
    assert!(
        address.contains(&server.address().to_string()),
        "the store's address is used up: {address}"
    );
    let film = film();
    let length = SIZE.to_string();
    let path = &address[address.find("/uploads/").unwrap()..];
    let headers = [("content-type", "video/mp4"), ("content-length", &length)];
    let mut connection = Connection::open(server.address()).await.unwrap();
    let sent = connection
        .exchange(&[head("PUT", path, &headers), film.bytes()])
        .await
        .unwrap();
    assert_eq!(sent.status, 201, "{:?}", sent.json());
    let done = again(&server, &upload).await;
    assert_eq!(done["info"]["status"], "UPLOAD_STATUS_COMPLETE");
    store.holds_only(&server, &[id(&upload)]).await;
}

#[tokio::test]
async fn a_store_that_nobody_reaches_takes_nothing_directly() {
    let store = Store::start().await;
    let settings = settings_at(store.address)
        .into_iter()
        .chain([("s3_public_endpoint", "none".into())]);
    let home = Home::new().await.having(settings.collect());
    let server = Server::start(&home, &SETTINGS).await;
    let upload = declare(&server).await;
    assert!(url(&upload).contains(&server.address().to_string()));
}
