//! An upload from the asking to the attaching, and the other ways in which it ends.

use axum::http::{Method, StatusCode, header};
use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::{Feed, Form},
    secs,
    web::{With, get, post, press, put, request},
};

#[tokio::test]
async fn an_upload_goes_from_waiting_to_consumed() {
    let askfile = Askfile::start().await;
    let created = askfile
        .call("upload_create", json!({ "prompt": "The invoice of May" }))
        .await;
    let link = crate::harness::web::Link::of(&created);
    assert_eq!(
        (&created["status"], &created["phase"]),
        (&json!("pending"), &json!("waiting"))
    );
    for told in [
        "The invoice of May",
        created["upload_url"].as_str().unwrap(),
        "Tell me when",
    ] {
        assert!(
            created["instruction"].as_str().unwrap().contains(told),
            "{told}: {created}"
        );
    }

    let page = askfile.send(get(&link.path())).await;
    let words = page
        .html()
        .split("are <strong lang=\"en\" dir=\"ltr\">")
        .nth(1);
    let words = words.unwrap().split("</strong>").next().unwrap();
    let told = created["instruction"].as_str().unwrap();
    assert!(told.contains(&format!("“{words}”")), "{words}: {told}");
    assert_eq!(askfile.status(&link).await["phase"], "opened");

    let (feed, body) = Feed::new();
    feed.send(&PNG[..40]);
    let rest = async {
        askfile.until_phase(&link, "receiving").await;
        feed.send(&PNG[40..]);
        drop(feed);
    };
    let (sent, ()) = tokio::join!(askfile.send(put(&link, body)), rest);
    let receipt = sent.receipt();
    assert_eq!(
        (&receipt["type"], &receipt["upload_token"]),
        (&json!("image"), &json!(link.token))
    );

    let status = askfile.status(&link).await;
    assert_eq!(status["status"], "completed");
    assert_eq!(status["phase"], json!(null));
    assert_eq!(
        status["result"]["media"][0]["media_id"],
        receipt["media_id"]
    );
    assert_eq!(
        status["result"]["media"][0]["original_size_bytes"],
        PNG.len()
    );
    let handle = status["result"]["handles"]["media"][0].as_str().unwrap();
    assert!(handle.starts_with("md_"), "{handle}");

    let target = json!({ "upload_token": link.token, "target_type": "post", "target_id": "7" });
    let attached = askfile.call("attach_media", target).await;
    assert_eq!(attached["status"], "consumed");
    let status = askfile.status(&link).await;
    assert_eq!(
        (&status["status"], &status["suggestions"]),
        (&json!("consumed"), &json!(null))
    );
    assert_eq!(
        status["result"]["media"][0]["media_id"],
        receipt["media_id"]
    );
}

#[tokio::test]
async fn what_is_stored_is_what_was_sent() {
    let askfile = Askfile::start().await;
    let text: Vec<u8> = (0..200_000).map(|n| b"line by line\n"[n % 13]).collect();
    let link = askfile.link().await;
    let form = Form::with("notes.txt", &text).text("description", "as agreed");
    let receipt = askfile.send(post(&link, form)).await.receipt();

    let name = format!("{}.txt", receipt["media_id"].as_str().unwrap());
    assert_eq!(askfile.stored(), [name.as_str()]);
    assert_eq!(askfile.staged(), [""; 0]);
    assert!(askfile.bytes(&name) == text);
    assert_eq!(receipt["size_bytes"], 200_000);
    let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&text).into();
    assert_eq!(receipt["sha256"], askfile::link::hex(&digest));
    let media = &askfile.status(&link).await["result"]["media"][0];
    assert_eq!(media["description"], "as agreed");
    assert_eq!(media["scan_status"], "skipped");
}

#[tokio::test]
async fn a_link_is_good_for_one_file() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    askfile.put(&link, PNG).await;
    let again = askfile.send(put(&link, PNG)).await;
    again.is(409, "ALREADY_USED", "a second file");
    assert_eq!(askfile.stored().len(), 1);
}

#[tokio::test]
async fn the_same_attempt_gets_its_lost_answer_again() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let attempt = "11111111-2222-4333-8444-555555555555";
    let send = || put(&link, PNG).with("askfile-attempt", attempt);
    let first = askfile.send(send()).await.receipt();
    assert_eq!(askfile.send(send()).await.receipt(), first);
    let other = "21111111-2222-4333-8444-555555555555";
    let other = put(&link, PNG).with("askfile-attempt", other);
    askfile
        .send(other)
        .await
        .is(409, "ALREADY_USED", "another attempt");
    assert_eq!(askfile.stored().len(), 1);
}

#[tokio::test]
async fn a_cancelled_link_refuses_the_body_that_is_on_its_way() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let (feed, body) = Feed::new();
    feed.send(PNG);
    let cancelling = async {
        askfile.until_phase(&link, "receiving").await;
        let which = json!({ "token": link.token });
        let cancelled = askfile.call("upload_cancel", which).await;
        assert_eq!(cancelled["status"], "cancelled");
        drop(feed);
    };
    let (sent, ()) = tokio::join!(askfile.send(put(&link, body)), cancelling);
    sent.is(409, "CANCELLED", "its claim is gone");
    assert_eq!(askfile.staged(), [""; 0]);
    assert_eq!(askfile.stored(), [""; 0]);
    assert_eq!(askfile.status(&link).await["status"], "cancelled");
}

#[tokio::test]
async fn a_declined_link_refuses_the_body_that_is_on_its_way() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let (feed, body) = Feed::new();
    feed.send(PNG);
    let declining = async {
        askfile.until_phase(&link, "receiving").await;
        let pressed = askfile.send(press(&link.below("/decline"))).await;
        assert_eq!(pressed.status, StatusCode::OK);
        drop(feed);
    };
    let (sent, ()) = tokio::join!(askfile.send(put(&link, body)), declining);
    sent.is(409, "DECLINED", "its claim is gone");
    assert_eq!(askfile.stored(), [""; 0]);
    assert_eq!(askfile.status(&link).await["status"], "declined");
}

#[tokio::test]
async fn cancelling_again_is_no_error_and_cancelling_a_file_is() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let which = json!({ "upload_id": link.upload_id });
    for _ in 0..2 {
        let cancelled = askfile.call("upload_cancel", which.clone()).await;
        assert_eq!(cancelled["status"], "cancelled");
    }
    askfile
        .send(put(&link, PNG))
        .await
        .is(409, "CANCELLED", "after it");

    let used = askfile.link().await;
    askfile.put(&used, PNG).await;
    let refused = askfile
        .call("upload_cancel", json!({ "token": used.token }))
        .await;
    assert_eq!(refused["code"], "ALREADY_USED");
    assert_eq!(askfile.status(&used).await["status"], "completed");
}

#[tokio::test]
async fn the_agent_reads_why_the_person_declined() {
    let askfile = Askfile::start().await;
    let as_form = (
        "application/x-www-form-urlencoded",
        "reason=Not+yours%21",
        "Not yours!",
    );
    let as_json = (
        "application/json",
        "{\"reason\": \"I have \\u202enone\"}",
        "I have none",
    );
    let silent = ("application/x-www-form-urlencoded", "reason=", "");
    for (content_type, body, reason) in [as_form, as_json, silent] {
        let link = askfile.link().await;
        let decline = request(Method::POST, &link.below("/decline"))
            .header(header::CONTENT_TYPE, content_type)
            .body(body.into())
            .unwrap();
        let answer = askfile.send(decline).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, json!({ "status": "declined" }))
        );

        let status = askfile.status(&link).await;
        assert_eq!(status["status"], "declined");
        assert_eq!(status["reason"].as_str().unwrap_or_default(), reason);
        askfile
            .send(put(&link, PNG))
            .await
            .is(409, "DECLINED", "after it");
        let again = askfile.send(press(&link.below("/decline"))).await;
        assert_eq!(again.status, StatusCode::OK);
        let status = askfile.status(&link).await;
        assert_eq!(
            status["reason"].as_str().unwrap_or_default(),
            reason,
            "kept"
        );
    }
}

#[tokio::test]
async fn a_reason_that_is_none_leaves_the_link_as_it_was() {
    let askfile = Askfile::start().await;
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    let long = format!("reason={}", "x".repeat(501));
    let huge = format!("reason={}", "x".repeat(20_000));
    let table = [
        (form, long.as_str(), "INVALID_ARGUMENT"),
        (form, huge.as_str(), "MALFORMED_BODY"),
        (form, "because=x", "MALFORMED_BODY"),
        (form, "reason=a&reason=b", "MALFORMED_BODY"),
        (json, "{\"reason\": 7}", "MALFORMED_BODY"),
        (json, "reason=x", "MALFORMED_BODY"),
    ];
    let link = askfile.link().await;
    let decline = async |content_type: &str, body: &str| {
        let decline = request(Method::POST, &link.below("/decline"));
        let decline = decline.header(header::CONTENT_TYPE, content_type);
        askfile
            .send(decline.body(body.to_owned().into()).unwrap())
            .await
    };
    for (content_type, body, code) in table {
        decline(content_type, body).await.is(422, code, body);
        assert_eq!(askfile.status(&link).await["status"], "pending", "{body}");
    }
    askfile.put(&link, PNG).await;
    for (content_type, body, _) in table {
        decline(content_type, body)
            .await
            .is(409, "ALREADY_USED", "first things first");
    }
}

#[tokio::test]
async fn a_body_that_falls_silent_or_breaks_off_gives_its_place_back() {
    let askfile = Askfile::start_with(|settings| {
        settings.idle_timeout = std::time::Duration::from_millis(200);
    })
    .await;
    let link = askfile.link().await;
    let (feed, body) = Feed::new();
    feed.send(&PNG[..40]);
    let patience = std::time::Duration::from_secs(20);
    let silent = tokio::time::timeout(patience, askfile.send(put(&link, body)));
    silent.await.unwrap().is(422, "MALFORMED_BODY", "silence");
    askfile.is_as_before(&link, "silence").await;
    drop(feed);

    let (feed, body) = Feed::new();
    feed.send(&PNG[..40]);
    feed.cut();
    let cut = askfile.send(put(&link, body)).await;
    cut.is(422, "MALFORMED_BODY", "a cut");
    askfile.is_as_before(&link, "a cut").await;
    assert_eq!(
        askfile.status(&link).await["last_error"]["code"],
        "MALFORMED_BODY"
    );

    askfile.put(&link, PNG).await;
    assert_eq!(askfile.status(&link).await["last_error"], json!(null));
}

#[tokio::test]
async fn whoever_goes_away_in_the_middle_leaves_nothing_behind() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let (feed, body) = Feed::new();
    feed.send(&PNG[..40]);
    {
        let sending = askfile.send(put(&link, body));
        tokio::select! {
            answer = sending => panic!("{answer:?}"),
            () = askfile.until_phase(&link, "receiving") => {}
        }
    }
    feed.cut();
    askfile.until_phase(&link, "waiting").await;
    askfile.is_as_before(&link, "gone").await;
    askfile.put(&link, PNG).await;
}

#[tokio::test]
async fn a_dead_claim_frees_its_slot_when_its_lease_is_over() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let (feed, body) = Feed::new();
    feed.send(PNG);
    let takeover = async {
        askfile.until_phase(&link, "receiving").await;
        let refused = askfile.send(put(&link, PNG)).await;
        refused.is(409, "IN_USE", "while the first is live");
        assert_eq!(refused.header("retry-after"), "30");
        // The longest silence, and what a heartbeat may come late.
        askfile.clock.advance(secs(36));
        askfile.put(&link, PNG).await;
        drop(feed);
    };
    let (late, ()) = tokio::join!(askfile.send(put(&link, body)), takeover);
    late.is(409, "ALREADY_USED", "it woke too late");
    assert_eq!(askfile.stored().len(), 1);
    assert_eq!(askfile.staged(), [""; 0]);
}

#[tokio::test]
async fn a_full_server_asks_to_come_back_and_a_full_disk_refuses() {
    let busy = Askfile::start_with(|settings| settings.max_concurrent_uploads = 1).await;
    let (first, second) = (busy.link().await, busy.link().await);
    let (feed, body) = Feed::new();
    feed.send(PNG);
    let refused = async {
        busy.until_phase(&first, "receiving").await;
        let refused = busy.send(put(&second, PNG)).await;
        refused.is(503, "BUSY", "all places are taken");
        assert_eq!(refused.header("retry-after"), "5");
        drop(feed);
    };
    let (sent, ()) = tokio::join!(busy.send(put(&first, body)), refused);
    sent.receipt();
    busy.put(&second, PNG).await;

    let full = Askfile::start_with(|settings| settings.min_free_disk = u64::MAX).await;
    let link = full.link().await;
    let refused = full.send(put(&link, PNG)).await;
    refused.is(507, "INSUFFICIENT_STORAGE", "the floor");
    full.is_as_before(&link, "the floor").await;
}

#[tokio::test]
async fn a_stopping_server_takes_no_more_claims_and_lets_nobody_wait() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let waiting = json!({ "token": link.token, "wait_seconds": 45 });
    let stopping = async {
        assert_eq!(
            askfile.agent_says().await,
            "Waiting for the person to open the link"
        );
        askfile.service.close();
    };
    let (status, ()) = tokio::join!(askfile.call("upload_status", waiting), stopping);
    assert_eq!(status["status"], "pending");
    let refused = askfile.send(put(&link, PNG)).await;
    refused.is(503, "BUSY", "stopping");
    let created = askfile.call("upload_create", json!({})).await;
    assert_eq!(created["code"], "BUSY");
    let health = askfile.send(get("/healthz")).await.status;
    let ready = askfile.send(get("/readyz")).await.status;
    assert_eq!((health.as_u16(), ready.as_u16()), (200, 503));
}
