//! What is told to who listens, message by message.

use std::time::Duration;

use axum::{body::Body, response::Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::timeout;

/// Less than the time after which it is looked again without a signal.
pub const TOLD: Duration = Duration::from_millis(4_500);
/// More than that.
const LOOKED: Duration = Duration::from_secs(9);
/// Time enough for whatever is told to be heard.
pub const SILENCE: Duration = Duration::from_millis(500);

/// What is told to who listens.
pub struct Listening {
    body: Body,
    text: String,
}

impl Listening {
    /// To an answer that is a stream of events.
    pub fn of(answer: Response) -> Self {
        assert_eq!(answer.status(), 200);
        Self {
            body: answer.into_body(),
            text: String::new(),
        }
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        self.next_within(TOLD).await
    }

    /// What is told until it ends, which may be by time alone.
    pub async fn last(&mut self) -> Vec<Value> {
        let mut told = Vec::new();
        while let Some(message) = self.next_within(LOOKED).await {
            told.push(message);
        }
        told
    }

    async fn next_within(&mut self, patience: Duration) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let message = data.and_then(|data| serde_json::from_str(data).ok());
                self.text = rest.into();
                if message.is_some() {
                    return message;
                }
                continue;
            }
            let frame = timeout(patience, self.body.frame()).await;
            let frame = frame.expect("it is told")?.unwrap().into_data().unwrap();
            self.text += std::str::from_utf8(&frame).unwrap();
        }
    }

    /// What was accepted, which is told first.
    pub async fn accepted(&mut self) -> Value {
        let mut message = self.next().await.unwrap();
        let method = message["method"].as_str();
        assert_eq!(method, Some("notifications/subscriptions/acknowledged"));
        message["params"]["notifications"].take()
    }

    /// The next resource that changed.
    pub async fn told(&mut self) -> String {
        let message = self.next().await.unwrap();
        assert_eq!(message["method"], "notifications/resources/updated");
        message["params"]["uri"].as_str().unwrap().to_owned()
    }

    /// Hears what is still on its way.
    pub async fn hears_out(&mut self) {
        while let Ok(Some(_)) = timeout(SILENCE, self.next()).await {}
    }

    /// Whether nothing more is told.
    pub async fn is_silent(&mut self) -> bool {
        timeout(SILENCE, self.next()).await.is_err()
    }
}
