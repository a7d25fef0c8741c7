//! The rate limit: ten claims a minute and address.

use axum::{body::Body, http::Request};
use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::Form,
    secs,
    web::{With, from, get, post, press, put},
};

fn coming_from(address: &str, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(from(address));
    request
}

/// How many links in a row take a file from this address, of so many.
async fn taken(askfile: &Askfile, address: &str, links: usize) -> usize {
    let mut taken = 0;
    for _ in 0..links {
        let link = askfile.link().await;
        let sent = askfile.send(coming_from(address, put(&link, PNG))).await;
        taken += usize::from(sent.status == 201);
    }
    taken
}

#[tokio::test]
async fn the_eleventh_claim_of_a_minute_is_asked_to_come_back() {
    let askfile = Askfile::start().await;
    assert_eq!(taken(&askfile, "127.0.0.1", 10).await, 10);
    let link = askfile.link().await;
    let refused = askfile.send(put(&link, PNG)).await;
    refused.is(429, "RATE_LIMITED", "the eleventh");
    assert_eq!(refused.header("retry-after"), "6");
    askfile.is_untouched(&link).await;

    assert_eq!(taken(&askfile, "127.0.0.2", 1).await, 1, "another address");
    askfile.clock.advance(secs(5));
    assert_eq!(askfile.send(put(&link, PNG)).await.status, 429);
    askfile.clock.advance(secs(1));
    askfile.put(&link, PNG).await;
    askfile.clock.advance(secs(600));
    assert_eq!(
        taken(&askfile, "127.0.0.1", 12).await,
        10,
        "never more than ten at once"
    );
}

#[tokio::test]
async fn a_person_with_a_whole_network_is_one_address() {
    let askfile = Askfile::start().await;
    assert_eq!(taken(&askfile, "2001:db8::1", 6).await, 6);
    assert_eq!(
        taken(&askfile, "2001:db8::2", 6).await,
        4,
        "of the same /64"
    );
    assert_eq!(taken(&askfile, "2001:db8:0:1::1", 1).await, 1);
    assert_eq!(taken(&askfile, "10.0.0.1", 6).await, 6);
    assert_eq!(
        taken(&askfile, "::ffff:10.0.0.1", 6).await,
        4,
        "IPv4 in IPv6"
    );
}

#[tokio::test]
async fn what_takes_no_claim_does_not_count() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let used = askfile.link().await;
    askfile.put(&used, PNG).await;
    for _ in 0..12 {
        askfile.send(get(&link.path())).await;
        askfile.send(press(&link.below("/done"))).await;
        askfile
            .send(put(&used, PNG))
            .await
            .is(409, "ALREADY_USED", "used");
        let huge = put(&link, Body::empty()).with("content-length", "99999999999");
        askfile
            .send(huge)
            .await
            .is(422, "SIZE_EXCEEDED", "by its header");
        let no_form = post(&link, Form::default()).with("content-type", "x");
        let mut no_form = no_form;
        no_form.headers_mut().remove("content-type");
        askfile
            .send(no_form)
            .await
            .is(422, "MALFORMED_BODY", "by its header");
    }
    assert_eq!(taken(&askfile, "127.0.0.1", 12).await, 9);
}

#[tokio::test]
async fn bodies_that_fail_do_count() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    for _ in 0..10 {
        askfile
            .send(put(&link, ""))
            .await
            .is(422, "FILE_MISSING", "empty");
    }
    askfile
        .send(put(&link, PNG))
        .await
        .is(429, "RATE_LIMITED", "after ten");
}

#[tokio::test]
async fn further_files_of_one_session_do_not_count() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 15 })).await;
    for _ in 0..15 {
        askfile.put(&link, PNG).await;
    }
    assert_eq!(taken(&askfile, "127.0.0.1", 12).await, 9, "they were one");
}

#[tokio::test]
async fn claims_that_come_at_once_are_counted_one_by_one() {
    let askfile = Askfile::start().await;
    let mut links = Vec::new();
    for _ in 0..20 {
        links.push(askfile.link().await);
    }
    let sending = links.iter().map(|link| askfile.send(put(link, PNG)));
    let sent = futures_util::future::join_all(sending).await;
    let of = |status: u16| sent.iter().filter(|sent| sent.status == status).count();
    assert_eq!((of(201), of(429)), (10, 10));
}

#[tokio::test]
async fn zero_is_no_limit() {
    let askfile = Askfile::start_with(|settings| settings.rate_limit_uploads_per_minute = 0).await;
    assert_eq!(taken(&askfile, "127.0.0.1", 12).await, 12);
}
