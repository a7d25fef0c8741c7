//! A POST that is repeated with its `Idempotency-Key` is done once.

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::harness::{
    Askfile,
    rest::rest,
    secs,
    web::{Answer, With},
};

/// A link that is asked for with this key of its request.
async fn asked(askfile: &Askfile, key: &str, body: Value) -> Answer {
    let request = rest(None, Method::POST, "/v1/links", &body);
    askfile.send(request.with("idempotency-key", key)).await
}

fn links(askfile: &Askfile) -> usize {
    let count = askfile.count("SELECT count(*) FROM upload_session");
    usize::try_from(count).unwrap()
}

#[tokio::test]
async fn the_same_request_again_is_answered_as_before_for_a_day() {
    let askfile = Askfile::start().await;
    let body = json!({ "prompt": "x" });
    let first = asked(&askfile, "k1", body.clone()).await;
    assert_eq!(
        (first.status.as_u16(), first.header("idempotent-replayed")),
        (201, "")
    );
    let again = asked(&askfile, "k1", body.clone()).await;
    assert_eq!(
        (again.status.as_u16(), again.header("idempotent-replayed")),
        (201, "true")
    );
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(links(&askfile), 1);
    asked(&askfile, "k2", body.clone()).await;
    assert_eq!(links(&askfile), 2, "another key is another request");
    askfile.clock.advance(SignedDuration::from_hours(24));
    askfile.service.sweep().await.unwrap();
    assert_eq!(askfile.count("SELECT count(*) FROM request"), 0);
    asked(&askfile, "k1", body).await;
    assert_eq!(links(&askfile), 3);
}

#[tokio::test]
async fn who_hangs_up_and_asks_again_finds_what_was_done() {
    let askfile = Askfile::start().await;
    for n in 0..20 {
        let key = format!("k{n}");
        let request = rest(None, Method::POST, "/v1/links", &json!({}));
        let asked_first = askfile.open(request.with("idempotency-key", &key));
        // As long as it takes to send it, or nothing at all.
        let patience = std::time::Duration::from_micros(n * 100);
        let _ = tokio::time::timeout(patience, asked_first).await;
        // While the first is still being answered, the second is told so.
        let mut again = asked(&askfile, &key, json!({})).await;
        for _ in 0..1_000 {
            if again.status != 409 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            again = asked(&askfile, &key, json!({})).await;
        }
        assert_eq!(again.status, 201, "{again:?}");
        let made = usize::try_from(n).unwrap() + 1;
        assert_eq!(links(&askfile), made, "each is made once");
    }
}

#[tokio::test]
async fn what_was_refused_may_be_put_right_at_once() {
    let askfile = Askfile::start().await;
    for n in 0..20 {
        let key = format!("k{n}");
        let wrong = asked(&askfile, &key, json!({ "max_files": 99 })).await;
        assert_eq!(wrong.status, 422);
        let right = asked(&askfile, &key, json!({ "max_files": 1 })).await;
        assert_eq!(right.status, 201, "{right:?}");
    }
}

#[tokio::test]
async fn the_same_key_for_another_request_is_a_conflict() {
    let askfile = Askfile::start().await;
    asked(&askfile, "k", json!({ "prompt": "x" })).await;
    for body in [
        json!({ "prompt": "y" }),
        json!({}),
        json!({ "prompt": "x".repeat(900) }),
    ] {
        let refused = asked(&askfile, "k", body).await;
        assert_eq!(refused.problem(), (409, "CONFLICT".into()));
    }
    let body = json!({ "prompt": "x" });
    let elsewhere = rest(None, Method::POST, "/v1/keys", &body).with("idempotency-key", "k");
    assert_eq!(
        askfile.send(elsewhere).await.problem(),
        (409, "CONFLICT".into())
    );
    assert_eq!(links(&askfile), 1);
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again_with_the_same_key() {
    let askfile = Askfile::start().await;
    asked(&askfile, "k", json!({ "max_files": 0 }))
        .await
        .mistake();
    // The key is given back after the answer.
    for _ in 0..100 {
        if askfile.count("SELECT count(*) FROM request") == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(asked(&askfile, "k", json!({})).await.status, 201);
}

#[tokio::test]
async fn of_many_at_once_one_is_done() {
    let askfile = Askfile::start().await;
    let all = futures_util::future::join_all((0..20).map(|_| asked(&askfile, "k", json!({}))));
    let all = all.await;
    let made: Vec<_> = all.iter().filter(|answer| answer.status == 201).collect();
    assert!(made.iter().all(|answer| answer.body == made[0].body));
    for busy in all.iter().filter(|answer| answer.status != 201) {
        assert_eq!(busy.problem(), (409, "CONFLICT".into()));
    }
    assert_eq!(links(&askfile), 1);
}

#[tokio::test]
async fn a_key_whose_server_died_is_free_after_a_minute() {
    let askfile = Askfile::start().await;
    let caller = askfile.service.open_caller(None);
    askfile.service.begin_request(&caller, "k").await.unwrap();
    let busy = asked(&askfile, "k", json!({})).await;
    assert_eq!(busy.problem(), (409, "CONFLICT".into()));
    askfile.clock.advance(secs(60));
    assert_eq!(asked(&askfile, "k", json!({})).await.status, 201);
}

#[tokio::test]
async fn a_secret_is_not_told_again_and_kept_nowhere() {
    let askfile = Askfile::with_keys().await;
    let admin = askfile.key("admin", "admin", &[]).await;
    let body = json!({ "name": "agent" });
    let ask = || rest(Some(&admin), Method::POST, "/v1/keys", &body).with("idempotency-key", "k");
    let made = askfile.send(ask()).await;
    assert_eq!(made.status, 201);
    assert_eq!(
        askfile.count("SELECT count(*) FROM request WHERE body IS NULL"),
        1
    );
    let again = askfile.send(ask()).await;
    assert_eq!(again.problem(), (409, "CONFLICT".into()));
    assert!(
        again.json()["detail"]
            .as_str()
            .unwrap()
            .contains("told once")
    );
}

#[tokio::test]
async fn one_callers_keys_are_not_anothers() {
    let askfile = Askfile::with_keys().await;
    let (one, other) = (
        askfile.key("one", "asset:upload", &[]).await,
        askfile.key("other", "asset:upload", &[]).await,
    );
    let mut tokens = Vec::new();
    for key in [&one, &other] {
        let asked = rest(Some(key), Method::POST, "/v1/links", &json!({}));
        let made = askfile
            .send(asked.with("idempotency-key", "k"))
            .await
            .json();
        tokens.push(made["token"].clone());
    }
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn what_is_no_key_is_a_mistake() {
    let askfile = Askfile::start().await;
    for key in ["", "a b", &"k".repeat(256)] {
        asked(&askfile, key, json!({})).await.mistake();
    }
    let twice = rest(None, Method::POST, "/v1/links", &json!({}));
    let twice = twice
        .with("idempotency-key", "a")
        .with("idempotency-key", "b");
    askfile.send(twice).await.mistake();
    assert_eq!(links(&askfile), 0);
}
