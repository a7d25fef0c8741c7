//! Small files, each through a link of its own, durable before its 201.

use std::{sync::Arc, time::Instant};

use tokio::{sync::Mutex, task::JoinSet};

use crate::server::Server;

const FILES: usize = 8_000;
const AT_ONCE: usize = 32;
const BYTES: usize = 64 * 1024;

pub async fn run() {
    let server = Server::start(&[("ASKFILE_LINK_TTL", "1h")]);
    let (paths, _) = server.links(FILES).await;
    let rate = send(&server, paths).await;
    let stored = std::fs::read_dir(server.folder.path().join("medias"))
        .unwrap()
        .count();
    assert_eq!(stored, FILES);
    println!("64 KiB files, {AT_ONCE} at a time: {rate:.0} a second, durable (goal: 1,500)");
    println!(
        "  resident memory at its highest: {:.0} MB",
        server.memory("VmHWM")
    );
}

/// Sends a file by each of these links, and gives how many a second are stored.
pub async fn send(server: &Server, paths: Vec<String>) -> f64 {
    let files = paths.len();
    let mut body = b"%PDF-1.7\n\0".to_vec();
    body.resize(BYTES, 7);
    let body = Arc::new(body);
    let paths = Arc::new(Mutex::new(paths));
    let mut senders = JoinSet::new();
    let began = Instant::now();
    for _ in 0..AT_ONCE {
        let (paths, body) = (Arc::clone(&paths), Arc::clone(&body));
        let (mut client, host) = (server.client().await, server.address.clone());
        senders.spawn(async move {
            loop {
                let Some(path) = paths.lock().await.pop() else {
                    return;
                };
                let head = format!(
                    "PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {BYTES}\r\n\r\n"
                );
                client.send(&[head.as_bytes(), &body].concat()).await;
                assert_eq!(client.answer().await.0, 201);
            }
        });
    }
    senders.join_all().await;
    files as f64 / began.elapsed().as_secs_f64()
}
