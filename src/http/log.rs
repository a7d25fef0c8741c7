//! One line a request. Routes are logged as patterns: a path holds a token.

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    response::Response,
};
use tokio::time::Instant;

/// What the line will say, once there is an answer.
pub(super) struct Line {
    began: Instant,
    method: Method,
    route: Option<MatchedPath>,
}

impl Line {
    pub(super) fn begin(request: &Request) -> Self {
        Self {
            began: Instant::now(),
            method: request.method().clone(),
            route: request.extensions().get().cloned(),
        }
    }

    pub(super) fn end(self, response: &Response) {
        let method = self.method;
        let route = self.route.as_ref().map_or("-", MatchedPath::as_str);
        let status = response.status().as_u16();
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        // Health checks come every few seconds and say nothing while all is well.
        if matches!(route, "/healthz" | "/readyz") && status < 400 {
            tracing::debug!(%method, route, status, micros, "request");
        } else {
            tracing::info!(%method, route, status, micros, "request");
        }
    }
}
