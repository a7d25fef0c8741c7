//! Lets a client read the answer to a body that was refused early, and go on.
//!
//! A small body is read before the answer goes out, so that the connection can be used again: a client
//! may send head and body apart, and with its first request learns how it is let in. Otherwise the
//! connection is closed, and the client is told so. A server that does that with unread bytes on it
//! makes the system send a reset, and the client may lose the answer with it. So the sending side is
//! closed first, and what the client still sends is read and thrown away, within bounds.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// Most bytes that are thrown away.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Longest silence of the client.
const MOST_SILENCE: Duration = Duration::from_secs(5);
/// Longest time in all.
const MOST_TIME: Duration = Duration::from_secs(30);

/// Most bytes that are read before an answer goes out, and how long that may take.
const SMALL: u64 = 64 * 1024;
const SOON: Duration = Duration::from_secs(2);

/// A connection that waits at its end for a client that is still sending.
pub(super) struct Lingering {
    stream: TcpStream,
    unread: Arc<Unread>,
    end: Option<End>,
}

/// How far the end of a connection has come.
struct End {
    silence: Pin<Box<Sleep>>,
    until: Instant,
    bytes: usize,
}

impl Lingering {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            unread: Arc::default(),
            end: None,
        }
    }

    /// What handlers leave unread on it.
    pub(super) fn unread(&self) -> Arc<Unread> {
        Arc::clone(&self.unread)
    }
}

/// What a handler has left of a body.
#[derive(Default)]
pub(super) struct Unread {
    is_some: AtomicBool,
    rest: Mutex<Option<Incoming>>,
}

impl Unread {
    /// Reads what is left of a small body; with more of it, the answer says that the connection ends.
    pub(super) async fn settle<B>(&self, answer: &mut Response<B>) {
        if !self.is_some.load(Ordering::Relaxed) {
            return;
        }
        if self.read_small().await {
            self.is_some.store(false, Ordering::Relaxed);
        } else {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
        }
    }

    /// Whether all of it is read now.
    async fn read_small(&self) -> bool {
        let rest = self
            .rest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(rest) = rest.filter(is_small) else {
            return false;
        };
        let read = tokio::time::timeout(SOON, rest.collect()).await;
        matches!(read, Ok(Ok(_)))
    }
}

fn is_small(rest: &Incoming) -> bool {
    rest.size_hint().upper().is_some_and(|most| most <= SMALL)
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.end.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        if !this.unread.is_some.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let end = this.end.get_or_insert_with(|| End {
            silence: Box::pin(sleep(MOST_SILENCE)),
            until: Instant::now() + MOST_TIME,
            bytes: 0,
        });
        let mut scratch = [0; 16 * 1024];
        while end.bytes < MOST_BYTES && Instant::now() < end.until {
            let mut piece = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {
                    end.bytes += piece.filled().len();
                    let deadline = (Instant::now() + MOST_SILENCE).min(end.until);
                    end.silence.as_mut().reset(deadline);
                }
                // The client has read enough, and closed.
                Poll::Ready(_) => break,
                Poll::Pending => {
                    ready!(end.silence.as_mut().poll(cx));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A request's body that notes whether it was left unread.
pub(super) struct Noted {
    /// There until it is dropped.
    body: Option<Incoming>,
    is_over: bool,
    unread: Arc<Unread>,
}

impl Noted {
    pub(super) fn new(body: Incoming, unread: Arc<Unread>) -> Self {
        Self {
            is_over: body.is_end_stream(),
            body: Some(body),
            unread,
        }
    }
}

impl Body for Noted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        self.is_over |= !matches!(frame, Some(Ok(_))) || self.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let of_body = self.body.as_ref().map(Body::size_hint);
        of_body.unwrap_or_default()
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if !self.is_over {
            let mut rest = self
                .unread
                .rest
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *rest = self.body.take();
            self.unread.is_some.store(true, Ordering::Relaxed);
        }
    }
}
