//! What uploads cost in memory.

use std::time::Duration;

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
