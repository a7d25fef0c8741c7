//! The bucket as a place that browsers put files into themselves.

use std::io;

use async_trait::async_trait;
use object_store::ObjectStoreExt;

use super::{S3, presign::Permit, trouble::to_io};
use crate::objects::{Direct, SignedUpload, Upload};

#[async_trait]
impl Direct for S3 {
    fn origin(&self) -> &str {
        self.0.connection.public_url.as_deref().map_or("", origin)
    }

    async fn upload(&self, key: &str, upload: &Upload<'_>) -> io::Result<SignedUpload> {
        let public_url = self.0.connection.public_url.as_deref();
        let public_url = public_url.ok_or(io::ErrorKind::Unsupported)?;
        let length = upload.size_bytes.to_string();
        let mut headers = vec![
            ("content-type", upload.content_type),
            ("content-length", &length),
        ];
        headers.extend(upload.once.then_some(("if-none-match", "*")));
        let permit = Permit {
            method: "PUT",
            url: &format!("{public_url}/{}", self.path(key)),
            query: &[],
            headers: &headers,
            lives: upload.lives,
        };
        Ok(SignedUpload {
            url: self.presign(upload.now, &permit).await?,
            headers: headers
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        })
    }

    async fn copy(&self, from: &str, key: &str) -> io::Result<()> {
        let copied = self.store().copy(&self.path(from), &self.path(key)).await;
        copied.map_err(to_io)
    }
}

/// What stands before the path of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_ends_before_the_path() {
        assert_eq!(
            origin("https://s3.example.com/files"),
            "https://s3.example.com"
        );
        assert_eq!(
            origin("http://files.127.0.0.1:9000"),
            "http://files.127.0.0.1:9000"
        );
    }
}
