//! Small bodies, which are read as a whole.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, Limited};

/// How long all of one may take to come in.
const TIME: Duration = Duration::from_secs(10);

/// All of a body, apart from what it came in.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub(super) async fn whole(body: Body, most_bytes: usize) -> Result<Bytes, &'static str> {
    let body = Limited::new(body, most_bytes).collect();
    let body = tokio::time::timeout(TIME, body).await;
    let body = body.map_err(|_| "The body did not come in time.")?;
    let body = body.map_err(|_| "The body is too large or was cut short.")?;
    // A piece of the connection's buffer would keep all of that.
    Ok(Bytes::copy_from_slice(&body.to_bytes()))
}
