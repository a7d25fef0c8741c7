//! Files over `/v1`: what is told of them is what the tools tell.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG, secs,
    web::{at, get},
};

const GET: Method = Method::GET;

/// A file that came with these labels.
async fn stored(askfile: &Askfile, labels: Value) -> Value {
    let link = askfile
        .ask(json!({ "metadata": { "labels": labels } }))
        .await;
    askfile.put(&link, PNG).await
}

#[tokio::test]
async fn files_are_listed_by_what_is_asked_of_them_a_page_at_a_time() {
    let askfile = Askfile::start().await;
    let one = stored(&askfile, json!({ "case": "7", "of": "a=b" })).await;
    askfile.clock.advance(secs(1));
    stored(&askfile, json!({ "case": "8" })).await;
    let listed = async |query: &str| {
        let path = format!("/v1/media{query}");
        askfile.done(GET, &path, Value::Null).await
    };
    assert_eq!(
        listed("").await,
        askfile.call("media_list", json!({})).await
    );
    let found = listed("?label=case%3D7&label=of%3Da%3Db").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(found["items"][0]["media_id"], one["media_id"]);
    let page = listed("?limit=1&kind=image").await;
    let next = page["next_cursor"].as_str().unwrap();
    let next = listed(&format!("?limit=1&cursor={next}")).await;
    assert_eq!(next["items"][0]["media_id"], one["media_id"]);
    let wrong = askfile.rest(GET, "/v1/media?label=case", Value::Null).await;
    assert_eq!(wrong.mistake().0, ["query", "label"]);
}

#[tokio::test]
async fn a_file_is_had_by_any_of_its_names() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let media = askfile.put(&link, PNG).await;
    let id = media["media_id"].as_str().unwrap();
    let handle = askfile.status(&link).await["result"]["handles"]["media"][0].take();
    for name in [
        format!("media/{id}"),
        format!("media/medias%2F{id}.png"),
        format!("media/{}", handle.as_str().unwrap()),
        format!("handles/{}", handle.as_str().unwrap()),
    ] {
        let shown = askfile.done(GET, &format!("/v1/{name}"), Value::Null).await;
        assert_eq!(shown["media_id"], media["media_id"], "{name}");
        let url = shown["download_url"].as_str().unwrap();
        assert_eq!(askfile.send(get(at(url))).await.body, PNG);
        let url = shown["preview_url"].as_str().unwrap();
        assert_eq!(askfile.send(get(at(url))).await.status, 200);
    }
    // An id is no handle.
    let none = askfile
        .rest(GET, &format!("/v1/handles/{id}"), Value::Null)
        .await;
    assert_eq!(none.problem(), (404, "NOT_FOUND".into()));
}

#[tokio::test]
async fn what_is_attached_is_deleted_by_force_alone() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let media = askfile.put(&link, PNG).await;
    let post = json!({ "upload_token": link.token, "target_type": "post", "target_id": "7" });
    askfile.call("attach_media", post).await;
    let path = format!("/v1/media/{}", media["media_id"].as_str().unwrap());
    let refused = askfile.rest(Method::DELETE, &path, Value::Null).await;
    assert_eq!(refused.problem(), (409, "CONFLICT".into()));
    let forced = format!("{path}?force=true");
    let gone = askfile.done(Method::DELETE, &forced, Value::Null).await;
    assert_eq!(gone["media_id"], media["media_id"]);
    assert_eq!(askfile.rest(GET, &path, Value::Null).await.status, 404);
}
