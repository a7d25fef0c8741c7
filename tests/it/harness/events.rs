//! Server-sent events, as they are read.

use std::time::Duration;

use axum::{body::Body, response::Response};
use http_body_util::BodyExt;
use serde_json::Value;

/// After this, a silent stream counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// A stream of events, as it is read.
pub struct Events(Body);

impl Events {
    pub fn of(answer: Response) -> Self {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        Self(answer.into_body())
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        let frame = tokio::time::timeout(PATIENCE, self.0.frame()).await;
        let frame = frame.expect("an event comes in time")?.unwrap();
        let frame = frame.into_data().unwrap();
        let text = std::str::from_utf8(&frame).unwrap();
        let data = text
            .strip_prefix("data: ")
            .unwrap_or_else(|| panic!("{text}"));
        Some(serde_json::from_str(data).unwrap())
    }

    /// Reads until an event has this at `pointer`.
    pub async fn until(&mut self, pointer: &str, wanted: Value) -> Value {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.pointer(pointer) == Some(&wanted) {
                return event;
            }
        }
    }
}
