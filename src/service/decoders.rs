//! How many images are decoded at once: one a processor, and as many as memory bears.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Error, Result};

/// What all of them may take together, in MiB. A single image that takes more waits for all of it.
const ROOM: u32 = 512;
/// What a pixel takes at most, in bytes: four colours of sixteen bits.
const A_PIXEL: u64 = 8;
/// More at once are not faster, however many processors there are.
const MOST: usize = 8;

/// The room for decoders.
#[derive(Debug)]
pub(super) struct Decoders {
    room: Semaphore,
    /// What the smallest image takes of it.
    least: u32,
}

impl Decoders {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism();
        let most = processors.map_or(1, |processors| processors.get().min(MOST));
        Self {
            room: Semaphore::new(ROOM as usize),
            least: u32::try_from(ROOM as usize / most).unwrap_or(ROOM),
        }
    }

    /// Room to decode an image of so many pixels.
    pub(super) async fn place(&self, pixels: u64) -> Result<SemaphorePermit<'_>> {
        let wanted = u32::try_from((pixels * A_PIXEL) >> 20).unwrap_or(ROOM);
        let wanted = wanted.clamp(self.least, ROOM);
        self.room
            .acquire_many(wanted)
            .await
            .map_err(Error::internal)
    }
}
