//! A server of your own around askfile's tools: here it adds the fixtures that the protocol's conformance
//! suite calls, and all else is askfile's: the transport, its guards and its sessions.
//!
//! ```sh
//! cargo run --example conformance
//! npx @modelcontextprotocol/conformance server --url http://127.0.0.1:9292/mcp --requirements 2026-07-28
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "an example says what is wrong by ending"
)]

mod inputs;
mod prompts;
mod resources;
mod server;
mod tools;

use std::env;

use askfile::{app, config::Settings, http, mcp::Tools};
use tokio::{net::TcpListener, signal::unix};

use self::server::Server;

#[tokio::main]
async fn main() {
    let listen = env::var("LISTEN").unwrap_or("127.0.0.1:9292".into());
    let listener = TcpListener::bind(listen).await.unwrap();
    let listen = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::in_folder(folder.path());
    settings.rate_limit_tool_calls_per_minute = 0;
    let service = app::start(settings, format!("http://{listen}"));
    let service = service.await.unwrap();
    let server = Server::new(Tools::new(service.clone()));
    let router = http::router_with(&service, listen, move || server.clone());
    println!("conformance is at http://{listen}/mcp");
    let mut stop = unix::signal(unix::SignalKind::terminate()).unwrap();
    let stopped = async move {
        stop.recv().await;
    };
    let serving = http::serve::serve(listener, router, &service, stopped);
    serving.await.unwrap();
}
