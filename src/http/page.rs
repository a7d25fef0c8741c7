//! Stub.
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
pub(crate) struct Problem {
    pub message: String,
    pub next: String,
}
pub(crate) struct RequestPage<'a> {
    pub asked_by: &'a str,
    pub workspace_name: &'a str,
    pub prompt: Option<&'a str>,
    pub accepted: String,
    pub accept: String,
    pub max_size: String,
    pub caps: Vec<(String, String)>,
    pub max_files: u32,
    pub sent: u32,
    pub expires_at: String,
    pub expires_text: String,
    pub time_left: String,
    pub query: &'a str,
    pub token: &'a str,
    pub error: Option<Problem>,
}
impl RequestPage<'_> {
    pub fn html(&self) -> String {
        format!("{}<form>", self.prompt.unwrap_or_default())
    }
}
pub(crate) enum Outcome<'a> {
    Sent {
        file: Option<(&'a str, &'a str)>,
        more: bool,
    },
    Checking,
    Used,
    Expired,
    Declined,
    Cancelled,
    Tampered,
    Unknown,
    Failed {
        message: &'a str,
        next: &'a str,
    },
}
impl Outcome<'_> {
    pub fn html(&self, _assets: &str) -> String {
        "x".into()
    }
}
pub(crate) fn html_response(status: StatusCode, html: String) -> Response {
    (status, Html(html)).into_response()
}
