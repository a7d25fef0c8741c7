//! Who may do what over `/v1`: every operation, by everybody there is. What is new and not in this
//! table fails.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use super::document::{document, operations};
use crate::harness::{
    Askfile,
    everybody::{Keys, Things, things, unknown},
    keys::ALL,
    rest::rest,
};

/// An operation, what it takes, and how it is asked for on things of somebody's.
struct Operation {
    id: &'static str,
    need: Option<&'static str>,
    ask: fn(&Things) -> (Method, String, Value),
}

const ADMIN: Option<&str> = Some("admin");
const UPLOAD: Option<&str> = Some("asset:upload");
const READ: Option<&str> = Some("media:read");
const ATTACH: Option<&str> = Some("media:attach");

/// What the things' media is on.
const POST_7: &str = "/v1/targets/post/7/media";

/// In an order in which each can still be done.
const OPERATIONS: &[Operation] = &[
    Operation {
        id: "createLink",
        need: UPLOAD,
        ask: |things| {
            let body = json!({ "workspace_id": things.workspace });
            (Method::POST, "/v1/links".into(), body)
        },
    },
    Operation {
        id: "getLink",
        need: None,
        ask: |things| {
            let path = format!("/v1/links/{}", things.link.upload_id);
            (Method::GET, path, Value::Null)
        },
    },
    Operation {
        id: "cancelLink",
        need: UPLOAD,
        ask: |things| {
            let path = format!("/v1/links/{}", things.link.upload_id);
            (Method::DELETE, path, Value::Null)
        },
    },
    Operation {
        id: "createUpload",
        need: UPLOAD,
        ask: |things| {
            let path = format!("/v1/uploads?workspace_id={}", things.workspace);
            let body = json!({
                "metadata": { "name": "A picture" },
                "spec": { "contentType": "image/png", "filename": "a.png", "sizeBytes": 9 },
            });
            (Method::POST, path, body)
        },
    },
    Operation {
        id: "listUploads",
        need: UPLOAD,
        ask: |things| {
            let path = format!("/v1/uploads?workspace_id={}", things.workspace);
            (Method::GET, path, Value::Null)
        },
    },
    Operation {
        id: "getUpload",
        need: None,
        ask: |things| {
            let path = format!("/v1/uploads/{}", things.declared);
            (Method::GET, path, Value::Null)
        },
    },
    Operation {
        id: "deleteUpload",
        need: UPLOAD,
        ask: |things| {
            let path = format!("/v1/uploads/{}", things.declared);
            (Method::DELETE, path, Value::Null)
        },
    },
    Operation {
        id: "listMedia",
        need: READ,
        ask: |things| {
            let path = format!("/v1/media?workspace_id={}", things.workspace);
            (Method::GET, path, Value::Null)
        },
    },
    Operation {
        id: "getMedia",
        need: READ,
        ask: |things| {
            let path = format!("/v1/media/{}", things.media);
            (Method::GET, path, Value::Null)
        },
    },
    Operation {
        id: "redeemHandle",
        need: READ,
        ask: |things| {
            let path = format!("/v1/handles/{}", things.handle);
            (Method::GET, path, Value::Null)
        },
    },
    Operation {
        id: "attachMedia",
        need: ATTACH,
        ask: |things| {
            let body = json!({ "media_id": things.media });
            (Method::POST, POST_7.into(), body)
        },
    },
    Operation {
        id: "listTargetMedia",
        need: READ,
        ask: |things| {
            let path = format!("{POST_7}?workspace_id={}", things.workspace);
            (Method::GET, path, Value::Null)
        },
    },
    Operation {
        id: "orderTargetMedia",
        need: ATTACH,
        ask: |things| {
            let path = format!("{POST_7}?workspace_id={}", things.workspace);
            (Method::PUT, path, json!({ "order": [things.attachment] }))
        },
    },
    Operation {
        id: "changeAttachment",
        need: ATTACH,
        ask: |things| {
            let path = format!("{POST_7}/{}", things.attachment);
            (Method::PATCH, path, json!({ "alt": "a view" }))
        },
    },
    Operation {
        id: "detachMedia",
        need: ATTACH,
        ask: |things| {
            let path = format!("{POST_7}/{}", things.attachment);
            (Method::DELETE, path, Value::Null)
        },
    },
    Operation {
        id: "deleteMedia",
        need: Some("media:delete"),
        ask: |things| {
            let path = format!("/v1/media/{}?force=true", things.media);
            (Method::DELETE, path, Value::Null)
        },
    },
    Operation {
        id: "getWorkspace",
        need: ADMIN,
        ask: |things| {
            let path = format!("/v1/workspaces/{}", things.workspace);
            (Method::GET, path, Value::Null)
        },
    },
    Operation {
        id: "changeWorkspace",
        need: ADMIN,
        ask: |things| {
            let path = format!("/v1/workspaces/{}", things.workspace);
            (Method::PATCH, path, json!({ "name": "Another" }))
        },
    },
    Operation {
        id: "createKey",
        need: ADMIN,
        ask: |things| {
            let body = json!({ "name": "a new one", "workspaces": [things.workspace] });
            (Method::POST, "/v1/keys".into(), body)
        },
    },
    Operation {
        id: "changeKey",
        need: ADMIN,
        ask: |things| {
            let path = format!("/v1/keys/{}", things.key);
            (Method::PATCH, path, json!({ "allow": ["media:read"] }))
        },
    },
    Operation {
        id: "rotateKey",
        need: ADMIN,
        ask: |things| {
            let path = format!("/v1/keys/{}/rotate", things.key);
            (Method::POST, path, json!({}))
        },
    },
    Operation {
        id: "revokeKey",
        need: ADMIN,
        ask: |things| {
            let path = format!("/v1/keys/{}", things.key);
            (Method::DELETE, path, Value::Null)
        },
    },
];

/// Those that name nothing of anybody's: they tell of the caller's own.
const OF_ONES_OWN: [&str; 2] = ["listWorkspaces", "listKeys"];
/// The operator's alone.
const OPERATORS: [&str; 1] = ["createWorkspace"];

#[tokio::test]
async fn every_operation_is_in_the_table() {
    let askfile = Askfile::start().await;
    let document = document(&askfile).await;
    let there: BTreeSet<String> = operations(&document)
        .into_iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    let known = OPERATIONS.iter().map(|operation| operation.id);
    let known = known.chain(OF_ONES_OWN).chain(OPERATORS).map(str::to_owned);
    assert_eq!(there, known.collect());
}

#[tokio::test]
async fn every_operation_answers_everybody_as_it_should() {
    let askfile = Askfile::with_keys().await;
    let keys = Keys::make(&askfile).await;
    let all = format!("{ALL}, admin");
    let right = askfile.key("the right one", &all, &["st-one"]).await;
    let stranger = askfile.key("the stranger", &all, &["st-two"]).await;
    let things = things(&askfile, &right, "st-one").await;
    for Operation { id, need, ask } in OPERATIONS {
        let asked = |key: Option<String>, things: &Things| {
            let (method, path, body) = ask(things);
            let request = rest(key.as_deref(), method, &path, &body);
            askfile.send(request)
        };
        for key in [None, Some(keys.revoked.clone()), Some(keys.ended.clone())] {
            let refused = asked(key, &things).await;
            assert_eq!(refused.problem(), (401, "UNAUTHENTICATED".into()), "{id}");
            assert!(
                refused.header("www-authenticate").starts_with("Bearer"),
                "{id}"
            );
        }
        let theirs = asked(Some(stranger.clone()), &things).await;
        let nobodys = asked(Some(stranger.clone()), &unknown()).await;
        assert_eq!(theirs.problem(), (404, "NOT_FOUND".into()), "{id}");
        assert_eq!(
            theirs.body, nobodys.body,
            "{id}: another workspace's is as unknown"
        );
        let others = all.split(", ").filter(|one| Some(*one) != *need);
        let others = others.collect::<Vec<_>>().join(",");
        let without = askfile
            .key(&format!("not for {id}"), &others, &["st-one"])
            .await;
        let refused = asked(Some(without), &things).await;
        match *need {
            Some("asset:upload") => {
                assert_eq!(refused.problem(), (403, "TOOL_NOT_ENABLED".into()), "{id}");
            }
            Some(_) => assert_eq!(refused.problem(), (403, "PERMISSION_DENIED".into()), "{id}"),
            None => assert_eq!(refused.status, 200, "{id}"),
        }
        let only = need.unwrap_or_default();
        let only = askfile.key(&format!("for {id}"), only, &["st-one"]).await;
        let done = asked(Some(only), &things).await;
        assert!(done.status.is_success(), "{id}: {done:?}");
    }
}

#[tokio::test]
async fn what_is_listed_is_the_callers_own() {
    let askfile = Askfile::with_keys().await;
    Keys::make(&askfile).await;
    let one = askfile.key("admin of one", "admin", &["st-one"]).await;
    for path in ["/v1/workspaces", "/v1/keys"] {
        let asked = |key: &str| rest(Some(key), Method::GET, path, &Value::Null);
        let listed = askfile.send(asked(&one)).await.json();
        let text = listed["items"].to_string();
        assert!(
            text.contains("st-one") && !text.contains("st-two"),
            "{text}"
        );
        let agent = askfile
            .key(&format!("agent {path}"), ALL, &["st-one"])
            .await;
        let refused = askfile.send(asked(&agent)).await;
        assert_eq!(refused.problem(), (403, "PERMISSION_DENIED".into()));
    }
    let asked = json!({ "name": "mine" });
    let refused = rest(Some(&one), Method::POST, "/v1/workspaces", &asked);
    let refused = askfile.send(refused).await;
    assert_eq!(refused.problem(), (403, "PERMISSION_DENIED".into()));
    let open = askfile
        .neighbour_with(|settings| settings.auth = askfile::config::Auth::OPEN)
        .await;
    let refused = open.rest(Method::GET, "/v1/keys", Value::Null).await;
    assert_eq!(
        refused.status, 403,
        "nobody in `open` mode is an administrator"
    );
}
