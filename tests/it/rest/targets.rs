//! What a post of a back end has, over `/v1/targets`.

use askfile::domain::attachment::{Room, TargetType};
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG, secs,
    web::{Link, put},
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const POST_7: &str = "/v1/targets/post/7/media";

impl Askfile {
    /// The `media_id` of a file that came.
    async fn media_id(&self) -> String {
        let link = self.link().await;
        let media = self.put(&link, PNG).await;
        media["media_id"].as_str().unwrap().to_owned()
    }

    /// A file that came and is on post 7: its attachment.
    async fn on_post_7(&self, alt: &str) -> Value {
        let what = json!({ "media_id": self.media_id().await, "alt": alt });
        let mut attached = self.done(POST, POST_7, what).await;
        attached["attachments"][0].take()
    }

    /// The texts of what is on post 7.
    async fn texts(&self) -> Vec<String> {
        let listed = self.done(GET, POST_7, Value::Null).await;
        let items = listed["items"].as_array().unwrap().iter();
        items
            .map(|one| one["alt"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn id(attachment: &Value) -> &str {
    attachment["attachment_id"].as_str().unwrap()
}

#[tokio::test]
async fn attaching_over_rest_is_what_the_tool_does() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let media = askfile.put(&link, PNG).await;
    let by_id = json!({ "upload_id": link.upload_id, "alt": "a view", "position": 2 });
    let attached = askfile.done(POST, POST_7, by_id.clone()).await;
    assert_eq!(attached["status"], "consumed");
    assert_eq!(attached["attachments"][0]["position"], 2);
    let mut same = json!({ "target_type": "post", "target_id": "7" });
    same["upload_token"] = json!(link.token);
    assert_eq!(askfile.call("attach_media", same).await, attached);
    assert_eq!(askfile.done(POST, POST_7, by_id.clone()).await, attached);

    let elsewhere = "/v1/targets/post/8/media";
    let refused = askfile.rest(POST, elsewhere, by_id).await;
    assert_eq!(refused.problem(), (409, "ALREADY_CONSUMED".into()));
    let told = refused.json()["detail"].to_string();
    assert!(told.contains("post 7"), "it names what has it: {told}");
    let again = json!({ "media_id": media["media_id"] });
    askfile.done(POST, elsewhere, again).await;

    let listed = askfile.done(GET, POST_7, Value::Null).await;
    let one = &listed["items"][0];
    assert_eq!(one["alt"], "a view");
    assert_eq!(one["media"]["sha256"], media["sha256"]);
    let both = json!({ "upload_id": link.upload_id, "media_id": media["media_id"] });
    let refused = askfile.rest(POST, POST_7, both).await;
    assert!(refused.mistake().1.starts_with("Give exactly one of"));
}

#[tokio::test]
async fn the_files_of_a_target_are_listed_a_page_at_a_time() {
    let askfile = Askfile::start().await;
    for alt in ["a", "b", "c"] {
        askfile.on_post_7(alt).await;
    }
    let page = askfile
        .done(GET, &format!("{POST_7}?limit=2"), Value::Null)
        .await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let next = page["next_cursor"].as_str().unwrap();
    // What the page before ended with may be gone.
    let last = format!("{POST_7}/{}", id(&page["items"][1]));
    askfile.done(Method::DELETE, &last, Value::Null).await;
    let next = format!("{POST_7}?limit=1&cursor={next}");
    let page = askfile.done(GET, &next, Value::Null).await;
    assert_eq!(page["items"][0]["alt"], "c");
    assert_eq!(page["next_cursor"], Value::Null);
    let none = askfile
        .done(GET, "/v1/targets/post/none/media", Value::Null)
        .await;
    assert_eq!(none["items"], json!([]));
    let wrong = askfile
        .rest(GET, &format!("{POST_7}?cursor=x"), Value::Null)
        .await;
    assert_eq!(wrong.mistake().0, ["query", "cursor"]);
    let wrong = askfile
        .rest(GET, "/v1/targets/Post/7/media", Value::Null)
        .await;
    assert!(wrong.mistake().1.contains("a-z"), "{wrong:?}");
    assert_eq!(wrong.mistake().0, ["path", "target_type"]);
}

#[tokio::test]
async fn the_order_of_a_target_is_given_whole() {
    let askfile = Askfile::start().await;
    let (a, b) = (askfile.on_post_7("a").await, askfile.on_post_7("b").await);
    let c = askfile.on_post_7("c").await;
    let order = |ids: Value| askfile.rest(Method::PUT, POST_7, json!({ "order": ids }));
    let ordered = order(json!([id(&c), id(&a), id(&b)])).await.json();
    assert_eq!(ordered["attachments"][0]["alt"], "c");
    assert_eq!(askfile.texts().await, ["c", "a", "b"]);
    let refused = order(json!([id(&a), id(&b)])).await;
    assert_eq!(refused.problem(), (409, "CONFLICT".into()));
    let refused = order(json!([id(&a), "x", id(&b)])).await;
    assert_eq!(
        refused.mistake().0,
        [json!("body"), json!("order"), json!(1)]
    );
    assert_eq!(askfile.texts().await, ["c", "a", "b"]);
}

#[tokio::test]
async fn text_and_place_of_one_file_are_changed() {
    let askfile = Askfile::start().await;
    askfile.on_post_7("a").await;
    let b = askfile.on_post_7("b").await;
    let path = format!("{POST_7}/{}", id(&b));
    let change = |what: Value| askfile.done(Method::PATCH, &path, what);
    let changed = change(json!({ "alt": "B", "position": 0 })).await;
    assert_eq!(
        (&changed["alt"], &changed["position"]),
        (&json!("B"), &json!(0))
    );
    assert_eq!(askfile.texts().await, ["B", "a"]);
    assert_eq!(change(json!({})).await["alt"], "B");
    let refused = askfile
        .rest(Method::PATCH, &path, json!({ "position": 1_000_001 }))
        .await;
    assert_eq!(refused.mistake().0, ["body", "position"]);
    // Of another target it is unknown.
    let elsewhere = format!("/v1/targets/post/8/media/{}", id(&b));
    let refused = askfile.rest(Method::PATCH, &elsewhere, json!({})).await;
    assert_eq!(refused.problem(), (404, "NOT_FOUND".into()));
}

#[tokio::test]
async fn what_is_detached_is_still_there_and_stays_consumed() {
    let askfile = Askfile::start_with(|settings| {
        let general = &mut settings.purposes[0];
        general.retain_seconds = Some(100);
    })
    .await;
    let link = askfile.link().await;
    let media = askfile.put(&link, PNG).await;
    let attached = askfile
        .done(POST, POST_7, json!({ "upload_id": link.upload_id }))
        .await;
    askfile.clock.advance(secs(1_000));
    let path = format!("{POST_7}/{}", id(&attached["attachments"][0]));
    let detached = askfile.done(Method::DELETE, &path, Value::Null).await;
    assert_eq!(detached["media_id"], media["media_id"]);
    assert!(askfile.texts().await.is_empty());
    assert_eq!(askfile.status(&link).await["status"], "consumed");
    let again = json!({ "upload_id": link.upload_id });
    let again = askfile.rest(POST, POST_7, again).await;
    assert_eq!(again.problem(), (409, "ALREADY_CONSUMED".into()));
    let of_media = format!("/v1/media/{}", media["media_id"].as_str().unwrap());
    askfile.done(GET, &of_media, Value::Null).await;
    askfile.clock.advance(secs(101));
    askfile.service.sweep().await.unwrap();
    let gone = askfile.rest(GET, &of_media, Value::Null).await;
    assert_eq!(gone.problem(), (404, "NOT_FOUND".into()));
}

#[tokio::test]
async fn a_kind_of_target_takes_what_the_operator_says() {
    let kind = |name: &str, accepts: &[&str], most, one_shot| TargetType {
        name: name.into(),
        accepts: accepts.iter().map(|text| text.parse().unwrap()).collect(),
        room: Room { most, one_shot },
    };
    let askfile = Askfile::start_with(|settings| {
        settings.target_types = vec![
            kind("film", &["video/*"], None, false),
            kind("album", &["image/*"], Some(2), false),
            kind("avatar", &[], None, true),
        ];
    })
    .await;
    let attach = async |target: &str, media: &str| {
        let path = format!("/v1/targets/{target}/1/media");
        askfile
            .rest(POST, &path, json!({ "media_id": media }))
            .await
    };
    let (a, b) = (askfile.media_id().await, askfile.media_id().await);
    let c = askfile.media_id().await;
    let (loc, why) = attach("film", &a).await.mistake();
    assert_eq!(loc, ["body"]);
    assert!(why.contains("PNG") && why.contains("Accepted: "), "{why}");
    for media in [&a, &b, &b] {
        assert_eq!(attach("album", media).await.status, 200);
    }
    let full = attach("album", &c).await;
    assert_eq!(full.problem(), (409, "CONFLICT".into()));
    assert!(full.json()["detail"].to_string().contains("2 files in all"));
    assert_eq!(attach("avatar", &a).await.status, 200);
    let taken = attach("avatar", &b).await;
    assert_eq!(taken.problem(), (409, "CONFLICT".into()));
    // The tool is held to the same.
    let tool = json!({ "media_id": b, "target_type": "avatar", "target_id": "1" });
    assert_eq!(askfile.call("attach_media", tool).await["code"], "CONFLICT");
    // Another avatar has nothing yet, and an upload brings all its files at once.
    let link = Link::of(
        &askfile
            .call("upload_create", json!({ "max_files": 2 }))
            .await,
    );
    askfile.send(put(&link, PNG)).await;
    askfile.send(put(&link, PNG)).await;
    let two = json!({ "upload_token": link.token });
    let two = askfile.done(POST, "/v1/targets/avatar/2/media", two).await;
    assert_eq!(two["attachments"].as_array().unwrap().len(), 2);
}
