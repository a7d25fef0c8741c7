//! A server that is paused while others go on, and wakes late.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    home::{Home, text},
    server::{Link, Server, until},
    wire::{Connection, File},
};

const SETTINGS: [(&str, &str); 2] = [("idle_timeout", "1s"), ("max_file_size", "1MB")];

#[tokio::test]
async fn a_writer_that_was_paused_past_its_lease_cannot_store() {
    let home = Home::new().await;
    let (paused, other) = (
        Server::start(&home, &SETTINGS).await,
        Server::start(&home, &SETTINGS).await,
    );
    let link = paused.link(json!({})).await;
    let (late, stored) = (File::pdf(1, 900_000), File::pdf(2, 500_000));
    let mut sender = paused.begin_put(&home, &link, &late, 300_000).await;

    paused.pause().await;
    let answer = other.put_once_free(&link, &stored).await;
    assert_eq!(answer.status, 201);
    paused.resume();
    sender.send(&late.bytes()[300_000..]).await.unwrap();
    // To the one that woke, it was the sender who fell silent, or else its claim is gone.
    let refused = sender.answer().await.unwrap();
    assert!([409, 422].contains(&refused.status), "{refused:?}");
    let media = paused.media_of(&link.upload_id).await;
    assert_eq!(media.len(), 1);
    assert_eq!(text(&media[0], "sha256"), stored.sha256());
    home.holds_only(&other, &[&link.upload_id]).await;
}

/// The same client sends again before anybody knows that its first connection is dead.
#[tokio::test]
async fn an_attempt_takes_over_from_itself_at_another_server() {
    const ATTEMPT: &str = "askfile-attempt: 6d6e5b3a-0c55-4d8e-9c0e-3a1c1f5e7a10\r\n\r\n";
    let home = Home::new().await;
    let (first, second) = (
        Server::start(&home, &[]).await,
        Server::start(&home, &[]).await,
    );
    let link = first.link(json!({})).await;
    let file = File::pdf(1, 900_000);
    let mut request = file.put(&link.path);
    let head = String::from_utf8(request[0].to_vec()).unwrap();
    request[0] = head.replace("\r\n\r\n", &format!("\r\n{ATTEMPT}")).into();

    let mut dead = Connection::open(first.address()).await.unwrap();
    dead.send(&request[0]).await.unwrap();
    dead.send(&file.bytes()[..300_000]).await.unwrap();
    until("bytes on the disk", async || {
        home.is_staging().then_some(())
    })
    .await;
    let mut alive = Connection::open(second.address()).await.unwrap();
    let stored = alive.exchange(&request).await.unwrap();
    assert_eq!(stored.status, 201);
    dead.send(&file.bytes()[300_000..]).await.unwrap();
    let refused = dead.answer().await.unwrap();

    assert_eq!(
        (refused.status, refused.code().as_str()),
        (409, "ALREADY_USED")
    );
    assert_eq!(home.staged(), Vec::<String>::new(), "before any sweep");
    let again = alive.exchange(&request).await.unwrap();
    assert_eq!(again.json(), stored.json(), "a lost 201 comes again");
    home.holds_only(&second, &[&link.upload_id]).await;
}

/// Pauses a server at a moment when it does not hold the lock of the database: whoever is paused
/// with it stops all others, which is a property of SQLite that nothing here can change.
async fn pause(home: &Home, server: &Server) {
    until("a moment without the lock", async || {
        server.pause().await;
        if !home.is_locked() {
            return Some(());
        }
        server.resume();
        None
    })
    .await;
}

/// Pauses wherever two dozen uploads happen to be; meanwhile another server takes each of them.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_paused_writer_and_another_one_stores() {
    let home = Home::alone().await;
    let paused = Server::start(&home, &SETTINGS).await;
    let other = Server::start(&home, &SETTINGS).await;
    let mut all: Vec<Link> = Vec::new();
    for round in 0..6 {
        let mut links = Vec::new();
        for _ in 0..24 {
            links.push(paused.link(json!({})).await);
        }
        let mut sending = JoinSet::new();
        for (number, link) in links.iter().cloned().enumerate() {
            let (file, address) = (File::pdf(number, 400_000), paused.address());
            sending.spawn(async move {
                let mut connection = Connection::open(address).await.unwrap();
                let answer = connection.exchange(&file.put(&link.path)).await.unwrap();
                (number, answer.status)
            });
        }
        tokio::time::sleep(Duration::from_millis(15) * 2_u32.pow(round) / 2).await;
        pause(&home, &paused).await;
        let mut by_other = Vec::new();
        for (number, link) in links.iter().enumerate() {
            let file = File::pdf(100 + number, 400_000);
            by_other.push(other.put_once_free(link, &file).await.status);
        }
        // With and without its staged bytes, it must not get further than its claim.
        if round % 2 == 0 {
            home.sweep();
        }
        paused.resume();
        for (number, by_paused) in sending.join_all().await {
            let stored = match [by_paused, by_other[number]] {
                [201, 409] | [409 | 422, 201] => 1,
                _ => 0,
            };
            assert_eq!(
                stored, 1,
                "{by_paused}, and by the other {}",
                by_other[number]
            );
        }
        all.extend(links);
        let ids: Vec<_> = all.iter().map(|link| link.upload_id.as_str()).collect();
        home.holds_only(&other, &ids).await;
        assert_eq!(home.rows("media") as usize, all.len());
    }
}
