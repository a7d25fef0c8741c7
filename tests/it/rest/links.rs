//! Links that programs make and send themselves.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    events::Events,
    rest::rest,
    web::{Link, With},
};

const GET: Method = Method::GET;

#[tokio::test]
async fn a_link_is_made_sent_and_followed_to_its_end() {
    let askfile = Askfile::start().await;
    let asked = json!({ "prompt": "The receipt, please", "metadata": { "external_id": "case-7" } });
    let made = askfile.rest(Method::POST, "/v1/links", asked).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let link = Link::of(&made);
    let path = format!("/v1/links/{}", link.upload_id);
    let before = askfile.done(GET, &path, Value::Null).await;
    assert_eq!(
        (&before["status"], &before["phase"]),
        (&json!("pending"), &json!("waiting"))
    );
    askfile.put(&link, PNG).await;
    let after = askfile.done(GET, &path, Value::Null).await;
    assert_eq!(after["status"], "completed");
    assert_eq!(
        after,
        askfile.status(&link).await,
        "the same object as the tool's"
    );
}

#[tokio::test]
async fn a_program_that_waits_is_woken() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let path = format!("/v1/links/{}?wait=30", link.upload_id);
    let waiting = askfile.done(GET, &path, Value::Null);
    let sending = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        askfile.put(&link, PNG).await;
    };
    let both = async { tokio::join!(waiting, sending).0 };
    let told = tokio::time::timeout(Duration::from_secs(4), both).await;
    assert_eq!(
        told.expect("it does not look once in five seconds")["status"],
        "completed"
    );
}

#[tokio::test]
async fn a_wait_that_brings_nothing_ends_when_it_was_to() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let path = format!("/v1/links/{}?wait=0.2", link.upload_id);
    assert_eq!(
        askfile.done(GET, &path, Value::Null).await["status"],
        "pending"
    );
    let path = format!("/v1/links/{}?wait=-1", link.upload_id);
    let (way, _) = askfile.rest(GET, &path, Value::Null).await.mistake();
    assert_eq!(way, ["query", "wait"]);
}

#[tokio::test]
async fn its_owner_hears_each_change_as_it_happens() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let path = format!("/v1/links/{}", link.upload_id);
    let asked = rest(None, GET, &path, &Value::Null).with("accept", "text/event-stream");
    let mut events = Events::of(askfile.open(asked).await);
    let first = events.next().await.unwrap();
    assert_eq!(
        (&first["status"], &first["received_bytes"]),
        (&json!("pending"), &json!(0))
    );
    askfile.put(&link, PNG).await;
    let last = events.until("/status", json!("completed")).await;
    assert_eq!(last["result"]["media"][0]["size_bytes"], PNG.len());
    assert!(events.next().await.is_none(), "the stream ends");
}

#[tokio::test]
async fn a_stream_ends_with_its_key() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("program", "asset:upload", &[]).await;
    let made = rest(Some(&key), Method::POST, "/v1/links", &json!({}));
    let link = Link::of(&askfile.send(made).await.json());
    let path = format!("/v1/links/{}", link.upload_id);
    let asked = rest(Some(&key), GET, &path, &Value::Null).with("accept", "text/event-stream");
    let mut events = Events::of(askfile.open(asked).await);
    assert_eq!(events.next().await.unwrap()["status"], "pending");
    let operator = askfile.service.operator("a test");
    askfile
        .service
        .revoke_key(&operator, "program")
        .await
        .unwrap();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_link_that_is_closed_takes_nothing_any_more() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let path = format!("/v1/links/{}", link.upload_id);
    let closed = askfile.done(Method::DELETE, &path, Value::Null).await;
    assert_eq!(closed["status"], "cancelled");
    let refused = askfile.send(crate::harness::web::put(&link, PNG)).await;
    assert_eq!(refused.failure(), (409, "CANCELLED".into()));
}
