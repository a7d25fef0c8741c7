//! Who may do what: every tool, every resource and every route, by everybody there is. What is new and
//! not in these tables fails.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use askfile::{config::Auth, domain::ids::MediaId, domain::ids::UploadId, store::SessionRef};
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{
    Askfile,
    everybody::{Keys, Things, things, unknown},
    keys::{ALL, message},
    web::{at, get, request},
};

/// A tool, what it takes, and how it is called on things of somebody's.
struct Tool {
    name: &'static str,
    need: Option<&'static str>,
    arguments: fn(&Things) -> Value,
}

const TOOLS: [Tool; 9] = [
    Tool {
        name: "upload_create",
        need: Some("asset:upload"),
        arguments: |things| json!({ "workspace_id": things.workspace }),
    },
    Tool {
        name: "upload_request",
        need: Some("asset:upload"),
        arguments: |things| json!({ "token": things.link.token, "timeout": 0.01 }),
    },
    Tool {
        name: "upload_status",
        need: None,
        arguments: |things| json!({ "upload_id": things.link.upload_id }),
    },
    Tool {
        name: "attach_media",
        need: Some("media:attach"),
        arguments: |things| json!({ "media_id": things.media, "target_type": "post", "target_id": "7" }),
    },
    Tool {
        name: "media_list",
        need: Some("media:read"),
        arguments: |things| json!({ "workspace_id": things.workspace }),
    },
    Tool {
        name: "media_get",
        need: Some("media:read"),
        arguments: |things| json!({ "media_id": things.media }),
    },
    Tool {
        name: "media_import",
        need: Some("asset:upload"),
        arguments: |things| json!({ "workspace_id": things.workspace, "data": "aGVsbG8=" }),
    },
    Tool {
        name: "media_delete",
        need: Some("media:delete"),
        arguments: |things| json!({ "media_id": things.media, "force": true }),
    },
    Tool {
        name: "upload_cancel",
        need: Some("asset:upload"),
        arguments: |things| json!({ "token": things.link.token }),
    },
];

/// Whom a route answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lock {
    /// Whoever has a signed address.
    Signature,
    /// Whoever has a key.
    Key,
    /// Everybody: it says nothing and changes nothing.
    None,
}

/// Every route, with a path of it that is signed by nobody.
const ROUTES: [(&str, Method, &str, Lock); 22] = {
    use Lock::{Key, None, Signature};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const FILE: &str = "/downloads/11111111-2222-4333-8444-555555555555/\
        01890000-0000-7000-8000-000000000001?expires=9999999999&signature=00";
    const GRANT: &str = "/uploads/TOKEN/grant/01890000-0000-7000-8000-000000000001";
    const COMPLETE: &str = "/uploads/TOKEN/grant/01890000-0000-7000-8000-000000000001/complete";
    const PREVIEW: &str = "/previews/11111111-2222-4333-8444-555555555555/\
        01890000-0000-7000-8000-000000000001?expires=9999999999&signature=00";
    [
        ("/mcp", GET, "/mcp", Key),
        ("/mcp", POST, "/mcp", Key),
        ("/mcp", Method::DELETE, "/mcp", Key),
        ("/uploads/{token}", GET, "/uploads/TOKEN", Signature),
        ("/uploads/{token}", POST, "/uploads/TOKEN", Signature),
        ("/uploads/{token}", Method::PUT, "/uploads/TOKEN", Signature),
        (
            "/uploads/{token}/events",
            GET,
            "/uploads/TOKEN/events",
            Signature,
        ),
        (
            "/uploads/{token}/card",
            GET,
            "/uploads/TOKEN/card",
            Signature,
        ),
        (
            "/uploads/{token}/qr.svg",
            GET,
            "/uploads/TOKEN/qr.svg",
            Signature,
        ),
        (
            "/uploads/{token}/decline",
            POST,
            "/uploads/TOKEN/decline",
            Signature,
        ),
        (
            "/uploads/{token}/done",
            POST,
            "/uploads/TOKEN/done",
            Signature,
        ),
        (
            "/uploads/{token}/grant",
            POST,
            "/uploads/TOKEN/grant",
            Signature,
        ),
        (
            "/uploads/{token}/grant/{grant}",
            Method::PUT,
            GRANT,
            Signature,
        ),
        (
            "/uploads/{token}/grant/{grant}",
            Method::DELETE,
            GRANT,
            Signature,
        ),
        (
            "/uploads/{token}/grant/{grant}/complete",
            POST,
            COMPLETE,
            Signature,
        ),
        (
            "/m/{workspace}/{handle}",
            GET,
            "/m/11111111-2222-4333-8444-555555555555/md_1?signature=0",
            Signature,
        ),
        ("/downloads/{workspace}/{media}", GET, FILE, Signature),
        ("/previews/{workspace}/{media}", GET, PREVIEW, Signature),
        ("/assets/{name}", GET, "/assets/page.css", None),
        ("/healthz", GET, "/healthz", None),
        ("/openapi.json", GET, "/openapi.json", None),
        ("/docs", GET, "/docs", None),
    ]
};
/// Beside those above, for everybody: answers as `/healthz` does, and where tokens are taken.
const OTHERS: [&str; 9] = [
    "/readyz",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/{*path}",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/{*path}",
    "/oauth/authorize",
    "/oauth/token",
    "/oauth/register",
    "/oauth/revoke",
];

#[tokio::test]
async fn every_tool_is_in_the_table() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("all", &format!("{ALL}, admin"), &[]).await;
    let listed: BTreeSet<String> = askfile.tools_of(&key).await.into_iter().collect();
    let known: BTreeSet<String> = TOOLS.iter().map(|tool| tool.name.to_owned()).collect();
    assert_eq!(listed, known);
}

#[tokio::test]
async fn every_tool_answers_everybody_as_it_should() {
    let askfile = Askfile::with_keys().await;
    let keys = Keys::make(&askfile).await;
    let things = things(&askfile, &keys.right, "st-one").await;
    for tool in TOOLS {
        let (name, arguments) = (tool.name, (tool.arguments)(&things));
        let call = json!({ "name": name, "arguments": arguments });
        for key in [None, Some(&keys.revoked), Some(&keys.ended)] {
            let refused = askfile.rpc(key.map(String::as_str), "tools/call", call.clone());
            refused.await.is(401, "UNAUTHENTICATED", name);
        }
        let theirs = askfile
            .call_with(&keys.stranger, name, arguments.clone())
            .await;
        let nobodys = (tool.arguments)(&unknown());
        let nobodys = askfile.call_with(&keys.stranger, name, nobodys).await;
        assert_eq!(theirs, nobodys, "{name}: another workspace's is as unknown");
        assert_eq!(theirs["code"], "NOT_FOUND", "{name}");
        let others = ALL.split(", ").filter(|one| Some(*one) != tool.need);
        let others = others.collect::<Vec<_>>().join(",");
        let not_for = format!("not for {name}");
        let without = askfile.key(&not_for, &others, &["st-one"]).await;
        let refused = askfile.call_with(&without, name, arguments.clone()).await;
        match tool.need {
            Some("asset:upload") => assert_eq!(refused["code"], "TOOL_NOT_ENABLED", "{name}"),
            Some(_) => assert_eq!(refused["code"], "PERMISSION_DENIED", "{name}"),
            None => assert_eq!(refused["ok"], true, "{name}"),
        }
        let only = tool.need.unwrap_or_default();
        let only = askfile.key(&format!("for {name}"), only, &["st-one"]).await;
        let done = askfile.call_with(&only, name, arguments).await;
        assert_eq!(done["ok"], true, "{name}: {done}");
    }
}

#[tokio::test]
async fn every_resource_answers_everybody_as_it_should() {
    let askfile = Askfile::with_keys().await;
    let keys = Keys::make(&askfile).await;
    let templates = askfile.rpc(Some(&keys.right), "resources/templates/list", json!({}));
    let templates = message(&templates.await)["result"]["resourceTemplates"].take();
    let templates = templates.as_array().unwrap().iter();
    let templates: Vec<_> = templates.map(|template| &template["uriTemplate"]).collect();
    let known = [
        "askfile://{workspace_id}/media/{media_id}",
        "askfile://{workspace_id}/uploads/{upload_id}",
    ];
    assert_eq!(templates, known, "one is not in the table");
    let things = things(&askfile, &keys.right, "st-one").await;
    let read = async |key: &str, uri: &str| {
        let answer = askfile.rpc(Some(key), "resources/read", json!({ "uri": uri }));
        answer.await
    };
    let session = |of: &Things| {
        let link = &of.link;
        format!("askfile://{}/uploads/{}", link.workspace_id, link.upload_id)
    };
    for key in [&keys.revoked, &keys.ended] {
        assert_eq!(read(key, &things.uri).await.status, 401);
        assert_eq!(read(key, &session(&things)).await.status, 401);
    }
    let code = async |key: &str, uri: &str| {
        let mut error = message(&read(key, uri).await)["error"].take();
        error["data"]["code"].take()
    };
    assert_eq!(code(&keys.stranger, &things.uri).await, "NOT_FOUND");
    assert_eq!(code(&keys.stranger, &unknown().uri).await, "NOT_FOUND");
    let blind = askfile.key("blind", "asset:upload", &["st-one"]).await;
    assert_eq!(code(&blind, &things.uri).await, "PERMISSION_DENIED");
    // The words are the same, too, but for the address.
    let mut answers = Vec::new();
    for uri in [session(&things), session(&unknown())] {
        let mut error = message(&read(&keys.stranger, &uri).await)["error"].take();
        assert_eq!(error["data"]["uri"].take(), uri);
        answers.push(error);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0]["data"]["code"], "NOT_FOUND");
    for (key, uri) in [
        (&keys.right, things.uri.clone()),
        (&keys.right, session(&things)),
        (&blind, session(&things)),
    ] {
        let done = message(&read(key, &uri).await);
        assert!(done["result"]["contents"].is_array(), "{done}");
    }
}

#[test]
fn every_route_is_in_the_table() {
    let sources = [
        include_str!("../../src/http.rs"),
        include_str!("../../src/http/mcp.rs"),
        include_str!("../../src/http/oauth.rs"),
        include_str!("../../src/http/rest.rs"),
    ];
    let mut there = BTreeSet::new();
    for source in sources {
        for call in [".route(", ".nest_service("] {
            for rest in source.split(call).skip(1) {
                // By its text, or by the name of a constant.
                let name = rest.split([',', ')']).next().unwrap().trim();
                let constant = format!("const {name}: &str = ");
                let rest = source.split(&constant).nth(1).unwrap_or(rest);
                there.insert(rest.split('"').nth(1).unwrap());
            }
        }
    }
    let known: BTreeSet<&str> = ROUTES.iter().map(|route| route.0).chain(OTHERS).collect();
    assert_eq!(there, known);
}

#[tokio::test]
async fn every_route_answers_everybody_as_it_should() {
    let askfile = Askfile::with_keys().await;
    let keys = Keys::make(&askfile).await;
    let things = things(&askfile, &keys.right, "st-one").await;
    for (route, method, path, lock) in ROUTES {
        let path = path.replace("TOKEN", &things.link.token);
        for (key, opens) in [
            (None, false),
            (Some(&keys.revoked), false),
            (Some(&keys.ended), false),
            (Some(&keys.stranger), true),
            (Some(&keys.right), true),
        ] {
            let mut asked = request(method.clone(), &path);
            if let Some(key) = key {
                asked = asked.header("authorization", format!("Bearer {key}"));
            }
            let answer = askfile.send(asked.body("".into()).unwrap()).await;
            let why = format!("{method} {route} with {key:?}: {answer:?}");
            match lock {
                Lock::Key => assert_eq!(answer.status != 401, opens, "{why}"),
                Lock::Signature => assert!([403, 404].contains(&answer.status.as_u16()), "{why}"),
                Lock::None => assert_eq!(answer.status, 200, "{why}"),
            }
        }
    }
    // The other way round: a signature opens without a key.
    assert_eq!(askfile.send(get(&things.link.path())).await.status, 200);
    let got = json!({ "media_id": things.media });
    let got = askfile.call_with(&keys.right, "media_get", got).await;
    let url = got["download_url"].as_str().unwrap();
    assert_eq!(askfile.send(get(at(url))).await.status, 200);
}

#[tokio::test]
async fn in_open_mode_a_key_is_neither_asked_for_nor_looked_at() {
    let askfile = Askfile::with_keys().await;
    let revoked = Keys::make(&askfile).await.revoked;
    let open = askfile
        .neighbour_with(|settings| settings.auth = Auth::OPEN)
        .await;
    for key in [None, Some(revoked.as_str())] {
        let listed = open.rpc(key, "tools/list", json!({})).await;
        assert_eq!(listed.status, 200, "{key:?}");
    }
}

/// How often each is asked for.
const TRIES: usize = 1_000;

/// The middle of how long each of two takes, asked for in turns.
async fn medians<F: Future>(mut ask: impl FnMut(bool) -> F) -> [Duration; 2] {
    let mut took = [Vec::new(), Vec::new()];
    for n in 0..2 * TRIES {
        let began = Instant::now();
        ask(n % 2 == 0).await;
        took[n % 2].push(began.elapsed());
    }
    took.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    })
}

#[tokio::test]
async fn what_is_another_workspaces_takes_as_long_as_what_is_unknown() {
    let askfile = Askfile::with_keys().await;
    let keys = Keys::make(&askfile).await;
    let things = things(&askfile, &keys.right, "st-one").await;
    let stranger = askfile.caller("timer", ALL, &["st-two"]).await;
    let service = &askfile.service;
    let theirs: UploadId = things.link.upload_id.parse().unwrap();
    let nobodys = UploadId::new(service.now());
    let sessions = medians(|known| {
        service.status(
            &stranger,
            SessionRef::Id(if known { theirs } else { nobodys }),
        )
    });
    let theirs: MediaId = things.media.parse().unwrap();
    let nobodys = MediaId::new(service.now());
    let media = medians(|known| {
        service.media(
            &stranger,
            askfile::store::MediaRef::Id(if known { theirs } else { nobodys }),
        )
    });
    for [known, unknown] in [sessions.await, media.await] {
        let (less, more) = (known.min(unknown), known.max(unknown));
        eprintln!("{known:?} for another's, {unknown:?} for nobody's");
        assert!(more < less * 2, "{known:?} against {unknown:?}");
    }
}
