//! What clients need to know to come by a token for this server.

use axum::{
    Json,
    extract::{OriginalUri, State},
    http::{HeaderName, Uri, header},
    response::IntoResponse,
};
use serde_json::{Value, json};

use super::{AUTHORIZE, REGISTER, REVOKE, TOKEN};
use crate::{
    domain::capability::{Capabilities, Capability},
    error::{Error, Result},
    service::Service,
};

/// It tells nothing that is not everybody's.
const KEPT: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "public, max-age=300")];

/// What clients ask for if they are told nothing else.
fn scopes() -> Vec<&'static str> {
    Capabilities::AGENT.iter().map(Capability::as_str).collect()
}

/// What stands behind the well-known path.
fn suffix<'a>(uri: &'a Uri, name: &str) -> &'a str {
    let behind = uri.path().strip_prefix("/.well-known/");
    let behind = behind.and_then(|rest| rest.strip_prefix(name));
    behind.unwrap_or_default()
}

/// The path of a public address, which is empty where it has none.
fn path_of(url: &str) -> String {
    let url: Option<Uri> = url.parse().ok();
    let path = url.as_ref().map_or("", Uri::path);
    path.trim_end_matches('/').to_owned()
}

/// `GET` of [`Service::resource_metadata_url`], and of the same without `/mcp`, where clients look that
/// do not know better (RFC 9728).
pub(super) async fn resource(
    State(service): State<Service>,
    OriginalUri(uri): OriginalUri,
) -> Result<impl IntoResponse> {
    let path = path_of(&service.public_url());
    let asked = suffix(&uri, "oauth-protected-resource");
    if !["", "/mcp"].contains(&asked) && asked != format!("{path}/mcp") {
        return Err(Error::NotFound);
    }
    let settings = service.settings();
    let provider = settings.oauth_issuer.clone();
    let provider = provider.filter(|_| settings.auth.oauth);
    let own = service.lets_clients_in().then(|| service.public_url());
    let servers: Vec<_> = own.into_iter().chain(provider).collect();
    if servers.is_empty() {
        return Err(Error::NotFound);
    }
    let document: Value = json!({
        "resource": service.audience(),
        "authorization_servers": servers,
        "scopes_supported": scopes(),
        "bearer_methods_supported": ["header"],
        "resource_name": "askfile",
    });
    Ok((KEPT, Json(document)))
}

/// `GET /.well-known/oauth-authorization-server`, with the path of the public address behind it, if it
/// has one (RFC 8414).
pub(super) async fn server(
    State(service): State<Service>,
    OriginalUri(uri): OriginalUri,
) -> Result<impl IntoResponse> {
    let issuer = service.public_url();
    let asked = suffix(&uri, "oauth-authorization-server");
    let is_ours = asked.is_empty() || asked == path_of(&issuer);
    if !service.lets_clients_in() || !is_ours {
        return Err(Error::NotFound);
    }
    let at = |path: &str| format!("{issuer}{path}");
    let document: Value = json!({
        "issuer": issuer,
        "authorization_endpoint": at(AUTHORIZE),
        "token_endpoint": at(TOKEN),
        "registration_endpoint": at(REGISTER),
        "revocation_endpoint": at(REVOKE),
        "scopes_supported": scopes(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "client_id_metadata_document_supported": true,
        "authorization_response_iss_parameter_supported": true,
    });
    Ok((KEPT, Json(document)))
}
