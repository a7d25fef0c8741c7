//! MCP over HTTP: whose a session is, how many there are, and bodies that do not end.

use askfile::{
    config::{Auth, Settings},
    domain::capability::Capabilities,
    service::keys::KeyRequest,
};
use axum::{
    body::Body,
    http::{Method, Request},
    response::Response,
};
use serde_json::json;

use crate::harness::{Askfile, PNG, body::Feed, legacy::Client, listening::SILENCE, web::press};

fn with_keys(settings: &mut Settings) {
    settings.auth = Auth::KEYS;
    settings.max_mcp_sessions = 8;
}

fn open(settings: &mut Settings) {
    settings.max_mcp_sessions = 8;
}

#[tokio::test]
async fn of_too_many_sessions_the_one_that_was_left_alone_longest_ends() {
    let askfile = Askfile::start_with(open).await;
    let client = Client::of(&askfile);
    let (first, second) = (client.begin().await, client.begin().await);
    assert!(client.has(&first).await);
    let third = client.begin().await;
    assert_eq!(
        client.alive(&[first, second, third]).await,
        [true, false, true]
    );
}

#[tokio::test]
async fn who_floods_the_server_with_sessions_ends_their_own() {
    let askfile = Askfile::start_with(with_keys).await;
    let (ana, bo) = (
        Client::with_key(&askfile, "Ana").await,
        Client::with_key(&askfile, "Bo").await,
    );
    let bos = bo.begin_all(2).await;
    let anas = ana.begin_all(50).await;
    let alive = bo.alive(&bos).await;
    assert_eq!(alive, [true; 2], "of who came first and said nothing since");
    assert_eq!(ana.alive(&anas[46..]).await, [false, false, true, true]);
}

#[tokio::test]
async fn when_all_places_are_taken_who_has_most_gives_one_up() {
    let askfile = Askfile::start_with(with_keys).await;
    let mut clients = Vec::new();
    for name in ["A", "B", "C", "D", "E", "F"] {
        clients.push(Client::with_key(&askfile, name).await);
    }
    let mut sessions = Vec::new();
    for (client, count) in clients.iter().zip([1, 2, 2, 2, 1, 1]) {
        sessions.push(client.begin_all(count).await);
    }
    let mut alive = Vec::new();
    for (client, its) in clients.iter().zip(&sessions) {
        alive.push(client.alive(its).await);
    }
    let expected: [&[bool]; 6] = [
        &[true],
        &[false, true],
        &[true; 2],
        &[true; 2],
        &[true],
        &[true],
    ];
    assert_eq!(alive, expected);
}

#[tokio::test]
async fn a_session_in_which_a_call_runs_is_not_ended() {
    let askfile = Askfile::start_with(open).await;
    let client = Client::of(&askfile);
    let link = askfile.link().await;
    let waiting = client.begin().await;
    let call = client.wait(&waiting, &link.token).await;
    let others = client.begin_all(3).await;
    assert_eq!(client.alive(&others).await, [false, false, true]);

    let second = client.wait(&others[2], &link.token).await;
    let refused = client.initialize().await;
    refused.is(503, "BUSY", "calls run in both");
    assert_eq!(refused.header("retry-after"), "5");
    assert!(client.has(&waiting).await);

    drop(second);
    let newest = client.begin().await;
    let sessions = [waiting, others[2].clone(), newest];
    assert_eq!(client.alive(&sessions).await, [true, false, true]);
    askfile.put(&link, PNG).await;
    assert!(told(call).await.contains("completed"));
}

#[tokio::test]
async fn a_session_whose_client_listens_goes_after_all_others() {
    let askfile = Askfile::start_with(open).await;
    let client = Client::of(&askfile);
    let link = askfile.link().await;
    let listening = client.begin().await;
    client.subscribe(&listening, &link.uri()).await;
    let mut hearing = client.hear(&listening).await;
    let others = client.begin_all(3).await;
    assert_eq!(client.alive(&others).await, [false, false, true]);
    askfile.send(press(&link.below("/decline"))).await;
    assert_eq!(hearing.told().await, link.uri());

    // Both listen, so it is the one that was used last that stays.
    let _other = client.hear(&others[2]).await;
    let newest = client.begin().await;
    let sessions = [listening, others[2].clone(), newest];
    assert_eq!(client.alive(&sessions).await, [false, true, true]);
    assert_eq!(hearing.next().await, None);
}

#[tokio::test]
async fn of_several_streams_the_newest_is_the_one_to_hear_by() {
    let askfile = Askfile::start_with(open).await;
    let client = Client::of(&askfile);
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    let session = client.begin().await;
    client.subscribe(&session, &link.uri()).await;
    // Nobody reads it, and nobody closes it: a network that is gone says nothing.
    let mut before = client.hear(&session).await;
    askfile.put(&link, PNG).await;
    let mut since = client.hear(&session).await;
    assert_eq!(since.told().await, link.uri(), "it is told again");
    since.hears_out().await;
    askfile.send(press(&link.below("/decline"))).await;
    assert_eq!(since.told().await, link.uri());
    // Whoever read it and saw it end would open it anew, and end this one by it.
    assert!(before.is_silent().await);
    assert!(since.is_silent().await);
    let hang_up = async {
        tokio::time::sleep(SILENCE).await;
        drop(since);
    };
    let (ended, ()) = tokio::join!(before.next(), hang_up);
    assert_eq!(ended, None, "so its client opens another");
    let mut last = client.hear(&session).await;
    assert_eq!(last.told().await, link.uri());
}

#[tokio::test]
async fn of_too_many_streams_the_oldest_ends() {
    let askfile = Askfile::start().await;
    let client = Client::of(&askfile);
    let session = client.begin().await;
    let mut streams = Vec::new();
    for _ in 0..9 {
        streams.push(client.hear(&session).await);
    }
    assert_eq!(streams[0].next().await, None);
    assert!(streams[1].is_silent().await);
}

/// All that a call answers with.
async fn told(answer: Response) -> String {
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
    String::from_utf8(body.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_session_is_to_others_as_if_it_did_not_exist() {
    let askfile = Askfile::start_with(with_keys).await;
    let (ana, bo) = (
        Client::with_key(&askfile, "Ana").await,
        Client::with_key(&askfile, "Bo").await,
    );
    let anas = ana.begin().await;
    let list = |session: &str| bo.rpc(session, "tools/list", &json!({}));
    let get = |session: &str| bo.request(Method::GET, session, Body::empty());
    let delete = |session: &str| bo.request(Method::DELETE, session, Body::empty());
    for request in [&list as &dyn Fn(&str) -> Request<Body>, &get, &delete] {
        let hers = askfile.send(request(&anas)).await;
        let nobodys = askfile
            .send(request("00000000-0000-4000-8000-000000000000"))
            .await;
        assert_eq!((hers.status, hers.body), (nobodys.status, nobodys.body));
        assert_eq!(hers.headers, nobodys.headers);
    }
    assert_eq!(askfile.send(list(&anas)).await.status, 404);
    assert!(ana.has(&anas).await);
    let ended = ana.request(Method::DELETE, &anas, Body::empty());
    let ended = askfile.send(ended).await;
    assert_eq!((ended.status.as_u16(), ended.body.len()), (204, 0));
    assert!(!ana.has(&anas).await);
}

#[tokio::test]
async fn a_session_is_its_keys_and_not_another_ones_of_the_same_person() {
    let askfile = Askfile::start_with(with_keys).await;
    let operator = askfile.service.operator("a test");
    let mut clients = Vec::new();
    for name in ["one", "two"] {
        let request = KeyRequest {
            name: name.into(),
            person: Some(("Ana".into(), Some("ana@example.com".into()))),
            workspaces: Vec::new(),
            capabilities: Capabilities::ALL,
            expires_in: None,
        };
        let made = askfile.service.create_key(&operator, request).await;
        clients.push(Client::showing(&askfile, made.unwrap().1.reveal()));
    }
    let session = clients[0].begin().await;
    assert!(!clients[1].has(&session).await);
    let end = clients[1].request(Method::DELETE, &session, Body::empty());
    askfile.send(end).await;
    assert!(clients[0].has(&session).await, "nobody else ends it");
}

#[tokio::test]
async fn wrong_keys_are_slowed_down_and_right_ones_are_not() {
    let askfile = Askfile::start_with(|settings| {
        with_keys(settings);
        settings.rate_limit_wrong_per_minute = 5;
    });
    let askfile = askfile.await;
    let ana = Client::with_key(&askfile, "Ana").await;
    for n in 0..8 {
        let wrong = Client::showing(&askfile, "askfile_wrong");
        let refused = wrong.initialize().await;
        if n < 5 {
            refused.is(401, "UNAUTHENTICATED", "wrong");
        } else {
            refused.is(429, "RATE_LIMITED", "wrong too often");
            assert_eq!(refused.header("retry-after"), "12");
        }
        Client::of(&askfile)
            .initialize()
            .await
            .is(401, "UNAUTHENTICATED", "none at all");
        ana.begin().await;
    }
}

#[tokio::test]
async fn a_request_that_does_not_come_in_is_not_waited_for_and_an_answer_is() {
    let askfile = Askfile::start().await;
    let client = Client::of(&askfile);
    let link = askfile.link().await;
    let session = client.begin().await;
    let call = client.wait(&session, &link.token).await;

    let (feed, body) = Feed::new();
    let dribbling = tokio::spawn(async move {
        loop {
            feed.send(b" ");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    let refused = askfile.send(client.request(Method::POST, "", body)).await;
    dribbling.abort();
    refused.is(422, "INVALID_ARGUMENT", "after ten seconds");
    assert_eq!(refused.json()["message"], "The body did not come in time.");

    askfile.put(&link, PNG).await;
    assert!(told(call).await.contains("completed"));
}

#[tokio::test]
async fn a_request_is_small() {
    let askfile = Askfile::start().await;
    let client = Client::of(&askfile);
    let large = " ".repeat(256 * 1024 + 1);
    let refused = askfile.send(client.request(Method::POST, "", large)).await;
    refused.is(422, "INVALID_ARGUMENT", "one byte too large");
}
