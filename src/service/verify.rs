//! Holding the stored bytes against what is remembered of them.

use std::{io, sync::Arc};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Service;
use crate::{
    domain::ids::MediaId,
    error::{Error, Result},
    store::StoredFile,
};

/// How many rows are read at once.
const BATCH: u32 = 500;

/// What holding the bytes against the rows found.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many files were read.
    pub checked: u64,
    /// Keys of files that should be there.
    pub missing: Vec<String>,
    /// Keys of files whose bytes are not those that were stored.
    pub altered: Vec<String>,
    /// Keys of files that nobody knows of.
    pub orphaned: Vec<String>,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.missing.is_empty() && self.altered.is_empty() && self.orphaned.is_empty()
    }
}

impl Service {
    /// Reads every stored file and compares it with its row; then looks which of these keys, those
    /// that were found in storage before, nobody knows of. Others may go on meanwhile.
    ///
    /// # Errors
    /// [`Error::Internal`] if a file or the database cannot be read.
    pub async fn verify(&self, keys: Vec<String>) -> Result<Verified> {
        let mut verified = Verified::default();
        let mut from = MediaId::first();
        loop {
            let files = self.store.stored_files(from, BATCH).await?;
            let Some(last) = files.last() else {
                break;
            };
            from = last.id.next();
            for file in files {
                verified.checked += 1;
                let wrong = match self.digest(&file.key).await {
                    Ok(digest) if digest == file.sha256 => continue,
                    Ok(_) => &mut verified.altered,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => &mut verified.missing,
                    Err(error) => return Err(Error::internal(error)),
                };
                if self.is_still_so(&file).await? {
                    wrong.push(file.key);
                }
            }
        }
        for key in keys {
            // A row comes before its bytes and goes after them.
            if !self.store.knows(&key).await? && self.is_there(&key).await? {
                verified.orphaned.push(key);
            }
        }
        Ok(verified)
    }

    /// Whether the row is as it was: the file may have been deleted or published since.
    async fn is_still_so(&self, file: &StoredFile) -> Result<bool> {
        let now = self.store.stored_files(file.id, 1).await?;
        Ok(now.first() == Some(file))
    }

    async fn is_there(&self, key: &str) -> Result<bool> {
        let (objects, key) = (Arc::clone(&self.objects), key.to_owned());
        let opened = tokio::task::spawn_blocking(move || objects.read(&key).map(drop));
        match opened.await.map_err(Error::internal)? {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true).map_err(Error::internal),
        }
    }

    async fn digest(&self, key: &str) -> io::Result<[u8; 32]> {
        let (objects, key) = (Arc::clone(&self.objects), key.to_owned());
        let reading = tokio::task::spawn_blocking(move || {
            let (mut source, mut digest) = (objects.read(&key)?, Sha256::new());
            let mut piece = vec![0; 1 << 20];
            loop {
                match source.read(&mut piece)? {
                    0 => return Ok(digest.finalize().into()),
                    length => digest.update(&piece[..length]),
                }
            }
        });
        reading.await.map_err(io::Error::other)?
    }
}
