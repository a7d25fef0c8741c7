//! What clients and people need to let a client in: metadata for both kinds of tokens, and the built-in
//! authorization server.

mod authorize;
mod metadata;
mod token;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use super::failure::unknown_route;
use crate::{oauth::Failure, service::Service};

/// Where a person is sent to let a client in.
pub(super) const AUTHORIZE: &str = "/oauth/authorize";
const TOKEN: &str = "/oauth/token";
const REGISTER: &str = "/oauth/register";
const REVOKE: &str = "/oauth/revoke";

pub(super) fn routes(service: &Service) -> Router<Service> {
    let resource = get(metadata::resource).options(asked_before);
    let server = get(metadata::server).options(asked_before);
    let metadata = Router::new()
        .route("/.well-known/oauth-protected-resource", resource.clone())
        .route("/.well-known/oauth-protected-resource/{*path}", resource)
        .route("/.well-known/oauth-authorization-server", server.clone())
        .route("/.well-known/oauth-authorization-server/{*path}", server);
    let clients = Router::new()
        .route(TOKEN, post(token::token).options(asked_before))
        .route(REGISTER, post(token::register).options(asked_before))
        .route(REVOKE, post(token::revoke).options(asked_before));
    // Clients that run in a browser come from anywhere. Nothing here acts by a cookie.
    let from_anywhere = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request());
    let people = Router::new().route(AUTHORIZE, get(authorize::ask).post(authorize::answer));
    let builtin = clients.layer(from_anywhere.clone()).merge(people);
    let builtin = builtin.layer(middleware::from_fn_with_state(service.clone(), where_on));
    metadata.layer(from_anywhere).merge(builtin)
}

/// Browsers ask first whether they may ask; the layer over it answers them.
async fn asked_before() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The layer over what there is in mode `builtin` alone.
async fn where_on(
    State(service): State<Service>,
    uri: Uri,
    request: Request,
    next: Next,
) -> Response {
    if service.lets_clients_in() {
        return next.run(request).await;
    }
    unknown_route(uri, request.headers().clone()).await
}

impl IntoResponse for Failure {
    /// As RFC 6749 has it, section 5.2.
    fn into_response(self) -> Response {
        let (code, why) = match self {
            Self::Refused { code, why } => (code, why),
            Self::Other(error) => return error.into_response(),
        };
        tracing::info!(code, why, "a client was refused");
        let status = match code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        let headers = [(header::CACHE_CONTROL, "no-store")];
        let body = json!({ "error": code, "error_description": why });
        (status, headers, Json(body)).into_response()
    }
}
