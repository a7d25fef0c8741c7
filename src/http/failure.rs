//! A failure as an answer: the tools' failure object for programs, a page for people.

use std::sync::Arc;

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};

use super::page::{Outcome, Problem, html_response};
use crate::{
    domain::{budget::Standing, language::Language},
    error::Error,
};

/// Rides on an answer, for those who say the same in another form.
#[derive(Debug, Clone)]
pub(super) struct Failed(pub Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let response = (self.row().status, Json(self.body())).into_response();
        let mut response = with_waiting(response, &self);
        response.extensions_mut().insert(Failed(Arc::new(self)));
        response
    }
}

/// The answer, with when it is worth to try again.
pub(super) fn with_waiting(mut response: Response, error: &Error) -> Response {
    if let Some(seconds) = error.retry_after() {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    let standing = match error {
        Error::RateLimited { standing, .. } => Some(*standing),
        _ => None,
    };
    with_budget(response, standing)
}

/// The answer, with how a budget stands, in the fields that clients read today: those of
/// draft-ietf-httpapi-ratelimit-headers-06. Its later versions have another syntax with each. `Reset`
/// is when there is one more, as in `Retry-After`: a bucket fills little by little.
pub(super) fn with_budget(mut response: Response, standing: Option<Standing>) -> Response {
    if let Some(standing) = standing {
        let headers = response.headers_mut();
        for (name, number) in [
            ("ratelimit-limit", standing.limit),
            ("ratelimit-remaining", standing.left),
            ("ratelimit-reset", standing.next_in),
        ] {
            headers.insert(HeaderName::from_static(name), number.into());
        }
    }
    response
}

/// Whether the client would rather have a page. Browsers say so; curl and programs do not.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    accepts(headers, "text/html")
}

/// Whether the client names this type among those that it takes.
pub(super) fn accepts(headers: &HeaderMap, mime_type: &str) -> bool {
    let mut accepts = headers.get_all(header::ACCEPT).iter();
    accepts.any(|accept| {
        let mut parts = accept.as_bytes().windows(mime_type.len());
        parts.any(|part| part == mime_type.as_bytes())
    })
}

/// The language that a browser likes best, among those that there are.
pub(super) fn liked_language(headers: &HeaderMap) -> Language {
    let liked = headers.get(header::ACCEPT_LANGUAGE);
    let liked = liked.and_then(|value| Language::accepted(value.to_str().ok()?));
    liked.unwrap_or(Language::English)
}

/// A page for a failure; `assets` is the relative way to the stylesheet's folder.
pub(super) fn failure_page(error: &Error, language: Language, assets: &str) -> Response {
    error.log();
    let Problem { message, next } = Problem::new(language, error);
    let outcome = match error {
        Error::NotFound => Outcome::Unknown,
        Error::LinkInvalid => Outcome::Tampered,
        Error::LinkExpired => Outcome::Expired,
        Error::AlreadyUsed => Outcome::Used,
        Error::Declined => Outcome::Declined,
        Error::Cancelled => Outcome::Cancelled,
        _ => Outcome::Failed {
            message: &message,
            next: &next,
        },
    };
    with_waiting(
        html_response(error.row().status, outcome.html(language, assets)),
        error,
    )
}

/// A failure as this client wants it.
pub(super) fn failed(error: Error, headers: &HeaderMap, assets: &str) -> Response {
    failed_in(liked_language(headers), error, headers, assets)
}

/// The same, where it is known what its person is spoken to in.
pub(super) fn failed_in(
    language: Language,
    error: Error,
    headers: &HeaderMap,
    assets: &str,
) -> Response {
    if wants_page(headers) {
        let mut page = failure_page(&error, language, assets);
        page.extensions_mut().insert(Failed(Arc::new(error)));
        page
    } else {
        error.into_response()
    }
}

/// What is not served here.
pub(super) async fn unknown_route(uri: Uri, headers: HeaderMap) -> Response {
    failed(Error::NotFound, &headers, &assets_from(uri.path()))
}

/// The relative way to the stylesheet's folder, so that a proxy may add a prefix.
pub(super) fn assets_from(path: &str) -> String {
    let folders = path.matches('/').count().saturating_sub(1);
    format!("{}assets", "../".repeat(folders.min(16)))
}

/// A route that does not take this method.
pub(super) async fn unknown_method(uri: Uri, headers: HeaderMap) -> Response {
    failed(Error::MethodNotAllowed, &headers, &assets_from(uri.path()))
}
