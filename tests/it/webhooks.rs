//! Webhooks: what is queued for whom, and how long it is tried.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use askfile::{
    config::Settings,
    domain::{
        audit::Action,
        webhook::{Endpoint, Webhook, WebhookState},
    },
    store::webhooks::Replay,
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE},
    routing::post,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG, mins, secs,
    web::{Link, put, request},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Of a try at such an endpoint.
const LEASE: SignedDuration = SignedDuration::from_secs(10);

/// An endpoint that wants these events; nobody is there.
fn endpoint(name: &str, events: &str) -> Endpoint {
    let told = |action: &Action| action.told() == Some(*action);
    Endpoint {
        name: name.into(),
        url: "http://127.0.0.1:1/".into(),
        secrets: vec![SECRET.parse().unwrap()],
        events: Action::named(events).into_iter().filter(told).collect(),
        workspaces: Vec::new(),
        timeout: Duration::from_secs(5),
    }
}

async fn telling(endpoints: Vec<Endpoint>) -> Askfile {
    Askfile::start_with(|settings| {
        settings.webhooks = endpoints;
        settings.rate_limit_uploads_per_minute = 0;
    })
    .await
}

impl Askfile {
    /// All that is queued, the newest last.
    async fn webhooks(&self) -> Vec<Webhook> {
        let operator = self.service.operator("askfile webhooks");
        let mut webhooks = self
            .service
            .webhooks(&operator, false, 1_000)
            .await
            .unwrap();
        webhooks.reverse();
        webhooks
    }

    /// What is queued for an endpoint.
    async fn queued_for(&self, endpoint: &str) -> Vec<Value> {
        let mut webhooks = self.webhooks().await;
        webhooks.retain(|webhook| webhook.endpoint == endpoint);
        let bodies = webhooks.iter().map(|webhook| {
            assert!(!webhook.body.contains("/uploads/"), "{}", webhook.body);
            let body: Value = serde_json::from_str(&webhook.body).unwrap();
            assert_eq!(body["type"], webhook.event.as_str());
            body
        });
        bodies.collect()
    }

    async fn replay(&self, which: Replay) -> u32 {
        let operator = self.service.operator("askfile webhooks");
        self.service
            .replay_webhooks(&operator, which)
            .await
            .unwrap()
    }

    /// Has it looked for what is due, as it is every other second.
    async fn nudge(&self) {
        let (dead_alone, since) = (true, Timestamp::MAX);
        self.replay(Replay::Ended { dead_alone, since }).await;
    }

    /// The only webhook, once it is known what came of so many tries.
    async fn settled(&self, tries: u32) -> Webhook {
        let looking = async {
            loop {
                let webhook = self.webhooks().await.pop().unwrap();
                let lease = self.service.now() + LEASE;
                if webhook.tries == tries && webhook.due_at != Some(lease) {
                    return webhook;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = Duration::from_secs(20);
        tokio::time::timeout(patience, looking).await.unwrap()
    }

    async fn attach(&self, link: &Link, id: &str) {
        let target = json!({ "upload_token": link.token, "target_type": "post", "target_id": id });
        let attached = self.call("attach_media", target).await;
        assert_eq!(attached["ok"], true, "{attached}");
    }
}

/// The types and numbers of events.
fn told(events: &[Value]) -> Vec<(&str, u64)> {
    let facts = events.iter().map(|event| {
        let number = event["data"]["sequence"].as_u64().unwrap();
        (event["type"].as_str().unwrap(), number)
    });
    facts.collect()
}

#[tokio::test]
async fn the_life_of_an_upload_is_told_in_order() {
    let askfile = telling(vec![endpoint("shop", "*")]).await;
    let link = askfile
        .ask(json!({ "max_files": 2, "metadata": { "external_id": "order-7" } }))
        .await;
    let first = askfile.put(&link, b"one").await;
    askfile.put(&link, b"two").await;
    let before = askfile.status(&link).await["result"].clone();
    askfile.attach(&link, "7").await;
    let media = first["media_id"].as_str().unwrap();
    let delete = json!({ "media_id": media, "force": true });
    askfile.call("media_delete", delete).await;

    let events = askfile.queued_for("shop").await;
    assert_eq!(
        told(&events),
        [
            ("upload.completed", 1),
            ("upload.consumed", 2),
            ("media.attached", 3),
            ("media.attached", 4),
            ("media.deleted", 5),
        ]
    );
    let data = |n: usize| &events[n]["data"];
    assert_eq!(data(0)["result"], before, "the same as the agent reads");
    assert_eq!(data(0)["metadata"]["external_id"], "order-7");
    assert_eq!(
        (&data(1)["target_type"], &data(1)["target_id"]),
        (&json!("post"), &json!("7"))
    );
    assert_eq!(data(2)["media"]["media_id"], first["media_id"]);
    assert_eq!(
        data(4),
        &json!({
            "upload_id": link.upload_id, "workspace_id": link.workspace_id, "sequence": 5,
            "media_id": media, "deleted_because": "request",
        })
    );
    let all = json!(events).to_string();
    assert!(!all.contains(&link.token), "{all}");
}

#[tokio::test]
async fn what_is_taken_off_a_target_is_told_with_the_target() {
    let askfile = telling(vec![endpoint("shop", "media.detached")]).await;
    let link = askfile.link().await;
    let media = askfile.put(&link, PNG).await;
    askfile.attach(&link, "7").await;
    let path = "/v1/targets/post/7/media";
    let listed = askfile.done(Method::GET, path, Value::Null).await;
    let attachment = listed["items"][0]["attachment_id"].as_str().unwrap();
    let path = format!("{path}/{attachment}");
    askfile.done(Method::DELETE, &path, Value::Null).await;
    let events = askfile.queued_for("shop").await;
    assert_eq!(told(&events), [("media.detached", 1)]);
    let data = &events[0]["data"];
    assert_eq!(data["upload_id"], link.upload_id.as_str());
    assert_eq!(
        (&data["media_id"], &data["target_type"], &data["target_id"]),
        (&media["media_id"], &json!("post"), &json!("7"))
    );
    assert_eq!(data["media"]["sha256"], media["sha256"]);
}

#[tokio::test]
async fn every_end_says_why() {
    let askfile = telling(vec![endpoint("shop", "*")]).await;
    let declined = askfile.link().await;
    let no = request(Method::POST, &declined.below("/decline"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("reason=Not+mine.".into());
    assert_eq!(askfile.send(no.unwrap()).await.status, StatusCode::OK);
    let cancelled = askfile.ask(json!({ "max_files": 2 })).await;
    askfile.put(&cancelled, b"came too early").await;
    let close = json!({ "token": cancelled.token });
    askfile.call("upload_cancel", close).await;
    let lapsed = askfile.link().await;
    askfile.clock.advance(mins(15));
    askfile.service.sweep().await.unwrap();

    let events = askfile.queued_for("shop").await;
    let of = |link: &Link| -> Vec<Value> {
        let of = |event: &&Value| event["data"]["upload_id"] == link.upload_id.as_str();
        events.iter().filter(of).cloned().collect()
    };
    assert_eq!(told(&of(&declined)), [("upload.declined", 1)]);
    assert_eq!(of(&declined)[0]["data"]["reason"], "Not mine.");
    assert_eq!(
        told(&of(&cancelled)),
        [("media.deleted", 1), ("upload.cancelled", 2)]
    );
    assert_eq!(told(&of(&lapsed)), [("upload.expired", 1)]);
    assert_eq!(of(&lapsed)[0]["data"]["expired_because"], "link");
}

#[tokio::test]
async fn a_file_that_is_blocked_is_told_with_its_code() {
    let askfile = telling(vec![endpoint("shop", "media.*")]).await;
    let link = askfile.link().await;
    let broken = PNG[..PNG.len() - 20].to_vec();
    let refused = askfile.send(put(&link, broken)).await;
    let events = askfile.queued_for("shop").await;
    assert_eq!(told(&events), [("media.blocked", 1)], "{refused:?}");
    let data = &events[0]["data"];
    assert_eq!(data["code"], refused.json()["code"]);
    assert_eq!(data["media"]["scan_status"], "blocked");
}

#[tokio::test]
async fn what_is_kept_no_longer_is_told_even_after_its_upload_is_forgotten() {
    const RETAINED: u64 = 40 * 86_400;
    let askfile = Askfile::start_with(|settings| {
        settings.webhooks = vec![endpoint("shop", "*")];
        settings.purposes[0].retain_seconds = Some(RETAINED);
    })
    .await;
    let link = askfile.link().await;
    askfile.put(&link, b"text").await;
    askfile.attach(&link, "7").await;
    askfile.clock.advance(SignedDuration::from_hours(31 * 24));
    askfile.service.sweep().await.unwrap();
    assert_eq!(askfile.count("SELECT count(*) FROM upload_session"), 0);
    askfile.sql("DELETE FROM attachment WHERE target_id = ?1", "7");
    askfile.sql("UPDATE media SET is_attached = ?1", "0");
    askfile.clock.advance(SignedDuration::from_hours(10 * 24));
    askfile.service.sweep().await.unwrap();

    let last = askfile.queued_for("shop").await.pop().unwrap();
    assert_eq!(
        (&last["type"], &last["data"]["sequence"]),
        (&json!("media.deleted"), &json!(4))
    );
    assert_eq!(last["data"]["deleted_because"], "retention");
    assert_eq!(last["data"]["upload_id"], link.upload_id.as_str());
    let numbers = askfile.count("SELECT count(*) FROM webhook_sequence");
    assert_eq!(numbers, 0, "nothing is left to be numbered");
}

#[tokio::test]
async fn an_endpoint_is_told_what_it_asks_for_and_numbered_without_a_gap() {
    let first = Askfile::start().await;
    first.workspace("w-other").await;
    let elsewhere = Endpoint {
        workspaces: vec!["w-other".parse().unwrap()],
        ..endpoint("elsewhere", "*")
    };
    let askfile = first
        .neighbour_with(|settings: &mut Settings| {
            let posts = endpoint("posts", "media.attached");
            settings.webhooks = vec![endpoint("all", "*"), posts, elsewhere];
        })
        .await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    askfile.put(&link, b"one").await;
    askfile.put(&link, b"two").await;
    askfile.attach(&link, "7").await;
    assert_eq!(askfile.queued_for("all").await.len(), 4);
    assert_eq!(
        told(&askfile.queued_for("posts").await),
        [("media.attached", 1), ("media.attached", 2)]
    );
    assert_eq!(told(&askfile.queued_for("elsewhere").await), []);
}

#[tokio::test]
async fn a_workspace_that_there_is_not_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::in_folder(folder.path());
    let nowhere = vec!["w-nowhere".parse().unwrap()];
    settings.webhooks = vec![Endpoint {
        workspaces: nowhere,
        ..endpoint("shop", "*")
    }];
    let refused = askfile::app::start(settings, "http://127.0.0.1").await;
    let problem = refused.unwrap_err().to_string();
    assert!(problem.contains("webhook.shop.workspaces"), "{problem}");
}

#[tokio::test]
async fn what_nobody_wants_to_be_told_is_not_queued() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    askfile.put(&link, b"text").await;
    assert!(askfile.webhooks().await.is_empty());
}

/// A back end, what it answers, and the ids that it got.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<Vec<StatusCode>>>,
    got: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// Answers with these, the last first; then takes all.
    async fn start(answers: &[StatusCode]) -> (Self, Endpoint) {
        let receiver = Self::default();
        receiver.answers.lock().unwrap().extend(answers);
        let take = async |State(receiver): State<Self>, headers: HeaderMap, _: Bytes| {
            let id = headers["webhook-id"].to_str().unwrap().to_owned();
            receiver.got.lock().unwrap().push(id);
            receiver
                .answers
                .lock()
                .unwrap()
                .pop()
                .unwrap_or(StatusCode::OK)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/", post(take))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let endpoint = Endpoint {
            url,
            ..endpoint("shop", "upload.completed")
        };
        (receiver, endpoint)
    }

    /// Waits until it got so many.
    async fn has(&self, count: usize) {
        until(|| self.got.lock().unwrap().len() >= count).await;
        assert_eq!(self.got.lock().unwrap().len(), count);
    }
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, looking).await.unwrap();
}

/// A server that delivers, and one event that happened there.
async fn one_event(answers: &[StatusCode]) -> (Askfile, Receiver) {
    let (receiver, endpoint) = Receiver::start(answers).await;
    let askfile = telling(vec![endpoint]).await;
    let keeping = askfile.service.clone();
    tokio::spawn(async move { keeping.keep_house().await });
    let link = askfile.link().await;
    askfile.put(&link, b"text").await;
    receiver.has(1).await;
    (askfile, receiver)
}

#[tokio::test]
async fn one_that_fails_is_tried_again_for_a_day_and_then_given_up() {
    let (askfile, receiver) = one_event(&[StatusCode::INTERNAL_SERVER_ERROR; 20]).await;
    let mut webhook = askfile.settled(1).await;
    for tries in 2.. {
        let Some(due_at) = webhook.due_at else {
            break;
        };
        askfile
            .clock
            .advance(due_at.duration_since(askfile.service.now()));
        askfile.nudge().await;
        webhook = askfile.settled(tries).await;
        assert_eq!(receiver.got.lock().unwrap().len(), tries as usize);
    }
    let dead = webhook;
    assert_eq!(dead.state, WebhookState::Dead);
    let age = askfile.service.now().duration_since(dead.created_at);
    assert!(age >= SignedDuration::from_hours(24), "{age}");
    assert_eq!(
        dead.problem.as_deref(),
        Some("answered 500 Internal Server Error")
    );

    receiver.answers.lock().unwrap().clear();
    assert_eq!(askfile.replay(Replay::One(dead.id)).await, 1);
    assert_eq!(askfile.settled(1).await.state, WebhookState::Delivered);
    let got = receiver.got.lock().unwrap().clone();
    assert!(got.iter().all(|id| *id == dead.id.to_string()), "{got:?}");
}

#[tokio::test]
async fn what_ended_is_forgotten_after_a_week_and_what_waits_is_not() {
    let (askfile, _receiver) = one_event(&[]).await;
    assert_eq!(askfile.settled(1).await.state, WebhookState::Delivered);
    askfile.sql(
        "INSERT INTO webhook (id, endpoint, session_id, event, body, created_at, due_at)
         SELECT randomblob(16), ?1, session_id, event, body, created_at, created_at FROM webhook",
        "gone",
    );
    askfile
        .clock
        .advance(SignedDuration::from_hours(7 * 24) - secs(1));
    askfile.service.sweep().await.unwrap();
    assert_eq!(askfile.webhooks().await.len(), 2);
    askfile.clock.advance(secs(1));
    askfile.service.sweep().await.unwrap();
    let [left] = &askfile.webhooks().await[..] else {
        panic!("one is left");
    };
    assert_eq!(left.state, WebhookState::Waiting, "nobody has tried it");
}
