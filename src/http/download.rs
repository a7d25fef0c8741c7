//! Handing out stored files to whoever has a signed address.

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::{
    domain::{ids::WorkspaceId, media::Media},
    error::{Error, Result},
    link::hex,
    service::Service,
};

/// Types that a browser may show instead of saving them: none can hold a script.
const INLINE: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// What RFC 8187 leaves as it is.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

#[derive(Deserialize)]
pub(super) struct HandleQuery {
    signature: String,
}

#[derive(Deserialize)]
pub(super) struct DownloadQuery {
    expires: i64,
    signature: String,
}

/// `GET /m/{workspace}/{handle}`: leads to a fresh download link.
pub(super) async fn follow_handle(
    State(service): State<Service>,
    Path((workspace, handle)): Path<(String, String)>,
    query: Result<Query<HandleQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response> {
    let Query(query) = query.map_err(|_| Error::LinkInvalid)?;
    let workspace = workspace_id(&workspace)?;
    let link = service
        .follow_handle(workspace, &handle, &query.signature)
        .await?;
    Ok((StatusCode::FOUND, [(header::LOCATION, link)]).into_response())
}

/// `GET /downloads/{workspace}/{media_id}`: the bytes, or the way to them.
pub(super) async fn download(
    State(service): State<Service>,
    method: Method,
    Path((workspace, media)): Path<(String, String)>,
    query: Result<Query<DownloadQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response> {
    let Query(query) = query.map_err(|_| Error::LinkInvalid)?;
    let workspace = workspace_id(&workspace)?;
    let media = media.parse().map_err(|_| Error::NotFound)?;
    let (media, until) = service
        .download(workspace, media, query.expires, &query.signature)
        .await?;
    let disposition = disposition(&media);
    // The store's own address is good for GET only.
    if method == Method::GET
        && let Some(url) = service.download_url(&media, &disposition, until).await?
    {
        return Ok((StatusCode::FOUND, [(header::LOCATION, url)]).into_response());
    }
    let bytes = service.bytes(&media).await?;
    Ok((headers(&media, disposition), Body::from_stream(bytes)).into_response())
}

fn workspace_id(text: &str) -> Result<WorkspaceId> {
    text.parse().map_err(|_| Error::NotFound)
}

fn disposition(media: &Media) -> String {
    let is_inline = INLINE.contains(&media.stored.mime_type.as_str());
    let disposition = if is_inline { "inline" } else { "attachment" };
    let name = utf8_percent_encode(&media.original_filename, IN_NAME);
    format!("{disposition}; filename*=UTF-8''{name}")
}

fn headers(media: &Media, disposition: String) -> HeaderMap {
    let values = [
        (header::CONTENT_TYPE, media.stored.mime_type.clone()),
        (header::CONTENT_LENGTH, media.stored.size_bytes.to_string()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::ETAG, format!("\"{}\"", hex(&media.stored.sha256))),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'".into(),
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin".into(),
        ),
    ];
    values
        .into_iter()
        .filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)))
        .collect()
}
