//! Workspaces and keys, for administrators.

use askfile::{
    domain::{api_key::ApiKey, capability::Capabilities},
    error::Error,
    service::keys::KeyRequest,
};
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    keys::ALL,
    rest::rest,
    web::{Answer, Link, With},
};

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
    for wrong in [json!("much"), json!(-1)] {
        let wrong = json!({ "quota": { "stored_bytes": wrong } });
        let (way, why) = asked(&askfile, &admin, PATCH, path, wrong).await.mistake();
        assert_eq!(way, ["body", "quota", "stored_bytes"]);
        assert!(
            why.contains("(0 or more), `unlimited` or `default`"),
            "{why}"
        );
    }
    let unknown = "/v1/workspaces/st-none";
    let unknown = asked(&askfile, &admin, GET, unknown, Value::Null).await;
    assert_eq!(unknown.problem(), (404, "NOT_FOUND".into()));
    let hint = unknown.json()["hint"].to_string();
    assert!(hint.contains("Check the address"), "{hint}");
}

/// Two workspaces, an administrator of the first, and a key of a person in the second.
async fn two_workspaces() -> (Askfile, String, ApiKey) {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    askfile.workspace("st-two").await;
    let admin = askfile.key("admin", "admin", &["st-one"]).await;
    let operator = askfile.service.operator("a test");
    let request = KeyRequest {
        name: "hers".into(),
        person: Some(("Ana".into(), Some("ana@example.com".into()))),
        workspaces: vec!["st-two".into()],
        capabilities: Capabilities::ALL,
        expires_in: None,
    };
    let (hers, _) = askfile
        .service
        .create_key(&operator, request)
        .await
        .unwrap();
    (askfile, admin, hers)
}

#[tokio::test]
async fn a_key_that_is_named_like_another_ones_id_is_not_taken_for_it() {
    let (askfile, admin, hers) = two_workspaces().await;
    for name in [hers.id.to_string(), hers.prefix.clone()] {
        let made = asked(&askfile, &admin, POST, "/v1/keys", json!({ "name": name })).await;
        assert_eq!(made.status, 201);
    }
    let operator = askfile.service.operator("a test");
    for named in [&hers.prefix, &hers.id.to_string()] {
        let all = |_| Capabilities::ALL;
        let found = askfile.service.allow_key(&operator, named, all).await;
        assert_eq!(found.unwrap().id, hers.id, "{named}");
    }
}

#[tokio::test]
async fn nobody_adds_to_a_person_of_another_workspace() {
    let (askfile, admin, hers) = two_workspaces().await;
    let person = |email: &str| {
        let person = json!({ "name": "Mallory", "email": email });
        json!({ "name": format!("for {email}"), "person": person })
    };
    let refused = asked(
        &askfile,
        &admin,
        POST,
        "/v1/keys",
        person("ANA@example.com"),
    )
    .await;
    assert_eq!(refused.problem(), (409, "CONFLICT".into()));
    for _ in 0..2 {
        let bo = person("bo@example.com");
        let made = asked(&askfile, &admin, POST, "/v1/keys", bo).await;
        assert!([201, 409].contains(&made.status.as_u16()), "{made:?}");
        assert!(!made.json().to_string().contains("elsewhere"), "{made:?}");
    }
    let operator = askfile.service.operator("a test");
    let keys = askfile.service.keys(&operator).await.unwrap();
    let found = keys.iter().find(|key| key.id == hers.id).unwrap();
    assert_eq!(found.principal.name, "Ana");
}

#[tokio::test]
async fn archiving_one_workspace_takes_no_key_of_another_from_its_administrator() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    askfile.workspace("st-two").await;
    let both = ["st-one", "st-two"];
    let admin = askfile.key("admin", "admin", &both).await;
    askfile.key("agent", "asset:upload", &both).await;
    askfile.key("closed", "asset:upload", &["st-two"]).await;
    let archive = json!({ "archived": true });
    let done = asked(&askfile, &admin, PATCH, "/v1/workspaces/st-two", archive).await;
    assert_eq!(done.status, 200);
    let end = async |name: &str| {
        let path = format!("/v1/keys/{name}");
        asked(&askfile, &admin, Method::DELETE, &path, Value::Null)
            .await
            .status
            .as_u16()
    };
    assert_eq!([end("agent").await, end("closed").await], [200, 404]);
    let operator = askfile.service.operator("a test");
    let request = KeyRequest {
        name: "late".into(),
        person: None,
        workspaces: vec!["st-two".into()],
        capabilities: Capabilities::ALL,
        expires_in: None,
    };
    let refused = askfile.service.create_key(&operator, request).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn keys_of_one_person_share_no_answers_and_no_sessions() {
    let (askfile, _, _) = two_workspaces().await;
    let operator = askfile.service.operator("a test");
    let of_ana = async |name: &str, workspace: &str| {
        let request = KeyRequest {
            name: name.into(),
            person: Some(("Ana".into(), Some("ana@example.com".into()))),
            workspaces: vec![workspace.into()],
            capabilities: Capabilities::ALL,
            expires_in: None,
        };
        let made = askfile.service.create_key(&operator, request).await;
        made.unwrap().1.reveal().to_owned()
    };
    let (one, two) = (of_ana("one", "st-one").await, of_ana("two", "st-two").await);
    let mut links = Vec::new();
    for key in [&one, &two, &one] {
        let request = rest(Some(key), POST, "/v1/links", &json!({}));
        let made = askfile.send(request.with("idempotency-key", "same")).await;
        assert_eq!(made.status, 201, "{made:?}");
        links.push(made.json()["upload_id"].take());
    }
    assert_eq!(links[0], links[2]);
    assert_ne!(links[0], links[1], "it is the other key's request");
}

#[tokio::test]
async fn who_may_not_send_is_not_told_where_to() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    let key = askfile.key("one", "asset:upload", &["st-one"]).await;
    let nothing = askfile.key("nothing", "", &["st-one"]).await;
    let body = json!({
        "metadata": { "name": "A picture" },
        "spec": { "contentType": "image/png", "filename": "a.png", "sizeBytes": 9 },
    });
    let upload = asked(&askfile, &key, POST, "/v1/uploads", body)
        .await
        .json();
    let path = format!("/v1/uploads/{}", upload["metadata"]["id"].as_str().unwrap());
    let seen = asked(&askfile, &nothing, GET, &path, Value::Null)
        .await
        .json();
    assert_eq!(seen["info"]["status"], "UPLOAD_STATUS_PENDING");
    assert_eq!(seen["info"]["uploadUrl"], Value::Null);
    let seen = asked(&askfile, &key, GET, &path, Value::Null).await.json();
    assert_eq!(seen, upload);
}

#[tokio::test]
async fn who_may_only_look_gets_no_address_of_a_file() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    let key = askfile.key("one", "asset:upload", &["st-one"]).await;
    let nothing = askfile.key("nothing", "", &["st-one"]).await;
    let study = json!({ "purpose": "study_media" });
    let made = askfile.call_with(&key, "upload_create", study).await;
    let link = Link::of(&made);
    askfile.put(&link, PNG).await;
    let path = format!("/v1/links/{}", link.upload_id);
    let look = json!({ "upload_id": link.upload_id });
    let of = async |key: &str| {
        let over_rest = asked(&askfile, key, GET, &path, Value::Null).await.json();
        let by_tool = askfile.call_with(key, "upload_status", look.clone()).await;
        assert_eq!(over_rest["status"], "completed");
        [over_rest, by_tool].map(|told| told.to_string().contains("/m/"))
    };
    assert_eq!(of(&key).await, [true, true]);
    assert_eq!(of(&nothing).await, [false, false]);
}

#[tokio::test]
async fn what_stands_behind_the_question_mark_is_heeded_or_refused() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    askfile.workspace("st-two").await;
    let key = askfile.key("both", ALL, &["st-one", "st-two"]).await;
    let link = "/v1/links?workspace_id=st-one";
    let refused = asked(&askfile, &key, POST, link, json!({})).await;
    assert_eq!(refused.mistake().0, ["query", "workspace_id"]);
    for (method, path) in [
        (GET, "/v1/keys?limit=1"),
        (GET, "/v1/workspaces?cursor=x"),
        (GET, "/v1/uploads/upl_x?wait=5"),
        (Method::DELETE, "/v1/links/upl_x?dry_run=true"),
        (
            Method::DELETE,
            "/v1/targets/post/7/media/att_x?dry_run=true",
        ),
    ] {
        let refused = asked(&askfile, &key, method, path, Value::Null).await;
        assert_eq!(refused.mistake().0[0], "query", "{path}");
    }
    let body = json!({
        "metadata": { "name": "A picture" },
        "spec": { "contentType": "image/png", "filename": "a.png", "sizeBytes": 9 },
    });
    let which = asked(&askfile, &key, POST, "/v1/uploads", body).await;
    assert_eq!(which.mistake().0, ["query", "workspace_id"]);
    let which = asked(&askfile, &key, POST, "/v1/links", json!({})).await;
    assert_eq!(which.mistake().0, ["body", "workspace_id"]);
    let in_one = json!({ "workspace_id": "st-one" });
    let made = askfile.call_with(&key, "upload_create", in_one).await;
    let media = askfile.put(&Link::of(&made), PNG).await;
    let body = json!({ "media_id": media["media_id"] });
    let attach = async |workspace: &str| {
        let path = format!("/v1/targets/post/7/media?workspace_id={workspace}");
        asked(&askfile, &key, POST, &path, body.clone()).await
    };
    assert_eq!(attach("st-two").await.problem(), (404, "NOT_FOUND".into()));
    assert_eq!(attach("st-one").await.status, 200);
}
