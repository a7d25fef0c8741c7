//! `upload_status` by `tools/call`, one after another on one connection, against a bare rmcp server
//! with one trivial tool.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use axum::{Router, serve::ListenerExt};
use rmcp::{
    ServerHandler, tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    client::{Client, call},
    median,
    server::Server,
};

const ROUNDS: usize = 20;
const CALLS: usize = 1_000;

struct Bare;

#[tool_router]
impl Bare {
    #[tool(description = "Says pong.")]
    async fn ping(&self) -> String {
        "pong".into()
    }
}

#[tool_handler(router = Self::tool_router())]
impl ServerHandler for Bare {}

/// Serves the bare one until this process is killed, after a line that says where.
pub async fn bare() {
    let service = StreamableHttpService::new(
        || Ok(Bare),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let router = Router::new().nest_service("/mcp", service);
    axum::serve(listener, router).await.unwrap();
}

/// The bare one as a process of its own, as ours is.
fn bare_process() -> (Child, String) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .arg("bare")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    output.read_line(&mut address).unwrap();
    (process, address.trim().to_owned())
}

/// Seconds of each call.
pub async fn timed(client: &mut Client, request: &[u8]) -> Vec<f64> {
    let mut seconds = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        client.call(request).await;
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds
}

pub async fn run() {
    let server = Server::start(&[]);
    let (_, token) = server.links(1).await;
    let (mut bare_process, bare) = bare_process();
    let status = call(&server.address, "upload_status", &json!({ "token": token }));
    let ping = call(&bare, "ping", &json!({}));
    let (mut ours, mut theirs) = (server.client().await, Client::open(&bare).await);
    timed(&mut ours, &status).await;
    timed(&mut theirs, &ping).await;
    let (mut all, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (ours, theirs) = (
            timed(&mut ours, &status).await,
            timed(&mut theirs, &ping).await,
        );
        ratios.push(theirs.iter().sum::<f64>() / ours.iter().sum::<f64>());
        all.extend(ours);
    }
    bare_process.kill().unwrap();
    bare_process.wait().unwrap();
    println!(
        "upload_status, sequential: median {:.3} ms (goal: below 1)",
        median(all) * 1e3
    );
    println!(
        "  calls a second / a bare rmcp server's: {:.2} (goal: 0.80)",
        median(ratios)
    );
}
