//! A try of all that is asked of a bucket, so that what is wrong is known before the first file
//! comes.

use object_store::{Error, ObjectStoreExt, PutPayload, multipart::MultipartStore};

use super::{S3, trouble::explain};
use crate::domain::ids::random_letters;

/// What is written on trial.
const TRIAL: &[u8] = b"askfile was here";

impl S3 {
    /// Writes an object, reads it and deletes it, and begins an upload in parts; leaves nothing.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(super) async fn probe(&self) -> Result<(), String> {
        let path = self.path(&format!("probe/{}", random_letters(12)));
        let (store, url) = (self.store(), &self.0.connection.url);
        let cannot = |what: &'static str| {
            move |error: Error| format!("{url} cannot be {what}: {}", explain(&error))
        };
        let trial = || PutPayload::from_static(TRIAL);
        let put = store.put(&path, trial()).await;
        put.map_err(cannot("written to"))?;
        let read = async { store.get(&path).await?.bytes().await };
        let read = read.await.map_err(cannot("read from"))?;
        if read != TRIAL {
            return Err(format!("{url} gives other bytes than were written to it"));
        }
        let in_parts = async {
            let id = store.create_multipart(&path).await?;
            let part = store.put_part(&path, &id, 0, trial()).await?;
            store.complete_multipart(&path, &id, vec![part]).await?;
            let id = store.create_multipart(&path).await?;
            store.abort_multipart(&path, &id).await
        };
        in_parts.await.map_err(cannot("written to in parts"))?;
        store.delete(&path).await.map_err(cannot("deleted from"))?;
        match store.head(&path).await {
            Err(Error::NotFound { .. }) => Ok(()),
            // That is how Amazon answers whoever may not list.
            Err(Error::PermissionDenied { .. }) => Err(format!(
                "{url} does not say what is not there: allow `s3:ListBucket` on the bucket"
            )),
            Err(error) => Err(cannot("read from")(error)),
            Ok(_) => Err(format!(
                "{url} keeps what is deleted: switch off the bucket's object lock"
            )),
        }
    }
}
