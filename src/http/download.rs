//! Handing out stored files to whoever has a signed address.

use std::net::IpAddr;

use axum::{
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{
    address::ClientAddress,
    range::{self, Wanted},
};
use crate::{
    domain::{audit::Actor, ids::WorkspaceId, media::Media},
    error::{Error, Result},
    link::hex,
    service::{Service, Signed},
};

/// Types that a browser may show instead of saving them: none can hold a script.
const INLINE: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// What RFC 8187 leaves as it is.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Why a file is not handed out. Whoever has its address has no link to send one by.
pub(super) struct NotHanded(Error);

impl From<Error> for NotHanded {
    fn from(error: Error) -> Self {
        Self(match error {
            Error::NotFound => error.advise("The file was deleted, or never was there."),
            Error::LinkExpired => error.advise("Call media_get for a fresh download_url."),
            Error::LinkInvalid => error.advise(
                "Use the address just as it was returned, or call media_get for a fresh one.",
            ),
            other => other,
        })
    }
}

impl IntoResponse for NotHanded {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

#[derive(Deserialize)]
pub(super) struct HandleQuery {
    signature: String,
}

#[derive(Deserialize)]
pub(super) struct FileQuery {
    expires: i64,
    signature: String,
}

/// `GET /m/{workspace}/{handle}`: leads to a fresh download link.
pub(super) async fn follow_handle(
    State(service): State<Service>,
    Path((workspace, handle)): Path<(String, String)>,
    query: Result<Query<HandleQuery>, QueryRejection>,
    ClientAddress(from): ClientAddress,
) -> Result<Response, NotHanded> {
    let asked = || {
        let Query(query) = query.map_err(|_| Error::LinkInvalid)?;
        Ok((workspace_id(&workspace)?, query.signature))
    };
    let asked: Result<_> = asked();
    let (workspace, signature) = asked.map_err(|why| service.wrong_link(from, why))?;
    let link = service
        .follow_handle(workspace, &handle, &signature, from)
        .await?;
    Ok((StatusCode::FOUND, [(header::LOCATION, link)]).into_response())
}

/// `GET /downloads/{workspace}/{media_id}`: the bytes, or a range of them, or the way to them.
pub(super) async fn download(
    State(service): State<Service>,
    Path((workspace, media)): Path<(String, String)>,
    query: Result<Query<FileQuery>, QueryRejection>,
    ClientAddress(from): ClientAddress,
    method: Method,
    asked: HeaderMap,
) -> Result<Response, NotHanded> {
    let link = signed(&workspace, &media, query, from);
    let link = link.map_err(|why| service.wrong_link(from, why))?;
    let media = service.downloaded(&link).await?;
    let (size, etag) = (media.stored.size_bytes, etag(&hex(&media.stored.sha256)));
    let mut headers = headers(&etag);
    if range::is_known(&asked, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let disposition = disposition(&media);
    // The store's own address is good for GET only.
    if method == Method::GET
        && let Some(url) = service.url_at_store(&media, &disposition, &link).await?
    {
        return Ok((StatusCode::FOUND, [(header::LOCATION, url)]).into_response());
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (status, range) = match range::wanted(&asked, &etag, size) {
        Wanted::All => (StatusCode::OK, 0..size),
        Wanted::Part(part) => {
            let place = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            headers.insert(header::CONTENT_RANGE, value(&place));
            (StatusCode::PARTIAL_CONTENT, part)
        }
        Wanted::Nothing => {
            let place = value(&format!("bytes */{size}"));
            headers.insert(header::CONTENT_RANGE, place);
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    headers.insert(header::CONTENT_TYPE, value(&media.stored.mime_type));
    headers.insert(header::CONTENT_DISPOSITION, value(&disposition));
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from_stream(service.bytes(&media, range, &Actor::Link).await?)
    };
    Ok((status, headers, body).into_response())
}

/// `GET /previews/{workspace}/{media_id}`: the picture, made small.
pub(super) async fn preview(
    State(service): State<Service>,
    Path((workspace, media)): Path<(String, String)>,
    query: Result<Query<FileQuery>, QueryRejection>,
    ClientAddress(from): ClientAddress,
    asked: HeaderMap,
) -> Result<Response, NotHanded> {
    let link = signed(&workspace, &media, query, from);
    let link = link.map_err(|why| service.wrong_link(from, why))?;
    let media = service.previewed(&link).await?;
    let etag = etag(&format!("{}-preview", hex(&media.stored.sha256)));
    let mut headers = headers(&etag);
    if range::is_known(&asked, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let (bytes, mime_type) = service.preview(&media).await?;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(mime_type));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("inline"),
    );
    Ok((headers, bytes).into_response())
}

fn signed(
    workspace: &str,
    media: &str,
    query: Result<Query<FileQuery>, QueryRejection>,
    from: IpAddr,
) -> Result<Signed> {
    let Query(query) = query.map_err(|_| Error::LinkInvalid)?;
    Ok(Signed {
        workspace: workspace_id(workspace)?,
        media: media.parse().map_err(|_| Error::NotFound)?,
        expires: query.expires,
        signature: query.signature,
        from,
    })
}

fn workspace_id(text: &str) -> Result<WorkspaceId> {
    text.parse().map_err(|_| Error::NotFound)
}

fn etag(name: &str) -> String {
    format!("\"{name}\"")
}

/// What every answer with a file says: nothing in it may run or be embedded elsewhere, and who keeps
/// it asks again before using it, because links end and files are deleted.
fn headers(etag: &str) -> HeaderMap {
    [
        (header::ETAG, value(etag)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox; default-src 'none'"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ]
    .into_iter()
    .collect()
}

/// RFC 6266: a name in ASCII for old clients, and the whole one.
fn disposition(media: &Media) -> String {
    let is_inline = INLINE.contains(&media.stored.mime_type.as_str());
    let kind = if is_inline { "inline" } else { "attachment" };
    let name = media.file_name();
    let plain: String = name
        .chars()
        .map(|c| match c {
            // Some clients decode what follows a `%`.
            '"' | '\\' | '%' => '_',
            ' '..='~' => c,
            _ => '_',
        })
        .collect();
    let whole = utf8_percent_encode(&name, IN_NAME);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
