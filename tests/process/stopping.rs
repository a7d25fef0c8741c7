//! A server that is told to end.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    home::Home,
    server::Server,
    wire::{Connection, File, head},
};

#[tokio::test]
async fn a_body_on_its_way_is_stored_before_the_server_ends() {
    let home = Home::new().await;
    let mut server = Server::start(&home, &[]).await;
    let (slow, late) = (server.link(json!({})).await, server.link(json!({})).await);
    let file = File::pdf(1, 1_000_000);
    let mut sender = server.begin_put(&home, &slow, &file, 300_000).await;

    server.signal(Signal::TERM);
    server.says("stopping: waiting for uploads").await;
    let refused = server.put(&late, &file).await;
    let is_refused = match &refused {
        Ok(answer) => answer.status == 503 && answer.code() == "BUSY",
        Err(_) => true,
    };
    assert!(is_refused, "a new claim while stopping: {refused:?}");
    for piece in file.bytes()[300_000..].chunks(100_000) {
        sender.send(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(sender.answer().await.unwrap().status, 201);
    assert_eq!(server.ended().await.code(), Some(0));

    let next = Server::start(&home, &[]).await;
    home.holds_only(&next, &[&slow.upload_id]).await;
    assert_eq!(next.put(&late, &file).await.unwrap().status, 201);
}

#[tokio::test]
async fn a_body_that_outlasts_the_grace_is_dropped_and_its_link_stays_good() {
    let home = Home::new().await;
    let settings = [
        ("shutdown_grace", "1s"),
        ("idle_timeout", "2s"),
        ("max_file_size", "1MB"),
    ];
    let mut server = Server::start(&home, &settings).await;
    let link = server.link(json!({})).await;
    let file = File::pdf(1, 1_000_000);
    let _sender = server.begin_put(&home, &link, &file, 300_000).await;

    let told = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(
        told.elapsed() < Duration::from_secs(3),
        "{:?}",
        told.elapsed()
    );

    let next = Server::start(&home, &settings).await;
    assert_eq!(next.put_once_free(&link, &file).await.status, 201);
    home.holds_only(&next, &[&link.upload_id]).await;
}

#[tokio::test]
async fn waits_are_answered_at_once_when_the_server_ends() {
    let home = Home::new().await;
    let mut server = Server::start(&home, &[]).await;
    let link = server.link(json!({})).await;
    let wait = json!({ "token": link.token, "wait_seconds": 30 });
    let waits = async {
        let waits = (0..8).map(|_| server.try_call("upload_status", wait.clone()));
        futures_util::future::join_all(waits).await
    };
    let stop = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.signal(Signal::TERM);
        Instant::now()
    };
    let (answers, told) = tokio::join!(waits, stop);
    assert!(
        told.elapsed() < Duration::from_secs(1),
        "{:?}",
        told.elapsed()
    );
    for answer in answers {
        let answer = answer.expect("a whole answer").json();
        assert_eq!(answer["result"]["structuredContent"]["status"], "pending");
    }
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(
        told.elapsed() < Duration::from_secs(2),
        "{:?}",
        told.elapsed()
    );
}

#[tokio::test]
async fn connections_at_rest_do_not_hold_up_the_end() {
    let home = Home::new().await;
    let mut server = Server::start(&home, &[]).await;
    let mut connection = Connection::open(server.address()).await.unwrap();
    let request = [head("GET", "/healthz", &[])];
    assert_eq!(connection.exchange(&request).await.unwrap().status, 200);
    let _never_used = Connection::open(server.address()).await.unwrap();
    let told = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(
        told.elapsed() < Duration::from_secs(2),
        "{:?}",
        told.elapsed()
    );
}
