//! Whose request this is: by its key, or everybody's in `open` mode.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::address::ClientAddress;
use crate::{
    domain::{api_key::Secret, capability::Capabilities},
    error::{Error, Result},
    service::{Service, oauth::scope_text},
};

/// The layer over what acts on a caller's authority.
pub(super) async fn authenticate(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    match refusal(&service, &mut request).await {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// What a request is told that shows no good key. In one that does, it leaves a
/// [`Caller`](crate::domain::caller::Caller) in the extensions; in `open` mode nobody is asked.
pub(super) async fn refusal(service: &Service, request: &mut Request) -> Option<Response> {
    if service.settings().auth.is_open() {
        return None;
    }
    let identified = match key(request.headers()) {
        Ok(key) => {
            let identified = service.identify(&key).await;
            identified.map_err(|why| {
                let (extensions, headers) = (request.extensions(), request.headers());
                let ClientAddress(from) = ClientAddress::of(service, extensions, headers);
                service.wrong_key(from, why)
            })
        }
        Err(error) => Err(error),
    };
    match identified {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            None
        }
        Err(error) => Some(refused(service, error)),
    }
}

const MISSING: &str =
    "This askfile wants a key or an access token: send it as `Authorization: Bearer …`.";

/// The one key that a request shows.
fn key(headers: &HeaderMap) -> Result<Secret> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (given.next(), given.next()) else {
        return Err(Error::Unauthenticated(MISSING));
    };
    let bearer = one.to_str().ok().and_then(|text| {
        let (scheme, key) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let key = bearer.filter(|key| !key.is_empty());
    key.map(Secret::given)
        .ok_or(Error::Unauthenticated(MISSING))
}

/// Says what is wanted, and where tokens are had (RFC 6750, RFC 9728).
fn refused(service: &Service, error: Error) -> Response {
    let challenge = challenge(service, &error);
    let takes_keys = service.settings().auth.keys;
    let error = match error {
        Error::Unauthenticated(_) if !takes_keys => {
            error.advise("Connect anew, and have the person sign in: WWW-Authenticate says where.")
        }
        other => other,
    };
    let mut response = error.into_response();
    if response.status() == StatusCode::UNAUTHORIZED
        && let Ok(challenge) = HeaderValue::from_str(&challenge)
    {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn challenge(service: &Service, error: &Error) -> String {
    let mut parts = vec!["realm=\"askfile\"".to_owned()];
    if !matches!(error, Error::Unauthenticated(MISSING)) {
        parts.push("error=\"invalid_token\"".into());
    }
    if service.settings().auth.takes_tokens() {
        let metadata = service.resource_metadata_url();
        parts.push(format!("resource_metadata=\"{metadata}\""));
        parts.push(format!("scope=\"{}\"", scope_text(Capabilities::AGENT)));
    }
    format!("Bearer {}", parts.join(", "))
}
