//! What clients need to know to come by a token for this server (RFC 9728).

use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
    response::IntoResponse,
};
use serde_json::{Value, json};

use crate::{
    domain::capability::Capability,
    error::{Error, Result},
    service::Service,
};

/// `GET` of [`Service::resource_metadata_url`], and of the same without `/mcp`, where clients look that do not know better.
pub(super) async fn metadata(State(service): State<Service>) -> Result<impl IntoResponse> {
    let settings = service.settings();
    let issuer = settings.oauth_issuer.as_ref();
    let issuer = issuer.filter(|_| settings.auth.oauth);
    let issuer = issuer.ok_or(Error::NotFound)?;
    let headers: [(HeaderName, &str); 2] = [
        // Clients in browsers read it too; it tells nothing that is not everybody's.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    let document: Value = json!({
        "resource": service.audience(),
        "authorization_servers": [issuer],
        "scopes_supported": Capability::ALL.map(Capability::as_str),
        "bearer_methods_supported": ["header"],
        "resource_name": "askfile",
    });
    Ok((headers, Json(document)))
}
