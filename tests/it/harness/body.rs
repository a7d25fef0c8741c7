//! Bodies: forms, and those that are sent piece by piece.

use std::io;

use axum::body::Body;
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const BOUNDARY: &str = "a-boundary-that-is-in-no-file";

/// A form as a browser or curl sends it.
#[derive(Debug, Default)]
pub struct Form(Vec<u8>);

impl Form {
    /// A form with one file, in the field where it belongs.
    pub fn with(name: &str, bytes: &[u8]) -> Self {
        Self::default().file("media", name, bytes)
    }

    /// One more file.
    #[must_use]
    pub fn file(self, field: &str, name: &str, bytes: &[u8]) -> Self {
        let header = format!("name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: image/x");
        self.part(&header, bytes)
    }

    /// One more field.
    #[must_use]
    pub fn text(self, field: &str, text: &str) -> Self {
        self.part(&format!("name=\"{field}\""), text.as_bytes())
    }

    /// One more part, with what follows `form-data; ` in its header.
    #[must_use]
    pub fn part(mut self, header: &str, bytes: &[u8]) -> Self {
        let start = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {header}\r\n\r\n");
        self.0.extend_from_slice(start.as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// The whole body.
    pub fn bytes(mut self) -> Vec<u8> {
        self.0
            .extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.0
    }

    /// Its `Content-Type`.
    pub fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }
}

/// Sends the pieces of a body. Dropped, it ends the body.
pub struct Feed(UnboundedSender<io::Result<Bytes>>);

impl Feed {
    /// A body, and what feeds it.
    pub fn new() -> (Self, Body) {
        let (feed, mut pieces) = unbounded_channel();
        let pieces = futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx));
        (Self(feed), Body::from_stream(pieces))
    }

    /// Sends a piece. Nobody reading any more is no fault of the sender's.
    pub fn send(&self, piece: &[u8]) {
        let _ = self.0.send(Ok(Bytes::copy_from_slice(piece)));
    }

    /// Breaks the connection.
    pub fn cut(self) {
        let _ = self.0.send(Err(io::ErrorKind::ConnectionReset.into()));
    }
}
