//! Whether the bytes are there that should be, as they should be, and no others.

use std::io;

use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::Service;
use crate::{
    domain::{ids::MediaId, media::Content},
    error::{Error, Result},
    store::Stock,
};

/// How many rows are read at once.
const PAGE: u32 = 500;

/// What is wrong with one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A media has no bytes.
    Missing(MediaId),
    /// The bytes of a media are not those that were stored.
    Altered(MediaId),
    /// Bytes of this key are nobody's.
    Orphaned(String),
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Service {
    /// Reads every stored file again and says what is wrong. Files may come and go meanwhile.
    ///
    /// # Errors
    /// [`Error::Internal`] where the store or the bytes cannot be read at all.
    pub async fn verify(&self, mut tell: impl FnMut(Fault)) -> Result<Verified> {
        let mut verified = Verified::default();
        let mut after = None;
        loop {
            let page = self.store.stock(after, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id);
            for stock in page {
                verified.files += 1;
                verified.bytes += stock.content.size_bytes;
                if let Some(fault) = self.fault_of(stock).await? {
                    tell(fault);
                }
            }
        }
        let mut keys = self.objects.keys();
        while let Some(key) = keys.next().await {
            let key = key.map_err(Error::of_storage)?;
            if !self.store.is_owned(&key).await? && self.is_there(&key).await? {
                tell(Fault::Orphaned(key));
            }
        }
        Ok(verified)
    }

    async fn fault_of(&self, stock: Stock) -> Result<Option<Fault>> {
        let Stock { id, key, content } = stock;
        let fault = match self.is_intact(&key, &content).await? {
            Some(true) => return Ok(None),
            Some(false) => Fault::Altered(id),
            None => Fault::Missing(id),
        };
        // It may have been deleted or judged since its row was read.
        let now = self.store.stock(before(id), 1).await?;
        let is_same = |now: &Stock| now.id == id && now.key == key && now.content == content;
        Ok(now.first().is_some_and(is_same).then_some(fault))
    }

    /// `None` where there are no bytes.
    async fn is_intact(&self, key: &str, content: &Content) -> Result<Option<bool>> {
        match self.objects.size(key).await {
            Ok(size_bytes) if size_bytes == content.size_bytes => {}
            Ok(_) => return Ok(Some(false)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::of_storage(error)),
        }
        let pieces = self.objects.open(key, 0..content.size_bytes).await;
        let mut pieces = pieces.map_err(Error::of_storage)?;
        let mut digest = Sha256::new();
        while let Some(piece) = pieces.next().await {
            digest.update(&piece.map_err(Error::of_storage)?);
        }
        Ok(Some(digest.finalize()[..] == content.sha256))
    }

    async fn is_there(&self, key: &str) -> Result<bool> {
        match self.objects.size(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::of_storage(error)),
        }
    }
}

/// The id right before this one.
fn before(id: MediaId) -> Option<MediaId> {
    let number = id.0.as_u128().checked_sub(1)?;
    Some(MediaId(uuid::Uuid::from_u128(number)))
}
