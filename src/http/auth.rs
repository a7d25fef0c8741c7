//! Whose request this is: by its key, or everybody's in `open` mode.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::address::ClientAddress;
use crate::{
    config::Auth,
    domain::api_key::Secret,
    error::{Error, Result},
    service::Service,
};

/// The layer over what acts on a caller's authority. It leaves a
/// [`Caller`](crate::domain::caller::Caller) in the request's extensions, but in `open` mode, where
/// nobody is asked.
pub(super) async fn authenticate(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    if service.settings().auth == Auth::Open {
        return next.run(request).await;
    }
    let identified = match key(request.headers()) {
        Ok(key) => {
            let identified = service.identify(&key).await;
            identified.map_err(|why| {
                let (extensions, headers) = (request.extensions(), request.headers());
                let ClientAddress(from) = ClientAddress::of(&service, extensions, headers);
                service.wrong_key(from, why)
            })
        }
        Err(error) => Err(error),
    };
    match identified {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => refused(error),
    }
}

/// The one key that a request shows.
fn key(headers: &HeaderMap) -> Result<Secret> {
    const MISSING: &str = "This askfile wants a key: send it as `Authorization: Bearer …`.";
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

fn refused(error: Error) -> Response {
    let mut response = error.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"askfile\"");
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
