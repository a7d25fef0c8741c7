//! A back end of its own, with posts and their media, that leaves everything about files to askfile.
//!
//! ```sh
//! export WEBHOOK_SECRET=whsec_$(openssl rand -base64 32)
//! cat > askfile.toml <<END
//! [webhook.posts]
//! url = "http://127.0.0.1:9090/webhooks"
//! secrets = ["$WEBHOOK_SECRET"]
//! END
//! askfile serve &
//! cargo run --example posts
//! ```
//!
//! Make a post with `curl 127.0.0.1:9090/posts -d 'Look at this'`, open the link that is answered, send
//! a picture there, press Done, and look at the post: `curl 127.0.0.1:9090/posts/1`.
#![expect(
    clippy::unwrap_used,
    reason = "an example says what is wrong by ending"
)]

use std::{
    env,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

#[derive(Clone)]
struct Posts {
    /// A database, in a program that is no example. The first post is 1.
    texts: Arc<Mutex<Vec<String>>>,
    askfile: Askfile,
    webhook: Arc<Webhook>,
}

#[tokio::main]
async fn main() {
    let setting = |name, default: &str| env::var(name).unwrap_or(default.to_owned());
    let secret = env::var("WEBHOOK_SECRET").expect("WEBHOOK_SECRET is the one in askfile.toml");
    let posts = Posts {
        texts: Arc::default(),
        askfile: Askfile {
            url: setting("ASKFILE_URL", "http://127.0.0.1:8787"),
            key: env::var("ASKFILE_KEY").ok(),
            client: reqwest::Client::new(),
        },
        webhook: Arc::new(Webhook::new(&secret).expect("WEBHOOK_SECRET is a secret")),
    };
    let routes = Router::new()
        .route("/posts", post(create))
        .route("/posts/{id}", get(show))
        .route("/webhooks", post(webhook))
        .with_state(posts);
    let listen = setting("LISTEN", "127.0.0.1:9090");
    let listener = tokio::net::TcpListener::bind(&listen).await.unwrap();
    println!(
        "posts are at http://{}/posts",
        listener.local_addr().unwrap()
    );
    axum::serve(listener, routes).await.unwrap();
}

/// A new post, and a link for whoever has its picture.
async fn create(State(posts): State<Posts>, text: String) -> Result<Json<Value>, StatusCode> {
    let id = {
        let mut texts = posts.texts.lock().unwrap();
        texts.push(text);
        texts.len()
    };
    let asked = json!({
        "prompt": "A picture for the post, please.",
        "purpose": "post_media",
        "max_files": 4,
        "metadata": { "external_id": id.to_string() },
    });
    let link = posts.askfile.ask(Method::POST, "links", Some(asked), None);
    let link = link.await?;
    Ok(Json(json!({ "id": id, "upload_url": link["upload_url"] })))
}

/// A post, with fresh links to its media.
async fn show(
    State(posts): State<Posts>,
    Path(id): Path<usize>,
) -> Result<Json<Value>, StatusCode> {
    let text = id
        .checked_sub(1)
        .and_then(|at| posts.texts.lock().unwrap().get(at).cloned());
    let text = text.ok_or(StatusCode::NOT_FOUND)?;
    let path = format!("targets/post/{id}/media");
    let attached = posts.askfile.ask(Method::GET, &path, None, None).await?;
    let mut media = Vec::new();
    for one in attached["items"].as_array().into_iter().flatten() {
        let path = format!("media/{}", one["media_id"].as_str().unwrap_or_default());
        let file = posts.askfile.ask(Method::GET, &path, None, None).await?;
        media.push(json!({ "type": file["mime_type"], "url": file["download_url"] }));
    }
    Ok(Json(json!({ "id": id, "text": text, "media": media })))
}

/// What askfile tells: once the files are there, they belong to their post.
async fn webhook(State(posts): State<Posts>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if posts.webhook.verify(&body, &headers).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (upload, post) = (
        &event["data"]["upload_id"],
        &event["data"]["metadata"]["external_id"],
    );
    // Others may ask this askfile for files, too.
    let (true, Some(post)) = (event["type"] == "upload.completed", post.as_str()) else {
        return StatusCode::NO_CONTENT;
    };
    let path = format!("targets/post/{post}/media");
    let attach = Some(json!({ "upload_id": upload }));
    let request = headers["webhook-id"].to_str().ok();
    // Where this fails, askfile tells it again later.
    match posts
        .askfile
        .ask(Method::POST, &path, attach, request)
        .await
    {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(status) => status,
    }
}

#[derive(Clone)]
struct Askfile {
    url: String,
    key: Option<String>,
    client: reqwest::Client,
}

impl Askfile {
    /// What askfile answers. A request that has a key of its own is done once, though it is sent twice.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        request_id: Option<&str>,
    ) -> Result<Value, StatusCode> {
        let mut request = self
            .client
            .request(method, format!("{}/v1/{path}", self.url));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(id) = request_id {
            request = request.header("idempotency-key", id);
        }
        let failed = |error: reqwest::Error| {
            eprintln!("askfile, {path}: {error}");
            StatusCode::BAD_GATEWAY
        };
        let answer = request.send().await.map_err(failed)?;
        let answer = answer.error_for_status().map_err(failed)?;
        answer.json().await.map_err(failed)
    }
}
