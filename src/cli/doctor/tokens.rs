//! Whether clients that come from outside find out how they are let in.

use std::time::Duration;

use reqwest::{Client, StatusCode, header, redirect::Policy};
use serde_json::Value;

use super::Finding;
use crate::config::Settings;

const CHECK: &str = "signing in";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Follows the way of a client from `/mcp` to where it is let in. The server must be running.
pub(super) async fn check(settings: &Settings, url: &str) -> Vec<Finding> {
    if !settings.auth.takes_tokens() {
        return Vec::new();
    }
    let client = Client::builder().redirect(Policy::none()).timeout(PATIENCE);
    let found = match client.build() {
        Ok(client) => follow(&client, settings, url).await,
        Err(error) => Err((
            error.to_string(),
            "look after the certificates of this machine".into(),
        )),
    };
    vec![match found {
        Ok(found) => Finding::ok(CHECK, found),
        Err((found, change)) => Finding::wrong(CHECK, found, change),
    }]
}

/// What is wrong, and what to change.
type Wrong = (String, String);

async fn follow(client: &Client, settings: &Settings, url: &str) -> Result<String, Wrong> {
    let mcp = format!("{url}/mcp");
    let pass_on = |what: &str| format!("let the proxy pass {what} on to askfile");
    let asked = client.get(&mcp).send().await;
    let answer = asked.map_err(|error| (format!("{mcp}: {error}"), pass_on("/mcp")))?;
    let challenge = answer.headers().get(header::WWW_AUTHENTICATE);
    let challenge = challenge
        .and_then(|text| text.to_str().ok())
        .unwrap_or_default();
    let metadata = challenge.split("resource_metadata=\"").nth(1);
    let metadata = metadata.and_then(|rest| rest.split('"').next());
    let Some(metadata) = metadata.filter(|_| answer.status() == StatusCode::UNAUTHORIZED) else {
        let found = format!(
            "{mcp} answers {} and does not say how to be let in",
            answer.status()
        );
        return Err((found, pass_on("/mcp, and WWW-Authenticate back,")));
    };
    let resource = document(client, metadata).await.ok_or_else(|| {
        (
            format!("{metadata} is not askfile's"),
            pass_on("/.well-known/"),
        )
    })?;
    if !settings.auth.builtin {
        return Ok(format!(
            "clients are led to {}",
            resource["authorization_servers"]
        ));
    }
    // With a path, it comes behind the well-known one.
    let at = url
        .find("://")
        .and_then(|start| url[start + 3..].find('/').map(|end| start + 3 + end));
    let (host, path) = url.split_at(at.unwrap_or(url.len()));
    let server = format!("{host}/.well-known/oauth-authorization-server{path}");
    let told = document(client, &server).await;
    match told {
        Some(told) if told["issuer"] == url => Ok("clients are let in here".into()),
        _ => Err((format!("{server} is not askfile's"), pass_on("it"))),
    }
}

async fn document(client: &Client, url: &str) -> Option<Value> {
    let answer = client.get(url).send().await.ok()?;
    answer.error_for_status().ok()?.json().await.ok()
}
