//! Where bytes live, under names that the server made.

pub mod local;

use std::{
    fmt,
    io::{self, Read, Seek},
    ops::Range,
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

/// Keeps bytes. One implementation per kind of store.
#[async_trait]
pub trait Objects: fmt::Debug + Send + Sync + 'static {
    /// Begins to write bytes under a new key.
    ///
    /// Blocks: call it, and what it returns, from a thread that may.
    ///
    /// # Errors
    /// As the store has them; [`io::ErrorKind::StorageFull`] if there is no room.
    fn stage(&self, key: &str) -> io::Result<Box<dyn Staging>>;

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

    /// Deletes the bytes of this key. Safe to repeat.
    async fn delete(&self, key: &str) -> io::Result<()>;

    /// The key of every object, in any order: for whoever looks for what is nobody's. Nothing else
    /// lists.
    fn keys(&self) -> BoxStream<'static, io::Result<String>>;

    /// How many bytes there is room for; `None` where no limit is known.
    async fn free_bytes(&self) -> io::Result<Option<u64>>;
}

/// Bytes on their way out.
pub type Bytes = BoxStream<'static, io::Result<bytes::Bytes>>;

/// Bytes on their way in. Dropped without [`Staging::sync`], they are deleted.
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

    /// Makes the bytes durable and keeps them.
    ///
    /// # Errors
    /// As the store has them; the bytes are deleted then.
    fn sync(self: Box<Self>) -> io::Result<()>;
}

/// Bytes that can be read from anywhere.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}
