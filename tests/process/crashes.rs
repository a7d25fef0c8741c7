//! What a server that died leaves to the next one on the same folder.

use std::time::Duration;

use serde_json::json;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    home::{Home, text},
    server::{Link, Server},
    wire::{Connection, File},
};

/// A claim is free again after two seconds, and where its file is being synced, after as long as ten
/// megabytes take on a slow disk besides.
const SETTINGS: [(&str, &str); 2] = [("idle_timeout", "2s"), ("max_file_size", "10MB")];
const LEASE: Duration = Duration::from_millis(4_334);
/// What the log tells of files that came.
const UPLOADED: &str = "audit WHERE action = 'media.uploaded'";
/// For what is done once the lease is over.
const MARGIN: Duration = Duration::from_secs(1);

/// The link works again within the lease of the claim that died; then the agent attaches what came.
async fn works_again(home: &Home, link: &Link, crashed: Instant) {
    let server = Server::start(home, &SETTINGS).await;
    let status = server.status(&link.upload_id).await;
    assert_eq!(status["status"], "pending");
    let target = json!({ "upload_token": link.token, "target_type": "post", "target_id": "7" });
    let attached = server.call("attach_media", target.clone()).await;
    assert_eq!(attached["code"], "NOT_READY");

    let file = File::pdf(2, 300_000);
    let answer = server.put_once_free(link, &file).await;
    assert_eq!(answer.status, 201);
    assert!(
        crashed.elapsed() < LEASE + MARGIN,
        "{:?}",
        crashed.elapsed()
    );
    assert_eq!(answer.json()["sha256"], file.sha256());
    home.holds_only(&server, &[&link.upload_id]).await;
    assert_eq!(home.rows(UPLOADED), 1);

    let attached = server.call("attach_media", target).await;
    let attachments = attached["attachments"].as_array().unwrap();
    assert_eq!(attachments.len(), 1, "{attached}");
    assert_eq!(attachments[0]["media_id"], answer.json()["media_id"]);
    assert_eq!(home.rows("attachment"), 1);
}

/// A server that dies at a named step of an upload.
async fn dies_at(home: &Home, step: &str, file: &File) -> Link {
    let settings = [SETTINGS.as_slice(), &[("stop_at", step)]].concat();
    let mut server = Server::start(home, &settings).await;
    let link = server.link(json!({})).await;
    let mut sender = Connection::open(server.address()).await.unwrap();
    for piece in file.put(&link.path) {
        sender.send(&piece).await.unwrap();
    }
    server.says(&format!("stopped at {step}")).await;
    server.crash();
    let answer = sender.answer().await;
    assert!(
        answer.is_err(),
        "an answer before the file was stored: {answer:?}"
    );
    link
}

async fn dies_and_works_again(step: &str) {
    let home = Home::new().await;
    let link = dies_at(&home, step, &File::pdf(1, 300_000)).await;
    works_again(&home, &link, Instant::now()).await;
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_body_leaves_the_link_good() {
    let home = Home::new().await;
    let mut server = Server::start(&home, &SETTINGS).await;
    let link = server.link(json!({})).await;
    let file = File::pdf(1, 3_000_000);
    let _sender = server.begin_put(&home, &link, &file, 1_000_000).await;
    server.crash();
    let crashed = Instant::now();
    assert_eq!(home.staged().len(), 1, "there is something to sweep");
    works_again(&home, &link, crashed).await;
}

#[tokio::test]
async fn a_crash_after_the_claim_leaves_the_link_good() {
    dies_and_works_again("claimed").await;
}

#[tokio::test]
async fn a_crash_after_the_first_bytes_leaves_the_link_good() {
    dies_and_works_again("first-bytes").await;
}

#[tokio::test]
async fn a_crash_after_staging_leaves_the_link_good() {
    dies_and_works_again("staged").await;
}

#[tokio::test]
async fn a_crash_after_publishing_leaves_the_link_good() {
    dies_and_works_again("published").await;
}

#[tokio::test]
async fn a_crash_after_the_commit_loses_only_the_answer() {
    let home = Home::new().await;
    let file = File::pdf(1, 300_000);
    let link = dies_at(&home, "committed", &file).await;
    let server = Server::start(&home, &SETTINGS).await;
    let status = server.status(&link.upload_id).await;
    assert_eq!(status["status"], "completed");
    let media = server.media_of(&link.upload_id).await;
    assert_eq!(text(&media[0], "sha256"), file.sha256());
    assert_eq!(home.rows(UPLOADED), 1);
    let again = server.put(&link, &file).await.unwrap();
    assert_eq!((again.status, again.code().as_str()), (409, "ALREADY_USED"));
    home.holds_only(&server, &[&link.upload_id]).await;
}

/// Crashes wherever two dozen uploads happen to be, again and again on one folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_loses_nothing_that_was_answered() {
    const SETTINGS: [(&str, &str); 2] = [("idle_timeout", "1s"), ("max_file_size", "1MB")];
    let home = Home::alone().await;
    let mut all: Vec<Link> = Vec::new();
    for round in 0..6 {
        let mut server = Server::start(&home, &SETTINGS).await;
        let mut links = Vec::new();
        for _ in 0..24 {
            links.push(server.link(json!({})).await);
        }
        let mut sending = JoinSet::new();
        for (number, link) in links.iter().cloned().enumerate() {
            let (file, address) = (File::pdf(number, 400_000), server.address());
            sending.spawn(async move {
                let mut connection = Connection::open(address).await.ok()?;
                let answer = connection.exchange(&file.put(&link.path)).await.ok()?;
                assert_eq!(answer.status, 201);
                Some(link.upload_id)
            });
        }
        tokio::time::sleep(Duration::from_millis(15) * 2_u32.pow(round) / 2).await;
        server.crash();
        let answered: Vec<_> = sending.join_all().await.into_iter().flatten().collect();

        let server = Server::start(&home, &SETTINGS).await;
        for (number, link) in links.iter().enumerate() {
            let was_answered = answered.contains(&link.upload_id);
            let answer = server
                .put_once_free(link, &File::pdf(number, 400_000))
                .await;
            match answer.status {
                201 => assert!(!was_answered, "a file was lost"),
                _ => assert_eq!(answer.code(), "ALREADY_USED"),
            }
        }
        all.extend(links);
        let ids: Vec<_> = all.iter().map(|link| link.upload_id.as_str()).collect();
        home.holds_only(&server, &ids).await;
        assert_eq!(home.rows("media") as usize, all.len());
    }
}
