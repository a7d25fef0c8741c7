//! Calls that wait, and what wakes them.

use std::time::Duration;

use axum::{body::to_bytes, extract::Request, http::HeaderMap};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{
    Askfile, PNG,
    keys::mcp,
    secs,
    web::{Link, get, press},
};

/// Less than the time after which a waiter looks again without being woken.
const WOKEN: f64 = 4.5;

async fn impatient() -> Askfile {
    Askfile::start_with(|settings| settings.max_wait = Duration::from_millis(300)).await
}

fn waited(answer: &Value) -> f64 {
    let waited = answer["waited_seconds"].as_f64();
    waited.unwrap_or_else(|| panic!("{answer}"))
}

/// Of [`impatient`], where more was asked for.
fn says_that_it_was_cut(answer: &Value) {
    assert!((0.3..5.0).contains(&waited(answer)), "{answer}");
    let next = answer["next_action"].as_str().unwrap();
    assert!(
        next.starts_with("Waited 0.") && next.contains("still works"),
        "{next}"
    );
}

#[tokio::test]
async fn a_waiting_call_hears_of_each_step_and_answers_when_the_file_is_there() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let waiting = json!({ "token": link.token, "wait_seconds": 45 });
    let sending = async {
        assert_eq!(
            askfile.agent_says().await,
            "Waiting for the person to open the link"
        );
        askfile.send(get(&link.path())).await;
        while askfile.agent_says().await != "The person has opened the page" {}
        askfile.put(&link, PNG).await;
    };
    let (status, ()) = tokio::join!(askfile.call("upload_status", waiting), sending);
    assert_eq!(status["status"], "completed");
    assert_eq!(
        status["result"]["media"][0]["original_size_bytes"],
        PNG.len()
    );
    assert!(waited(&status) < WOKEN, "{status}");
}

#[tokio::test]
async fn whatever_ends_a_session_wakes_who_waits_for_it() {
    let askfile = Askfile::start().await;
    for ended in ["declined", "cancelled"] {
        let link = askfile.link().await;
        let waiting = json!({ "upload_id": link.upload_id, "wait_seconds": 45 });
        let ending = async {
            askfile.agent_says().await;
            if ended == "declined" {
                askfile.send(press(&link.below("/decline"))).await;
            } else {
                let which = json!({ "token": link.token });
                askfile.call("upload_cancel", which).await;
            }
        };
        let (status, ()) = tokio::join!(askfile.call("upload_status", waiting), ending);
        assert_eq!(status["status"], ended);
        assert!(waited(&status) < WOKEN, "{status}");
    }
}

#[tokio::test]
async fn many_can_wait_for_one_file() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let wait = || {
        askfile.call(
            "upload_status",
            json!({ "token": link.token, "wait_seconds": 45 }),
        )
    };
    let sending = async {
        for _ in 0..3 {
            askfile.agent_says().await;
        }
        askfile.put(&link, PNG).await;
    };
    let (a, b, c, ()) = tokio::join!(wait(), wait(), wait(), sending);
    for status in [a, b, c] {
        assert_eq!(status["status"], "completed");
        assert!(waited(&status) < WOKEN, "{status}");
    }
}

#[tokio::test]
async fn a_file_that_came_in_through_another_process_wakes_who_waits_here() {
    let askfile = Askfile::start_with(|settings| settings.link_keys.clear()).await;
    let neighbour = askfile.neighbour().await;
    let link = askfile.link().await;
    let waiting = json!({ "token": link.token, "wait_seconds": 45 });
    let sending = async {
        askfile.agent_says().await;
        neighbour.put(&link, PNG).await;
    };
    let (status, ()) = tokio::join!(askfile.call("upload_status", waiting), sending);
    assert_eq!(status["status"], "completed");
    assert!(waited(&status) < WOKEN, "{status}");
    assert_eq!(neighbour.status(&link).await["result"], status["result"]);
}

#[tokio::test]
async fn no_wait_is_longer_than_the_settings_say_and_the_link_lives_on() {
    let askfile = impatient().await;
    let link = askfile.link().await;
    let waiting = json!({ "token": link.token, "wait_seconds": 3600 });
    let status = askfile.call("upload_status", waiting).await;
    assert_eq!(status["status"], "pending");
    says_that_it_was_cut(&status);
    askfile.put(&link, PNG).await;
}

#[tokio::test]
async fn a_short_wait_is_as_long_as_it_was_asked_for() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let waiting = json!({ "token": link.token, "wait_seconds": 0.2 });
    let status = askfile.call("upload_status", waiting).await;
    assert!((0.2..5.0).contains(&waited(&status)), "{status}");
    let at_once = askfile
        .call(
            "upload_status",
            json!({ "token": link.token, "wait_seconds": 0 }),
        )
        .await;
    assert_eq!(at_once["waited_seconds"], json!(null));
}

#[tokio::test]
async fn what_has_ended_is_not_waited_for() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    askfile.put(&link, PNG).await;
    let waiting = json!({ "token": link.token, "wait_seconds": 45 });
    let status = askfile.call("upload_status", waiting).await;
    assert_eq!(status["status"], "completed");
    assert!(waited(&status) < WOKEN, "{status}");
}

#[tokio::test]
async fn creating_with_wait_tells_the_link_first_and_the_file_at_last() {
    let askfile = Askfile::start().await;
    let asking = askfile.call(
        "upload_create",
        json!({ "wait": true, "prompt": "A photo" }),
    );
    let sending = async {
        let instruction = askfile.agent_says().await;
        assert!(instruction.contains("A photo"), "{instruction}");
        let url = instruction
            .split_whitespace()
            .find(|word| word.starts_with("http"));
        let (base, query) = url.unwrap().split_once('?').unwrap();
        let link = Link {
            upload_id: String::new(),
            token: base.rsplit_once('/').unwrap().1.to_owned(),
            workspace_id: String::new(),
            query: query.to_owned(),
        };
        askfile.put(&link, PNG).await;
    };
    let (answer, ()) = tokio::join!(asking, sending);
    assert_eq!(
        (&answer["status"], &answer["phase"]),
        (&json!("completed"), &json!(null))
    );
    assert_eq!(
        answer["result"]["media"][0]["original_size_bytes"],
        PNG.len()
    );
    assert_eq!(answer["suggestions"].as_array().unwrap().len(), 1);
    assert!(waited(&answer) < WOKEN, "{answer}");
}

#[tokio::test]
async fn creating_with_wait_ends_in_time_and_says_so() {
    let askfile = impatient().await;
    let asked = json!({ "wait": true, "timeout": 120 });
    let answer = askfile.call("upload_create", asked).await;
    assert_eq!(answer["status"], "pending");
    says_that_it_was_cut(&answer);
    askfile.put(&Link::of(&answer), PNG).await;
}

#[tokio::test]
async fn who_waited_until_the_server_stopped_is_not_told_that_calls_are_short() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let wait = json!({ "token": link.token, "wait_seconds": 300 });
    let stopping = async { askfile.service.close() };
    let (answer, ()) = tokio::join!(askfile.call("upload_status", wait), stopping);
    assert!(waited(&answer) < 5.0, "{answer}");
    let next = answer["next_action"].as_str().unwrap();
    assert!(!next.starts_with("Waited"), "{next}");
}

#[tokio::test]
async fn a_request_is_pending_at_once_and_names_the_next_call() {
    let askfile = Askfile::start().await;
    let answer = askfile
        .call(
            "upload_request",
            json!({ "prompt": "A photo", "timeout": 45 }),
        )
        .await;
    assert_eq!(
        (&answer["outcome"], &answer["status"]),
        (&json!("pending"), &json!("pending"))
    );
    assert_eq!(answer["waited_seconds"], json!(null));
    let link = Link::of(&answer);
    let next = format!("upload_status(token=\"{}\", wait_seconds=45)", link.token);
    assert!(
        answer["next_action"].as_str().unwrap().contains(&next),
        "{answer}"
    );
    assert!(
        answer["instruction"]
            .as_str()
            .unwrap()
            .contains(&link.query),
        "{answer}"
    );

    let waiting = askfile.call(
        "upload_request",
        json!({ "token": link.token, "timeout": 45 }),
    );
    let sending = async {
        askfile.agent_says().await;
        askfile.put(&link, PNG).await;
    };
    let (answer, ()) = tokio::join!(waiting, sending);
    assert_eq!(
        (&answer["outcome"], &answer["status"]),
        (&json!("uploaded"), &json!("completed"))
    );
    assert_eq!(
        answer["result"]["media"][0]["original_size_bytes"],
        PNG.len()
    );
    assert_eq!(answer["upload_id"], link.upload_id);
    assert!(waited(&answer) < WOKEN, "{answer}");
}

#[tokio::test]
async fn a_request_that_is_waited_for_says_how_it_ended() {
    let askfile = impatient().await;
    let ask = || async {
        Link::of(
            &askfile
                .call("upload_request", json!({ "prompt": "x" }))
                .await,
        )
    };
    let go_on = |link: &Link, timeout: f64| {
        askfile.call(
            "upload_request",
            json!({ "token": link.token, "timeout": timeout }),
        )
    };
    let link = ask().await;
    let timeout = go_on(&link, 0.1).await;
    assert_eq!(
        (&timeout["outcome"], &timeout["status"]),
        (&json!("timeout"), &json!("pending"))
    );
    let pending = go_on(&link, 300.0).await;
    assert_eq!(
        (&pending["outcome"], &pending["status"]),
        (&json!("pending"), &json!("pending"))
    );
    says_that_it_was_cut(&pending);
    assert_eq!(Link::of(&pending).query, link.query);

    let no = crate::harness::web::request(axum::http::Method::POST, &link.below("/decline"));
    askfile
        .send(no.body("reason=Not+mine".into()).unwrap())
        .await;
    let declined = go_on(&link, 300.0).await;
    assert_eq!(
        (&declined["outcome"], &declined["reason"]),
        (&json!("declined"), &json!("Not mine"))
    );

    let cancelled = ask().await;
    askfile
        .call("upload_cancel", json!({ "token": cancelled.token }))
        .await;
    assert_eq!(go_on(&cancelled, 1.0).await["code"], "CANCELLED");
    let expired = ask().await;
    askfile.clock.advance(secs(900));
    assert_eq!(go_on(&expired, 1.0).await["code"], "LINK_EXPIRED");
}

/// Calls over HTTP that wait do so before they are calls, where clients of today make them.
mod over_http {
    use std::time::{Duration, Instant};

    use serde_json::{Value, json};

    use crate::harness::{
        Askfile, PNG,
        keys::{ALL, message},
        secs,
    };

    async fn status(askfile: &Askfile, key: &str, arguments: Value) -> (Value, Duration) {
        let began = Instant::now();
        let params = json!({ "name": "upload_status", "arguments": arguments });
        let answer = askfile.rpc(Some(key), "tools/call", params).await;
        let answer = message(&answer)["result"]["structuredContent"].take();
        (answer, began.elapsed())
    }

    #[tokio::test]
    async fn a_wait_ends_with_the_file_or_with_its_time() {
        let askfile = Askfile::with_keys().await;
        let key = askfile.key("agent", ALL, &[]).await;
        let made = askfile.call_with(&key, "upload_create", json!({})).await;
        let link = crate::harness::web::Link::of(&made);
        let wait = |seconds: f64| json!({ "token": link.token, "wait_seconds": seconds });
        let (over, took) = status(&askfile, &key, wait(0.3)).await;
        assert_eq!(over["status"], "pending");
        assert_eq!(over["waited_seconds"], 0.3);
        assert!(took >= Duration::from_millis(300), "{took:?}");
        let coming = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            askfile.put(&link, PNG).await;
        };
        let ((there, took), ()) = tokio::join!(status(&askfile, &key, wait(30.0)), coming);
        assert_eq!(there["status"], "completed");
        let waited = there["waited_seconds"].as_f64().unwrap();
        assert!(
            waited > 0.1 && took < Duration::from_secs(5),
            "{waited} {took:?}"
        );
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_at_once() {
        let askfile = Askfile::with_keys().await;
        let key = askfile.key("agent", ALL, &[]).await;
        let made = askfile.call_with(&key, "upload_create", json!({})).await;
        let (token, unknown) = (&made["token"], "11111111-2222-4333-8444-555555555555");
        for (arguments, code) in [
            (json!({ "token": unknown, "wait_seconds": 20 }), "NOT_FOUND"),
            (
                json!({ "token": token, "wait_seconds": 4_000 }),
                "INVALID_ARGUMENT",
            ),
            (
                json!({ "token": token, "wait_seconds": "20" }),
                "INVALID_ARGUMENT",
            ),
            (
                json!({ "token": token, "wait_seconds": 20, "more": 1 }),
                "INVALID_ARGUMENT",
            ),
            (json!({ "wait_seconds": 20 }), "INVALID_ARGUMENT"),
        ] {
            let (answer, took) = status(&askfile, &key, arguments.clone()).await;
            assert_eq!(answer["code"], code, "{arguments}: {answer}");
            assert!(took < Duration::from_secs(5), "{arguments}: {took:?}");
        }
    }

    #[tokio::test]
    async fn who_may_read_no_files_by_then_is_suggested_no_address_of_one() {
        let askfile = Askfile::with_keys().await;
        let agent = askfile.key("agent", ALL, &[]).await;
        let reader = askfile.key("reader", "media:read", &[]).await;
        let made = json!({ "purpose": "study_media" });
        let made = askfile.call_with(&agent, "upload_create", made).await;
        let wait = json!({
            "name": "upload_status",
            "arguments": { "token": made["token"], "wait_seconds": 30 },
        });
        let watched = {
            let mut wait = wait.clone();
            wait["_meta"] = json!({ "progressToken": 1 });
            wait
        };
        let coming = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let operator = askfile.service.operator("a test");
            let none = |_| "media:attach".parse().unwrap();
            askfile
                .service
                .allow_key(&operator, "reader", none)
                .await
                .unwrap();
            askfile
                .put(&crate::harness::web::Link::of(&made), PNG)
                .await;
        };
        let answers = tokio::join!(
            askfile.rpc(Some(&reader), "tools/call", wait),
            askfile.rpc(Some(&reader), "tools/call", watched),
            coming
        );
        for answer in [answers.0, answers.1] {
            let status = message(&answer)["result"]["structuredContent"].take();
            assert_eq!(status["status"], "completed");
            assert_eq!(status["suggestions"], Value::Null, "{status}");
        }
    }

    #[tokio::test]
    async fn a_link_that_was_made_is_told_though_the_key_ends_while_its_call_waits() {
        let askfile = Askfile::with_keys().await;
        let key = askfile.key_for("brief", ALL, &[], Some(Duration::from_secs(60)));
        let key = key.await;
        let ending = async {
            while askfile.count("SELECT count(*) FROM upload_session") == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            askfile.clock.advance(secs(61));
        };
        let wait = json!({ "wait": true, "timeout": 30 });
        let (made, ()) = tokio::join!(askfile.call_with(&key, "upload_create", wait), ending);
        assert_eq!(made["status"], "pending", "{made}");
        assert!(made["upload_url"].is_string() && made["waited_seconds"].is_null());
    }

    #[tokio::test]
    async fn a_wait_counts_as_one_call() {
        let askfile = Askfile::start_with(|settings| {
            settings.auth = askfile::config::Auth::KEYS;
            settings.rate_limit_tool_calls_per_minute = 3;
        });
        let askfile = askfile.await;
        let key = askfile.key("agent", ALL, &[]).await;
        let made = askfile.call_with(&key, "upload_create", json!({})).await;
        let wait = json!({ "token": made["token"], "wait_seconds": 0.01 });
        for _ in 0..2 {
            let (answer, _) = status(&askfile, &key, wait.clone()).await;
            assert_eq!(answer["ok"], true, "{answer}");
        }
        let (refused, _) = status(&askfile, &key, wait).await;
        assert_eq!(refused["code"], "RATE_LIMITED", "{refused}");
    }
}

/// Turns it into something else.
type Change = fn(&mut HeaderMap, &mut Value);

#[tokio::test]
async fn what_is_no_call_is_refused_at_once_whatever_wait_it_asks_for() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let wait = json!({
        "name": "upload_status",
        "arguments": { "token": link.token, "wait_seconds": 45 },
    });
    let changes: [(u16, Change); 11] = [
        (400, |headers, _| {
            headers.insert("mcp-name", "upload_get".parse().unwrap());
        }),
        (400, |headers, _| {
            headers.insert("mcp-protocol-version", "9999".parse().unwrap());
        }),
        (202, |_, body| {
            body.as_object_mut().unwrap().remove("id");
        }),
        (400, |_, body| {
            body["params"].as_object_mut().unwrap().remove("_meta");
        }),
        (400, |_, body| {
            body["params"]["_meta"] = json!({ "more": 1 });
        }),
        (406, |headers, _| {
            headers.insert("accept", "application/json".parse().unwrap());
        }),
        (415, |headers, _| {
            headers.insert("content-type", "text/plain".parse().unwrap());
        }),
        (415, |_, body| body["jsonrpc"] = json!("1.0")),
        (415, |_, body| body["id"] = Value::Null),
        (404, |_, body| {
            body["params"]["arguments"] = json!(["x", null, 45]);
        }),
        (415, |_, body| {
            *body = json!(["2.0", 1, "tools/call", body["params"]]);
        }),
    ];
    for (status, change) in changes {
        let (mut parts, body) = mcp(None, "tools/call", wait.clone()).into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let mut body = serde_json::from_slice(&body).unwrap();
        change(&mut parts.headers, &mut body);
        let request = Request::from_parts(parts, body.to_string().into());
        let answer = timeout(Duration::from_secs_f64(WOKEN), askfile.send(request)).await;
        assert_eq!(answer.expect("it waits").status, status, "{body}");
    }
}
