//! What the pages are made of, embedded in the binary.

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};

use crate::error::Error;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Each by its name.
const ASSETS: [(&str, &str, &str); 11] = [
    (
        "look.css",
        "text/css; charset=utf-8",
        include_str!("../../web/look.css"),
    ),
    (
        "page.css",
        "text/css; charset=utf-8",
        include_str!("../../web/page.css"),
    ),
    (
        "docs.css",
        "text/css; charset=utf-8",
        include_str!("../../web/docs.css"),
    ),
    ("page.js", SCRIPT, include_str!("../../web/page.js")),
    ("file.js", SCRIPT, include_str!("../../web/file.js")),
    ("direct.js", SCRIPT, include_str!("../../web/direct.js")),
    ("files.js", SCRIPT, include_str!("../../web/files.js")),
    ("follow.js", SCRIPT, include_str!("../../web/follow.js")),
    ("ways.js", SCRIPT, include_str!("../../web/ways.js")),
    ("words.js", SCRIPT, include_str!("../../web/words.js")),
    (
        "icon.svg",
        "image/svg+xml",
        include_str!("../../web/icon.svg"),
    ),
];

/// `GET /assets/{name}`
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some((_, kind, text)) = ASSETS.into_iter().find(|(asset, ..)| *asset == name) else {
        return Error::NotFound.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, text).into_response()
}
