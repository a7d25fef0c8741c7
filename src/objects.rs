//! Where bytes live, under names that the server made.

pub mod local;
mod place;
#[cfg(feature = "s3")]
pub mod s3;

use std::{
    fmt,
    io::{self, Read, Seek},
    ops::Range,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

pub use self::place::{Place, Reach};

/// Keeps bytes. One implementation per kind of store.
#[async_trait]
pub trait Objects: fmt::Debug + Send + Sync + 'static {
    /// Gets ready for bytes that are about to be staged, or synced. What it gives is a further key to
    /// be deleted, to be remembered before that: after a crash nothing else leads to what was begun.
    ///
    /// # Errors
    /// As the store has them.
    async fn begin(&self, coming: &Coming) -> io::Result<Option<String>>;

    /// Begins to write bytes under a new key.
    ///
    /// Blocks: call it, and what it returns, from a thread that may; it is dropped there too.
    ///
    /// # Errors
    /// As the store has them; [`io::ErrorKind::StorageFull`] if there is no room.
    fn stage(&self, coming: &Coming) -> io::Result<Box<dyn Staging>>;

    /// Gives synced bytes another key; durable when it returns.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if they are gone, and then nothing was published.
    async fn publish(&self, from: &str, key: &str) -> io::Result<()>;

    /// How many bytes this key has.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there are none by that name.
    async fn size(&self, key: &str) -> io::Result<u64>;

    /// Bytes of this key: those of `range`, which must lie within them.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there are none by that name.
    async fn open(&self, key: &str, range: Range<u64>) -> io::Result<Bytes>;

    /// The bytes of this key, to be read from anywhere.
    ///
    /// Blocks: call it, and what it returns, from a thread that may.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there are none by that name.
    fn read(&self, key: &str) -> io::Result<Box<dyn ReadSeek>>;

    /// The address where whoever knows it fetches the bytes from the store itself, for a while;
    /// `None` where we hand them out.
    ///
    /// # Errors
    /// As the store has them.
    async fn download_url(&self, key: &str, download: &Download<'_>) -> io::Result<Option<String>>;

    /// Deletes the bytes of this key, staged ones and what was begun for them too. Safe to repeat.
    async fn delete(&self, key: &str) -> io::Result<()>;

    /// The key of every object, in any order: for whoever looks for what is nobody's. Nothing else
    /// lists.
    fn keys(&self) -> BoxStream<'static, io::Result<String>>;

    /// How many bytes there is room for; `None` where no limit is known.
    async fn free_bytes(&self) -> io::Result<Option<u64>>;

    /// The store itself, where others than askfile can put bytes into it.
    fn direct(&self) -> Option<&dyn Direct> {
        None
    }
}

/// A store that others can put bytes into, one file at a time, without keys.
#[async_trait]
pub trait Direct: Send + Sync {
    /// Scheme, host and port of where they put them.
    fn origin(&self) -> &str;

    /// The request by which whoever knows it puts just these bytes under a key, once, for a while.
    ///
    /// # Errors
    /// As the store has them.
    async fn upload(&self, key: &str, upload: &Upload<'_>) -> io::Result<SignedUpload>;

    /// Copies what was put under one key to another, which nobody else has a way to.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if nothing was put there yet.
    async fn copy(&self, from: &str, key: &str) -> io::Result<()>;
}

/// What may be put into the store.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// The value of `Content-Type`.
    pub content_type: &'a str,
    /// How many bytes, no more and no fewer.
    pub size_bytes: u64,
    /// Whether the sender says that nothing may be there before. One that does not know of it cannot;
    /// it can change the bytes then until they are copied.
    pub once: bool,
    /// From when on.
    pub now: Timestamp,
    /// For how long.
    pub lives: Duration,
}

/// A `PUT` that the store takes from anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUpload {
    /// Where to.
    pub url: String,
    /// The headers that it must have, as they stand here.
    pub headers: Vec<(&'static str, String)>,
}

/// Bytes on their way out.
pub type Bytes = BoxStream<'static, io::Result<bytes::Bytes>>;

/// What a download from the store itself is like.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// The value of `Content-Type`.
    pub content_type: &'a str,
    /// The value of `Content-Disposition`.
    pub disposition: &'a str,
    /// From when it is good.
    pub now: Timestamp,
    /// For how long.
    pub lives: Duration,
}

/// Bytes that are about to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coming {
    /// The key that they are staged under.
    pub key: String,
    /// The key that they will be published under, where that is certain and nobody opens them before.
    pub meant_for: Option<String>,
    /// There are no more of them than so many.
    pub most_bytes: u64,
    /// Whether [`Staging::read_back`] will be called.
    pub is_read_back: bool,
}

/// Bytes on their way in. Dropped without [`Staging::sync`], they are gone once their key is deleted.
pub trait Staging: Send {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// As the store has them.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// What was staged so far, to be looked at.
    ///
    /// # Errors
    /// As the store has them.
    fn read_back(&mut self) -> io::Result<Box<dyn ReadSeek + '_>>;

    /// Makes the bytes durable and keeps them. Bytes that are meant for a key may be so with
    /// [`Objects::publish`] only.
    ///
    /// # Errors
    /// As the store has them; the bytes are deleted then.
    fn sync(self: Box<Self>) -> io::Result<()>;
}

/// Bytes that can be read from anywhere.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}
