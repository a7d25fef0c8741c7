//! What uploads cost in memory, and who waits for them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    home::Home,
    server::Server,
    wire::{Connection, File, head},
};

#[tokio::test]
async fn sixty_four_slow_bodies_at_once_fit_into_64_megabytes() {
    const DECLARED: usize = 64 << 20;
    let home = Home::alone().await;
    let server = Server::start(&home, &[("max_file_size", "64MB")]).await;
    let mut senders = Vec::new();
    for _ in 0..64 {
        let link = server.link(json!({})).await;
        let length = [("content-length", &*DECLARED.to_string())];
        let mut sender = Connection::open(server.address()).await.unwrap();
        let request = head("PUT", &link.path, &length);
        sender.send(&request).await.unwrap();
        senders.push(sender);
    }
    let piece = File::pdf(1, 64 << 10).bytes();
    for _ in 0..32 {
        for sender in &mut senders {
            sender.send(&piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(home.staged().len(), 64);
    let highest = server.kilobytes("VmHWM:");
    assert!(highest < 64 << 10, "{highest} kB");
}

/// The protocol's machinery alone would take more than this for each call.
#[tokio::test]
async fn a_call_that_waits_takes_less_than_60_kilobytes() {
    const MANY: usize = 400;
    let home = Home::alone().await;
    let server = Server::start(&home, &[]).await;
    let link = server.link(json!({})).await;
    let before = server.kilobytes("VmRSS:");
    let wait = json!({ "token": link.token, "wait_seconds": 6 });
    let calls = join_all((0..MANY).map(|_| server.call("upload_status", wait.clone())));
    let looking = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.kilobytes("VmRSS:")
    };
    let (answers, during) = tokio::join!(calls, looking);
    let waited = |answer: &serde_json::Value| answer["waited_seconds"].as_f64() >= Some(6.0);
    assert!(answers.iter().all(waited), "{:?}", answers[0]);
    let each = (during - before) / MANY as u64;
    assert!(each < 60, "{each} kB");
}
