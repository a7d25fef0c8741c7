//! MCP over HTTP: whose a session is, how many there are, and bodies that do not end.

use askfile::{
    config::{Auth, Settings},
    domain::capability::Capabilities,
    service::keys::KeyRequest,
};
use axum::{
    body::Body,
    http::{Method, Request, header},
    response::Response,
};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::Feed,
    web::{Answer, With, request},
};

const SESSION: &str = "mcp-session-id";

/// A program that speaks MCP as it was before 2026-07-28.
struct Client<'a> {
    askfile: &'a Askfile,
    /// What it shows to be let in.
    authorization: String,
}

impl<'a> Client<'a> {
    /// In `open` mode.
    fn of(askfile: &'a Askfile) -> Self {
        let authorization = String::new();
        Self {
            askfile,
            authorization,
        }
    }

    /// With a key of its own.
    async fn with_key(askfile: &'a Askfile, name: &str) -> Self {
        let secret = askfile.key(name, "asset:upload", &[]).await;
        let authorization = format!("Bearer {secret}");
        Self {
            askfile,
            authorization,
        }
    }

    fn request(&self, method: Method, session: &str, body: impl Into<Body>) -> Request<Body> {
        let mut request = request(method, "/mcp").body(body.into()).unwrap();
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::ACCEPT, "application/json, text/event-stream"),
            (header::AUTHORIZATION, &self.authorization),
        ];
        for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        if session.is_empty() {
            request
        } else {
            request
                .with(SESSION, session)
                .with("mcp-protocol-version", "2025-11-25")
        }
    }

    fn rpc(&self, session: &str, method: &str, params: &Value) -> Request<Body> {
        // Calls that run at the same time in one session are told apart by their ids.
        let message = json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params });
        self.request(Method::POST, session, message.to_string())
    }

    async fn initialize(&self) -> Answer {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "x", "version": "1" },
        });
        let answer = self.askfile.send(self.rpc("", "initialize", &params)).await;
        if answer.status == 200 {
            let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            let session = answer.header(SESSION);
            let ready = self.request(Method::POST, session, ready.to_string());
            assert_eq!(self.askfile.send(ready).await.status, 202);
        }
        answer
    }

    /// Begins a session; gives its id.
    async fn begin(&self) -> String {
        let answer = self.initialize().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.header(SESSION).to_owned()
    }

    /// Whether a session is there, to this client's knowledge.
    async fn has(&self, session: &str) -> bool {
        let answer = self
            .askfile
            .send(self.rpc(session, "ping", &json!({})))
            .await;
        assert!(matches!(answer.status.as_u16(), 200 | 404), "{answer:?}");
        answer.status == 200
    }

    /// Which of these sessions are there.
    async fn alive(&self, sessions: &[String]) -> Vec<bool> {
        let mut alive = Vec::new();
        for session in sessions {
            alive.push(self.has(session).await);
        }
        alive
    }

    /// Begins so many sessions.
    async fn begin_all(&self, count: usize) -> Vec<String> {
        let mut sessions = Vec::new();
        for _ in 0..count {
            sessions.push(self.begin().await);
        }
        sessions
    }

    /// A call in a session that runs until its file is there, or its answer is dropped.
    async fn wait(&self, session: &str, token: &str) -> Response {
        let arguments = json!({ "token": token, "wait_seconds": 45 });
        let call = json!({ "name": "upload_status", "arguments": arguments });
        self.askfile
            .open(self.rpc(session, "tools/call", &call))
            .await
    }
}

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
    assert_eq!(askfile.send(ended).await.status, 202);
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
        clients.push(Client {
            askfile: &askfile,
            authorization: format!("Bearer {}", made.unwrap().1.reveal()),
        });
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
    let of = |authorization: &str| Client {
        askfile: &askfile,
        authorization: authorization.into(),
    };
    for n in 0..8 {
        let refused = of("Bearer askfile_wrong").initialize().await;
        if n < 5 {
            refused.is(401, "UNAUTHENTICATED", "wrong");
        } else {
            refused.is(429, "RATE_LIMITED", "wrong too often");
            assert_eq!(refused.header("retry-after"), "12");
        }
        of("")
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
