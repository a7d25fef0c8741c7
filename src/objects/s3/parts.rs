//! How much of all files is in memory at once on its way to the store.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The size of every part but the last, in bytes.
pub(super) const PART: usize = 8 * 1024 * 1024;
/// How many parts are on their way at once, of all files together.
const AT_ONCE: usize = 4;

/// Places for parts in memory. Only what is being sent has one, so that nobody who sends to us
/// slowly can hold it. Their memory is used again and again: freed, it would stay with whichever
/// thread had asked for it.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    buffers: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(AT_ONCE)),
            buffers: Arc::default(),
        }
    }
}

impl Slots {
    /// A place, once one is free.
    pub(super) async fn take(&self) -> Slot {
        let permit = Arc::clone(&self.free).acquire_owned().await;
        let buffer = self.with_buffers(Vec::pop);
        Slot {
            slots: self.clone(),
            buffer: buffer.unwrap_or_else(|| Vec::with_capacity(PART)),
            _permit: permit.expect("the semaphore is never closed"),
        }
    }

    fn with_buffers<T>(&self, work: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        let buffers = self.buffers.lock();
        work(&mut buffers.unwrap_or_else(PoisonError::into_inner))
    }
}

/// A place for a part.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    buffer: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    /// A part of a file; the place is free again once nobody has it any more. Blocks.
    pub(super) fn read(mut self, file: &File, at: u64, length: usize) -> io::Result<Bytes> {
        self.buffer.resize(length, 0);
        file.read_exact_at(&mut self.buffer, at)?;
        Ok(Bytes::from_owner(self))
    }
}

impl AsRef<[u8]> for Slot {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.slots.with_buffers(|buffers| buffers.push(buffer));
    }
}
