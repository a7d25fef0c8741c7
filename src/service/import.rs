//! Files that somebody else has: fetched where a client or a model says they are.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use futures_util::TryStreamExt as _;
use percent_encoding::percent_decode_str;
use tokio::time::Instant;
use url::Url;

use super::{CreateRequest, Service, authority::must};
use crate::{
    domain::{caller::Caller, capability::Capability, ids::UploadId, media::ScanStatus},
    error::{Error, Result},
    fetch::{Fetcher, NotHad},
    intake::{body::FileBody, filename},
    store::NewSession,
};

/// Longest address, in bytes: those of clients are signed, and long.
const LONGEST_ADDRESS: usize = 8_000;
/// Longest content in a call, in characters of base64: models cut longer ones, or break them.
const MOST_DATA: usize = 10_000;
/// How an address begins that is the content itself.
const DATA: &str = "data:";

/// Where a file is.
#[derive(Debug, Clone)]
pub enum Source {
    /// At an address that the model gives.
    Url(String),
    /// At one that the client gives, for a file of the chat.
    Forwarded(String),
    /// In the call itself, as base64.
    Data(String),
}

/// Asks for a file to be taken in.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// What it is for, and whose it will be.
    pub session: CreateRequest,
    /// Where it is.
    pub source: Source,
    /// What it is called; `None`: as it is there.
    pub name: Option<String>,
}

impl Source {
    /// What an address stands for that the model gives.
    #[must_use]
    pub fn at(address: String) -> Self {
        let start = address.trim_start().get(..DATA.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(DATA)) {
            return Self::Data(address);
        }
        Self::Url(address)
    }

    /// The file's name, where its address ends in one.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let (Self::Url(address) | Self::Forwarded(address)) = self else {
            return None;
        };
        let path = address.split(['?', '#']).next()?;
        let last = path.trim_end().rsplit(['/', '\\']).next()?;
        let name = percent_decode_str(last).decode_utf8_lossy();
        let (stem, ending) = name.rsplit_once('.')?;
        (!stem.is_empty() && !ending.is_empty()).then(|| name.clone().into_owned())
    }
}

/// A file that may be had.
enum Found {
    Here(Vec<u8>),
    There(Fetch),
}

/// One that has to be fetched first.
struct Fetch {
    fetcher: Fetcher,
    url: Url,
    /// For all of it.
    time: Duration,
}

/// One that is on its way.
struct Coming {
    body: Body,
    declared_bytes: Option<u64>,
    name: Option<String>,
    /// Whether it broke off because its time was over.
    is_late: Arc<AtomicBool>,
}

/// Whether an address is one that everybody may open who has it.
fn is_open(url: &Url) -> bool {
    url.scheme() == "https" && url.username().is_empty() && url.password().is_none()
}

impl Service {
    /// Why a file can be had from a person alone: it is in a chat, in a sandbox or on a device. `None`
    /// where it is worth to [`Self::import`] it.
    #[must_use]
    pub fn out_of_reach(&self, source: &Source) -> Option<String> {
        let (Source::Url(address) | Source::Forwarded(address)) = source else {
            return None;
        };
        let url: Option<Url> = address.parse().ok();
        let no_address = "this server opens https:// addresses alone, and that is none";
        if let Source::Forwarded(_) = source {
            // What the client gives, nobody in the chat can give otherwise.
            return match url.as_ref().filter(|url| is_open(url)) {
                None => Some(no_address.into()),
                Some(url) => {
                    let host = url.host_str().unwrap_or_default();
                    let is_closed = !self.fetches_from(host);
                    is_closed.then(|| format!("this server does not fetch from {host}"))
                }
            };
        }
        let scheme = address.trim_start().split_once("://");
        let mut web = ["https", "http"].into_iter();
        let is_web =
            scheme.is_some_and(|(start, _)| web.any(|web| start.eq_ignore_ascii_case(web)));
        (!is_web).then(|| no_address.into())
    }

    /// Takes in a file from where it is, like one that somebody sends, in the time that a call may take. What
    /// is not judged by then stays in its session, which is still pending.
    ///
    /// # Errors
    /// As [`Self::send`]; [`Error::PermissionDenied`] for an address that the settings do not allow;
    /// [`Error::NotFetched`] where nothing is had there; [`Error::InvalidArgument`].
    pub async fn import(&self, caller: &Caller, request: ImportRequest) -> Result<UploadId> {
        must(caller, Capability::AssetUpload)?;
        let deadline = Instant::now() + self.settings.max_wait;
        let ImportRequest {
            session,
            source,
            name,
        } = request;
        let name = |there: Option<String>| name.or(there).or_else(|| source.name());
        let found = self.find(&source)?;
        // Nothing is fetched for who may not have it, or comes too often.
        let session = self.to_send(caller, session, None).await?;
        let imported = match found {
            Found::Here(bytes) => {
                let length = Some(bytes.len() as u64);
                let body = FileBody::raw(bytes.into(), name(None));
                self.imported(caller, session, body, length, deadline).await
            }
            Found::There(fetch) => {
                let coming = self.fetched(&fetch).await;
                let coming = coming.map_err(Error::without_link)?;
                let is_late = coming.is_late;
                let body = FileBody::raw(coming.body, name(coming.name));
                let imported =
                    self.imported(caller, session, body, coming.declared_bytes, deadline);
                imported.await.map_err(|error| match error {
                    // Its time was over before all of it was there.
                    Error::MalformedBody(_) if is_late.load(Ordering::Relaxed) => {
                        fetch.failed(NotHad::Late(fetch.time))
                    }
                    error => error,
                })
            }
        };
        imported.map_err(Error::without_link)
    }

    fn fetches_from(&self, host: &str) -> bool {
        let mut hosts = self.settings.import_hosts.iter();
        hosts.any(|known| known.takes(host))
    }

    /// Looks at where a file is, and opens nothing.
    fn find(&self, source: &Source) -> Result<Found> {
        let address = match source {
            Source::Data(data) => return decoded(data).map(Found::Here),
            Source::Url(address) | Source::Forwarded(address) => address,
        };
        let wrong = |why: &str| Error::InvalidArgument(format!("url: {why}"));
        if address.len() > LONGEST_ADDRESS {
            return Err(wrong("it is too long."));
        }
        let url: Url = address.parse().map_err(|_| wrong("it is no address."))?;
        if !is_open(&url) {
            return Err(wrong(
                "https alone is fetched, without a user in the address.",
            ));
        }
        let host = url.host_str().unwrap_or_default();
        let fetcher = self.fetcher.as_ref().filter(|_| self.fetches_from(host));
        let fetcher = fetcher.ok_or_else(|| {
            Error::PermissionDenied(format!(
                "Files are not fetched from `{host}` here: ask the person for the file by \
                 upload_create, or the operator to name that host in the setting import.hosts."
            ))
            .advise("Ask the person for the file with upload_create.")
        })?;
        Ok(Found::There(Fetch {
            fetcher: fetcher.clone(),
            url,
            // Who sends a file waits for its verdict as well.
            time: self.settings.max_wait.saturating_sub(self.patience()),
        }))
    }

    /// Fetches it. Until its body comes, it takes a place as a body does.
    async fn fetched(&self, fetch: &Fetch) -> Result<Coming> {
        let _place = self.place()?;
        let opened = fetch.fetcher.open(fetch.url.clone(), fetch.time);
        let answer = tokio::select! {
            answer = opened => answer.map_err(|why| fetch.failed(why))?,
            () = self.closing() => return Err(Error::Busy { retry_after: 5 }),
        };
        let is_late = Arc::new(AtomicBool::new(false));
        let late = Arc::clone(&is_late);
        Ok(Coming {
            declared_bytes: answer.content_length(),
            name: filename::of_headers(answer.headers()),
            body: Body::from_stream(answer.bytes_stream().inspect_err(move |error| {
                late.fetch_or(error.is_timeout(), Ordering::Relaxed);
            })),
            is_late,
        })
    }

    async fn imported(
        &self,
        caller: &Caller,
        session: NewSession,
        body: FileBody,
        declared_bytes: Option<u64>,
        deadline: Instant,
    ) -> Result<UploadId> {
        let (service, caller) = (self.clone(), caller.clone());
        // In a task of its own: when the client goes away, what was begun is still ended properly.
        let importing = tokio::spawn(async move {
            let (id, received) = service.brought(session, body, declared_bytes).await?;
            let refused = match received {
                Ok(received) if received.media.scan_status == ScanStatus::Pending => {
                    let judged = service.judged_in_time(&caller, id, deadline);
                    // Else it is durable, and its check goes on.
                    judged
                        .await
                        .err()
                        .filter(|error| matches!(error, Error::ScanBlocked(_)))
                }
                received => received.err(),
            };
            match refused {
                None => Ok(id),
                Some(error) => {
                    service.give_up(&caller, id).await;
                    Err(error)
                }
            }
        });
        importing.await.map_err(Error::internal)?
    }
}

impl Fetch {
    /// The address itself may hold a signature, and is not told.
    fn failed(&self, why: NotHad) -> Error {
        let host = self.url.host_str().unwrap_or_default();
        Error::NotFetched {
            why: format!("The file at {host} {why}."),
            is_answer: why.is_answer(),
        }
    }
}

fn decoded(data: &str) -> Result<Vec<u8>> {
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
    let alphabet = if text.contains(['-', '_']) {
        URL_SAFE
    } else {
        STANDARD
    };
    base64(&alphabet)
        .decode(text)
        .map_err(|_| wrong("it is no base64."))
}

/// With or without what fills up the last group.
fn base64(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new();
    GeneralPurpose::new(
        alphabet,
        config.with_decode_padding_mode(DecodePaddingMode::Indifferent),
    )
}
