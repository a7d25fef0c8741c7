//! What a server costs that has nothing to do.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::{home::Home, server::Server};

const A_WHILE: Duration = Duration::from_secs(2);

/// How often its threads are woken in a while.
async fn woken(server: &Server) -> u64 {
    let before = server.sleeps();
    sleep(A_WHILE).await;
    server.sleeps() - before
}

#[tokio::test]
async fn nothing_is_watched_while_nobody_waits() {
    let home = Home::new().await;
    let server = Server::start(&home, &[]).await;
    let link = server.link(json!({})).await;
    // What its start and the call had it do is over by then.
    sleep(A_WHILE).await;
    let idle = woken(&server).await;
    assert!(idle < 5, "woken {idle} times while nobody waited");

    let wait = json!({ "token": link.token, "wait_seconds": 5 });
    let (_, waiting) = tokio::join!(server.call("upload_status", wait), woken(&server));
    assert!(waiting > 5, "woken {waiting} times while somebody waited");
}
