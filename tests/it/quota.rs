//! Quotas, as agents and people meet them.

use askfile::domain::quota::{OwnLimit, QuotaChange};
use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::{Feed, Form},
    web::{post, put},
};

/// Larger than what is asked for beyond what came.
const PIECE: usize = 600 * 1024;

/// A file of plain text.
fn text(bytes: usize) -> Vec<u8> {
    vec![b'a'; bytes]
}

async fn with_room(bytes: u64) -> Askfile {
    Askfile::start_with(|settings| settings.quota_stored = Some(bytes)).await
}

#[tokio::test]
async fn a_file_that_says_it_is_too_large_is_refused_before_its_first_byte() {
    let askfile = with_room(1000).await;
    let link = askfile.link().await;
    let (feed, body) = Feed::new();
    let mut request = put(&link, body);
    request.headers_mut().insert("content-length", 1001.into());
    askfile
        .send(request)
        .await
        .is(429, "QUOTA_EXCEEDED", "no byte was sent");
    drop(feed);
    askfile.is_untouched(&link).await;
    let sent = askfile.send(put(&link, text(1000))).await;
    assert_eq!(sent.status, 201, "what fits exactly fits: {sent:?}");
    let full = askfile.send(put(&askfile.link().await, PNG)).await;
    full.is(429, "QUOTA_EXCEEDED", "there is no room left");
}

#[tokio::test]
async fn a_file_that_does_not_say_how_large_it_is_is_refused_on_the_way() {
    let askfile = with_room(1 << 20).await;
    let link = askfile.link().await;
    let (feed, body) = Feed::new();
    let sending = tokio::spawn(askfile.open(put(&link, body)));
    feed.send(&text(PIECE));
    askfile.until_phase(&link, "receiving").await;
    feed.send(&text(PIECE));
    let refused = sending.await.unwrap();
    assert_eq!(refused.status(), 429);
    drop(feed);
    let status = askfile.status(&link).await;
    assert_eq!(status["last_error"]["code"], "QUOTA_EXCEEDED", "{status}");
    askfile.is_as_before(&link, "too large").await;
    let sent = askfile.send(put(&link, text(1 << 20))).await;
    assert_eq!(sent.status, 201, "nothing is left of the other: {sent:?}");
}

#[tokio::test]
async fn a_form_that_just_fits_is_taken() {
    let askfile = with_room(PNG.len() as u64).await;
    let link = askfile.link().await;
    let length = Form::with("a.png", PNG).bytes().len();
    let mut request = post(&link, Form::with("a.png", PNG));
    request
        .headers_mut()
        .insert("content-length", length.into());
    assert_eq!(askfile.send(request).await.status, 201);
}

#[tokio::test]
async fn a_deleted_file_makes_room() {
    let askfile = with_room(PNG.len() as u64).await;
    let stored = askfile.put(&askfile.link().await, PNG).await;
    let link = askfile.link().await;
    askfile
        .send(put(&link, PNG))
        .await
        .is(429, "QUOTA_EXCEEDED", "full");
    let which = json!({ "media_id": stored["media_id"] });
    assert_eq!(askfile.call("media_delete", which).await["ok"], true);
    askfile.put(&link, PNG).await;
}

#[tokio::test]
async fn who_sends_to_a_full_workspace_is_asked_to_come_back_like_everybody() {
    let askfile = with_room(1).await;
    let link = askfile.link().await;
    for _ in 0..10 {
        let full = askfile.send(put(&link, PNG)).await;
        full.is(429, "QUOTA_EXCEEDED", "full");
    }
    let refused = askfile.send(put(&link, PNG)).await;
    refused.is(429, "RATE_LIMITED", "the eleventh of a minute");
}

#[tokio::test]
async fn no_more_links_are_open_at_a_time_than_may_be() {
    let askfile = Askfile::start_with(|settings| settings.quota_links = Some(2)).await;
    let links = [askfile.link().await, askfile.link().await];
    let refused = askfile.call("upload_create", json!({})).await;
    assert_eq!(
        (&refused["code"], &refused["error_kind"]),
        (&json!("QUOTA_EXCEEDED"), &json!("http_error"))
    );
    askfile.put(&links[0], PNG).await;
    askfile.link().await;
    let which = json!({ "token": links[1].token });
    askfile.call("upload_cancel", which).await;
    askfile.link().await;
}

#[tokio::test]
async fn a_workspace_may_have_quotas_of_its_own() {
    let askfile = Askfile::start_with(|settings| settings.quota_links = Some(1)).await;
    askfile.link().await;
    let operator = askfile.service.operator("a test");
    let mine = askfile.service.workspaces(&operator).await.unwrap();
    let alias = mine[0].alias.as_str();
    let two = QuotaChange {
        open_links: Some(OwnLimit::At(2)),
        ..QuotaChange::default()
    };
    let used = askfile
        .service
        .set_quota(&operator, alias, two)
        .await
        .unwrap();
    assert_eq!((used.usage.open_links, used.quota.open_links), (1, Some(2)));
    askfile.link().await;
    let refused = askfile.call("upload_create", json!({})).await;
    assert_eq!(refused["code"], "QUOTA_EXCEEDED");
    let neighbour = askfile.neighbour().await;
    let refused = neighbour.call("upload_create", json!({})).await;
    assert_eq!(refused["code"], "QUOTA_EXCEEDED", "in another process too");
}
