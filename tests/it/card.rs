//! The card that a chat shows, and what it reaches.

use std::time::Instant;

use askfile::config::Auth;
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::Form,
    keys::{ALL, message},
    web::{Answer, Link, With, get, post, press, request},
};

const URI: &str = "ui://askfile/card.html";

/// As a frame sends it that has no origin of its own.
fn framed(request: Request<Body>) -> Request<Body> {
    request
        .with("origin", "null")
        .with("sec-fetch-site", "cross-site")
        .with("accept", "application/json")
}

fn may_be_read(answer: &Answer) {
    let allowed = answer.header("access-control-allow-origin");
    assert_eq!(allowed, "*", "{answer:?}");
    let headers = format!("{:?}", answer.headers);
    assert!(!headers.contains("allow-credentials"), "{headers}");
}

#[tokio::test]
async fn the_card_is_read_and_may_talk_to_where_links_lead_alone() {
    let askfile = Askfile::start_with(|settings| {
        settings.auth = Auth::KEYS;
        settings.public_url = Some("https://files.example/up".into());
    });
    let askfile = askfile.await;
    let key = askfile.key("agent", ALL, &[]).await;
    let listed = askfile.rpc(Some(&key), "resources/list", json!({})).await;
    let listed = message(&listed)["result"]["resources"].take();
    assert_eq!(listed[0]["uri"], URI);
    assert_eq!(listed[0]["mimeType"], "text/html;profile=mcp-app");
    let params = json!({ "uri": URI });
    let read = askfile.rpc(Some(&key), "resources/read", params).await;
    let card = message(&read)["result"]["contents"][0].take();
    assert_eq!(card["mimeType"], "text/html;profile=mcp-app");
    let ui = &card["_meta"]["ui"];
    assert_eq!(
        ui["csp"],
        json!({ "connectDomains": ["https://files.example"] })
    );
    assert_eq!(ui["permissions"], json!({ "camera": {} }));
    assert!(ui["domain"].is_null());
    let html = card["text"].as_str().unwrap();
    assert!(html.starts_with("<!doctype html>") && html.len() < 40_000);

    let tools = askfile.rpc(Some(&key), "tools/list", json!({})).await;
    let tools = message(&tools)["result"]["tools"].take();
    for tool in tools.as_array().unwrap() {
        let shows = ["upload_create", "upload_request"].contains(&tool["name"].as_str().unwrap());
        let meta = &tool["_meta"];
        for name in [
            &meta["ui"]["resourceUri"],
            &meta["ui/resourceUri"],
            &meta["openai/outputTemplate"],
        ] {
            assert_eq!(name == URI, shows, "{tool}");
        }
    }
}

#[tokio::test]
async fn who_shows_a_card_never_waits() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("agent", ALL, &[]).await;
    let ui = json!({ "extensions": { "io.modelcontextprotocol/ui": {} } });
    let call = async |capabilities: Value, tool: &str, arguments: Value| {
        let params = json!({
            "name": tool,
            "arguments": arguments,
            "_meta": { "io.modelcontextprotocol/clientCapabilities": capabilities },
        });
        let began = Instant::now();
        let answer = askfile.rpc(Some(&key), "tools/call", params).await;
        let answer = message(&answer)["result"]["structuredContent"].take();
        (answer, began.elapsed().as_millis() >= 400)
    };
    let asks = json!({ "wait": true, "timeout": 0.4 });
    let (asked, has_waited) = call(ui.clone(), "upload_create", asks.clone()).await;
    assert!(!has_waited && asked["waited_seconds"].is_null());
    assert!(
        call(json!({}), "upload_create", asks).await.1,
        "others wait"
    );

    // Nor does who goes on: the card shows how it stands, and then how it ends.
    let again = json!({ "token": asked["token"], "timeout": 0.4 });
    let (standing, has_waited) = call(ui.clone(), "upload_request", again.clone()).await;
    assert_eq!(standing["outcome"], "pending");
    assert!(!has_waited && standing["waited_seconds"].is_null());
    let waited = call(json!({}), "upload_request", again.clone()).await;
    assert!(waited.1, "others wait");
    let link = Link::of(&asked);
    let sent = askfile.send(post(&link, Form::with("a.png", PNG))).await;
    assert_eq!(sent.status, 201);
    let (ended, _) = call(ui, "upload_request", again).await;
    assert_eq!(ended["outcome"], "uploaded");
    assert_eq!(ended["result"]["media"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_frame_without_an_origin_does_what_the_page_does() {
    let askfile = Askfile::start().await;
    let link = askfile
        .ask(json!({ "prompt": "A photo", "max_files": 3 }))
        .await;
    let facts = askfile.send(framed(get(&link.below("/card")))).await;
    may_be_read(&facts);
    let facts = facts.json();
    assert_eq!(facts["status"], "pending");
    assert_eq!(facts["prompt"], "A photo");
    assert_eq!(facts["limits"]["max_files"], 3);
    assert_eq!(facts["accepted"], "pictures, videos, sound, documents");
    assert_eq!(facts["texts"]["card"]["open"], "Open the page");
    let spanish = framed(get(&link.below("/card"))).with("accept-language", "es");
    assert_eq!(askfile.send(spanish).await.json()["language"], "es");
    // Chats show cards by themselves: nobody has opened anything.
    assert_eq!(askfile.status(&link).await["phase"], "waiting");

    let asked = [
        ("origin", "null"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "askfile-attempt"),
    ];
    let mut preflight = request(Method::OPTIONS, &link.path());
    for (name, value) in asked {
        preflight = preflight.header(name, value);
    }
    let preflight = askfile.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(preflight.status, 200);
    may_be_read(&preflight);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains("askfile-attempt")
    );

    let sent = askfile
        .send(framed(post(&link, Form::with("a.png", PNG))))
        .await;
    assert_eq!(sent.status, 201);
    may_be_read(&sent);
    let refused = askfile.send(framed(post(&link, Form::default()))).await;
    refused.is(422, "FILE_MISSING", "an empty form");
    may_be_read(&refused);
    let done = askfile.send(framed(press(&link.below("/done")))).await;
    assert_eq!(done.json()["status"], "completed");
    may_be_read(&done);
    let over = askfile.send(framed(get(&link.below("/card")))).await.json();
    assert_eq!(over["status"], "completed");
    assert!(
        over["prompt"].is_null() && over["limits"].is_null(),
        "{over}"
    );
}

#[tokio::test]
async fn frames_reach_signed_links_and_nothing_else() {
    let askfile = Askfile::start().await;
    let link: Link = askfile.ask(json!({})).await;
    let wrong = framed(get(&format!("{}0", link.below("/card"))));
    askfile
        .send(wrong)
        .await
        .is(403, "LINK_INVALID", "a signature");
    for path in ["/mcp", "/v1/uploads", "/healthz", "/assets/page.js"] {
        let answer = askfile.send(framed(get(path))).await;
        let headers = answer
            .headers
            .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        assert!(!headers, "{path}: {answer:?}");
    }
}
