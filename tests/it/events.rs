//! What a page that is open hears of its session.

use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::Feed,
    events::Events,
    secs,
    web::{Link, With, get, press, put},
};

impl Askfile {
    async fn follow(&self, link: &Link) -> Events {
        Events::of(self.open(get(&link.below("/events"))).await)
    }
}

#[tokio::test]
async fn a_page_hears_how_it_stands_then_each_change_until_the_end() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let mut events = askfile.follow(&link).await;
    let first = json!({
        "status": "pending", "phase": "waiting",
        "files": { "stored": 0, "receiving": 0, "checking": 0, "max": 1 }, "media": [],
        "received_bytes": 0, "size_bytes": null, "last_error": null,
    });
    assert_eq!(events.next().await, Some(first));
    askfile.send(get(&link.path())).await;
    events.until("/phase", json!("opened")).await;
    askfile.put(&link, PNG).await;
    let end = events.until("/status", json!("completed")).await;
    assert_eq!(
        end,
        json!({ "status": "completed" }),
        "nothing else is told"
    );
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn bytes_are_counted_while_they_come() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let mut events = askfile.follow(&link).await;
    let (feed, body) = Feed::new();
    let sending = put(&link, body).with("content-length", "100");
    let watching = async {
        feed.send(&PNG[..20]);
        let some = events.until("/received_bytes", json!(20)).await;
        assert_eq!(
            (&some["phase"], &some["size_bytes"]),
            (&json!("receiving"), &json!(100))
        );
        assert_eq!(some["files"]["receiving"], 1);
        feed.send(&PNG[20..]);
        events.until("/received_bytes", json!(PNG.len())).await;
        drop(feed);
        events.until("/status", json!("completed")).await;
    };
    let (sent, ()) = tokio::join!(askfile.send(sending), watching);
    sent.receipt();
}

#[tokio::test]
async fn a_page_hears_why_a_file_was_refused_and_that_the_request_was_declined() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let mut events = askfile.follow(&link).await;
    askfile
        .send(put(&link, &b"MZ\x90\0\x03\0\0\0\x04"[..]))
        .await;
    let refused = events
        .until("/last_error/code", json!("MIME_NOT_ALLOWED"))
        .await;
    assert_eq!(
        (&refused["status"], &refused["received_bytes"]),
        (&json!("pending"), &json!(0))
    );
    askfile.send(press(&link.below("/decline"))).await;
    events.until("/status", json!("declined")).await;
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let mut events = askfile.follow(&link).await;
    events.next().await.unwrap();
    let stopping = async { askfile.service.close() };
    let (end, ()) = tokio::join!(events.next(), stopping);
    assert_eq!(end, None);
}

#[tokio::test]
async fn at_most_sixteen_follow_one_session() {
    let askfile = Askfile::start().await;
    let (link, other) = (askfile.link().await, askfile.link().await);
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(askfile.follow(&link).await);
    }
    let busy = askfile.send(get(&link.below("/events"))).await;
    busy.is(503, "BUSY", "the seventeenth");
    assert_eq!(busy.header("retry-after"), "5");
    askfile.follow(&other).await;
    streams.pop();
    askfile.follow(&link).await;
}

#[tokio::test]
async fn only_the_signed_link_is_followed_and_drawn() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let tampered = Link {
        query: format!("{}0", link.query),
        ..link.clone()
    };
    for what in ["/events", "/qr.svg"] {
        let refused = askfile.send(get(&tampered.below(what))).await;
        refused.is(403, "LINK_INVALID", what);
    }
    let drawing = askfile.send(get(&link.below("/qr.svg"))).await;
    assert_eq!(drawing.header("content-type"), "image/svg+xml");
    assert!(drawing.body.starts_with(b"<svg"), "{drawing:?}");
    askfile.clock.advance(secs(900));
    let mut events = askfile.follow(&link).await;
    assert_eq!(events.next().await.unwrap()["status"], "expired");
    assert_eq!(events.next().await, None);
}
