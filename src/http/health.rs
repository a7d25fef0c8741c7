//! Whether the server lives, and whether it takes uploads.

use axum::{Json, extract::State, response::IntoResponse};
use serde_json::json;

use crate::{error::Result, service::Service};

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> impl IntoResponse {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: the database answers and claims are taken.
pub(super) async fn readyz(State(service): State<Service>) -> Result<impl IntoResponse> {
    service.ready().await?;
    Ok(Json(json!({ "status": "ready" })))
}
