//! What clients ask for themselves: to be known, to be given tokens, and to end them.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;

use crate::{
    http::{address::ClientAddress, body::whole},
    oauth::Failure,
    service::{
        Service,
        oauth::{Parameters, TokenRequest},
    },
};

/// Largest request, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// A client that is registered (RFC 7591, section 3.2.1).
#[derive(Serialize)]
struct RegisteredAnswer {
    client_id: String,
    client_id_issued_at: i64,
    client_name: String,
    redirect_uris: Vec<String>,
    grant_types: [&'static str; 2],
    response_types: [&'static str; 1],
    /// Whatever it asked for: a secret that anybody is given proves nothing.
    token_endpoint_auth_method: &'static str,
}

/// `POST /oauth/register`
pub(super) async fn register(
    State(service): State<Service>,
    ClientAddress(from): ClientAddress,
    body: Body,
) -> Result<impl IntoResponse, Failure> {
    let body = small(body).await?;
    let asked = serde_json::from_slice(&body);
    let asked = asked.map_err(|error| {
        Failure::refused(
            "invalid_client_metadata",
            format!("The body is no such JSON: {error}."),
        )
    })?;
    let registered = service.register_client(asked, from).await?;
    let client = registered.client;
    let answer = RegisteredAnswer {
        client_id: client.id,
        client_id_issued_at: registered.at.as_second(),
        client_name: client.name,
        redirect_uris: client.redirect_uris,
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Tokens (RFC 6749, section 5.1).
#[derive(Serialize)]
struct TokenAnswer {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: String,
    /// There is no empty one.
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
}

/// `POST /oauth/token`
pub(super) async fn token(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Failure> {
    let request = form(&headers, body).await?;
    let given = service.give_tokens(&request).await?;
    Ok(Json(TokenAnswer {
        scope: given.scope(),
        access_token: given.access.reveal().to_owned(),
        token_type: "Bearer",
        expires_in: given.expires_in,
        refresh_token: given.refresh.reveal().to_owned(),
    }))
}

/// `POST /oauth/revoke`: the answer tells nothing of what there was.
pub(super) async fn revoke(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Failure> {
    let request = form(&headers, body).await?;
    service.end_token(&request).await?;
    Ok(StatusCode::OK)
}

async fn form(headers: &HeaderMap, body: Body) -> Result<TokenRequest, Failure> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        let why = "The body must be a form: application/x-www-form-urlencoded.";
        return Err(Failure::refused("invalid_request", why));
    }
    let body = small(body).await?;
    Ok(TokenRequest(Parameters::read(&body)))
}

async fn small(body: Body) -> Result<Bytes, Failure> {
    let body = whole(body, MOST_BYTES).await;
    body.map_err(|why| Failure::refused("invalid_request", why))
}
