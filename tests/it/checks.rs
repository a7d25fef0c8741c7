//! Files that wait for their verdict, where no scanner answers.

use std::time::Duration;

use askfile::intake::scan::Clamd;
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG, mins, secs,
    web::{Link, With, put},
};

/// With a scanner where nobody listens.
async fn without_scanner() -> Askfile {
    Askfile::start_with(|settings| {
        settings.scan_clamd = Some(Clamd::Tcp("127.0.0.1:1".into()));
    })
    .await
}

/// A link by which a file came that is not judged, and the id of the file.
async fn waiting(askfile: &Askfile) -> (Link, String) {
    let link = askfile.link().await;
    let answer = askfile.send(put(&link, "Words.")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let receipt = answer.json();
    assert_eq!(receipt["scan_status"], "pending");
    assert_eq!(askfile.status(&link).await["phase"], "scanning");
    (link, receipt["media_id"].as_str().unwrap().to_owned())
}

async fn code_of(askfile: &Askfile, tool: &'static str, arguments: Value) -> Value {
    askfile.call(tool, arguments).await["code"].clone()
}

#[tokio::test]
async fn a_file_that_nobody_judges_is_nobodys_to_have() {
    let askfile = without_scanner().await;
    let (_, media) = waiting(&askfile).await;
    let target = json!({ "media_id": media, "target_type": "post", "target_id": "7" });
    assert_eq!(code_of(&askfile, "attach_media", target).await, "NOT_READY");
    let named = json!({ "media_id": media });
    let got = askfile.call("media_get", named.clone()).await;
    assert_eq!(got["download_url"], json!(null), "{got}");
    assert_eq!(code_of(&askfile, "media_delete", named).await, "CONFLICT");
    assert_eq!(askfile.stored(), [""; 0], "it has no final name");
}

#[tokio::test]
async fn what_is_imported_and_not_judged_in_time_is_still_pending() {
    let askfile = Askfile::start_with(|settings| {
        settings.scan_clamd = Some(Clamd::Tcp("127.0.0.1:1".into()));
        settings.max_wait = Duration::from_millis(300);
    });
    let askfile = askfile.await;
    let words = json!({ "data": "V29yZHMu", "file_name": "words.txt" });
    let imported = askfile.call("media_import", words).await;
    assert_eq!(imported["phase"], "scanning", "{imported}");
    let next = imported["next_action"].as_str().unwrap();
    assert!(next.contains("upload_status"), "{next}");
    // It is checked on, as any file is.
    let named = json!({ "upload_id": imported["upload_id"] });
    let status = askfile.call("upload_status", named).await;
    assert_eq!(status["phase"], "scanning", "{status}");
}

#[tokio::test]
async fn a_file_without_a_verdict_is_refused_after_a_day() {
    let askfile = without_scanner().await;
    let (link, media) = waiting(&askfile).await;
    for _ in 0..20 {
        askfile.clock.advance(mins(70));
        askfile.service.check_due().await.unwrap();
        assert_eq!(askfile.status(&link).await["phase"], "scanning");
    }
    askfile.clock.advance(mins(60));
    askfile.service.check_due().await.unwrap();
    let status = askfile.status(&link).await;
    assert_eq!(
        status["status"], "pending",
        "ten minutes are left: {status}"
    );
    assert_eq!(status["last_error"]["code"], "SCAN_BLOCKED");
    assert_eq!(askfile.staged(), [""; 0]);

    let target = json!({ "media_id": media, "target_type": "post", "target_id": "7" });
    let closed = json!({ "upload_id": link.upload_id });
    askfile.call("upload_cancel", closed).await;
    let attached = code_of(&askfile, "attach_media", target).await;
    assert_eq!(attached, "SCAN_BLOCKED");
}

#[tokio::test]
async fn another_process_judges_what_the_first_one_left() {
    let silent = without_scanner().await;
    let (link, _) = waiting(&silent).await;
    // The same data, and no scanner asked for.
    let other = silent
        .neighbour_with(|settings| settings.scan_clamd = None)
        .await;
    other.service.check_due().await.unwrap();
    assert_eq!(
        other.status(&link).await["phase"],
        "scanning",
        "not its turn"
    );
    silent.clock.advance(secs(5));
    other.service.check_due().await.unwrap();
    assert_eq!(silent.status(&link).await["status"], "completed");
}

#[tokio::test]
async fn tries_come_after_pauses_that_grow() {
    let askfile = without_scanner().await;
    waiting(&askfile).await;
    for pause in [5, 10, 20, 40, 80, 160, 300, 300] {
        askfile
            .clock
            .advance(secs(pause) - SignedDuration::from_millis(1));
        let due = || async { askfile.service.due().await.unwrap().checks.len() };
        assert_eq!(due().await, 0, "{pause}");
        askfile.clock.advance(SignedDuration::from_millis(1));
        assert_eq!(due().await, 1, "{pause}");
        askfile.service.check_due().await.unwrap();
        assert_eq!(due().await, 0, "{pause}");
    }
}

#[tokio::test]
async fn an_attempt_whose_file_was_refused_by_its_check_may_be_made_again() {
    const ATTEMPT: &str = "11111111-2222-4333-8444-555555555555";
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let send =
        |bytes: &[u8]| askfile.send(put(&link, bytes.to_vec()).with("askfile-attempt", ATTEMPT));
    let refused = send(&PNG[..50]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let stored = send(PNG).await.receipt();
    let again = send(PNG).await.receipt();
    assert_eq!(stored["media_id"], again["media_id"]);
}
