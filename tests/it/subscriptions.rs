//! Sessions and files as resources that tell who subscribed to them of each change.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use askfile::{intake::scan::Clamd, mcp::Tools};
use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Method, Request, header},
};
use rmcp::{
    model::{ErrorCode, ResourceContents},
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{
    Askfile, PNG,
    agent::Agent,
    body::Feed,
    keys::{ALL, mcp, message},
    legacy::Client,
    listening::{Listening, SILENCE, TOLD},
    mins, secs,
    web::{Link, get, press, put},
};

fn media_uri(link: &Link, media: &Value) -> String {
    let media = media.as_str().unwrap();
    format!("askfile://{}/media/{media}", link.workspace_id)
}

impl Agent {
    /// The next resource that changed; it is told by a signal.
    async fn told(&self) -> String {
        timeout(TOLD, self.updated()).await.expect("it is told")
    }

    /// Hears of this resource until it reads as wanted.
    async fn told_until(&self, uri: &str, pointer: &str, wanted: &str) -> Value {
        loop {
            assert_eq!(self.told().await, uri);
            let read = self.read_json(uri).await;
            if read.pointer(pointer) == Some(&json!(wanted)) {
                return read;
            }
        }
    }

    /// Hears what is still on its way: what was read may be newer than what was told.
    async fn hears_out(&self) {
        while timeout(SILENCE, self.updated()).await.is_ok() {}
    }

    async fn read_json(&self, uri: &str) -> Value {
        match self.read(uri).await.unwrap() {
            ResourceContents::TextResourceContents {
                text, mime_type, ..
            } => {
                assert_eq!(mime_type.as_deref(), Some("application/json"));
                serde_json::from_str(&text).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Askfile {
    async fn listen(&self, key: Option<&str>, uris: &[&str]) -> Listening {
        let wanted = json!({ "notifications": { "resourceSubscriptions": uris } });
        let answer = self.open(mcp(key, "subscriptions/listen", wanted)).await;
        Listening::of(answer)
    }
}

#[tokio::test]
async fn a_session_is_read_as_upload_status_tells_it() {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    let link = askfile.link().await;
    let uri = link.uri();
    assert_eq!(agent.read_json(&uri).await, askfile.status(&link).await);
    askfile.put(&link, PNG).await;
    let read = agent.read_json(&uri).await;
    assert_eq!(read, askfile.status(&link).await);
    assert_eq!(read["status"], "completed");
    assert!(read["suggestions"].is_array());

    let nobodys = "11111111-2222-4333-8444-555555555555";
    for other in [
        uri.replace(&link.workspace_id, nobodys),
        uri.replace(&link.upload_id, "upl_01M8380FXE820S658M8ND48WFJ"),
        uri.replace(&link.upload_id, &link.token),
    ] {
        let refused = agent.read(&other).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::RESOURCE_NOT_FOUND, "{other}");
        let subscribed = agent.subscribe(&other).await.unwrap_err();
        assert_eq!(subscribed, refused, "{other}");
    }
}

#[tokio::test]
async fn who_subscribed_is_told_of_each_change_until_they_unsubscribe() {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    let uri = link.uri();
    agent.subscribe(&uri).await.unwrap();
    askfile.send(get(&link.path())).await;
    agent.told_until(&uri, "/phase", "opened").await;
    let refused = askfile.send(put(&link, "\0\0")).await;
    refused.is(422, "MIME_NOT_ALLOWED", "nobody knows what it is");
    agent
        .told_until(&uri, "/last_error/code", "MIME_NOT_ALLOWED")
        .await;
    let (feed, body) = Feed::new();
    feed.send(&PNG[..20]);
    let sending = tokio::spawn(askfile.open(put(&link, body)));
    agent.told_until(&uri, "/phase", "receiving").await;
    feed.send(&PNG[20..]);
    drop(feed);
    assert_eq!(sending.await.unwrap().status(), 201);
    agent.told_until(&uri, "/phase", "opened").await;
    askfile.put(&link, PNG).await;
    agent.told_until(&uri, "/status", "completed").await;
    let post = json!({ "target_type": "post", "target_id": "7", "upload_id": link.upload_id });
    askfile.call("attach_media", post).await;
    let consumed = agent.told_until(&uri, "/status", "consumed").await;

    let media = consumed.pointer("/result/media/0/media_id").unwrap();
    agent.hears_out().await;
    let gone = json!({ "media_id": media, "force": true });
    askfile.call("media_delete", gone).await;
    assert_eq!(agent.told().await, uri, "it has one file less");

    let other = askfile.link().await;
    let sentinel = other.uri();
    agent.subscribe(&sentinel).await.unwrap();
    agent.unsubscribe(&uri).await;
    agent.unsubscribe("askfile://nothing").await;
    let media = consumed.pointer("/result/media/1/media_id").unwrap();
    let gone = json!({ "media_id": media, "force": true });
    askfile.call("media_delete", gone).await;
    tokio::time::sleep(SILENCE).await;
    askfile.send(press(&other.below("/decline"))).await;
    assert_eq!(agent.told().await, sentinel, "nothing before");
}

#[tokio::test]
async fn who_subscribed_is_told_that_a_link_has_lapsed() {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    let link = askfile.link().await;
    let uri = link.uri();
    agent.subscribe(&uri).await.unwrap();
    askfile.clock.advance(mins(15));
    // No sweep comes by: it is time alone.
    let told = timeout(Duration::from_secs(9), agent.updated()).await;
    assert_eq!(told.unwrap(), uri);
    assert_eq!(agent.read_json(&uri).await["status"], "expired");
}

#[tokio::test]
async fn no_last_state_of_a_hundred_sessions_is_missed() {
    let askfile = Askfile::start_with(|settings| settings.rate_limit_uploads_per_minute = 0);
    let askfile = Arc::new(askfile.await);
    let agent = askfile.agent("Claude").await;
    let mut links = Vec::new();
    for _ in 0..100 {
        let link = askfile.link().await;
        agent.subscribe(&link.uri()).await.unwrap();
        links.push(link);
    }
    let mut expected: HashMap<String, &str> = HashMap::new();
    let mut ending = tokio::task::JoinSet::new();
    for (n, link) in links.into_iter().enumerate() {
        let ended = ["completed", "completed", "declined", "cancelled"][n % 4];
        expected.insert(link.uri(), ended);
        let askfile = Arc::clone(&askfile);
        ending.spawn(async move {
            match ended {
                "completed" => drop(askfile.put(&link, PNG).await),
                "declined" => drop(askfile.send(press(&link.below("/decline"))).await),
                _ => drop(
                    askfile
                        .call("upload_cancel", json!({ "token": link.token }))
                        .await,
                ),
            }
        });
    }
    while let Some(ended) = ending.join_next().await {
        ended.unwrap();
    }
    while !expected.is_empty() {
        let uri = agent.told().await;
        let status = agent.read_json(&uri).await["status"].take();
        if expected.get(&uri).is_some_and(|wanted| status == **wanted) {
            expected.remove(&uri);
        }
    }
}

#[tokio::test]
async fn who_listens_is_told_how_it_stands_then_of_each_change() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    askfile.workspace("st-two").await;
    let ana = askfile.key("ana", ALL, &["st-one"]).await;
    let bo = askfile.key("bo", ALL, &["st-two"]).await;
    let made = async |key| Link::of(&askfile.call_with(key, "upload_create", json!({})).await);
    let (early, late, bos) = (made(&ana).await, made(&ana).await, made(&bo).await);
    let (early_uri, late_uri, bos_uri) = (early.uri(), late.uri(), bos.uri());
    // As if it came between what is answered and the listening: nobody is told of it any more.
    askfile.put(&early, PNG).await;
    let unknown = early_uri.replace(&early.upload_id, "upl_01M8380FXE820S658M8ND48WFJ");
    let wanted = [
        &early_uri,
        &late_uri,
        &bos_uri,
        &unknown,
        &late_uri,
        "file:///etc/passwd",
        "askfile://x/uploads/y",
    ];
    let mut listening = askfile.listen(Some(&ana), &wanted).await;
    let accepted = listening.accepted().await["resourceSubscriptions"].take();
    let ours = json!([early_uri, late_uri, bos_uri, unknown, late_uri]);
    assert_eq!(accepted, ours, "whose they are is not told");
    let first = HashSet::from([listening.told().await, listening.told().await]);
    assert_eq!(first, HashSet::from([early_uri, late_uri.clone()]));

    askfile.put(&bos, PNG).await;
    assert!(listening.is_silent().await, "it is somebody else's");
    askfile.send(press(&late.below("/decline"))).await;
    assert_eq!(listening.told().await, late_uri);
    assert!(listening.is_silent().await);
    let read = askfile.rpc(Some(&ana), "resources/read", json!({ "uri": late_uri }));
    let read = message(&read.await)["result"]["contents"][0]["text"].take();
    assert!(read.as_str().unwrap().contains("declined"), "{read}");
}

#[tokio::test]
async fn a_revoked_key_ends_what_it_listens_to() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("laptop", ALL, &[]).await;
    let made = askfile.call_with(&key, "upload_create", json!({})).await;
    let uri = Link::of(&made).uri();
    let mut listening = askfile.listen(Some(&key), &[&uri]).await;
    listening.accepted().await;
    assert_eq!(listening.told().await, uri);
    let operator = askfile.service.operator("a test");
    // Which cancels its links, too; that is nothing that it is told.
    let revoked = askfile.service.revoke_key(&operator, "laptop").await;
    assert_eq!(revoked.unwrap().1, 1);
    let last = listening.next().await.unwrap();
    assert!(last["result"].is_object(), "{last}");
    assert_eq!(listening.next().await, None);
}

#[tokio::test]
async fn a_session_tells_on_whoever_comes_with_a_new_secret() {
    let askfile = Askfile::with_keys().await;
    let old = askfile.key("laptop", ALL, &[]).await;
    let client = Client::showing(&askfile, &old);
    let session = client.begin().await;
    let made = async || Link::of(&askfile.call_with(&old, "upload_create", json!({})).await);
    let (first, second) = (made().await, made().await);
    client.subscribe(&session, &first.uri()).await;
    client.subscribe(&session, &second.uri()).await;
    let mut hearing = client.hear(&session).await;
    let new = askfile.rotate("laptop").await;
    let client = Client::showing(&askfile, &new);
    assert!(client.has(&session).await);
    askfile.clock.advance(secs(2));
    askfile.put(&first, PNG).await;
    assert_eq!(hearing.told().await, first.uri());
    hearing.hears_out().await;

    // Now the newer one comes late, and with nothing but a stream.
    let newer = askfile.rotate("laptop").await;
    askfile.clock.advance(secs(2));
    askfile.put(&second, PNG).await;
    let told = hearing.last().await;
    let is_of_second = |message: &Value| message["params"]["uri"] == second.uri();
    assert!(
        !told.iter().any(is_of_second),
        "what it has opens nothing: {told:?}"
    );
    let mut hearing = Client::showing(&askfile, &newer).hear(&session).await;
    while !is_of_second(&hearing.next().await.unwrap()) {}
}

#[tokio::test]
async fn a_session_of_a_revoked_key_tells_nothing() {
    let askfile = Askfile::with_keys().await;
    let others = askfile.key("other", ALL, &[]).await;
    let key = askfile.key("laptop", ALL, &[]).await;
    let client = Client::showing(&askfile, &key);
    let session = client.begin().await;
    let link = Link::of(&askfile.call_with(&others, "upload_create", json!({})).await);
    client.subscribe(&session, &link.uri()).await;
    let mut hearing = client.hear(&session).await;
    askfile.send(get(&link.path())).await;
    assert_eq!(hearing.told().await, link.uri());
    let operator = askfile.service.operator("a test");
    let revoked = askfile.service.revoke_key(&operator, "laptop").await;
    revoked.unwrap();
    while let Some(told) = hearing.next().await {
        assert_eq!(told["method"], "notifications/tools/list_changed");
    }
    let again = client.request(Method::GET, &session, Body::empty());
    assert_eq!(askfile.send(again).await.status, 401);
    assert!(
        !Client::showing(&askfile, &others).has(&session).await,
        "it is another key's"
    );
}

#[tokio::test]
async fn a_key_that_may_not_read_files_is_not_told_of_them() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("blind", "asset:upload", &[]).await;
    let link = Link::of(&askfile.call_with(&key, "upload_create", json!({})).await);
    let media = askfile.put(&link, PNG).await["media_id"].take();
    let (uri, session) = (media_uri(&link, &media), link.uri());
    let mut listening = askfile.listen(Some(&key), &[&uri, &session]).await;
    listening.accepted().await;
    assert_eq!(listening.told().await, session);
    assert!(listening.is_silent().await);
}

#[tokio::test]
async fn a_server_that_stops_ends_what_is_listened_to() {
    let askfile = Askfile::start().await;
    let uri = askfile.link().await.uri();
    let mut listening = askfile.listen(None, &[&uri]).await;
    listening.accepted().await;
    listening.told().await;
    askfile.service.close();
    let last = listening.next().await.unwrap();
    assert!(last["result"].is_object(), "{last}");
}

#[tokio::test]
async fn a_file_tells_that_it_was_judged_and_that_it_is_gone() {
    let askfile = Askfile::start_with(|settings| {
        settings.scan_clamd = Some(Clamd::Tcp("127.0.0.1:1".into()));
    });
    let askfile = askfile.await;
    let agent = askfile.agent("Claude").await;
    let link = askfile.link().await;
    let receipt = askfile.send(put(&link, "Words.")).await.json();
    let uri = media_uri(&link, &receipt["media_id"]);
    let others = uri.replace(&link.workspace_id, "11111111-2222-4333-8444-555555555555");
    let refused = agent.subscribe(&others).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::RESOURCE_NOT_FOUND);
    agent.subscribe(&uri).await.unwrap();
    let code = async || agent.read(&uri).await.unwrap_err().data.unwrap()["code"].take();
    assert_eq!(code().await, "SCAN_PENDING");
    askfile.clock.advance(secs(24 * 3_600 + 60));
    askfile.service.check_due().await.unwrap();
    assert_eq!(agent.told().await, uri);
    assert_eq!(code().await, "SCAN_BLOCKED");
    let gone = json!({ "media_id": receipt["media_id"] });
    askfile.call("media_delete", gone).await;
    assert_eq!(agent.told().await, uri);
    assert_eq!(code().await, "NOT_FOUND");
    let refused = agent.subscribe(&uri).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::RESOURCE_NOT_FOUND);
}

#[tokio::test]
async fn nobody_subscribes_to_too_many() {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    let mut uris = Vec::new();
    for n in 0..129 {
        let link = askfile.link().await;
        uris.push(link.uri());
        let subscribed = agent.subscribe(&uris[n]).await;
        assert_eq!(subscribed.is_ok(), n < 128, "{n}: {subscribed:?}");
    }
    let refused = agent.subscribe(&uris[128]).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::INVALID_PARAMS);
    assert!(refused.message.contains("128"), "{refused}");
    agent.subscribe(&uris[0]).await.unwrap();
    agent.unsubscribe(&uris[0]).await;
    agent.subscribe(&uris[128]).await.unwrap();
    let other = askfile.agent("Cursor").await;
    other.subscribe(&uris[0]).await.unwrap();

    let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
    let mut listening = askfile.listen(None, &uris).await;
    assert_eq!(listening.accepted().await, json!({}));
    let refused = listening.next().await.unwrap();
    assert!(refused["error"].to_string().contains("128"), "{refused}");
    let mut listening = askfile.listen(None, &uris[..128]).await;
    listening.accepted().await;
    for _ in 0..128 {
        listening.told().await;
    }
}

#[tokio::test]
async fn nobody_follows_too_much_over_all_that_listen() {
    let askfile = Askfile::start().await;
    let mut uris = Vec::new();
    for _ in 0..128 {
        uris.push(askfile.link().await.uri());
    }
    let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
    let mut listens = Vec::new();
    // Who listens counts as well as what they follow.
    for many in [128, 128, 128, 128, 128, 128, 128, 120] {
        let mut listening = askfile.listen(None, &uris[..many]).await;
        listening.accepted().await;
        for _ in 0..many {
            listening.told().await;
        }
        listens.push(listening);
    }
    let mut refused = askfile.listen(None, &[]).await;
    refused.accepted().await;
    let last = refused.next().await.unwrap();
    assert!(last["error"].to_string().contains("1024"), "{last}");
    let client = Client::of(&askfile);
    let session = client.begin().await;
    let subscribe = client.rpc(&session, "resources/subscribe", &json!({ "uri": uris[0] }));
    let last = message(&askfile.send(subscribe).await);
    assert!(last["error"].to_string().contains("1024"), "{last}");

    let mut others = mcp(None, "subscriptions/listen", json!({ "notifications": {} }));
    let from: SocketAddr = "127.0.0.2:9".parse().unwrap();
    others.extensions_mut().insert(ConnectInfo(from));
    let mut others = Listening::of(askfile.open(others).await);
    others.accepted().await;
    assert!(others.is_silent().await, "it is from elsewhere");

    listens.pop();
    client.subscribe(&session, uris[0]).await;
}

#[tokio::test]
async fn who_listens_is_charged_for_it() {
    let askfile = Askfile::start_with(|settings| {
        settings.rate_limit_tool_calls_per_minute = 2;
    });
    let askfile = askfile.await;
    for n in 0..3 {
        let wanted = json!({ "notifications": { "toolsListChanged": true } });
        let listen = mcp(None, "subscriptions/listen", wanted);
        let mut listening = Listening::of(askfile.open(listen).await);
        listening.accepted().await;
        if n < 2 {
            assert!(listening.is_silent().await, "{n}");
        } else {
            let last = listening.next().await.unwrap();
            assert_eq!(last["error"]["data"]["code"], "RATE_LIMITED", "{last}");
        }
    }
}

#[tokio::test]
async fn who_subscribes_again_is_told_what_they_may_have_missed() {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    let link = askfile.link().await;
    let uri = link.uri();
    agent.subscribe(&uri).await.unwrap();
    assert!(timeout(SILENCE, agent.updated()).await.is_err());
    agent.subscribe(&uri).await.unwrap();
    assert_eq!(agent.told().await, uri);
    askfile.send(press(&link.below("/decline"))).await;
    assert_eq!(agent.told().await, uri);
}

#[tokio::test]
async fn what_one_connection_ends_goes_on_in_others() {
    let askfile = Askfile::start().await;
    let tools = Tools::new(askfile.service.clone());
    let one = Agent::connect_to(tools.clone(), "one").await;
    let other = Agent::connect_to(tools, "other").await;
    let link = askfile.link().await;
    let uri = link.uri();
    one.subscribe(&uri).await.unwrap();
    other.subscribe(&uri).await.unwrap();
    one.unsubscribe(&uri).await;
    askfile.send(press(&link.below("/decline"))).await;
    assert_eq!(other.told().await, uri);
    assert!(timeout(SILENCE, one.updated()).await.is_err());
}

#[tokio::test]
async fn what_can_no_longer_change_takes_no_place() {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    let ended = askfile.link().await;
    askfile.send(press(&ended.below("/decline"))).await;
    agent.subscribe(&ended.uri()).await.unwrap();
    for _ in 0..129 {
        let link = askfile.link().await;
        let uri = link.uri();
        agent.subscribe(&uri).await.unwrap();
        askfile.send(press(&link.below("/decline"))).await;
        assert_eq!(agent.told().await, uri);
    }
}

#[tokio::test]
async fn nothing_is_promised_where_there_are_no_sessions() {
    let askfile = Askfile::start().await;
    let tools = Tools::new(askfile.service.clone()).without_sessions();
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let sessions = Arc::<NeverSessionManager>::default();
    let server = StreamableHttpService::new(move || Ok(tools.clone()), sessions, config);
    let ask = async |method: &str, params: Value| -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = Request::builder()
            .method(Method::POST)
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let body = Body::new(server.handle(request).await.into_body());
        serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap()
    };
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "x", "version": "1" },
    });
    let hello = ask("initialize", hello).await;
    let able = &hello["result"]["capabilities"];
    assert_eq!(able["resources"], json!({}), "{hello}");
    assert_eq!(able["tools"], json!({}), "{hello}");
    let uri = askfile.link().await.uri();
    let refused = ask("resources/subscribe", json!({ "uri": uri })).await;
    assert_eq!(refused["error"]["data"]["code"], "INVALID_ARGUMENT");
}
