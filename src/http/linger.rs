//! Lets a client read the answer to a body that was refused early.
//!
//! A server that closes a connection with unread bytes on it makes the system send a reset, and the
//! client may lose the answer with it. So the sending side is closed first, and what the client
//! still sends is read and thrown away, within bounds.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
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

/// A connection that waits at its end for a client that is still sending.
pub(super) struct Lingering {
    stream: TcpStream,
    has_unread: Arc<AtomicBool>,
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
            has_unread: Arc::default(),
            end: None,
        }
    }

    /// Set once a handler has left a part of a body unread.
    pub(super) fn has_unread(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_unread)
    }
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
        if !this.has_unread.load(Ordering::Relaxed) {
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
    body: Incoming,
    is_over: bool,
    has_unread: Arc<AtomicBool>,
}

impl Noted {
    pub(super) fn new(body: Incoming, has_unread: Arc<AtomicBool>) -> Self {
        Self {
            is_over: body.is_end_stream(),
            body,
            has_unread,
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
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.is_over |= !matches!(frame, Some(Ok(_))) || self.body.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if !self.is_over {
            self.has_unread.store(true, Ordering::Relaxed);
        }
    }
}
