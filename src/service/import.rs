//! Files that somebody else has: fetched where a client or a model says they are.

use axum::body::Body;
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use url::Url;

use super::{CreateRequest, SendRequest, Service, authority::must};
use crate::{
    domain::{caller::Caller, capability::Capability, media::Media},
    error::{Error, Result},
    intake::body::FileBody,
};

/// Longest address, in bytes: those of clients are signed, and long.
const LONGEST_ADDRESS: usize = 8_000;
/// Longest content in a call, in characters of base64: models cut longer ones, or break them.
const MOST_DATA: usize = 10_000;
/// With or without what fills up the last group.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where a file is.
#[derive(Debug, Clone)]
pub enum Source {
    /// At an address.
    Url(String),
    /// In the call itself, as base64.
    Data(String),
}

impl Source {
    /// Whether it is somewhere that no server can reach: in a sandbox, on a device, in a chat.
    #[must_use]
    pub fn is_out_of_reach(&self) -> bool {
        match self {
            Self::Url(url) => {
                let scheme = url.trim_start().split_once("://").map(|(scheme, _)| scheme);
                !scheme.is_some_and(|scheme| {
                    ["https", "http"]
                        .iter()
                        .any(|web| scheme.eq_ignore_ascii_case(web))
                })
            }
            Self::Data(_) => false,
        }
    }
}

/// Asks for a file to be taken in.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// What it is for, and whose it will be.
    pub session: CreateRequest,
    /// Where it is.
    pub source: Source,
    /// What it is called.
    pub name: Option<String>,
}

impl Service {
    /// Takes in a file from where it is, like one that somebody sends.
    ///
    /// # Errors
    /// As [`Self::send`]; [`Error::PermissionDenied`] for an address that the settings do not allow or that
    /// is not public; [`Error::InvalidArgument`]; [`Error::Unavailable`] where nothing is had there.
    pub async fn import(&self, caller: &Caller, request: ImportRequest) -> Result<Media> {
        must(caller, Capability::AssetUpload)?;
        let (body, declared_bytes) = match request.source {
            Source::Data(data) => decoded(&data)?,
            Source::Url(url) => self.fetched(&url).await?,
        };
        let request = SendRequest {
            session: request.session,
            most_bytes: None,
            body: FileBody::raw(body, request.name),
            declared_bytes,
        };
        self.send(caller, request).await
    }

    /// The bytes at an address, on their way.
    async fn fetched(&self, url: &str) -> Result<(Body, Option<u64>)> {
        let wrong = |why: &str| Error::InvalidArgument(format!("url: {why}"));
        if url.len() > LONGEST_ADDRESS {
            return Err(wrong("it is too long."));
        }
        let parsed: Url = url.parse().map_err(|_| wrong("it is no address."))?;
        let has_user = !parsed.username().is_empty() || parsed.password().is_some();
        if parsed.scheme() != "https" || has_user {
            return Err(wrong(
                "https alone is fetched, without a user in the address.",
            ));
        }
        let host = parsed.host_str().unwrap_or_default().to_owned();
        let is_allowed = self
            .settings
            .import_hosts
            .iter()
            .any(|known| known.takes(&host));
        let fetcher = self.fetcher.as_ref().filter(|_| is_allowed);
        let fetcher = fetcher.ok_or_else(|| {
            Error::PermissionDenied(format!(
                "Files are not fetched from `{host}` here: ask the person for the file by \
                 upload_create, or the operator to name that host in the setting import.hosts."
            ))
        })?;
        let answer = fetcher.open(parsed, self.settings.max_wait).await;
        // The address itself may hold a signature.
        let answer =
            answer.map_err(|why| Error::Unavailable(format!("The file at {host} {why}.")))?;
        let length = answer.content_length();
        Ok((Body::from_stream(answer.bytes_stream()), length))
    }
}

fn decoded(data: &str) -> Result<(Body, Option<u64>)> {
    let wrong = |why: &str| Error::InvalidArgument(format!("data: {why}"));
    if data.len() > MOST_DATA {
        return Err(wrong(
            "at most 10,000 characters; ask the person for the file by upload_create.",
        ));
    }
    let text: String = data.split_ascii_whitespace().collect();
    // Some write the type before it, as in an address of a page.
    let text = text
        .split_once(";base64,")
        .map_or(text.as_str(), |(_, data)| data);
    let bytes = BASE64.decode(text).map_err(|_| wrong("it is no base64."))?;
    let length = bytes.len() as u64;
    Ok((Body::from(bytes), Some(length)))
}
