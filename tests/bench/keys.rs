//! `upload_status` by `tools/call` with a key, with a token that was granted here and with one of an
//! identity provider, against the same without any, in mode `open`.

use std::process::Command;

use askfile::{
    app,
    config::{Auth, Settings},
    domain::capability::Capabilities,
    service::oauth::{Parameters, Registration, SignInRequest, TokenRequest},
};
use axum::{Json, Router, routing::get};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use url::{Url, form_urlencoded};

use crate::{
    client::{Client, call, call_with, structured},
    median,
    server::Server,
    status::timed,
};

const ROUNDS: usize = 30;

/// A new key to this server's data.
fn key(server: &Server) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_askfile"))
        .args(["keys", "create", "--name", "bench"])
        .env("ASKFILE_DATA_DIR", server.folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// An access token for a client that is let in on this server's data.
async fn granted(server: &Server) -> String {
    const VERIFIER: &str = "a-verifier-of-forty-three-letters-at-least-0";
    let mut settings = Settings::in_folder(server.folder.path());
    settings.auth = Auth {
        builtin: true,
        ..Auth::OPEN
    };
    let service = app::start(settings, format!("http://{}", server.address));
    let service = service.await.unwrap();
    let (here, back) = ("127.0.0.1".parse().unwrap(), "http://127.0.0.1/back");
    let asked = Registration {
        client_name: None,
        redirect_uris: vec![back.into()],
    };
    let client = service.register_client(asked, here).await.unwrap().client;
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let query = form(&[
        ("response_type", "code"),
        ("client_id", &client.id),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let request = service.authorization_request(&query, here).await.unwrap();
    let person = SignInRequest {
        person: "Ana".into(),
        email: None,
        workspace: None,
        capabilities: Capabilities::AGENT,
    };
    let operator = service.operator("bench");
    let offered = service.offer_sign_in(&operator, person).await.unwrap();
    let code = offered.code.reveal();
    let ticket = service
        .sign_in(&request, &code, "browser", here)
        .await
        .unwrap();
    let way_on = service
        .let_in(&request, &ticket.secret, "browser")
        .await
        .unwrap();
    let way_on: Url = way_on.parse().unwrap();
    let code = way_on.query_pairs().find(|(name, _)| name == "code");
    let form = form(&[
        ("grant_type", "authorization_code"),
        ("client_id", &client.id),
        ("code", &code.unwrap().1),
        ("code_verifier", VERIFIER),
    ]);
    let request = TokenRequest(Parameters::read(form.as_bytes()));
    let given = service.give_tokens(&request).await.unwrap();
    given.access.reveal().to_owned()
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// An identity provider in this process: its address.
async fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
    let key = Jwk::from_encoding_key(&signing_key(), Algorithm::EdDSA).unwrap();
    let keys = JwkSet { keys: vec![key] };
    let routes = Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(async || Json(metadata)),
        )
        .route("/keys", get(async || Json(keys)));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// A token that it signed for this server.
fn signed(provider: &str, server: &Server) -> String {
    let claims = json!({
        "iss": provider, "aud": format!("http://{}/mcp", server.address), "sub": "ana",
        "name": "Ana", "exp": 4_000_000_000_i64, "scope": "asset:upload",
    });
    encode(&Header::new(Algorithm::EdDSA), &claims, &signing_key()).unwrap()
}

/// An Ed25519 key, in the form of RFC 8410.
fn signing_key() -> EncodingKey {
    const PKCS8: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    EncodingKey::from_ed_der(&[&PKCS8[..], &[1; 32]].concat())
}

async fn token(client: &mut Client, create: &[u8]) -> Value {
    structured(&client.call(create).await)["token"].take()
}

pub async fn run() {
    let issuer = provider().await;
    let open = Server::start(&[]);
    let locked = Server::start(&[
        ("ASKFILE_AUTH", "keys, oauth, builtin"),
        ("ASKFILE_OAUTH_ISSUER", &issuer),
    ]);
    let (tool, none) = ("upload_create", json!({}));
    let mut without = open.client().await;
    let mine = token(&mut without, &call(&open.address, tool, &none)).await;
    let plain = call(&open.address, "upload_status", &json!({ "token": mine }));
    timed(&mut without, &plain).await;
    for (what, secret) in [
        ("a key", key(&locked)),
        ("a token granted here", granted(&locked).await),
        ("a token of a provider", signed(&issuer, &locked)),
    ] {
        let header = format!("authorization: Bearer {secret}\r\n");
        let mut with = locked.client().await;
        let mine = token(&mut with, &call_with(&header, &locked.address, tool, &none)).await;
        let asked = json!({ "token": mine });
        let checked = call_with(&header, &locked.address, "upload_status", &asked);
        timed(&mut with, &checked).await;
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let open: f64 = timed(&mut without, &plain).await.iter().sum();
            let locked: f64 = timed(&mut with, &checked).await.iter().sum();
            ratios.push(locked / open);
        }
        println!(
            "upload_status with {what} / without: {:.3} times as long (goal: at most 1.05)",
            median(ratios)
        );
    }
}
