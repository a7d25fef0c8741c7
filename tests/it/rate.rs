//! How much anybody may do in a minute, and who "anybody" is.

use askfile::config::Settings;
use axum::{body::Body, http::Request};
use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::Form,
    secs,
    web::{Answer, With, at, from, get, post, press, put},
};

fn coming_from(address: &str, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(from(address));
    request
}

/// The limits that are in force unless an operator changes them.
fn as_shipped(settings: &mut Settings) {
    let shipped = Settings::in_folder("");
    settings.rate_limit_wrong_per_minute = shipped.rate_limit_wrong_per_minute;
    settings.rate_limit_links_per_minute = shipped.rate_limit_links_per_minute;
    settings.rate_limit_tool_calls_per_minute = shipped.rate_limit_tool_calls_per_minute;
}

/// What an answer says of a budget: the limit, what is left, and when there is more.
fn budget(answer: &Answer) -> [&str; 3] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map(|name| answer.header(name))
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
    assert_eq!(budget(&refused), ["10", "0", "6"]);
    assert_eq!(
        refused.json()["message"],
        "Too many uploads from this address in a short time; wait 6 seconds."
    );
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

#[tokio::test]
async fn who_uploads_reads_what_is_left() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    let first = askfile.send(put(&link, PNG)).await;
    assert_eq!(
        (first.status.as_u16(), budget(&first)),
        (201, ["10", "9", "6"])
    );
    askfile.clock.advance(secs(2));
    let second = askfile.send(put(&link, PNG)).await;
    assert_eq!(budget(&second), ["10", "9", "4"], "of the same session");

    let unlimited = Askfile::start_with(|settings| settings.rate_limit_uploads_per_minute = 0);
    let unlimited = unlimited.await;
    let link = unlimited.link().await;
    assert_eq!(budget(&unlimited.send(put(&link, PNG)).await), ["", "", ""]);
}

#[tokio::test]
async fn whom_a_stranger_claims_to_send_for_changes_nothing() {
    for trusted in [vec![], vec!["10.0.0.0/8".parse().unwrap()]] {
        let askfile = Askfile::start_with(|settings| settings.trusted_proxies = trusted).await;
        let mut stored = 0;
        for n in 0..12 {
            let link = askfile.link().await;
            let request = coming_from("192.0.2.1", put(&link, PNG))
                .with("x-forwarded-for", &format!("203.0.113.{n}"))
                .with("forwarded", &format!("for=203.0.113.{n}"));
            stored += usize::from(askfile.send(request).await.status == 201);
        }
        assert_eq!(stored, 10);
        assert_eq!(
            taken(&askfile, "203.0.113.1", 12).await,
            10,
            "whom it named"
        );
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_everybody_has_a_budget_of_their_own() {
    let askfile = Askfile::start_with(|settings| {
        settings.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    });
    let askfile = askfile.await;
    let sent = async |client: &str, header: &'static str, value: &str| {
        let mut stored = 0;
        for _ in 0..12 {
            let link = askfile.link().await;
            let request = coming_from("10.0.0.1", put(&link, PNG)).with(header, value);
            stored += usize::from(askfile.send(request).await.status == 201);
        }
        assert_eq!(stored, 10, "{client}");
        let again = taken(&askfile, client, 12).await;
        assert_eq!(again, 0, "{client} without the proxy");
    };
    sent("203.0.113.1", "x-forwarded-for", "203.0.113.1").await;
    sent("203.0.113.2", "forwarded", "for=203.0.113.2;proto=https").await;
    let chain = "198.51.100.9, 203.0.113.3, 10.0.0.2, 10.0.0.3";
    sent("203.0.113.3", "x-forwarded-for", chain).await;
    assert_eq!(
        taken(&askfile, "198.51.100.9", 12).await,
        10,
        "named by a client"
    );
    assert_eq!(
        taken(&askfile, "10.0.0.1", 12).await,
        10,
        "the proxy itself"
    );
}

#[tokio::test]
async fn wrong_links_have_a_budget_that_right_ones_do_not_feel() {
    let askfile = Askfile::start_with(as_shipped).await;
    let link = askfile.link().await;
    let wrong = [
        link.path().replace("signature=", "signature=0"),
        link.path().replace("uploads/", "uploads/x"),
        link.below("/events").replace("expires=", "expires=1"),
        "/m/x/y?signature=z".to_owned(),
        "/downloads/x/y?expires=1&signature=z".to_owned(),
        "/previews/x/y".to_owned(),
    ];
    for (n, path) in wrong.iter().cycle().take(12).enumerate() {
        let refused = askfile.send(get(path)).await;
        let is_over = refused.status == 429;
        assert_eq!(is_over, n >= 5, "{n}: {path}: {refused:?}");
        if is_over {
            assert_eq!(
                (refused.header("retry-after"), budget(&refused)),
                ("12", ["5", "0", "12"])
            );
        }
        assert_eq!(
            askfile.send(get(&link.path())).await.status,
            200,
            "after {n}"
        );
    }
    let elsewhere = coming_from("192.0.2.1", get(&wrong[0]));
    assert_eq!(askfile.send(elsewhere).await.status, 403, "another address");
    let media = askfile.put(&link, PNG).await;
    let facts = json!({ "media_id": media["media_id"] });
    let facts = askfile.call("media_get", facts).await;
    let download = askfile.fetch(facts["download_url"].as_str().unwrap()).await;
    assert_eq!(download.status, 200);
    let preview = facts["preview_url"].as_str().unwrap();
    let tampered = at(preview).replace("signature=", "signature=0");
    assert_eq!(askfile.send(get(&tampered)).await.status, 429);
    assert_eq!(askfile.fetch(preview).await.status, 200);
    assert_eq!(taken(&askfile, "127.0.0.1", 12).await, 9, "and uploads");

    askfile.clock.advance(secs(12));
    assert_eq!(askfile.send(get(&wrong[0])).await.status, 403, "one more");
    assert_eq!(askfile.send(get(&wrong[0])).await.status, 429);
}

#[tokio::test]
async fn a_flood_of_addresses_is_not_felt_by_others() {
    let askfile = Askfile::start_with(as_shipped).await;
    let link = askfile.link().await;
    let wrong = link.path().replace("signature=", "signature=0");
    let wrong_from = async |address: &str| {
        let answer = askfile.send(coming_from(address, get(&wrong))).await;
        answer.status.as_u16()
    };
    for _ in 0..5 {
        assert_eq!(wrong_from("203.0.113.1").await, 403);
    }
    assert_eq!(wrong_from("203.0.113.2").await, 403);
    for n in 0..10_000 {
        let address = format!("10.{}.{}.1", n / 250, n % 250);
        assert_eq!(wrong_from(&address).await, 403, "{address}");
    }
    assert_eq!(wrong_from("203.0.113.1").await, 429, "who was over it");
    assert_eq!(wrong_from("203.0.113.2").await, 403, "who was under it");
    assert_eq!(taken(&askfile, "203.0.113.3", 1).await, 1, "who has a link");
}

#[tokio::test]
async fn an_agent_that_calls_too_often_is_told_how_long_to_wait() {
    let askfile = Askfile::start_with(|settings| settings.rate_limit_tool_calls_per_minute = 4);
    let askfile = askfile.await;
    let link = askfile.link().await;
    for _ in 0..3 {
        assert_eq!(askfile.status(&link).await["ok"], true);
    }
    let refused = askfile.status(&link).await;
    assert_eq!(refused["code"], "RATE_LIMITED");
    assert_eq!(refused["error_kind"], "http_error");
    assert_eq!(
        refused["message"],
        "Too many calls in a short time; wait 15 seconds."
    );
    let uri = format!("askfile://{}/media/{}", link.workspace_id, link.token);
    let unread = askfile.agent("Claude").await.read(&uri).await.unwrap_err();
    assert_eq!(unread.data.unwrap()["code"], "RATE_LIMITED");
    askfile.put(&link, PNG).await;
    askfile.clock.advance(secs(15));
    assert_eq!(askfile.status(&link).await["status"], "completed");
}

#[tokio::test]
async fn a_workspace_gets_so_many_links_a_minute() {
    let askfile = Askfile::start_with(|settings| settings.rate_limit_links_per_minute = 2).await;
    let bad = json!({ "max_files": 0 });
    let refused = askfile.call("upload_create", bad).await;
    assert_eq!(
        refused["code"], "INVALID_ARGUMENT",
        "and counts for nothing"
    );
    let link = askfile.link().await;
    let ask = json!({ "prompt": "A photo" });
    assert_eq!(askfile.call("upload_request", ask).await["ok"], true);
    let refused = askfile.call("upload_create", json!({})).await;
    assert_eq!(refused["code"], "RATE_LIMITED");
    assert_eq!(
        refused["message"],
        "Too many links for this workspace in a short time; wait 30 seconds."
    );
    assert_eq!(askfile.status(&link).await["ok"], true, "other calls");
    askfile.clock.advance(secs(30));
    askfile.link().await;
}
