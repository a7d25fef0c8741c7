//! [`Objects`] in a bucket of an S3-compatible store.
//!
//! Small files are put there whole. Larger ones are multipart uploads: their parts go out while the
//! file comes in, and completing the upload is what publishes it.

mod bucket;
mod direct;
mod outgoing;
mod parts;
mod presign;
mod probe;
mod trouble;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Seek, Write},
    ops::Range,
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use object_store::{
    Error, GetOptions, ObjectStore, ObjectStoreExt, PutPayload,
    aws::AmazonS3,
    multipart::{MultipartStore, PartId},
    path::Path,
};
use tokio::{runtime::Handle, task::spawn_blocking};

pub use self::bucket::Bucket;
use self::{
    bucket::Connection,
    outgoing::Outgoing,
    parts::{PART, Slots},
    presign::{Permit, Signer},
    trouble::to_io,
};
use super::{Bytes, Coming, Direct, Download, Objects, ReadSeek, Staging};

/// Bytes as objects: `landing/{media_id}` where others put them, `staging/{claim}` where they are
/// judged first, `medias/{media_id}.{ext}` for
/// good.
#[derive(Debug, Clone)]
pub struct S3(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    prefix: String,
    connection: Connection,
    slots: Slots,
    scratch: PathBuf,
    unpublished: Mutex<HashMap<String, Unpublished>>,
}

/// What this process has under way, by the key that it is staged under.
#[derive(Debug, Clone)]
enum Unpublished {
    /// An upload whose parts are still to come.
    Begun(Upload),
    /// A small file, so many bytes long.
    Whole(Arc<File>, usize),
    /// All parts of a larger one.
    Parts(Upload, Vec<PartId>),
}

/// A multipart upload in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Upload {
    path: Path,
    id: String,
}

impl Upload {
    /// The key to delete it by; no object's key begins like this.
    fn key(&self) -> String {
        format!("upload {} {}", self.id, self.path)
    }

    fn of_key(key: &str) -> Option<Self> {
        let (id, path) = key.strip_prefix("upload ")?.split_once(' ')?;
        Some(Self {
            path: Path::from(path),
            id: id.to_owned(),
        })
    }
}

impl S3 {
    /// The bucket, tried: it can be written to, read from and deleted from. What comes waits for its
    /// turn in nameless files in `scratch`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub async fn open(bucket: Bucket, scratch: &FilePath) -> Result<Self, String> {
        let connection = bucket.connect()?;
        let s3 = Self(Arc::new(Inner {
            prefix: bucket.prefix,
            connection,
            slots: Slots::default(),
            scratch: scratch.to_owned(),
            unpublished: Mutex::default(),
        }));
        s3.probe().await?;
        Ok(s3)
    }

    fn path(&self, key: &str) -> Path {
        match self.0.prefix.as_str() {
            "" => Path::from(key),
            prefix => Path::from(format!("{prefix}/{key}")),
        }
    }

    fn store(&self) -> &AmazonS3 {
        &self.0.connection.store
    }

    /// The address by which somebody without keys may do this.
    async fn presign(&self, now: Timestamp, permit: &Permit<'_>) -> io::Result<String> {
        let credential = self.store().credentials().get_credential().await;
        let signer = Signer {
            credential: &*credential.map_err(to_io)?,
            region: &self.0.connection.region,
            now,
        };
        Ok(signer.presign(permit))
    }

    /// The upload that was begun for the bytes that are staged under this key.
    fn begun(&self, key: &str) -> Option<Upload> {
        match self.unpublished().get(key) {
            Some(Unpublished::Begun(upload)) => Some(upload.clone()),
            _ => None,
        }
    }

    fn unpublished(&self) -> MutexGuard<'_, HashMap<String, Unpublished>> {
        let unpublished = self.0.unpublished.lock();
        unpublished.unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a small file whole.
    async fn put(&self, path: &Path, file: Arc<File>, length: usize) -> io::Result<()> {
        let slot = self.0.slots.take().await;
        let read = move || slot.read(&file, 0, length);
        let bytes = spawn_blocking(read).await.map_err(io::Error::other)??;
        let stored = self.store().put(path, PutPayload::from(bytes)).await;
        stored.map_err(to_io).map(drop)
    }

    async fn give_key(&self, unpublished: Unpublished, path: &Path) -> io::Result<()> {
        match unpublished {
            Unpublished::Whole(file, length) => self.put(path, file, length).await,
            Unpublished::Begun(_) => Err(io::Error::from(io::ErrorKind::NotFound)),
            Unpublished::Parts(upload, parts) => {
                debug_assert_eq!(upload.path, *path, "these bytes were meant for another key");
                self.complete(&upload, parts).await
            }
        }
    }

    /// Makes an object of all parts of an upload.
    async fn complete(&self, upload: &Upload, parts: Vec<PartId>) -> io::Result<()> {
        let Upload { path, id } = upload;
        let Err(error) = self.store().complete_multipart(path, id, parts).await else {
            return Ok(());
        };
        // When the answer was lost, a second try finds no upload, but the object.
        match self.store().head(path).await {
            Ok(_) => Ok(()),
            Err(Error::NotFound { .. }) => Err(to_io(error)),
            Err(unknown) => Err(to_io(unknown)),
        }
    }

    /// Ends an upload without an object.
    async fn abort(&self, Upload { path, id }: &Upload) -> io::Result<()> {
        match self.store().abort_multipart(path, id).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            // Some stores refuse what they do not know. That this may be done at all was tried.
            Err(error @ (Error::PermissionDenied { .. } | Error::Unauthenticated { .. })) => {
                tracing::warn!(cause = %error, "an upload to the store could not be aborted");
                Ok(())
            }
            Err(error) => Err(to_io(error)),
        }
    }
}

#[async_trait]
impl Objects for S3 {
    async fn begin(&self, coming: &Coming) -> io::Result<Option<String>> {
        if coming.most_bytes <= PART as u64 {
            return Ok(None);
        }
        let path = self.path(coming.meant_for.as_ref().unwrap_or(&coming.key));
        let id = self.store().create_multipart(&path).await.map_err(to_io)?;
        let upload = Upload { path, id };
        let begun = upload.key();
        let key = coming.key.clone();
        self.unpublished().insert(key, Unpublished::Begun(upload));
        Ok(Some(begun))
    }

    fn stage(&self, coming: &Coming) -> io::Result<Box<dyn Staging>> {
        let outgoing = Outgoing::new(self, Handle::current(), coming.clone())?;
        Ok(Box::new(outgoing))
    }

    async fn publish(&self, from: &str, key: &str) -> io::Result<()> {
        let (source, path) = (self.path(from), self.path(key));
        let unpublished = self.unpublished().get(from).cloned();
        if let Some(unpublished) = unpublished {
            // What fails now is still to be tried again, or deleted.
            self.give_key(unpublished, &path).await?;
            self.unpublished().remove(from);
            return Ok(());
        }
        self.store().copy(&source, &path).await.map_err(to_io)?;
        self.delete(from).await
    }

    async fn size(&self, key: &str) -> io::Result<u64> {
        let found = self.store().head(&self.path(key)).await;
        Ok(found.map_err(to_io)?.size)
    }

    async fn open(&self, key: &str, range: Range<u64>) -> io::Result<Bytes> {
        let asked = GetOptions::new().with_range(Some(range));
        let found = self.store().get_opts(&self.path(key), asked).await;
        Ok(found.map_err(to_io)?.into_stream().map_err(to_io).boxed())
    }

    fn read(&self, key: &str) -> io::Result<Box<dyn ReadSeek>> {
        let mut file = tempfile::tempfile_in(&self.0.scratch)?;
        Handle::current().block_on(async {
            let found = self.store().get(&self.path(key)).await.map_err(to_io)?;
            let mut bytes = found.into_stream();
            while let Some(piece) = bytes.next().await {
                file.write_all(&piece.map_err(to_io)?)?;
            }
            io::Result::Ok(())
        })?;
        file.rewind()?;
        Ok(Box::new(file))
    }

    async fn download_url(&self, key: &str, download: &Download<'_>) -> io::Result<Option<String>> {
        let Some(public_url) = &self.0.connection.public_url else {
            return Ok(None);
        };
        let query = [
            ("response-content-type", download.content_type),
            ("response-content-disposition", download.disposition),
        ];
        let permit = Permit {
            method: "GET",
            url: &format!("{public_url}/{}", self.path(key)),
            query: &query,
            headers: &[],
            lives: download.lives,
        };
        self.presign(download.now, &permit).await.map(Some)
    }

    async fn delete(&self, key: &str) -> io::Result<()> {
        if let Some(upload) = Upload::of_key(key) {
            return self.abort(&upload).await;
        }
        let unpublished = self.unpublished().remove(key);
        match unpublished {
            Some(Unpublished::Begun(upload) | Unpublished::Parts(upload, _)) => {
                return self.abort(&upload).await;
            }
            Some(Unpublished::Whole(..)) => return Ok(()),
            None => {}
        }
        match self.store().delete(&self.path(key)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(to_io(error)),
        }
    }

    fn keys(&self) -> BoxStream<'static, io::Result<String>> {
        let keys = ["landing", "staging", "medias"].map(|folder| {
            let objects = self.store().list(Some(&self.path(folder)));
            objects.map_ok(move |object| {
                let name = object.location.filename().unwrap_or_default();
                format!("{folder}/{name}")
            })
        });
        stream::iter(keys).flatten().map_err(to_io).boxed()
    }

    async fn free_bytes(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn direct(&self) -> Option<&dyn Direct> {
        let is_reached = self.0.connection.public_url.is_some();
        is_reached.then_some(self as &dyn Direct)
    }
}
