//! How much of all files is in memory at once on its way to the store.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The size of every part but the last, in bytes.
pub(super) const PART: u64 = 8 * 1024 * 1024;
/// How many parts are on their way at once, of all files together.
const AT_ONCE: usize = 4;

/// Places for parts in memory. Only what is being sent has one, so that nobody who sends to us
/// slowly can hold it.
#[derive(Debug)]
pub(super) struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Slots {
    /// A place, once one is free.
    pub(super) async fn take(&self) -> OwnedSemaphorePermit {
        let slot = Arc::clone(&self.0).acquire_owned().await;
        slot.expect("the semaphore is never closed")
    }
}

/// A part of a file, in memory. Blocks.
pub(super) fn read_slice(file: &File, at: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes.into())
}
