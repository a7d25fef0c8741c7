//! Agents that come over HTTP with a key.

use std::time::Duration;

use askfile::{
    config::Auth,
    domain::{api_key::Secret, caller::Caller, workspace::DEFAULT_NAME},
    service::keys::KeyRequest,
};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use super::{
    Askfile,
    web::{Answer, request},
};

/// Everything that an agent may be allowed.
pub const ALL: &str = "asset:upload, media:read, media:attach, media:delete";

impl Askfile {
    /// One that asks for keys.
    pub async fn with_keys() -> Self {
        Self::start_with(|settings| settings.auth = Auth::KEYS).await
    }

    /// Makes a key; gives its secret.
    pub async fn key(&self, name: &str, allow: &str, workspaces: &[&str]) -> String {
        self.key_for(name, allow, workspaces, None).await
    }

    /// Makes a key that ends.
    pub async fn key_for(
        &self,
        name: &str,
        allow: &str,
        workspaces: &[&str],
        expires_in: Option<Duration>,
    ) -> String {
        let request = KeyRequest {
            name: name.into(),
            person: None,
            workspaces: workspaces.iter().map(|&alias| alias.into()).collect(),
            capabilities: allow.parse().unwrap(),
            expires_in,
        };
        let operator = self.service.operator("a test");
        let (_, secret) = self.service.create_key(&operator, request).await.unwrap();
        secret.reveal().to_owned()
    }

    /// Gives a key a new secret, beside which the old one opens for a second.
    pub async fn rotate(&self, name: &str) -> String {
        let operator = self.service.operator("a test");
        let overlap = Duration::from_secs(1);
        let rotated = self.service.rotate_key(&operator, name, overlap).await;
        rotated.unwrap().1.reveal().to_owned()
    }

    /// Makes a workspace of this alias.
    pub async fn workspace(&self, alias: &str) {
        let operator = self.service.operator("a test");
        let made = self.service.create_workspace(&operator, alias, Some(alias));
        made.await.unwrap();
    }

    /// The alias of the workspace that comes with askfile.
    pub async fn home(&self) -> String {
        let operator = self.service.operator("a test");
        let all = self.service.workspaces(&operator).await.unwrap();
        let home = all.iter().find(|workspace| workspace.name == DEFAULT_NAME);
        home.unwrap().alias.to_string()
    }

    /// Whom a new key stands for.
    pub async fn caller(&self, name: &str, allow: &str, workspaces: &[&str]) -> Caller {
        let key = self.key(name, allow, workspaces).await;
        self.service.identify(&Secret::given(&key)).await.unwrap()
    }

    /// One request of the protocol, with a key.
    pub async fn rpc(&self, key: Option<&str>, method: &str, params: Value) -> Answer {
        self.send(mcp(key, method, params)).await
    }

    /// Calls a tool with a key; gives its structured content.
    pub async fn call_with(&self, key: &str, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        let answer = self.rpc(Some(key), "tools/call", params).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        message(&answer)["result"]["structuredContent"].take()
    }

    /// The names of the tools that a key is shown.
    pub async fn tools_of(&self, key: &str) -> Vec<String> {
        let answer = self.rpc(Some(key), "tools/list", json!({})).await;
        let listed = message(&answer)["result"]["tools"].take();
        let tools = listed.as_array().unwrap().iter();
        tools
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A request as protocol 2026-07-28 has it, on its way.
pub fn mcp(key: Option<&str>, method: &str, params: Value) -> Request<Body> {
    mcp_of(&json!({}), key, method, params)
}

/// The same, of a client with these capabilities.
pub fn mcp_of(
    capabilities: &Value,
    key: Option<&str>,
    method: &str,
    mut params: Value,
) -> Request<Body> {
    let name = params["name"].as_str().or(params["uri"].as_str());
    let name = name.unwrap_or_default().to_owned();
    for (name, value) in [
        ("protocolVersion", json!("2026-07-28")),
        ("clientCapabilities", capabilities.clone()),
        ("clientInfo", json!({ "name": "test", "version": "1" })),
    ] {
        let said = &mut params["_meta"][format!("io.modelcontextprotocol/{name}")];
        if said.is_null() {
            *said = value;
        }
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut request = request(Method::POST, "/mcp")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method);
    if !name.is_empty() {
        request = request.header("mcp-name", name);
    }
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    request.body(body.to_string().into()).unwrap()
}

/// The message of an answer, whether it came as JSON or as an event.
pub fn message(answer: &Answer) -> Value {
    let text = std::str::from_utf8(&answer.body).unwrap();
    let mut lines = text
        .lines()
        .map(|line| line.strip_prefix("data: ").unwrap_or(line));
    let json = lines.rfind(|line| line.starts_with('{'));
    serde_json::from_str(json.unwrap_or_else(|| panic!("{answer:?}"))).unwrap()
}
