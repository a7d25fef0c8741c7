//! The signed link for sending: a form with a file, or a raw body.

use axum::{
    Json,
    body::Body,
    extract::{RawQuery, Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    address::ClientAddress,
    failure::{failed, failed_in, wants_page, with_budget, with_waiting},
    link::{self, ASSETS, TokenInPath, language, receipt_cookie, request_page},
    page::Problem,
};
use crate::{
    domain::{ids::AttemptId, media::ScanStatus, mime::Kind},
    error::{Error, Result},
    intake::{body::FileBody, filename},
    link::hex,
    service::{Incoming, LinkedSession, Received, Service},
};

/// The header by which a page names an attempt, so that its retry is the same one.
pub(super) const ATTEMPT: HeaderName = HeaderName::from_static("askfile-attempt");

/// What a stored file is answered with.
#[derive(Serialize)]
struct Receipt {
    upload_token: String,
    upload_id: String,
    media_id: String,
    #[serde(rename = "type")]
    kind: Kind,
    mime_type: String,
    original_filename: String,
    size_bytes: u64,
    sha256: String,
    original_mime_type: String,
    original_size_bytes: u64,
    original_sha256: String,
    scan_status: &'static str,
}

/// `POST /uploads/{token}`: a form with the file in its field `media`. `PUT`: the body is the file,
/// as `curl -T` sends it.
pub(super) async fn receive(
    State(service): State<Service>,
    TokenInPath(token): TokenInPath,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let link = match link::writable(&service, &token, query.as_deref(), from).await {
        Ok(link) => link,
        Err(error) => return failed(error, headers, ASSETS),
    };
    let received = async {
        let attempt = attempt(headers);
        let incoming = Incoming {
            declared_bytes: header_number(headers),
            mime_type: header_text(headers, &header::CONTENT_TYPE),
            attempt: attempt.as_ref().ok().copied().flatten(),
            from,
            body: attempt.and_then(|_| open(&parts.method, headers, body)),
        };
        service.receive(&link, incoming).await
    };
    match received.await {
        Ok(received) => {
            let answer = stored(&service, &link, &received, headers);
            with_budget(answer, service.uploads_left(&link.view.session, from))
        }
        Err(error) => refused(&service, &link, error, headers),
    }
}

pub(super) fn stored(
    service: &Service,
    link: &LinkedSession,
    received: &Received,
    headers: &HeaderMap,
) -> Response {
    let media = &received.media;
    let cookie = [(
        header::SET_COOKIE,
        receipt_cookie(service, link, media, headers),
    )];
    if wants_page(headers) {
        // The link again: now it shows the result, and going back sends nothing twice.
        let here = format!("?{}", link.query);
        return (StatusCode::SEE_OTHER, cookie, [(header::LOCATION, here)]).into_response();
    }
    let status = match media.scan_status {
        ScanStatus::Pending => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    let receipt = Receipt {
        upload_token: received.session.token.to_string(),
        upload_id: received.session.id.to_string(),
        media_id: media.id.to_string(),
        kind: media.kind(),
        mime_type: media.stored.mime_type.clone(),
        original_filename: media.original_filename.clone(),
        size_bytes: media.stored.size_bytes,
        sha256: hex(&media.stored.sha256),
        original_mime_type: media.original.mime_type.clone(),
        original_size_bytes: media.original.size_bytes,
        original_sha256: hex(&media.original.sha256),
        scan_status: media.scan_status.as_str(),
    };
    (status, cookie, Json(receipt)).into_response()
}

/// A person whose file was refused sees the form again, with the reason above it.
fn refused(service: &Service, link: &LinkedSession, error: Error, headers: &HeaderMap) -> Response {
    let is_closed = matches!(
        error,
        Error::AlreadyUsed | Error::LinkExpired | Error::Declined | Error::Cancelled
    );
    let language = language(link, headers);
    if !wants_page(headers) || is_closed {
        return failed_in(language, error, headers, ASSETS);
    }
    error.log();
    let why = Some(Problem::new(language, &error));
    let page = request_page(service, link, language, why, error.row().status);
    with_waiting(page, &error)
}

/// The file in a body.
fn open(method: &Method, headers: &HeaderMap, body: Body) -> Result<FileBody> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_part = headers.contains_key(header::CONTENT_RANGE);
    let is_coded = text(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    if is_part || is_coded {
        return Err(Error::MalformedBody(
            "A file is sent whole and as it is: without Content-Range and Content-Encoding.".into(),
        ));
    }
    let content_type = text(header::CONTENT_TYPE);
    // A form that is PUT is a form: nobody wants its wrapping for a file.
    let is_form = content_type.is_some_and(|value| value.starts_with("multipart/form-data"));
    if method == Method::PUT && !is_form {
        return Ok(FileBody::raw(body, filename::of_headers(headers)));
    }
    FileBody::form(body, content_type)
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// What the request says its body's length is.
pub(super) fn header_number(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn attempt(headers: &HeaderMap) -> Result<Option<AttemptId>> {
    let Some(value) = headers.get(ATTEMPT) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    text.parse()
        .map(Some)
        .map_err(|_| Error::InvalidArgument("The header Askfile-Attempt is not a UUID.".into()))
}
