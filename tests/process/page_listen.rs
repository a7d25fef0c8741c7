//! A second listener, for those who have a link and for nobody else.

use std::net::SocketAddr;

use serde_json::json;

use crate::{
    home::{Home, text},
    server::Server,
    wire::{Connection, File, head},
};

/// A server with such a listener; gives the address and the path of a link that it mints.
async fn with_page(listen: &str) -> (Home, Server, SocketAddr, String) {
    let home = Home::new().await;
    let server = Server::start(&home, &[("page_listen", listen)]).await;
    let made = server.call("upload_create", json!({})).await;
    let url = text(&made, "upload_url").strip_prefix("http://").unwrap();
    let (address, path) = url.split_at(url.find('/').unwrap());
    let (address, path) = (address.parse().unwrap(), path.to_owned());
    (home, server, address, path)
}

async fn status_of(address: SocketAddr, request: bytes::Bytes) -> u16 {
    let mut connection = Connection::open(address).await.unwrap();
    connection.exchange(&[request]).await.unwrap().status
}

#[tokio::test]
async fn links_lead_to_it_and_work_at_both() {
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let (_home, server, page, path) = with_page(listen).await;
        assert_ne!(page, server.address());
        assert!(!page.ip().is_unspecified(), "{page}");
        for address in [page, server.address()] {
            assert_eq!(status_of(address, head("GET", &path, &[])).await, 200);
        }
        let put = File::pdf(1, 10_000).put(&path);
        let mut connection = Connection::open(page).await.unwrap();
        assert_eq!(connection.exchange(&put).await.unwrap().status, 201);
    }
}

#[tokio::test]
async fn it_serves_links_and_what_their_page_needs_and_nothing_else() {
    let (_home, server, page, _) = with_page("0.0.0.0:0").await;
    for path in ["/assets/page.css", "/healthz", "/readyz"] {
        assert_eq!(status_of(page, head("GET", path, &[])).await, 200, "{path}");
    }
    for (method, path) in [("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/")] {
        let there = status_of(page, head(method, path, &[("content-length", "0")])).await;
        assert_eq!(there, 404, "{method} {path}");
    }
    let here = head("POST", "/mcp", &[("content-length", "0")]);
    assert_ne!(status_of(server.address(), here).await, 404);
}

#[tokio::test]
async fn it_stops_with_the_server() {
    let (_home, mut server, page, path) = with_page("127.0.0.1:0").await;
    server.signal(rustix::process::Signal::TERM);
    assert!(server.ended().await.success());
    let mut sent = Connection::open(page).await;
    if let Ok(connection) = &mut sent {
        assert!(
            connection
                .exchange(&[head("GET", &path, &[])])
                .await
                .is_err()
        );
    }
}
