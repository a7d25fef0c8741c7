//! A file on its way to the store.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    sync::Arc,
};

use object_store::{
    PutPayload, Result,
    multipart::{MultipartStore, PartId},
};
use tokio::{runtime::Handle, task::JoinSet};

use super::{S3, Unpublished, Upload, parts::PART, trouble::to_io};
use crate::objects::{Coming, Objects, ReadSeek, Staging};

/// Collects bytes in a nameless file, which costs no memory however slowly they come. Once an upload
/// is begun for them, each part is sent as soon as it is whole.
pub(super) struct Outgoing {
    s3: S3,
    runtime: Handle,
    coming: Coming,
    upload: Option<Upload>,
    scratch: Arc<File>,
    /// Where in that file is what was not sent yet, and how long it is.
    unsent_at: u64,
    unsent: usize,
    sending: JoinSet<(usize, Result<PartId>)>,
    parts: Vec<Option<PartId>>,
}

impl Outgoing {
    pub(super) fn new(s3: &S3, runtime: Handle, coming: Coming) -> io::Result<Self> {
        Ok(Self {
            scratch: Arc::new(tempfile::tempfile_in(&s3.0.scratch)?),
            upload: s3.begun(&coming.key),
            s3: s3.clone(),
            runtime,
            coming,
            unsent_at: 0,
            unsent: 0,
            sending: JoinSet::new(),
            parts: Vec::new(),
        })
    }

    /// Sends the next part; waits for a place in memory.
    fn send(&mut self, upload: &Upload) -> io::Result<()> {
        while let Some(sent) = self.sending.try_join_next() {
            self.note(sent.map_err(io::Error::other)?)?;
        }
        let length = self.unsent.min(PART);
        let slot = self.runtime.block_on(self.s3.0.slots.take());
        let bytes = slot.read(&self.scratch, self.unsent_at, length)?;
        let (index, s3, upload) = (self.parts.len(), self.s3.clone(), upload.clone());
        let send = async move {
            let Upload { path, id } = &upload;
            let part = PutPayload::from(bytes);
            (index, s3.store().put_part(path, id, index, part).await)
        };
        self.sending.spawn_on(send, &self.runtime);
        self.parts.push(None);
        self.unsent_at += length as u64;
        self.unsent -= length;
        if self.unsent == 0 && !self.coming.is_read_back {
            self.unsent_at = 0;
            (&*self.scratch).rewind()?;
        }
        Ok(())
    }

    fn note(&mut self, (index, part): (usize, Result<PartId>)) -> io::Result<()> {
        self.parts[index] = Some(part.map_err(to_io)?);
        Ok(())
    }

    /// Sends the rest and waits until all parts are there.
    fn send_rest(&mut self, upload: &Upload) -> io::Result<Vec<PartId>> {
        while self.unsent > 0 {
            self.send(upload)?;
        }
        while let Some(sent) = self.runtime.block_on(self.sending.join_next()) {
            self.note(sent.map_err(io::Error::other)?)?;
        }
        Ok(std::mem::take(&mut self.parts)
            .into_iter()
            .flatten()
            .collect())
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // A part that comes in after its upload was aborted is found by nobody.
        while !self.sending.is_empty() {
            let _ = self.runtime.block_on(self.sending.join_next());
        }
    }
}

impl Staging for Outgoing {
    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = match self.upload {
                Some(_) => PART - self.unsent,
                None => bytes.len(),
            };
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            (&*self.scratch).write_all(now)?;
            self.unsent += now.len();
            bytes = later;
            if self.unsent == PART
                && let Some(upload) = self.upload.clone()
            {
                self.send(&upload)?;
            }
        }
        Ok(())
    }

    fn read_back(&mut self) -> io::Result<Box<dyn ReadSeek + '_>> {
        debug_assert!(self.coming.is_read_back, "nobody said so");
        (&*self.scratch).seek(SeekFrom::Start(0))?;
        Ok(Box::new(&*self.scratch))
    }

    fn sync(mut self: Box<Self>) -> io::Result<()> {
        let key = self.coming.key.clone();
        let upload = self.upload.take().or_else(|| self.s3.begun(&key));
        let staged = match upload {
            Some(upload) => {
                let parts = self.send_rest(&upload)?;
                Unpublished::Parts(upload, parts)
            }
            // What was begun was deleted meanwhile.
            None if self.unsent > PART => return Err(io::ErrorKind::NotFound.into()),
            None => Unpublished::Whole(Arc::clone(&self.scratch), self.unsent),
        };
        self.s3.unpublished().insert(key.clone(), staged);
        match self.coming.meant_for {
            Some(_) => Ok(()),
            None => self.runtime.block_on(self.s3.publish(&key, &key)),
        }
    }
}
