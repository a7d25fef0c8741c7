//! Clients that register themselves, and those that have a document.

use std::net::TcpListener;

use axum::http::Method;
use serde_json::{Value, json};

use super::{ask, at, refused};
use crate::harness::{
    Askfile, PUBLIC_URL,
    keys::ALL,
    mins,
    rest::rest,
    web::{from, get},
};

#[tokio::test]
async fn clients_find_out_by_themselves_how_they_are_let_in() {
    let askfile = Askfile::builtin().await;
    let told = askfile
        .send(get("/.well-known/oauth-authorization-server"))
        .await;
    assert_eq!(told.header("access-control-allow-origin"), "*");
    let told = told.json();
    assert_eq!(told["issuer"], PUBLIC_URL);
    for (name, path) in [
        ("authorization_endpoint", "/oauth/authorize"),
        ("token_endpoint", "/oauth/token"),
        ("registration_endpoint", "/oauth/register"),
        ("revocation_endpoint", "/oauth/revoke"),
    ] {
        assert_eq!(told[name], format!("{PUBLIC_URL}{path}"));
    }
    assert_eq!(told["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(
        told["token_endpoint_auth_methods_supported"],
        json!(["none"])
    );
    assert_eq!(told["client_id_metadata_document_supported"], true);
    assert_eq!(told["authorization_response_iss_parameter_supported"], true);
    let resource = askfile
        .send(get("/.well-known/oauth-protected-resource/mcp"))
        .await
        .json();
    assert_eq!(resource["authorization_servers"], json!([PUBLIC_URL]));
    assert_eq!(resource["resource"], format!("{PUBLIC_URL}/mcp"));
    let nobody = rest(None, Method::GET, "/v1/media", &Value::Null);
    let refused = askfile.send(nobody).await;
    assert!(
        refused
            .header("www-authenticate")
            .contains("resource_metadata=")
    );
    for elsewhere in [
        "/.well-known/oauth-authorization-server/elsewhere",
        "/.well-known/oauth-authorization-server/127.0.0.1:8787",
        "/.well-known/oauth-protected-resource/elsewhere",
    ] {
        assert_eq!(
            askfile.send(get(elsewhere)).await.status,
            404,
            "{elsewhere}"
        );
    }
}

#[tokio::test]
async fn a_public_address_with_a_path_has_its_metadata_where_clients_look() {
    let askfile = Askfile::builtin_with(|settings| {
        settings.public_url = Some("http://127.0.0.1:8787/files".into());
    });
    let askfile = askfile.await;
    let told = askfile
        .send(get("/.well-known/oauth-authorization-server/files"))
        .await;
    assert_eq!(told.json()["issuer"], "http://127.0.0.1:8787/files");
    let told = askfile
        .send(get("/.well-known/oauth-protected-resource/files/mcp"))
        .await;
    assert_eq!(told.json()["resource"], "http://127.0.0.1:8787/files/mcp");
}

#[tokio::test]
async fn a_client_is_registered_by_what_it_says_of_itself() {
    let askfile = Askfile::builtin().await;
    let asked = json!({
        "client_name": "  Chat\u{202e}\n", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
        "token_endpoint_auth_method": "client_secret_post", "grant_types": ["authorization_code"],
        "scope": "anything", "software_id": "x", "unknown": {},
    });
    let told = askfile.register(&asked).await;
    assert_eq!(told.status, 201);
    let told = told.json();
    assert_eq!(
        told["token_endpoint_auth_method"], "none",
        "a secret would prove nothing"
    );
    assert_eq!(told["client_name"], "Chat");
    assert_eq!(told["redirect_uris"], asked["redirect_uris"]);
    assert!(told["client_id_issued_at"].is_i64() && told["client_secret"].is_null());
    for wrong in [
        json!({ "redirect_uris": [] }),
        json!({}),
        json!({ "redirect_uris": ["http://chat.example/back"] }),
        json!({ "redirect_uris": ["https://chat.example/back", "javascript:alert(1)"] }),
        json!({ "redirect_uris": ["https://me@chat.example/back"] }),
    ] {
        assert_eq!(
            refused(&askfile.register(&wrong).await),
            "invalid_redirect_uri",
            "{wrong}"
        );
    }
    for wrong in [
        json!([]),
        json!({ "redirect_uris": "https://chat.example" }),
    ] {
        assert_eq!(
            refused(&askfile.register(&wrong).await),
            "invalid_client_metadata",
            "{wrong}"
        );
    }
    assert_eq!(askfile.count("SELECT count(*) FROM oauth_client"), 1);
}

#[tokio::test]
async fn clients_that_nobody_lets_in_are_few_and_forgotten_after_a_day() {
    let askfile = Askfile::builtin().await;
    let (used, first) = (askfile.client("Used").await, askfile.client("First").await);
    let code = askfile.code(None, ALL).await;
    askfile.allow(&ask(&used, &[]), &code).await;
    askfile.clock.advance(mins(1));
    for _ in 0..999 {
        askfile.client("Another").await;
    }
    let is_known =
        async |client: &str| askfile.send(get(&at(&ask(client, &[])))).await.status == 200;
    assert!(is_known(&first).await && is_known(&used).await);
    let last = askfile.client("Last").await;
    assert!(!is_known(&first).await, "the oldest made room");
    assert_eq!(askfile.count("SELECT count(*) FROM oauth_client"), 1_001);
    askfile.clock.advance(mins(60 * 24));
    askfile.service.sweep().await.unwrap();
    assert!(!is_known(&last).await);
    assert!(is_known(&used).await);
    assert_eq!(askfile.count("SELECT count(*) FROM oauth_client"), 1);
}

#[tokio::test]
async fn one_address_registers_a_few_clients_in_a_minute() {
    let askfile = Askfile::builtin_with(|settings| settings.rate_limit_wrong_per_minute = 5).await;
    for _ in 0..20 {
        askfile.client("Chat").await;
    }
    let asked = json!({ "redirect_uris": [super::BACK] });
    assert_eq!(askfile.register(&asked).await.status, 429);
    let mut elsewhere = rest(None, Method::POST, "/oauth/register", &asked);
    elsewhere.extensions_mut().insert(from("192.0.2.7"));
    assert_eq!(askfile.send(elsewhere).await.status, 201);
}

#[tokio::test]
async fn a_document_on_a_private_address_is_not_fetched() {
    let askfile = Askfile::builtin().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:7f00:1]"] {
        let client = format!("https://{host}:{port}/client.json");
        let page = askfile.send(get(&at(&ask(&client, &[])))).await;
        assert_eq!(page.status, 400, "{host}");
        assert!(
            page.html().contains("is not at a public address"),
            "{}",
            page.html()
        );
    }
    assert!(listener.accept().is_err(), "nobody came");
    for wrong in [
        "https://chat.example",
        "https://me@chat.example/x",
        "https://chat.example/a/../b",
    ] {
        let page = askfile.send(get(&at(&ask(wrong, &[])))).await;
        assert_eq!(page.status, 400, "{wrong}");
    }
}
