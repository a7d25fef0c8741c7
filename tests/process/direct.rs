//! Files that senders put straight into the bucket: what the store takes, what becomes of it, and of
//! servers that die meanwhile.

use std::{fs, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    faults::{Fault, Faults, Which},
    home::Home,
    server::{Link, Server, until},
    store::{Store, settings_at},
    wire::{Answer, Connection, File, head, sha256},
};

const MB: usize = 1 << 20;
/// The shortest turns; large files.
const SETTINGS: [(&str, &str); 2] = [("idle_timeout", "2s"), ("max_file_size", "30MB")];
/// After that nothing can land any more that was granted before.
const LONG: Duration = Duration::from_secs(3 * 3600);

/// What is below a link.
fn below(link: &Link, what: &str) -> String {
    let (path, query) = link.path.split_once('?').unwrap();
    format!("{path}/grant{what}?{query}")
}

async fn ask(server: &Server, method: &str, path: &str, body: &str) -> Answer {
    let length = body.len().to_string();
    let head = head(method, path, &[("content-length", &length)]);
    let mut connection = Connection::open(server.address()).await.unwrap();
    let request = [head, body.to_owned().into()];
    connection.exchange(&request).await.unwrap()
}

/// A film, by its first bytes.
fn film(size: usize) -> File {
    let head = Bytes::from_static(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom");
    File::starting(head, size)
}

/// Leave to put a file into the store.
#[derive(Debug)]
struct Grant {
    link: Link,
    id: String,
    url: String,
    headers: Vec<(String, String)>,
}

/// Asks to send a file of this size and type.
async fn asked(server: &Server, link: &Link, mime_type: &str, size: usize) -> Answer {
    let body = json!({ "filename": "a film.mp4", "mime_type": mime_type, "size_bytes": size,
        "description": "A note" });
    ask(server, "POST", &below(link, ""), &body.to_string()).await
}

impl Grant {
    /// Leave to send this film.
    async fn of(server: &Server, link: &Link, file: &File) -> Self {
        Self::typed(server, link, "video/mp4", file.len()).await
    }

    async fn typed(server: &Server, link: &Link, mime_type: &str, size: usize) -> Self {
        let answer = asked(server, link, mime_type, size).await;
        assert_eq!(answer.status, 201, "{:?}", answer.json());
        let told = answer.json();
        assert_eq!(told["method"], "PUT");
        let headers = told["headers"].as_object().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            link: link.clone(),
            id: text(&told["grant_id"]),
            url: text(&told["url"]),
            headers: headers
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
        }
    }

    async fn send(&self, store: &Store, bytes: Bytes) -> Answer {
        store.ask("PUT", &self.url, &self.headers, bytes).await
    }

    /// Sends it with another value of a header, or without it.
    async fn send_with(&self, store: &Store, name: &str, value: Option<&str>, bytes: Bytes) -> u16 {
        let mut headers = self.headers.clone();
        headers.retain(|(known, _)| known != name);
        headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        store.ask("PUT", &self.url, &headers, bytes).await.status
    }

    async fn complete(&self, server: &Server) -> Answer {
        let path = below(&self.link, &format!("/{}/complete", self.id));
        ask(server, "POST", &path, "").await
    }

    async fn give_back(&self, server: &Server) -> u16 {
        let path = below(&self.link, &format!("/{}", self.id));
        ask(server, "DELETE", &path, "").await.status
    }
}

/// All is over that was granted; then nothing is left but the files of these sessions.
async fn is_left_with(home: &Home, store: &Store, server: &Server, upload_ids: &[&str]) {
    home.passes(LONG);
    home.sweep();
    store.holds_only(server, upload_ids).await;
    assert_eq!((home.rows("claim"), home.rows("doomed")), (0, 0));
}

async fn completes(server: &Server, link: &Link) -> Value {
    let wait = json!({ "upload_id": link.upload_id, "wait_seconds": 30 });
    let status = server.call("upload_status", wait).await;
    assert_eq!(status["status"], "completed", "{status}");
    status["result"]["media"][0].clone()
}

#[tokio::test]
async fn a_file_goes_straight_into_the_bucket() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let mut ids = Vec::new();
    for size in [1000, 20 * MB] {
        let link = server.link(json!({})).await;
        let file = film(size);
        let grant = Grant::of(&server, &link, &file).await;
        let early = grant.complete(&server).await;
        assert_eq!((early.status, early.code().as_str()), (409, "NOT_READY"));
        assert_eq!(server.status(&link.upload_id).await["phase"], "receiving");
        assert_eq!(grant.send(&store, file.bytes()).await.status, 200);
        let done = grant.complete(&server).await;
        assert_eq!(done.status, 201, "{:?}", done.json());
        let cookie = done.header("set-cookie").unwrap();
        assert!(cookie.starts_with("askfile_receipt="), "{cookie}");
        let receipt = done.json();
        assert_eq!(receipt["sha256"], file.sha256());
        assert_eq!(receipt["media_id"], grant.id.as_str());
        let again = grant.complete(&server).await;
        assert_eq!(
            (again.status, again.json()),
            (201, receipt),
            "a lost answer"
        );
        let media = completes(&server, &link).await;
        assert_eq!(media["original_filename"], "a film.mp4");
        assert_eq!(media["description"], "A note");
        ids.push(link.upload_id);
    }
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    store.holds_only(&server, &ids).await;
    is_left_with(&home, &store, &server, &ids).await;
}

#[tokio::test]
async fn the_store_takes_only_what_was_granted_and_only_once() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({})).await;
    let file = film(5000);
    let grant = Grant::of(&server, &link, &file).await;
    let bytes = file.bytes();
    let short = bytes.slice(..4999);
    #[rustfmt::skip]
    let refused = [
        grant.send_with(&store, "content-type", Some("text/html"), bytes.clone()).await,
        grant.send_with(&store, "content-length", Some("4999"), short).await,
        grant.send_with(&store, "if-none-match", None, bytes.clone()).await,
    ];
    assert_eq!(refused, [403, 403, 403]);
    let elsewhere = grant.url.replace("landing/", "medias/");
    let elsewhere = store.ask("PUT", &elsewhere, &grant.headers, bytes.clone());
    assert_eq!(elsewhere.await.status, 403);
    assert!(store.objects().is_empty(), "{:?}", store.objects());
    assert_eq!(grant.complete(&server).await.code(), "NOT_READY");

    assert_eq!(grant.send(&store, bytes.clone()).await.status, 200);
    let other = Bytes::from(vec![b'x'; 5000]);
    assert_eq!(grant.send(&store, other).await.status, 412, "it is there");
    let done = grant.complete(&server).await;
    assert_eq!(done.json()["sha256"], file.sha256(), "{:?}", done.json());
    assert_eq!(grant.send(&store, bytes).await.status, 200, "into the void");
    is_left_with(&home, &store, &server, &[&link.upload_id]).await;
}

#[tokio::test]
async fn a_file_is_judged_by_its_content() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let arguments = json!({ "allowed_mime_types": ["video/*"], "max_size_bytes": 9000 });
    let link = server.link(arguments).await;
    for (mime_type, size, code) in [
        ("application/pdf", 10, "MIME_NOT_ALLOWED"),
        ("video/mp4", 9001, "SIZE_EXCEEDED"),
        ("video/mp4", 0, "FILE_MISSING"),
        ("film", 10, "INVALID_ARGUMENT"),
    ] {
        let refused = asked(&server, &link, mime_type, size).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, code));
    }
    let file = File::pdf(1, 9000);
    let grant = Grant::of(&server, &link, &file).await;
    assert_eq!(grant.send(&store, file.bytes()).await.status, 200);
    let refused = grant.complete(&server).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (422, "MIME_NOT_ALLOWED")
    );
    let status = server.status(&link.upload_id).await;
    assert_eq!(
        (&status["status"], &status["phase"]),
        (&json!("pending"), &json!("waiting"))
    );
    assert_eq!(status["last_error"]["code"], "MIME_NOT_ALLOWED");
    assert!(store.objects().is_empty(), "{:?}", store.objects());

    let file = film(9000);
    let grant = Grant::typed(&server, &link, "", file.len()).await;
    assert_eq!(grant.send(&store, file.bytes()).await.status, 200);
    assert_eq!(grant.complete(&server).await.status, 201);
    is_left_with(&home, &store, &server, &[&link.upload_id]).await;
}

#[tokio::test]
async fn a_picture_is_made_uniform_on_its_way() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({ "purpose": "post_media" })).await;
    let mut png = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(300, 200, image::Rgb([1, 2, 3]));
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let png = Bytes::from(png.into_inner());
    let grant = Grant::typed(&server, &link, "image/png", png.len()).await;
    assert_eq!(grant.send(&store, png.clone()).await.status, 200);
    let done = grant.complete(&server).await;
    assert_eq!(done.status, 201, "{:?}", done.json());
    assert_eq!(done.json()["mime_type"], "image/jpeg");
    assert_eq!(done.json()["original_sha256"], sha256(&png));
    is_left_with(&home, &store, &server, &[&link.upload_id]).await;
}

#[tokio::test]
async fn what_landed_is_seen_though_nobody_tells() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let (asked, silent) = (server.link(json!({})).await, server.link(json!({})).await);
    let file = film(1000);
    for link in [&asked, &silent] {
        let grant = Grant::of(&server, link, &file).await;
        assert_eq!(grant.send(&store, file.bytes()).await.status, 200);
    }
    let status = server.status(&asked.upload_id).await;
    assert_eq!(status["status"], "completed", "by asking how it stands");
    until("the other one is taken in", async || {
        (home.rows("media") == 2).then_some(())
    })
    .await;
    is_left_with(
        &home,
        &store,
        &server,
        &[&asked.upload_id, &silent.upload_id],
    )
    .await;
}

#[tokio::test]
async fn a_grant_holds_its_slot_until_it_is_given_back() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({})).await;
    let file = film(1000);
    let grant = Grant::of(&server, &link, &file).await;
    assert_eq!(server.put(&link, &file).await.unwrap().code(), "IN_USE");
    assert_eq!(asked(&server, &link, "video/mp4", 9).await.code(), "IN_USE");
    assert_eq!(grant.give_back(&server).await, 204);
    assert_eq!(grant.give_back(&server).await, 204, "safe to repeat");
    assert_eq!(grant.complete(&server).await.code(), "CONFLICT");
    assert_eq!(
        grant.send(&store, file.bytes()).await.status,
        200,
        "too late"
    );
    assert_eq!(grant.complete(&server).await.code(), "CONFLICT");
    let proxied = server.put(&link, &file).await.unwrap();
    assert_eq!(proxied.status, 201, "through askfile");
    is_left_with(&home, &store, &server, &[&link.upload_id]).await;
}

#[tokio::test]
async fn what_lands_after_the_link_was_closed_is_swept() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let (cancelled, declined) = (server.link(json!({})).await, server.link(json!({})).await);
    let file = film(1000);
    let early = Grant::of(&server, &cancelled, &file).await;
    assert_eq!(early.send(&store, file.bytes()).await.status, 200);
    let late = Grant::of(&server, &declined, &file).await;
    let cancel = json!({ "upload_id": cancelled.upload_id });
    server.call("upload_cancel", cancel).await;
    let decline = declined.path.replacen('?', "/decline?", 1);
    assert_eq!(ask(&server, "POST", &decline, "").await.status, 200);
    assert_eq!(late.complete(&server).await.code(), "DECLINED");
    assert_eq!(late.send(&store, file.bytes()).await.status, 200);
    is_left_with(&home, &store, &server, &[]).await;
}

/// A server that dies at a named step; then another one ends what it had begun.
async fn dies_and_is_taken_in_by_another(step: &str) {
    let store = Store::start().await;
    let home = store.home().await;
    let stopping = [SETTINGS.as_slice(), &[("stop_at", step)]].concat();
    let mut server = Server::start(&home, &stopping).await;
    let link = server.link(json!({})).await;
    let file = film(1000);
    let grant = Grant::of(&server, &link, &file).await;
    assert_eq!(grant.send(&store, file.bytes()).await.status, 200);
    let (address, path) = (
        server.address(),
        below(&link, &format!("/{}/complete", grant.id)),
    );
    tokio::spawn(async move {
        let mut connection = Connection::open(address).await?;
        connection.exchange(&[head("POST", &path, &[])]).await
    });
    server.says(&format!("stopped at {step}")).await;
    server.crash();

    let server = Server::start(&home, &SETTINGS).await;
    assert_eq!(
        completes(&server, &link).await["sha256"],
        file.sha256(),
        "{step}"
    );
    assert_eq!(grant.complete(&server).await.status, 201, "{step}");
    is_left_with(&home, &store, &server, &[&link.upload_id]).await;
}

#[tokio::test]
async fn a_crash_after_the_copy_loses_nothing_and_leaves_nothing() {
    dies_and_is_taken_in_by_another("copied").await;
}

#[tokio::test]
async fn a_crash_after_it_was_looked_at_loses_nothing_and_leaves_nothing() {
    dies_and_is_taken_in_by_another("staged").await;
}

#[tokio::test]
async fn a_crash_after_publishing_it_loses_nothing_and_leaves_nothing() {
    dies_and_is_taken_in_by_another("published").await;
}

#[tokio::test]
async fn a_crash_after_the_commit_loses_nothing_and_leaves_nothing() {
    dies_and_is_taken_in_by_another("committed").await;
}

#[tokio::test]
async fn a_crash_over_a_grant_frees_its_slot_in_time() {
    let store = Store::start().await;
    let home = store.home().await;
    let stopping = [SETTINGS.as_slice(), &[("stop_at", "granted")]].concat();
    let mut server = Server::start(&home, &stopping).await;
    let link = server.link(json!({ "expires_in_seconds": 86_400 })).await;
    let (address, path) = (server.address(), below(&link, ""));
    tokio::spawn(async move {
        let body = r#"{"filename":"a","mime_type":"video/mp4","size_bytes":9}"#;
        let length = body.len().to_string();
        let head = head("POST", &path, &[("content-length", &length)]);
        Connection::open(address)
            .await?
            .exchange(&[head, body.into()])
            .await
    });
    server.says("stopped at granted").await;
    server.crash();

    let server = Server::start(&home, &SETTINGS).await;
    let file = film(1000);
    assert_eq!(server.put(&link, &file).await.unwrap().code(), "IN_USE");
    home.passes(Duration::from_secs(16 * 60));
    assert_eq!(server.put(&link, &file).await.unwrap().status, 201);
    is_left_with(&home, &store, &server, &[&link.upload_id]).await;
}

/// A store may know no `If-None-Match`: then whoever has the address can change what landed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_after_it_was_looked_at_is_not_what_is_kept() {
    let store = Store::start().await;
    let faults = Faults::before(store.address).await;
    let home = Home::new().await.having(settings_at(faults.address));
    let direct = format!("http://{}", store.address);
    let settings = [SETTINGS.as_slice(), &[("s3_public_endpoint", &direct)]].concat();
    let server = Server::start(&home, &settings).await;
    let link = server.link(json!({})).await;
    let file = film(1000);
    let grant = Grant::of(&server, &link, &file).await;
    assert_eq!(grant.send(&store, file.bytes()).await.status, 200);
    // While it is published, which comes after all looking.
    let publishes = |line: &str| line.starts_with("PUT") && line.contains("/medias/");
    faults.plan(publishes, Fault::Dawdles(Duration::from_secs(2)), 1);
    let landed = store.file(&format!("landing/{}", grant.id));
    let changing = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let is_there = landed.exists();
        fs::write(landed, "<script>").unwrap();
        is_there
    });
    let done = grant.complete(&server).await;
    assert!(changing.await.unwrap(), "it was changed before the end");
    assert_eq!(done.json()["sha256"], file.sha256(), "{:?}", done.json());
    is_left_with(&home, &store, &server, &[&link.upload_id]).await;
}

#[tokio::test]
async fn what_is_longer_than_granted_is_refused_where_the_store_took_it() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({})).await;
    let file = film(1000);
    let grant = Grant::of(&server, &link, &file).await;
    assert_eq!(grant.send(&store, file.bytes()).await.status, 200);
    fs::write(
        store.file(&format!("landing/{}", grant.id)),
        film(1001).bytes(),
    )
    .unwrap();
    let refused = grant.complete(&server).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (422, "SPEC_MISMATCH")
    );
    assert_eq!(server.put(&link, &file).await.unwrap().status, 201);
    is_left_with(&home, &store, &server, &[&link.upload_id]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_landed_waits_for_a_store_that_is_busy() {
    let copies: Which = |line| line.starts_with("PUT") && line.contains("/staging/");
    let publishes: Which = |line| line.starts_with("PUT") && line.contains("/medias/");
    let store = Store::start().await;
    let faults = Faults::before(store.address).await;
    let home = Home::new().await.having(settings_at(faults.address));
    let direct = format!("http://{}", store.address);
    let settings = [SETTINGS.as_slice(), &[("s3_public_endpoint", &direct)]].concat();
    let server = Server::start(&home, &settings).await;
    let file = film(1000);
    let mut ids = Vec::new();
    for which in [copies, publishes] {
        let link = server.link(json!({})).await;
        let grant = Grant::of(&server, &link, &file).await;
        assert_eq!(grant.send(&store, file.bytes()).await.status, 200);
        let busy = Fault::Answers("503 Slow Down", "SlowDown");
        faults.plan(which, busy, usize::MAX);
        let refused = grant.complete(&server).await;
        faults.end();
        assert_eq!(refused.code(), "UNAVAILABLE", "{:?}", refused.json());
        assert_eq!(completes(&server, &link).await["sha256"], file.sha256());
        ids.push(link.upload_id);
    }
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    is_left_with(&home, &store, &server, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_1000_grants_at_once_a_link_for_three_gives_three() {
    let store = Store::start().await;
    let home = Home::alone().await.having(settings_at(store.address));
    let server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({ "max_files": 3 })).await;
    let (address, start) = (server.address(), Arc::new(Barrier::new(1000)));
    let mut asking = JoinSet::new();
    for _ in 0..1000 {
        let (path, start) = (below(&link, ""), Arc::clone(&start));
        asking.spawn(async move {
            let body = r#"{"filename":"a","mime_type":"video/mp4","size_bytes":9}"#;
            let length = body.len().to_string();
            let head = head("POST", &path, &[("content-length", &length)]);
            start.wait().await;
            let mut connection = Connection::open(address).await.unwrap();
            connection.exchange(&[head, body.into()]).await.unwrap()
        });
    }
    let answers = asking.join_all().await;
    let granted = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers
        .iter()
        .filter(|a| a.status == 409 && a.code() == "IN_USE");
    assert_eq!((granted, refused.count()), (3, 997));
    let mut used = answers.iter().filter(|answer| answer.status == 201);
    let mut ids: Vec<_> = used
        .by_ref()
        .map(|a| a.json()["grant_id"].to_string())
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}
