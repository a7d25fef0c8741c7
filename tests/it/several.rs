//! Links that take several files.

use axum::http::StatusCode;
use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::{Feed, Form},
    secs,
    web::{With, post, press, put},
};

#[tokio::test]
async fn done_ends_it_with_the_files_that_are_there() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 5 })).await;
    let done = || press(&link.below("/done"));
    askfile
        .send(done())
        .await
        .is(422, "FILE_MISSING", "none is there");

    for name in ["one.png", "two.png"] {
        let sent = askfile.send(post(&link, Form::with(name, PNG))).await;
        assert_eq!(sent.receipt()["original_filename"], name);
        let status = askfile.status(&link).await;
        assert_eq!(
            (&status["status"], &status["result"]),
            (&json!("pending"), &json!(null))
        );
    }
    let answer = askfile.send(done()).await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::OK, json!({ "status": "completed" }))
    );
    assert_eq!(
        askfile.send(done()).await.status,
        StatusCode::OK,
        "pressed twice"
    );

    let status = askfile.status(&link).await;
    let media = status["result"]["media"].as_array().unwrap();
    let names: Vec<&str> = media
        .iter()
        .map(|media| media["original_filename"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["one.png", "two.png"]);
    assert_eq!(
        status["result"]["handles"]["media"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    askfile
        .send(put(&link, PNG))
        .await
        .is(409, "ALREADY_USED", "it is over");
    assert_eq!(askfile.stored().len(), 2);
}

#[tokio::test]
async fn the_last_slot_ends_it_without_done() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    askfile.put(&link, PNG).await;
    let status = askfile.status(&link).await;
    assert_eq!(status["status"], "pending");
    // Who says that they are done may not have pressed what says so.
    let next = status["next_action"].as_str().unwrap();
    assert!(
        next.starts_with("1 of at most 2 files are there."),
        "{next}"
    );
    assert!(next.contains("presses “Done”"), "{next}");
    askfile.put(&link, PNG).await;
    assert_eq!(askfile.status(&link).await["status"], "completed");
}

#[tokio::test]
async fn done_waits_for_the_file_that_is_on_its_way() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 3 })).await;
    askfile.put(&link, PNG).await;
    let (feed, body) = Feed::new();
    feed.send(&PNG[..40]);
    let pressing = async {
        askfile.until_phase(&link, "receiving").await;
        let refused = askfile.send(press(&link.below("/done"))).await;
        refused.is(409, "IN_USE", "one is arriving");
        assert_ne!(refused.header("retry-after"), "");
        feed.send(&PNG[40..]);
        drop(feed);
    };
    let (sent, ()) = tokio::join!(askfile.send(put(&link, body)), pressing);
    sent.receipt();
    let done = askfile.send(press(&link.below("/done"))).await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(
        askfile.status(&link).await["result"]["media"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn of_many_files_at_once_as_many_are_taken_as_there_are_slots() {
    for (slots, files) in [(1, 50), (3, 20)] {
        let askfile = Askfile::start().await;
        let link = askfile.ask(json!({ "max_files": slots })).await;
        let sending = (0..files).map(|_| askfile.send(put(&link, PNG)));
        let sent = futures_util::future::join_all(sending).await;
        let (taken, refused): (Vec<_>, Vec<_>) = sent
            .iter()
            .partition(|sent| sent.status == StatusCode::CREATED);
        assert_eq!(taken.len(), slots);
        for refused in refused {
            let (status, code) = refused.failure();
            let is_told_so = ["IN_USE", "ALREADY_USED"].contains(&code.as_str());
            assert!(status == 409 && is_told_so, "{refused:?}");
        }
        assert_eq!((askfile.stored().len(), askfile.staged().len()), (slots, 0));
        assert_eq!(askfile.status(&link).await["status"], "completed");
    }
}

#[tokio::test]
async fn at_its_expiry_a_link_completes_with_what_came() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 3 })).await;
    askfile.put(&link, PNG).await;
    askfile.clock.advance(secs(900));
    let status = askfile.status(&link).await;
    assert_eq!(status["status"], "completed");
    assert_eq!(status["result"]["media"].as_array().unwrap().len(), 1);
    askfile
        .send(put(&link, PNG))
        .await
        .is(409, "ALREADY_USED", "too late");
}

#[tokio::test]
async fn past_its_expiry_no_file_comes_in_beside_one_that_is_still_arriving() {
    let askfile = Askfile::start().await;
    let link = askfile
        .ask(json!({ "max_files": 3, "expires_in_seconds": 60 }))
        .await;
    askfile.clock.advance(secs(45));
    let (feed, body) = Feed::new();
    feed.send(&PNG[..40]);
    let too_late = async {
        askfile.until_phase(&link, "receiving").await;
        askfile.clock.advance(secs(15));
        askfile
            .send(put(&link, PNG))
            .await
            .is(403, "LINK_EXPIRED", "to the second");
        feed.send(&PNG[40..]);
        drop(feed);
    };
    let (sent, ()) = tokio::join!(askfile.send(put(&link, body)), too_late);
    sent.receipt();
    assert_eq!(askfile.status(&link).await["status"], "completed");
}

#[tokio::test]
async fn an_attempt_of_before_the_expiry_goes_on_after_it() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "expires_in_seconds": 60 })).await;
    let attempt = "11111111-2222-4333-8444-555555555555";
    askfile.clock.advance(secs(45));
    let (feed, body) = Feed::new();
    feed.send(&PNG[..40]);
    let again = async {
        askfile.until_phase(&link, "receiving").await;
        askfile.clock.advance(secs(15));
        // The page has lost its connection, and the server does not know that yet.
        askfile
            .send(put(&link, PNG))
            .await
            .is(403, "LINK_EXPIRED", "anybody else");
        let retry = put(&link, PNG).with("askfile-attempt", attempt);
        askfile.send(retry).await.receipt();
        drop(feed);
    };
    let first = put(&link, body).with("askfile-attempt", attempt);
    let (first, ()) = tokio::join!(askfile.send(first), again);
    first.is(409, "ALREADY_USED", "its claim was taken over");
    assert_eq!(askfile.status(&link).await["status"], "completed");
}

#[tokio::test]
async fn a_cancelled_link_of_several_files_gives_none_of_them() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    askfile.put(&link, PNG).await;
    let which = json!({ "token": link.token });
    let cancelled = askfile.call("upload_cancel", which).await;
    assert_eq!(
        (&cancelled["status"], &cancelled["result"]),
        (&json!("cancelled"), &json!(null))
    );
    askfile
        .send(press(&link.below("/done")))
        .await
        .is(409, "CANCELLED", "done");
    askfile
        .send(put(&link, PNG))
        .await
        .is(409, "CANCELLED", "another file");
}
