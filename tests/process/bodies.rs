//! Bodies that are refused, fall silent or are overtaken by a decision.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::{
    home::Home,
    server::Server,
    wire::{Connection, File},
};

#[tokio::test]
async fn a_body_that_is_arriving_when_the_link_is_cancelled_is_not_stored() {
    let home = Home::new().await;
    let server = Server::start(&home, &[("idle_timeout", "1s")]).await;
    let link = server.link(json!({})).await;
    let file = File::pdf(1, 1_000_000);
    let mut sender = server.begin_put(&home, &link, &file, 300_000).await;
    let cancelled = server
        .call("upload_cancel", json!({ "token": link.token }))
        .await;
    assert_eq!(cancelled["status"], "cancelled");

    sender.send(&file.bytes()[300_000..]).await.unwrap();
    let refused = sender.answer().await.unwrap();
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(home.staged(), Vec::<String>::new(), "before any sweep");
    assert_eq!(server.status(&link.upload_id).await["status"], "cancelled");
    home.holds_only(&server, &[&link.upload_id]).await;
    assert_eq!(home.rows("media"), 0);
}

/// The body goes on for as long as it likes; its heartbeat tells it.
#[tokio::test]
async fn a_long_body_is_ended_soon_after_its_link_was_cancelled() {
    let home = Home::new().await;
    let server = Server::start(&home, &[("idle_timeout", "2s")]).await;
    let link = server.link(json!({})).await;
    let file = File::pdf(1, 10_000_000);
    let mut sender = server.begin_put(&home, &link, &file, 100_000).await;
    server
        .call("upload_cancel", json!({ "token": link.token }))
        .await;
    let cancelled = Instant::now();
    let dripping = async {
        for piece in file.bytes()[100_000..].chunks(10_000) {
            sender.send(piece).await?;
            if home.staged().is_empty() {
                return sender.answer().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the whole body was taken");
    };
    let refused = dripping.await.unwrap();
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(cancelled.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_body_that_falls_silent_is_refused_and_leaves_the_link_good() {
    let home = Home::new().await;
    let server = Server::start(&home, &[("idle_timeout", "1s")]).await;
    let link = server.link(json!({})).await;
    let file = File::pdf(1, 1_000_000);
    let mut sender = server.begin_put(&home, &link, &file, 300_000).await;
    let silent = Instant::now();
    let refused = sender.answer().await.unwrap();
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (422, "MALFORMED_BODY")
    );
    assert!(
        silent.elapsed() >= Duration::from_millis(900),
        "{:?}",
        silent.elapsed()
    );

    let status = server.status(&link.upload_id).await;
    assert_eq!(status["status"], "pending");
    assert_eq!(status["last_error"]["code"], "MALFORMED_BODY");
    assert_eq!(server.put(&link, &file).await.unwrap().status, 201);
    home.holds_only(&server, &[&link.upload_id]).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_frees_the_link_at_once() {
    let home = Home::new().await;
    let server = Server::start(&home, &[]).await;
    let link = server.link(json!({})).await;
    let file = File::pdf(1, 1_000_000);
    let sender = server.begin_put(&home, &link, &file, 300_000).await;
    drop(sender);
    let broken_off = Instant::now();
    assert_eq!(server.put_once_free(&link, &file).await.status, 201);
    assert!(
        broken_off.elapsed() < Duration::from_secs(2),
        "not its lease"
    );
    home.holds_only(&server, &[&link.upload_id]).await;
}

/// A slow body that never falls silent is as good as a quick one.
#[tokio::test]
async fn a_body_may_take_longer_than_its_lease() {
    let home = Home::new().await;
    let server = Server::start(&home, &[("idle_timeout", "1s")]).await;
    let link = server.link(json!({})).await;
    let file = File::pdf(1, 400_000);
    let mut sender = server.begin_put(&home, &link, &file, 100_000).await;
    for piece in file.bytes()[100_000..].chunks(50_000) {
        tokio::time::sleep(Duration::from_millis(400)).await;
        sender.send(piece).await.unwrap();
    }
    assert_eq!(sender.answer().await.unwrap().status, 201);
    home.holds_only(&server, &[&link.upload_id]).await;
}

#[tokio::test]
async fn who_writes_everything_before_reading_still_reads_why_it_was_refused() {
    let home = Home::new().await;
    let server = Server::start(&home, &[]).await;
    let link = server.link(json!({})).await;
    let program = File::starting(
        b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0".as_slice(),
        10_000_000,
    );
    for request in [program.put(&link.path), program.post(&link.path)] {
        let mut connection = Connection::open(server.address()).await.unwrap();
        let refused = connection.send_then_read(&request).await.unwrap();
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (422, "MIME_NOT_ALLOWED")
        );
    }
    let mut connection = Connection::open(server.address()).await.unwrap();
    let file = File::pdf(1, 100_000).put(&link.path);
    let stored = connection.send_then_read(&file).await.unwrap();
    assert_eq!(stored.status, 201);
    home.holds_only(&server, &[&link.upload_id]).await;
}
