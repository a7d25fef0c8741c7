//! Posting a webhook.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Response, StatusCode, header::RETRY_AFTER, redirect::Policy};

use crate::{domain::webhook::Endpoint, error::root_cause};

/// What is sent as `User-Agent`.
const AGENT: &str = concat!("askfile/", env!("CARGO_PKG_VERSION"));
/// As much of an answer is read, so that its connection can be used again.
const MOST_READ: usize = 64 * 1024;
/// How long a connection that nobody uses is kept.
const KEPT_IDLE: Duration = Duration::from_secs(30);

/// Posts webhooks; its connections are used again.
#[derive(Debug, Clone)]
pub struct Sender(Client);

/// A webhook was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why, for the operator.
    pub why: String,
    /// The receiver wants to get this never again.
    pub for_good: bool,
    /// How long the receiver wants to be left alone.
    pub retry_after: SignedDuration,
}

impl Sender {
    /// Redirects are not followed: the address is the operator's to say.
    ///
    /// # Errors
    /// Where this machine has no means for TLS.
    pub fn new() -> reqwest::Result<Self> {
        let client = Client::builder()
            .user_agent(AGENT)
            .redirect(Policy::none())
            .pool_idle_timeout(KEPT_IDLE);
        client.build().map(Self)
    }

    /// Posts this, signed, and gives the status that it was taken with.
    ///
    /// # Errors
    /// [`Refused`] unless the answer is a success and comes in time.
    pub async fn post(
        &self,
        endpoint: &Endpoint,
        id: &str,
        at: Timestamp,
        body: String,
    ) -> Result<StatusCode, Refused> {
        let request = self
            .0
            .post(&endpoint.url)
            .timeout(endpoint.timeout)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at.as_second())
            .header("webhook-signature", endpoint.signature(id, at, &body))
            .body(body);
        let answer = request.send().await.map_err(|error| unreached(&error))?;
        let judged = judge(&answer, at);
        read_out(answer).await;
        judged
    }

    /// What whoever is there answers to a question for nothing.
    ///
    /// # Errors
    /// [`Refused`] where nobody answers in time.
    pub async fn knock(&self, endpoint: &Endpoint) -> Result<StatusCode, Refused> {
        let request = self.0.head(&endpoint.url).timeout(endpoint.timeout);
        let answer = request.send().await.map_err(|error| unreached(&error))?;
        Ok(answer.status())
    }
}

fn unreached(error: &reqwest::Error) -> Refused {
    let why = if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        root_cause(error)
    };
    Refused {
        why,
        for_good: false,
        retry_after: SignedDuration::ZERO,
    }
}

fn judge(answer: &Response, now: Timestamp) -> Result<StatusCode, Refused> {
    let status = answer.status();
    if status.is_success() {
        return Ok(status);
    }
    let is_busy = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    let when = answer.headers().get(RETRY_AFTER).filter(|_| is_busy);
    let when = when.and_then(|when| when.to_str().ok());
    Err(Refused {
        why: if status.is_redirection() {
            format!("answered {status}, and redirects are not followed")
        } else {
            format!("answered {status}")
        },
        for_good: status == StatusCode::GONE,
        retry_after: when.map_or(SignedDuration::ZERO, |when| pause_until(when, now)),
    })
}

/// `Retry-After`: seconds, or a date.
fn pause_until(when: &str, now: Timestamp) -> SignedDuration {
    if let Ok(seconds) = when.parse() {
        return SignedDuration::from_secs(seconds);
    }
    let date = jiff::fmt::rfc2822::parse(when);
    date.map_or(SignedDuration::ZERO, |date| {
        date.timestamp().duration_since(now)
    })
}

/// Its connection can be used again once an answer is read.
async fn read_out(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > MOST_READ {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_when_in_seconds_or_by_a_date() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let secs = SignedDuration::from_secs;
        assert_eq!(pause_until("120", now), secs(120));
        assert_eq!(pause_until("Thu, 01 Jan 2026 00:01:00 GMT", now), secs(60));
        assert_eq!(pause_until("soon", now), SignedDuration::ZERO);
    }
}
