//! One file's way to the disk: hashed and written by a thread of its own, so that a slow disk never
//! holds up the others, with at most a few pieces in memory.

use std::{io, sync::Arc};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
};

use super::{
    office,
    sniff::{Sniffed, TextCheck},
};
use crate::{
    domain::media::Content,
    objects::{Objects, ReadSeek, Staging},
};

/// Pieces that wait for the disk. More of them are slower: they fall out of the processor's cache.
const DEPTH: usize = 2;

/// A file on its way to the disk. Dropped before [`Self::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Stage {
    pieces: Sender<Bytes>,
    thread: JoinHandle<io::Result<Written>>,
}

/// What was written and synced.
#[derive(Debug)]
pub struct Written {
    /// What is known of the bytes; the type is what the whole file turned out to be, `None` if it
    /// is not what its head promised.
    pub content: Result<Content, NotAsPromised>,
}

/// The file is not what its first bytes promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAsPromised;

impl Stage {
    /// Starts the thread. `begin` opens the place for the bytes, on that thread.
    pub fn start(
        begin: impl FnOnce() -> io::Result<Box<dyn Staging>> + Send + 'static,
        sniffed: Sniffed,
    ) -> Self {
        let (pieces, queue) = mpsc::channel(DEPTH);
        let thread = tokio::task::spawn_blocking(move || write(begin()?, queue, sniffed));
        Self { pieces, thread }
    }

    /// Adds a piece; waits while the disk is behind.
    ///
    /// # Errors
    /// [`Failed`] if the disk failed; [`Self::finish`] says why.
    pub async fn append(&mut self, piece: Bytes) -> Result<(), Failed> {
        self.pieces.send(piece).await.map_err(|_| Failed)
    }

    /// Syncs what was written. `Ok` means durable, under the claim's name.
    ///
    /// # Errors
    /// As the disk has them; nothing is left behind then.
    pub async fn finish(self) -> io::Result<Written> {
        // An empty piece tells the end from a sender that was dropped.
        let _ = self.pieces.send(Bytes::new()).await;
        drop(self.pieces);
        self.thread.await.map_err(io::Error::other)?
    }

    /// Throws away what was written; nothing is left when this returns.
    pub async fn abandon(self) {
        drop(self.pieces);
        // It ends with an error by design: the end was never told.
        let _ = self.thread.await;
    }
}

/// Bytes that are staged and durable already, and go by only to be looked at.
#[derive(Debug)]
pub struct AlreadyStaged {
    objects: Arc<dyn Objects>,
    key: String,
}

impl AlreadyStaged {
    /// Those that lie there.
    #[must_use]
    pub fn at(objects: Arc<dyn Objects>, key: String) -> Self {
        Self { objects, key }
    }
}

impl Staging for AlreadyStaged {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn read_back(&mut self) -> io::Result<Box<dyn ReadSeek + '_>> {
        self.objects.read(&self.key).map(|read| read as _)
    }

    fn sync(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// The thread that writes has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

fn write(
    mut staging: Box<dyn Staging>,
    mut queue: Receiver<Bytes>,
    sniffed: Sniffed,
) -> io::Result<Written> {
    let (mut digest, mut text, mut size_bytes) = (Sha256::new(), TextCheck::default(), 0);
    loop {
        let Some(piece) = queue.blocking_recv() else {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        };
        if piece.is_empty() {
            break;
        }
        digest.update(&piece);
        if let Sniffed::Text(_) = sniffed {
            text.update(&piece);
        }
        staging.append(&piece)?;
        size_bytes += piece.len() as u64;
    }
    let mime_type = match sniffed {
        Sniffed::Type(mime) => Ok(mime),
        Sniffed::Text(mime) if text.passed() => Ok(mime),
        Sniffed::Zip => Ok(office::identify(staging.read_back()?)),
        Sniffed::Text(_) | Sniffed::Unknown => Err(NotAsPromised),
    };
    staging.sync()?;
    Ok(Written {
        content: mime_type.map(|mime| Content {
            mime_type: mime.to_owned(),
            size_bytes,
            sha256: digest.finalize().into(),
        }),
    })
}
