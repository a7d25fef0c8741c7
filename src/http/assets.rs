//! What the pages are made of, embedded in the binary.

use axum::{http::header, response::IntoResponse};

/// `GET /assets/page.css`
pub(super) async fn page_css() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, include_str!("../../web/page.css"))
}
