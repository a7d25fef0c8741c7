//! Files in a bucket of an S3-compatible store instead of on the disk: what comes of them, of those
//! who send them and of servers that die meanwhile.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::{
    faults::{Fault, Faults, Which},
    home::Home,
    server::{Link, Server, until},
    store::{Store, settings_at},
    wire::{Answer, Connection, File},
};

const MB: usize = 1 << 20;
/// Several parts.
const LARGE: usize = 20 * MB;
/// Stored whole.
const SMALL: usize = 300_000;
const SETTINGS: [(&str, &str); 2] = [("idle_timeout", "2s"), ("max_file_size", "30MB")];

/// A film, by its first bytes.
fn film(size: usize) -> File {
    let head = Bytes::from_static(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom");
    File::starting(head, size)
}

/// The address by which other programs fetch what came.
async fn address_of(server: &Server, link: &Link) -> String {
    let status = server.status(&link.upload_id).await;
    let suggestions = status["suggestions"].to_string();
    let start = suggestions.find("http://").unwrap();
    let end = suggestions[start..].find(['\\', '"']).unwrap();
    suggestions[start..start + end].to_owned()
}

/// Begins a PUT and waits until parts of it are in the store.
async fn begin_put(server: &Server, store: &Store, link: &Link, file: &File) -> Connection {
    let mut connection = Connection::open(server.address()).await.unwrap();
    connection.send(&file.put(&link.path)[0]).await.unwrap();
    let sent = file.len() - MB;
    connection.send(&file.bytes()[..sent]).await.unwrap();
    until("a part in the store", async || {
        (store.in_progress().len() >= 2).then_some(())
    })
    .await;
    connection
}

#[tokio::test]
async fn a_file_goes_to_the_bucket_and_comes_back() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let mut ids = Vec::new();
    for size in [SMALL, 8 * MB, LARGE] {
        let link = server.link(json!({ "purpose": "study_media" })).await;
        let file = film(size);
        let answer = server.put(&link, &file).await.unwrap();
        assert_eq!(answer.status, 201, "{:?}", answer.json());
        assert_eq!(answer.json()["sha256"], file.sha256());

        let link_to_media = address_of(&server, &link).await;
        let fresh = server.get(&link_to_media).await;
        let at_store = server.get(fresh.header("location").unwrap()).await;
        assert_eq!(at_store.status, 302);
        let url = at_store.header("location").unwrap();
        let download = store.get(url).await;
        assert_eq!((download.status, download.body.len()), (200, size));
        assert!(download.body == file.bytes(), "the bytes that came");
        assert_eq!(download.header("content-type"), Some("video/mp4"));
        let disposition = download.header("content-disposition").unwrap();
        assert_eq!(
            disposition,
            "attachment; filename=\"upload.mp4\"; filename*=UTF-8''upload.mp4"
        );
        let tampered = store.get(&url.replace("video%2Fmp4", "text%2Fhtml")).await;
        assert_eq!(tampered.status, 403);
        ids.push(link.upload_id);
    }
    let led_there = r#"audit WHERE action = 'media.downloaded' AND detail = '{"what":"redirect"}'"#;
    assert_eq!(home.rows(led_there), 3);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    store.holds_only(&server, &ids).await;
    assert!(
        !home.data().join("medias").exists(),
        "nothing is on the disk"
    );
}

/// A picture of noise, as PNG: larger than a part, and so is the JPEG of it.
fn picture() -> File {
    let (width, height) = (2400, 1600);
    let noise = File::pdf(1, 12 * MB).bytes();
    let pixels = noise[..width as usize * height as usize * 3].to_vec();
    let picture = image::RgbImage::from_raw(width, height, pixels).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let png = Bytes::from(png.into_inner());
    let size = png.len();
    File::starting(png, size)
}

#[tokio::test]
async fn a_picture_is_made_uniform_in_the_bucket() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({ "purpose": "post_media" })).await;
    let png = picture();
    let answer = server.put(&link, &png).await.unwrap();
    assert!([201, 202].contains(&answer.status), "{:?}", answer.json());
    let wait = json!({ "upload_id": link.upload_id, "wait_seconds": 30 });
    let status = server.call("upload_status", wait).await;
    let media = &status["result"]["media"][0];
    assert_eq!(media["mime_type"], "image/jpeg", "{status}");
    assert_eq!(media["original_sha256"], png.sha256());
    assert!(media["size_bytes"].as_u64().unwrap() > 8 << 20, "{media}");
    until("only the picture is left", async || {
        home.sweep();
        (store.objects().len() == 1).then_some(())
    })
    .await;
    store.holds_only(&server, &[&link.upload_id]).await;
    assert_eq!(home.rows("doomed"), 0);
}

#[tokio::test]
async fn a_crash_over_a_picture_leaves_the_picture_and_nothing_else() {
    let store = Store::start().await;
    let home = store.home().await;
    // The shortest turn to judge a file.
    let settings = [("scan_timeout", "1s"), ("max_file_size", "30MB")];
    for step in ["remade", "published"] {
        let stopping = [settings.as_slice(), &[("stop_at", step)]].concat();
        let mut server = Server::start(&home, &stopping).await;
        let link = server.link(json!({ "purpose": "post_media" })).await;
        let mut sender = Connection::open(server.address()).await.unwrap();
        let pieces = picture().put(&link.path);
        tokio::spawn(async move { sender.exchange(&pieces).await });
        server.says(&format!("stopped at {step}")).await;
        server.crash();

        let server = Server::start(&home, &settings).await;
        let wait = json!({ "upload_id": link.upload_id, "wait_seconds": 30 });
        let status = server.call("upload_status", wait).await;
        assert_eq!(status["status"], "completed", "{step}: {status}");
        until("only the picture is left", async || {
            home.sweep();
            (store.objects().len() == 1).then_some(())
        })
        .await;
        store.holds_only(&server, &[&link.upload_id]).await;
        let delete = json!({ "media_id": status["result"]["media"][0]["media_id"] });
        server.call("media_delete", delete).await;
        until("it is deleted", async || {
            home.sweep();
            store.objects().is_empty().then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_in_a_bucket_is_verified_backed_up_and_restored_to_another_one() {
    let store = Store::start().await;
    let home = store.home().await;
    let mut server = Server::start(&home, &SETTINGS).await;
    let mut ids = Vec::new();
    for size in [SMALL, LARGE] {
        let link = server.link(json!({})).await;
        server.put(&link, &film(size)).await.unwrap();
        ids.push(link.upload_id);
    }
    assert!(home.run("verify", &[]).starts_with("2 files"));
    let backup = home.data().with_file_name("backup");
    home.run("backup", &[backup.to_str().unwrap()]);
    server.crash();

    let another = Store::start().await;
    let home = another.home().await;
    let told = home.run("restore", &[backup.to_str().unwrap()]);
    assert!(told.contains("2 files are restored"), "{told}");
    let server = Server::start(&home, &SETTINGS).await;
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    another.holds_only(&server, &ids).await;
}

#[tokio::test]
async fn askfile_hands_out_what_others_cannot_reach() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &[("s3_public_endpoint", "none")]).await;
    let link = server.link(json!({ "purpose": "study_media" })).await;
    let file = film(LARGE);
    server.put(&link, &file).await.unwrap();
    let link_to_media = address_of(&server, &link).await;
    let fresh = server.get(&link_to_media).await;
    let download = server.get(fresh.header("location").unwrap()).await;
    assert_eq!(download.status, 200);
    assert!(download.body == file.bytes(), "the bytes that came");
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_in_the_store() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({})).await;
    let promises_text = File::starting(vec![b'a'; 9 * MB], LARGE);
    let no_document = File::starting(Bytes::from_static(b"PK\x03\x04\x14\0\0\0"), LARGE);
    let no_document_either = File::starting(Bytes::from_static(b"PK\x03\x04\x14\0\0\0"), SMALL);
    for file in [promises_text, no_document, no_document_either] {
        let answer = server.put(&link, &file).await.unwrap();
        assert_eq!(answer.code(), "MIME_NOT_ALLOWED", "{:?}", answer.json());
        store.holds_only(&server, &[]).await;
    }
    let short = server.link(json!({ "max_size_bytes": 10 * MB })).await;
    let mut file = film(LARGE).put(&short.path);
    let chunked = "transfer-encoding: chunked";
    let head = String::from_utf8(file[0].to_vec()).unwrap();
    file[0] = head
        .replace(&format!("content-length: {LARGE}"), chunked)
        .into();
    file.insert(1, format!("{LARGE:x}\r\n").into());
    let mut connection = Connection::open(server.address()).await.unwrap();
    let answer = connection.exchange(&file).await.unwrap();
    assert_eq!(answer.code(), "SIZE_EXCEEDED", "{:?}", answer.json());
    store.holds_only(&server, &[]).await;

    let answer = server.put(&link, &film(LARGE)).await.unwrap();
    assert_eq!(answer.status, 201, "the link is as good as before");
    store.holds_only(&server, &[&link.upload_id]).await;
}

#[tokio::test]
async fn an_upload_that_is_cancelled_on_its_way_is_aborted() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &[]).await;
    let link = server.link(json!({})).await;
    let file = film(LARGE);
    let mut sender = begin_put(&server, &store, &link, &file).await;
    let cancel = json!({ "upload_id": link.upload_id });
    server.call("upload_cancel", cancel).await;
    sender.send(&file.bytes()[LARGE - MB..]).await.unwrap();
    let answer = sender.answer().await.unwrap();
    assert_eq!(answer.code(), "CANCELLED", "{:?}", answer.json());
    store.holds_only(&server, &[]).await;
}

#[tokio::test]
async fn an_upload_whose_sender_goes_away_is_aborted() {
    let store = Store::start().await;
    let home = store.home().await;
    let server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({})).await;
    drop(begin_put(&server, &store, &link, &film(LARGE)).await);
    until("nothing is left", async || {
        store.in_progress().is_empty().then_some(())
    })
    .await;
    let answer = server.put_once_free(&link, &film(LARGE)).await;
    assert_eq!(answer.status, 201);
    store.holds_only(&server, &[&link.upload_id]).await;
}

/// A server that dies at a named step of an upload; then the sweep of another one clears up, and the
/// link works.
async fn dies_and_works_again(step: &str, file: &File) {
    let store = Store::start().await;
    let home = store.home().await;
    let settings = [SETTINGS.as_slice(), &[("stop_at", step)]].concat();
    let mut server = Server::start(&home, &settings).await;
    let link = server.link(json!({})).await;
    let mut sender = Connection::open(server.address()).await.unwrap();
    let pieces = file.put(&link.path);
    tokio::spawn(async move {
        for piece in pieces {
            sender.send(&piece).await?;
        }
        sender.answer().await
    });
    server.says(&format!("stopped at {step}")).await;
    server.crash();

    let server = Server::start(&home, &SETTINGS).await;
    let answer = server.put_once_free(&link, file).await;
    assert_eq!(answer.status, 201, "{:?}", answer.json());
    home.sweep();
    store.holds_only(&server, &[&link.upload_id]).await;
    assert_eq!(home.rows("claim"), 0);
}

#[tokio::test]
async fn a_crash_after_the_first_bytes_leaves_nothing() {
    dies_and_works_again("first-bytes", &film(LARGE)).await;
}

#[tokio::test]
async fn a_crash_after_all_bytes_leaves_nothing() {
    dies_and_works_again("staged", &film(LARGE)).await;
    dies_and_works_again("staged", &film(SMALL)).await;
}

#[tokio::test]
async fn a_crash_after_publishing_leaves_nothing() {
    dies_and_works_again("published", &film(LARGE)).await;
    dies_and_works_again("published", &film(SMALL)).await;
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_body_leaves_nothing() {
    let store = Store::start().await;
    let home = store.home().await;
    let mut server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({})).await;
    let _sender = begin_put(&server, &store, &link, &film(LARGE)).await;
    server.crash();
    assert!(
        !store.in_progress().is_empty(),
        "there is something to sweep"
    );
    let server = Server::start(&home, &SETTINGS).await;
    let answer = server.put_once_free(&link, &film(SMALL)).await;
    assert_eq!(answer.status, 201);
    home.sweep();
    store.holds_only(&server, &[&link.upload_id]).await;
}

/// What comes of a large file on a way on which things go wrong; then all is well, and the same link
/// takes the file.
async fn sends_through(fault: Fault, which: Which, count: usize) -> Answer {
    let store = Store::start().await;
    let faults = Faults::before(store.address).await;
    let home = Home::new().await.having(settings_at(faults.address));
    let server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({})).await;
    faults.plan(which, fault, count);
    let answer = server.put(&link, &film(LARGE)).await.unwrap();
    faults.end();
    if answer.status != 201 {
        let again = server.put_once_free(&link, &film(LARGE)).await;
        assert_eq!(again.status, 201, "{:?}", again.json());
    }
    until("what was left is swept", async || {
        home.sweep();
        store.in_progress().is_empty().then_some(())
    })
    .await;
    store.holds_only(&server, &[&link.upload_id]).await;
    answer
}

const BUSY: Fault = Fault::Answers("503 Slow Down", "SlowDown");

fn begins_upload(line: &str) -> bool {
    line.starts_with("POST") && line.contains("uploads")
}

fn sends_part(line: &str) -> bool {
    line.contains("partNumber=")
}

fn sends_second_part(line: &str) -> bool {
    line.contains("partNumber=2")
}

fn completes_upload(line: &str) -> bool {
    line.starts_with("POST") && line.contains("uploadId=")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_busy_for_a_moment_is_asked_again() {
    for which in [begins_upload, sends_second_part, completes_upload] {
        assert_eq!(sends_through(BUSY, which, 2).await.status, 201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_again() {
    for which in [begins_upload, sends_second_part, completes_upload] {
        assert_eq!(sends_through(Fault::Breaks, which, 1).await.status, 201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_slow_is_waited_for() {
    let dawdles = Fault::Dawdles(Duration::from_secs(6));
    let answer = sends_through(dawdles, sends_part, 3).await;
    assert_eq!(answer.status, 201, "{:?}", answer.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stays_busy_is_said_to_be_unavailable() {
    for which in [begins_upload, sends_second_part, completes_upload] {
        let answer = sends_through(BUSY, which, usize::MAX).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (503, "UNAVAILABLE")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_aborted_by_another_process_is_a_conflict() {
    let gone = Fault::Answers("404 Not Found", "NoSuchUpload");
    for which in [sends_second_part, completes_upload] {
        let answer = sends_through(gone, which, 1).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "CONFLICT"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_aborted_at_once_is_aborted_by_the_sweep() {
    let which = |line: &str| line.contains("uploadId=");
    let answer = sends_through(BUSY, which, usize::MAX).await;
    assert_eq!(answer.code(), "UNAVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_full_is_said_to_be_full() {
    let full = Fault::Answers("507 Insufficient Storage", "XMinioStorageFull");
    let answer = sends_through(full, sends_second_part, usize::MAX).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (507, "INSUFFICIENT_STORAGE")
    );
}

#[tokio::test]
async fn sixty_four_bodies_at_once_to_a_bucket_share_four_parts_of_memory() {
    const SIZE: usize = 9 * MB;
    const PIECE: usize = 64 << 10;
    let store = Store::start().await;
    let home = Home::alone().await.having(settings_at(store.address));
    let server = Server::start(&home, &[]).await;
    let (file, mut senders) = (film(SIZE), Vec::new());
    for _ in 0..64 {
        let link = server.link(json!({})).await;
        let mut sender = Connection::open(server.address()).await.unwrap();
        sender.send(&file.put(&link.path)[0]).await.unwrap();
        senders.push(sender);
    }
    let bytes = file.bytes();
    for at in (0..SIZE).step_by(PIECE) {
        // Some send all, and the others a quarter of a part.
        let count = if at < 2 * MB { 64 } else { 12 };
        for sender in &mut senders[..count] {
            sender.send(&bytes[at..SIZE.min(at + PIECE)]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    for sender in &mut senders[..12] {
        assert_eq!(sender.answer().await.unwrap().status, 201);
    }
    let highest = server.kilobytes("VmHWM:");
    assert!(highest < 96 << 10, "{highest} kB");
}

/// What `askfile serve` says when it ends at once.
async fn refuses(home: &Home, settings: &[(&str, &str)]) -> String {
    let mut server = Server::launch(home, settings);
    assert!(!server.ended().await.success());
    server.said()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_is_said_at_the_start() {
    let store = Store::start().await;
    let home = store.home().await;
    #[rustfmt::skip]
    let table = [
        ("AWS_ACCESS_KEY_ID", "unknown", "see that AWS_ACCESS_KEY_ID is right"),
        ("AWS_SECRET_ACCESS_KEY", "wrong", "is not the secret of AWS_ACCESS_KEY_ID"),
        ("s3_endpoint", "http://127.0.0.1:9", "there is no answer: correct `s3.endpoint`"),
        ("link_keys", "auto", "link_keys: set it to 64 hexadecimal digits"),
    ];
    for (key, value, words) in table {
        let said = refuses(&home, &[(key, value)]).await;
        assert!(said.contains(words), "{key}: {said}");
    }
    assert!(store.objects().is_empty());
}

#[tokio::test]
async fn the_doctor_looks_at_the_bucket() {
    let store = Store::start().await;
    let home = store.home().await;
    let said = home.run("doctor", &[]);
    let healthy = "✓ bucket         s3://files/some/prefix was written to, read and deleted from";
    assert!(said.contains(healthy), "{said}");
    let wrong = [("AWS_SECRET_ACCESS_KEY", "wrong"), ("link_keys", "auto")];
    let said = home.command("doctor", &wrong).output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    for words in [
        "✗ bucket         objects: http://",
        "is not the secret of",
        "✗ link keys      not",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(store.objects().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_may_not_do_is_said_at_the_start() {
    const DENIED: (&str, &str) = ("403 Forbidden", "AccessDenied");
    let store = Store::start().await;
    let faults = Faults::before(store.address).await;
    let home = Home::new().await.having(settings_at(faults.address));
    let writes: Which = |line| line.starts_with("PUT");
    let reads: Which = |line| line.starts_with("GET");
    let asks: Which = |line| line.starts_with("HEAD");
    let aborts: Which = |line| line.starts_with("DELETE") && line.contains("uploadId=");
    let deletes: Which = |line| line.starts_with("DELETE") && !line.contains("uploadId=");
    #[rustfmt::skip]
    let table = [
        (writes, DENIED, "cannot be written to: access is denied"),
        (reads, DENIED, "cannot be read from: access is denied"),
        (aborts, DENIED, "cannot be written to in parts: access is denied"),
        (deletes, DENIED, "cannot be deleted from: access is denied"),
        (asks, DENIED, "allow `s3:ListBucket`"),
        (writes, ("404 Not Found", "NoSuchBucket"), "there is no such bucket"),
        (writes, ("403 Forbidden", "RequestTimeTooSkewed"), "clock"),
        (writes, ("400 Bad Request", "AuthorizationHeaderMalformed"), "correct `s3.region`"),
    ];
    for (which, (status, code), sentence) in table {
        faults.plan(which, Fault::Answers(status, code), usize::MAX);
        let said = refuses(&home, &[]).await;
        assert!(said.contains(sentence), "{code}: {said}");
        faults.end();
    }
}
