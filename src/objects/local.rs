//! [`Objects`] in a folder of a local disk.

mod examine;
mod folder;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

pub use self::examine::{Examination, examine};
use self::folder::Folder;
use super::{Bytes, Objects, ReadSeek, Staging};

const STAGING: &str = "staging";
const MEDIAS: &str = "medias";
/// How much is read from a file at once, in bytes.
const READ_PIECE: u64 = 256 * 1024;
/// How many pieces are read ahead of who takes them: while one goes out, the next comes in.
const READ_AHEAD: usize = 2;

/// Bytes as files: `staging/{claim}` on their way in, `medias/{media_id}.{ext}` for good.
#[derive(Debug, Clone)]
pub struct LocalDisk {
    root: Arc<Path>,
    medias: Arc<Folder>,
}

impl LocalDisk {
    /// The folder, made where it is not there yet, readable by its owner alone.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(root: &Path) -> io::Result<Self> {
        for folder in [STAGING, MEDIAS] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(root.join(folder))?;
        }
        Folder::new(root.to_owned()).sync()?;
        Ok(Self {
            root: root.into(),
            medias: Arc::new(Folder::new(root.join(MEDIAS))),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let root = Arc::clone(&self.root);
        tokio::task::spawn_blocking(move || work(&root))
            .await
            .map_err(io::Error::other)?
    }
}

#[async_trait]
impl Objects for LocalDisk {
    fn stage(&self, key: &str) -> io::Result<Box<dyn Staging>> {
        let path = self.root.join(key);
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Box::new(StagedFile {
            file,
            path,
            kept: false,
        }))
    }

    async fn publish(&self, from: &str, key: &str) -> io::Result<()> {
        let (from, key) = (from.to_owned(), key.to_owned());
        let medias = Arc::clone(&self.medias);
        self.run(move |root| {
            fs::rename(root.join(from), root.join(key))?;
            medias.sync()
        })
        .await
    }

    async fn open(&self, key: &str, range: Range<u64>) -> io::Result<Bytes> {
        let key = key.to_owned();
        let file = Arc::new(self.run(move |root| File::open(root.join(key))).await?);
        let step = usize::try_from(READ_PIECE).map_err(io::Error::other)?;
        let pieces = range.clone().step_by(step).map(move |start| {
            let (file, end) = (Arc::clone(&file), range.end.min(start + READ_PIECE));
            async move {
                let read = tokio::task::spawn_blocking(move || piece(&file, start..end));
                read.await.map_err(io::Error::other)?
            }
        });
        Ok(stream::iter(pieces).buffered(READ_AHEAD).boxed())
    }

    fn read(&self, key: &str) -> io::Result<Box<dyn ReadSeek>> {
        Ok(Box::new(File::open(self.root.join(key))?))
    }

    async fn delete(&self, key: &str) -> io::Result<()> {
        let key = key.to_owned();
        self.run(move |root| remove(&root.join(key))).await
    }

    async fn free_bytes(&self) -> io::Result<Option<u64>> {
        self.run(|root| free_bytes(root).map(Some)).await
    }
}

/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] if the file is shorter than it should be.
fn piece(file: &File, range: Range<u64>) -> io::Result<bytes::Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut read = Vec::with_capacity(length);
    while read.len() < length {
        let at = range.start + read.len() as u64;
        if rustix::io::pread(file, rustix::buffer::spare_capacity(&mut read), at)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    read.truncate(length);
    Ok(read.into())
}

fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

struct StagedFile {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl Staging for StagedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn read_back(&mut self) -> io::Result<Box<dyn ReadSeek + '_>> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(Box::new(&mut self.file))
    }

    fn sync(mut self: Box<Self>) -> io::Result<()> {
        self.file.sync_data()?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be deleted now, the sweep finds by the claim.
            let _ = remove(&self.path);
        }
    }
}
