//! Workspaces and keys, for administrators.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Askfile, rest::rest, web::Answer};

const GET: Method = Method::GET;
const PATCH: Method = Method::PATCH;
const POST: Method = Method::POST;

/// What an administrator with this key asks for.
async fn asked(askfile: &Askfile, key: &str, method: Method, path: &str, body: Value) -> Answer {
    askfile.send(rest(Some(key), method, path, &body)).await
}

#[tokio::test]
async fn an_administrator_makes_a_key_switches_what_it_may_and_ends_it() {
    let askfile = Askfile::with_keys().await;
    let admin = askfile.key("admin", "admin", &[]).await;
    let body = json!({
        "name": "agent", "person": { "name": "Ana", "email": "ana@example.com" },
        "capabilities": ["asset:upload"], "expires_in_seconds": 3_600,
    });
    let made = asked(&askfile, &admin, POST, "/v1/keys", body).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!(made["principal"]["name"], "Ana");
    let key = made["key"].as_str().unwrap();
    assert_eq!(
        askfile.call_with(key, "upload_create", json!({})).await["ok"],
        true
    );

    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    let deny = json!({ "deny": ["asset:upload"], "allow": ["media:read"] });
    let changed = asked(&askfile, &admin, PATCH, &path, deny).await.json();
    assert_eq!(changed["capabilities"], json!(["media:read"]));
    let refused = askfile.call_with(key, "upload_create", json!({})).await;
    assert_eq!(refused["code"], "TOOL_NOT_ENABLED");

    let rotate = format!("{path}/rotate");
    let body = json!({ "overlap_seconds": 0 });
    let rotated = asked(&askfile, &admin, POST, &rotate, body).await.json();
    let new = rotated["key"].as_str().unwrap();
    assert_eq!(
        asked(&askfile, key, GET, "/v1/media", Value::Null)
            .await
            .status,
        401
    );
    assert_eq!(
        asked(&askfile, new, GET, "/v1/media", Value::Null)
            .await
            .status,
        200
    );

    let ended = asked(&askfile, &admin, Method::DELETE, &path, Value::Null)
        .await
        .json();
    assert_eq!(ended["state"], "revoked");
    assert_eq!(
        asked(&askfile, new, GET, "/v1/media", Value::Null)
            .await
            .status,
        401
    );
    let listed = asked(&askfile, &admin, GET, "/v1/keys", Value::Null).await;
    let text = std::str::from_utf8(&listed.body).unwrap();
    assert!(!text.contains(key) && !text.contains(new), "{text}");
    let gone = asked(&askfile, &admin, PATCH, &path, json!({})).await;
    assert_eq!(gone.problem(), (404, "NOT_FOUND".into()));
    assert!(
        gone.json()["hint"]
            .as_str()
            .unwrap()
            .starts_with("Create it first")
    );
}

#[tokio::test]
async fn a_key_that_is_no_administrator_changes_no_key_not_even_its_own() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("agent", "media:read", &[]).await;
    let body = json!({ "allow": ["admin"] });
    let refused = asked(&askfile, &key, PATCH, "/v1/keys/agent", body).await;
    assert_eq!(refused.problem(), (403, "PERMISSION_DENIED".into()));
}

#[tokio::test]
async fn a_workspace_is_renamed_limited_and_archived() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    let admin = askfile.key("admin", "admin", &["st-one"]).await;
    let listed = asked(&askfile, &admin, GET, "/v1/workspaces", Value::Null)
        .await
        .json();
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        1,
        "its own alone"
    );
    let path = "/v1/workspaces/st-one";
    let body = json!({
        "name": "Studio one", "alias": "st-uno",
        "quota": { "stored_bytes": 1_000, "open_links": "unlimited" },
    });
    let changed = asked(&askfile, &admin, PATCH, path, body).await.json();
    assert_eq!(changed["name"], "Studio one");
    assert_eq!(changed["quota"]["stored_bytes"], 1_000);
    assert_eq!(changed["quota"]["open_links"], Value::Null);
    assert_eq!(changed["usage"]["stored_bytes"], 0);
    let path = "/v1/workspaces/st-uno";
    let body = json!({ "quota": { "stored_bytes": "default" } });
    let changed = asked(&askfile, &admin, PATCH, path, body).await.json();
    assert_eq!(changed["quota"]["stored_bytes"], Value::Null);
    let made = asked(
        &askfile,
        &admin,
        POST,
        "/v1/workspaces",
        json!({ "name": "x" }),
    )
    .await;
    assert_eq!(made.problem(), (403, "PERMISSION_DENIED".into()));
    let wrong = json!({ "quota": { "stored_bytes": "much" } });
    let (way, why) = asked(&askfile, &admin, PATCH, path, wrong).await.mistake();
    assert_eq!(way, ["body", "quota", "stored_bytes"]);
    assert!(why.contains("`unlimited` or `default`"), "{why}");
}
