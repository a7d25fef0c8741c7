//! Several servers on one data folder.

use std::{net::TcpListener, time::Duration};

use rustix::process::Signal;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    home::Home,
    server::{Server, until},
    wire::{Connection, File, head},
};

const WAITS: &str = "another askfile on this data folder serves";

/// An address that nobody has.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_wait_in_one_is_woken_by_an_upload_through_the_other() {
    let home = Home::new().await;
    let (waiting, receiving) = (
        Server::start(&home, &[]).await,
        Server::start(&home, &[]).await,
    );
    let link = waiting.link(json!({})).await;
    let wait = waiting.call(
        "upload_status",
        json!({ "token": link.token, "wait_seconds": 30 }),
    );
    let upload = async {
        // The wait has begun by then, and its regular look at the database is far away.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let answer = receiving.put(&link, &File::pdf(1, 100_000)).await.unwrap();
        assert_eq!(answer.status, 201);
        Instant::now()
    };
    let (woken, stored) = tokio::join!(async { (wait.await, Instant::now()) }, upload);
    let ((status, woken), stored) = (woken, stored);
    assert_eq!(status["status"], "completed");
    assert!(
        woken - stored < Duration::from_secs(1),
        "{:?}",
        woken - stored
    );
}

/// One has the port and the other waits for it; then the first goes.
async fn takes_over(go: impl AsyncFnOnce(&mut Server)) {
    let home = Home::new().await;
    let port = [("listen", free_address())];
    let port = port
        .each_ref()
        .map(|(key, address)| (*key, address.as_str()));
    let mut first = Server::start(&home, &port).await;
    let link = first.link(json!({})).await;
    let mut second = Server::launch(&home, &port);
    second.says(WAITS).await;
    go(&mut first).await;
    let gone = Instant::now();
    second.serves().await;
    let answer = second.put(&link, &File::pdf(1, 100_000)).await.unwrap();
    assert_eq!(answer.status, 201);
    assert!(
        gone.elapsed() < Duration::from_secs(2),
        "{:?}",
        gone.elapsed()
    );
}

#[tokio::test]
async fn the_links_are_served_on_when_the_owner_of_the_port_ends() {
    takes_over(async |first| {
        first.signal(Signal::TERM);
    })
    .await;
}

#[tokio::test]
async fn the_links_are_served_on_when_the_owner_of_the_port_crashes() {
    takes_over(async |first| first.crash()).await;
}

#[tokio::test]
async fn the_next_serves_while_the_owner_of_the_port_still_receives() {
    let home = Home::new().await;
    let port = free_address();
    let port = [("listen", port.as_str())];
    let mut first = Server::start(&home, &port).await;
    let (slow, quick) = (first.link(json!({})).await, first.link(json!({})).await);
    let file = File::pdf(1, 1_000_000);
    let mut sender = first.begin_put(&home, &slow, &file, 500_000).await;
    let mut second = Server::launch(&home, &port);
    second.says(WAITS).await;

    first.signal(Signal::TERM);
    second.serves().await;
    let answer = second.put(&quick, &File::pdf(2, 100_000)).await.unwrap();
    assert_eq!(answer.status, 201);
    sender.send(&file.bytes()[500_000..]).await.unwrap();
    assert_eq!(sender.answer().await.unwrap().status, 201);
    assert!(first.ended().await.success());
    home.holds_only(&second, &[&slow.upload_id, &quick.upload_id])
        .await;
}

#[tokio::test]
async fn of_those_that_start_together_one_serves_and_the_others_wait() {
    let home = Home::new().await;
    for _ in 0..5 {
        let port = free_address();
        let mut servers: Vec<_> = (0..4)
            .map(|_| Server::launch(&home, &[("listen", port.as_str())]))
            .collect();
        let serving = |server: &Server| server.said().contains("/mcp\n");
        for server in &mut servers {
            until("it serves or waits", async || {
                let said = server.said();
                assert!(!said.contains("askfile: "), "{said}");
                (serving(server) || said.contains(WAITS)).then_some(())
            })
            .await;
        }
        let serving = servers.iter().filter(|server| serving(server)).count();
        assert_eq!(serving, 1);
    }
}

#[tokio::test]
async fn one_that_waits_for_the_port_ends_when_told() {
    let home = Home::new().await;
    let port = free_address();
    let port = [("listen", port.as_str())];
    let _first = Server::start(&home, &port).await;
    let mut second = Server::launch(&home, &port);
    second.says(WAITS).await;
    second.signal(Signal::TERM);
    assert!(second.ended().await.success());
}

#[tokio::test]
async fn a_port_of_another_program_is_an_error_that_says_so() {
    let home = Home::new().await;
    let other_program = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other_program.local_addr().unwrap().to_string();
    let mut server = Server::launch(&home, &[("listen", address.as_str())]);
    assert_eq!(server.ended().await.code(), Some(1));
    let sentence = format!(
        "askfile: {address} is taken by another program; choose another address with --listen \
         127.0.0.1:PORT\n"
    );
    assert_eq!(server.said(), sentence);
}

#[tokio::test]
async fn those_that_make_a_folder_together_agree_on_its_key() {
    for _ in 0..8 {
        let home = Home::new().await;
        let mut servers: Vec<_> = (0..6).map(|_| Server::launch(&home, &[])).collect();
        for server in &mut servers {
            server.serves().await;
        }
        let link = servers[0].link(json!({})).await;
        for server in &servers {
            let mut connection = Connection::open(server.address()).await.unwrap();
            let page = connection.exchange(&[head("GET", &link.path, &[])]).await;
            assert_eq!(page.unwrap().status, 200);
        }
        assert_eq!(home.rows("workspace"), 1);
    }
}
