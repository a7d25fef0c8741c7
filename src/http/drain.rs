//! Lets a client read the answer to a body that was refused early.
//!
//! A server that closes a connection with unread bytes on it makes the system send a reset, and the
//! client may lose the answer with it. So the answer goes out at once, and its end waits until what
//! is left of the request's body was read and thrown away, within bounds.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use bytes::Bytes;
use http::header;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// Most bytes that are thrown away.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// Longest silence of the client.
const MOST_SILENCE: Duration = Duration::from_secs(2);
/// Longest time in all.
const MOST_TIME: Duration = Duration::from_secs(30);

/// The layer.
pub(super) async fn drain_rest(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let expects_continue = request.headers().contains_key(header::EXPECT);
    let left = Arc::new(Mutex::new(None));
    let request = request.map(|body| {
        Body::new(Lent {
            body: Some(body),
            is_touched: false,
            left: Arc::clone(&left),
        })
    });
    let response = next.run(request).await;
    let Some(Left { body, is_touched }) = take(&left) else {
        return response;
    };
    // A client that waits for "100 Continue" and was not told to go on sends nothing.
    if body.is_end_stream() || (expects_continue && !is_touched) {
        return response;
    }
    let (mut parts, answer) = response.into_parts();
    // The end is told by the last chunk, and that comes after the draining.
    parts.headers.remove(header::CONTENT_LENGTH);
    let draining = Draining {
        answer: Some(answer),
        rest: body,
        bytes: 0,
        silence: Box::pin(sleep(MOST_SILENCE)),
        until: Instant::now() + MOST_TIME,
    };
    Response::from_parts(parts, Body::new(draining))
}

/// What a handler did not read.
struct Left {
    body: Body,
    is_touched: bool,
}

fn take(left: &Mutex<Option<Left>>) -> Option<Left> {
    left.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A body that comes back when it is dropped before its end.
struct Lent {
    body: Option<Body>,
    is_touched: bool,
    left: Arc<Mutex<Option<Left>>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_touched = true;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            let left = Left {
                body,
                is_touched: self.is_touched,
            };
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        }
    }
}

/// An answer whose end waits for the rest of the request.
struct Draining {
    answer: Option<Body>,
    rest: Body,
    bytes: u64,
    silence: Pin<Box<Sleep>>,
    until: Instant,
}

impl HttpBody for Draining {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(answer) = &mut self.answer {
            let frame = std::task::ready!(Pin::new(answer).poll_frame(cx));
            if frame.is_some() {
                return Poll::Ready(frame);
            }
            self.answer = None;
        }
        while self.bytes < MOST_BYTES && Instant::now() < self.until {
            match Pin::new(&mut self.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                    let deadline = (Instant::now() + MOST_SILENCE).min(self.until);
                    self.silence.as_mut().reset(deadline);
                }
                Poll::Ready(_) => break,
                Poll::Pending => {
                    std::task::ready!(self.silence.as_mut().poll(cx));
                    break;
                }
            }
        }
        Poll::Ready(None)
    }
}
