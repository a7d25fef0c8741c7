//! Many who wait: calls of `upload_status`, and pages that follow their link, each for a file of its own.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    client::{Client, call, structured},
    server::Server,
};

/// Of each kind.
const MANY: usize = 5_000;
/// So that all of them wait, and before the first wait ends by itself.
const SETTLED: Duration = Duration::from_secs(8);
/// A file that is taken.
const FILE: &[u8] = b"a few words";

/// Somebody who waits, and will say when that ended and with what.
type Waiting = JoinHandle<(Instant, Vec<u8>)>;

async fn waiting(address: String, request: Vec<u8>) -> Waiting {
    let mut client = Client::open(&address).await;
    client.send(&request).await;
    tokio::spawn(async move {
        let (_, body) = client.answer().await;
        (Instant::now(), body)
    })
}

async fn call_that_waits(server: &Server, token: &str) -> Waiting {
    let wait = json!({ "token": token, "wait_seconds": 45 });
    let request = call(&server.address, "upload_status", &wait);
    waiting(server.address.clone(), request).await
}

async fn page_that_follows(server: &Server, path: &str) -> Waiting {
    let path = path.replacen('?', "/events?", 1);
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    waiting(server.address.clone(), request.into()).await
}

pub async fn run() {
    let server = Server::start(&[]);
    let mut client = server.client().await;
    let create = call(&server.address, "upload_create", &json!({}));
    let mut links = Vec::with_capacity(MANY);
    for _ in 0..MANY {
        let made = structured(&client.call(&create).await);
        let url = made["upload_url"].as_str().unwrap();
        let path = url[url.find("/uploads/").unwrap()..].to_owned();
        links.push((path, made["token"].as_str().unwrap().to_owned()));
    }
    let before = server.memory("VmRSS");

    let mut all = Vec::with_capacity(MANY);
    for (path, token) in &links {
        let followed = page_that_follows(&server, path).await;
        all.push((followed, call_that_waits(&server, token).await));
    }
    sleep(SETTLED).await;
    let during = server.memory("VmRSS");
    let each = (during - before) * 1024.0 / (2 * MANY) as f64;
    println!("{MANY} waiting calls and {MANY} event streams at once:");
    println!("  {during:.0} MB in all (goal: below 250), {each:.1} KB for each (goal: below 20)");

    let mut sent = Vec::with_capacity(MANY);
    for (path, _) in &links {
        let head = format!(
            "PUT {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            server.address,
            FILE.len()
        );
        client.send(&[head.as_bytes(), FILE].concat()).await;
        let (status, _) = client.answer().await;
        assert_eq!(status, 201);
        sent.push(Instant::now());
    }
    let mut latest = Duration::ZERO;
    for (sent, (followed, called)) in sent.into_iter().zip(all) {
        for (at, body) in [followed.await.unwrap(), called.await.unwrap()] {
            let body = String::from_utf8_lossy(&body);
            assert!(body.contains("completed"), "{body}");
            latest = latest.max(at.saturating_duration_since(sent));
        }
    }
    println!(
        "  woken within {:.0} ms of their file's answer (goal: below 1,000)",
        latest.as_secs_f64() * 1e3
    );
}
