//! `upload_status` by `tools/call` with a key, in mode `keys`, against the same without one, in mode
//! `open`.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    client::{Client, call, call_with, structured},
    median,
    server::Server,
    status::timed,
};

const ROUNDS: usize = 30;

/// The header with a new key to this server's data.
fn header(server: &Server) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_askfile"))
        .args(["keys", "create", "--name", "bench"])
        .env("ASKFILE_DATA_DIR", server.folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let key = String::from_utf8(made.stdout).unwrap();
    format!("authorization: Bearer {}\r\n", key.trim())
}

async fn token(client: &mut Client, create: &[u8]) -> Value {
    structured(&client.call(create).await)["token"].take()
}

pub async fn run() {
    let (open, keys) = (
        Server::start(&[]),
        Server::start(&[("ASKFILE_AUTH", "keys")]),
    );
    let (mut without, mut with) = (open.client().await, keys.client().await);
    let key = header(&keys);
    let (tool, none) = ("upload_create", json!({}));
    let mine = token(&mut without, &call(&open.address, tool, &none)).await;
    let status = call(&open.address, "upload_status", &json!({ "token": mine }));
    let mine = token(&mut with, &call_with(&key, &keys.address, tool, &none)).await;
    let asked = json!({ "token": mine });
    let checked = call_with(&key, &keys.address, "upload_status", &asked);
    timed(&mut without, &status).await;
    timed(&mut with, &checked).await;
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let open: f64 = timed(&mut without, &status).await.iter().sum();
        let keys: f64 = timed(&mut with, &checked).await.iter().sum();
        ratios.push(keys / open);
    }
    println!(
        "upload_status with a key / without: {:.3} times as long (goal: at most 1.05)",
        median(ratios)
    );
}
