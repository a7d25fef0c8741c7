//! Which bucket, and how it is reached.

use std::time::Duration;

use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key},
};

use crate::objects::Reach;

/// How long the store may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the store may be silent: while a part is on its way, or put together with others.
const SILENCE: Duration = Duration::from_secs(60);
/// How often a request is tried again that the store was too busy for, and for how long.
const RETRIES: usize = 4;
const RETRY_FOR: Duration = Duration::from_secs(20);

/// A bucket, and how it is reached.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What all keys in it begin with; may be empty.
    pub prefix: String,
    /// Where the store is; `None`: where the environment says, else at Amazon.
    pub endpoint: Option<String>,
    /// Where it is for browsers and other programs.
    pub public_endpoint: Reach,
    /// `None`: what the environment says.
    pub region: Option<String>,
    /// Whether its name is in the path of its address, or in the host.
    pub path_style: bool,
}

/// A bucket that requests can be sent to.
#[derive(Debug)]
pub(super) struct Connection {
    pub store: AmazonS3,
    pub region: String,
    /// The bucket's address, as we reach it.
    pub url: String,
    /// The bucket's address, as others reach it, if they do.
    pub public_url: Option<String>,
}

impl Bucket {
    /// Gets ready to send requests, with the keys of the environment. Sends none.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the settings or the environment.
    pub(super) fn connect(&self) -> Result<Connection, String> {
        let builder = AmazonS3Builder::from_env();
        let told = |key| builder.get_config_value(&key);
        let region = self.region.clone();
        let region = region
            .or_else(|| told(Key::Region))
            .or_else(|| told(Key::DefaultRegion));
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = self.endpoint.clone();
        let endpoint = endpoint
            .or_else(|| told(Key::S3Endpoint))
            .or_else(|| told(Key::Endpoint));
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let url = self.url_at(&endpoint);
        let public_url = match &self.public_endpoint {
            Reach::Same => Some(url.clone()),
            Reach::At(endpoint) => Some(self.url_at(endpoint)),
            Reach::Not => None,
        };
        let client = ClientOptions::new()
            .with_allow_http(true)
            .with_connect_timeout(CONNECT)
            .with_read_timeout(SILENCE)
            .with_timeout_disabled();
        let store = builder
            .with_bucket_name(&self.name)
            .with_region(&region)
            // Taken for the bucket's own address as it is.
            .with_virtual_hosted_style_request(true)
            .with_config(Key::S3Endpoint, &url)
            .with_client_options(client)
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: RETRIES,
                retry_timeout: RETRY_FOR,
            })
            // Not every store knows how to delete many objects at once.
            .with_disable_bulk_delete(true)
            .build()
            .map_err(|error| format!("the keys for the bucket: {error}"))?;
        Ok(Connection {
            store,
            region,
            url,
            public_url,
        })
    }

    fn url_at(&self, endpoint: &str) -> String {
        let endpoint = endpoint.trim_end_matches('/');
        match endpoint.split_once("://") {
            Some((scheme, host)) if !self.path_style => format!("{scheme}://{}.{host}", self.name),
            _ => format!("{endpoint}/{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_in_the_path_or_in_the_host() {
        let mut bucket = Bucket {
            name: "files".into(),
            prefix: String::new(),
            endpoint: Some("http://127.0.0.1:9000".into()),
            public_endpoint: Reach::At("https://s3.example.com/".into()),
            region: None,
            path_style: true,
        };
        let urls = |bucket: &Bucket| {
            let connection = bucket.connect().unwrap();
            [connection.url, connection.public_url.unwrap_or_default()]
        };
        assert_eq!(
            urls(&bucket),
            [
                "http://127.0.0.1:9000/files",
                "https://s3.example.com/files"
            ]
        );
        bucket.path_style = false;
        assert_eq!(
            urls(&bucket),
            [
                "http://files.127.0.0.1:9000",
                "https://files.s3.example.com"
            ]
        );
        bucket.public_endpoint = Reach::Same;
        let [url, public_url] = urls(&bucket);
        assert_eq!(url, public_url);
    }
}
