//! Programs that speak MCP over HTTP as it was before 2026-07-28, in sessions.

use axum::{
    body::Body,
    http::{Method, Request, header},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    Askfile,
    keys::message,
    listening::Listening,
    web::{Answer, With, request},
};

const SESSION: &str = "mcp-session-id";

/// A program that speaks MCP as it was before 2026-07-28.
pub struct Client<'a> {
    askfile: &'a Askfile,
    /// What it shows to be let in.
    authorization: String,
}

impl<'a> Client<'a> {
    /// In `open` mode.
    pub fn of(askfile: &'a Askfile) -> Self {
        let authorization = String::new();
        Self {
            askfile,
            authorization,
        }
    }

    /// With a key that there is.
    pub fn showing(askfile: &'a Askfile, secret: &str) -> Self {
        let authorization = format!("Bearer {secret}");
        Self {
            askfile,
            authorization,
        }
    }

    /// With a key of its own.
    pub async fn with_key(askfile: &'a Askfile, name: &str) -> Self {
        let secret = askfile.key(name, "asset:upload", &[]).await;
        Self::showing(askfile, &secret)
    }

    pub fn request(&self, method: Method, session: &str, body: impl Into<Body>) -> Request<Body> {
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

    pub fn rpc(&self, session: &str, method: &str, params: &Value) -> Request<Body> {
        // Calls that run at the same time in one session are told apart by their ids.
        let message = json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params });
        self.request(Method::POST, session, message.to_string())
    }

    pub async fn initialize(&self) -> Answer {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": { "elicitation": { "url": {} } },
            "clientInfo": { "name": "x", "version": "1" },
        });
        let answer = self.askfile.send(self.rpc("", "initialize", &params)).await;
        if answer.status == 200 {
            self.is_ready(answer.header(SESSION)).await;
        }
        answer
    }

    /// Says that it has begun.
    pub async fn is_ready(&self, session: &str) {
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(session, &ready).await;
    }

    /// Tells something that is not answered.
    pub async fn post(&self, session: &str, message: &Value) {
        let told = self.request(Method::POST, session, message.to_string());
        assert_eq!(self.askfile.send(told).await.status, 202);
    }

    /// Subscribes to a resource.
    pub async fn subscribe(&self, session: &str, uri: &str) {
        let subscribe = self.rpc(session, "resources/subscribe", &json!({ "uri": uri }));
        let answer = message(&self.askfile.send(subscribe).await);
        assert_eq!(answer["result"], json!({}), "{answer}");
    }

    /// Opens a stream to hear by.
    pub async fn hear(&self, session: &str) -> Listening {
        let get = self.request(Method::GET, session, Body::empty());
        Listening::of(self.askfile.open(get).await)
    }

    /// Begins a session; gives its id.
    pub async fn begin(&self) -> String {
        let answer = self.initialize().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.header(SESSION).to_owned()
    }

    /// Whether a session is there, to this client's knowledge.
    pub async fn has(&self, session: &str) -> bool {
        let answer = self
            .askfile
            .send(self.rpc(session, "ping", &json!({})))
            .await;
        assert!(matches!(answer.status.as_u16(), 200 | 404), "{answer:?}");
        answer.status == 200
    }

    /// Which of these sessions are there.
    pub async fn alive(&self, sessions: &[String]) -> Vec<bool> {
        let mut alive = Vec::new();
        for session in sessions {
            alive.push(self.has(session).await);
        }
        alive
    }

    /// Begins so many sessions.
    pub async fn begin_all(&self, count: usize) -> Vec<String> {
        let mut sessions = Vec::new();
        for _ in 0..count {
            sessions.push(self.begin().await);
        }
        sessions
    }

    /// A call in a session that runs until its file is there, or its answer is dropped.
    pub async fn wait(&self, session: &str, token: &str) -> Response {
        let arguments = json!({ "token": token, "wait_seconds": 45 });
        let call = json!({ "name": "upload_status", "arguments": arguments });
        self.askfile
            .open(self.rpc(session, "tools/call", &call))
            .await
    }
}
