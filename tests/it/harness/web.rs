//! The person's side: links, requests and answers.

use std::net::SocketAddr;

use askfile::link::{KeyRing, LinkQuery, Token};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request},
    response::Response,
};
use bytes::Bytes;
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{Askfile, KEY, PUBLIC_URL, body::Form};

/// A link as it was relayed.
#[derive(Debug, Clone)]
pub struct Link {
    pub upload_id: String,
    pub token: String,
    pub workspace_id: String,
    /// Without `?`.
    pub query: String,
}

impl Link {
    /// The link in the answer of `upload_create` or `upload_request`.
    pub fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        let (url, token) = (text("upload_url"), text("token"));
        let (path, query) = url.split_once('?').unwrap();
        assert!(path.ends_with(&format!("/uploads/{token}")), "{url}");
        Self {
            upload_id: text("upload_id"),
            token,
            workspace_id: text("workspace_id"),
            query: query.to_owned(),
        }
    }

    /// A link that this server signed, whatever it is for.
    pub fn signed(token: Token, workspace_id: &str, expires_at: Timestamp) -> Self {
        let keys = KeyRing::from_hex([KEY]).unwrap();
        let query = LinkQuery::signed(&keys, token, workspace_id.parse().unwrap(), expires_at);
        Self {
            upload_id: String::new(),
            token: token.to_string(),
            workspace_id: workspace_id.to_owned(),
            query: query.to_string(),
        }
    }

    /// The address of its session, as a resource.
    pub fn uri(&self) -> String {
        format!("askfile://{}/uploads/{}", self.workspace_id, self.upload_id)
    }

    /// Path and query.
    pub fn path(&self) -> String {
        self.below("")
    }

    /// Path and query of what is below it, such as `/done`.
    pub fn below(&self, what: &str) -> String {
        format!("/uploads/{}{what}?{}", self.token, self.query)
    }
}

/// Path and query of an address of this server.
pub fn at(address: &str) -> &str {
    address.strip_prefix(PUBLIC_URL).unwrap()
}

/// A request from this machine, to this machine.
pub fn request(method: Method, path: &str) -> request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "127.0.0.1:8787")
        .extension(from("127.0.0.1"))
}

/// Where a request comes from.
pub fn from(address: &str) -> ConnectInfo<SocketAddr> {
    ConnectInfo(SocketAddr::new(address.parse().unwrap(), 50_000))
}

/// A form with a file, on its way.
pub fn post(link: &Link, form: Form) -> Request<Body> {
    request(Method::POST, &link.path())
        .header(header::CONTENT_TYPE, Form::content_type())
        .body(form.bytes().into())
        .unwrap()
}

/// A raw body, on its way.
pub fn put(link: &Link, body: impl Into<Body>) -> Request<Body> {
    request(Method::PUT, &link.path())
        .body(body.into())
        .unwrap()
}

/// A request without a body.
pub fn get(path: &str) -> Request<Body> {
    request(Method::GET, path).body(Body::empty()).unwrap()
}

/// An empty POST, for the buttons.
pub fn press(path: &str) -> Request<Body> {
    request(Method::POST, path).body(Body::empty()).unwrap()
}

/// The same request, with one more header.
pub trait With {
    fn with(self, name: &'static str, value: &str) -> Self;
}

impl With for Request<Body> {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers_mut().append(name, value);
        self
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    pub fn html(&self) -> &str {
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8");
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a failure.
    pub fn failure(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(json["ok"], false, "{json}");
        let code = json["code"].as_str().unwrap().to_owned();
        (self.status.as_u16(), code)
    }

    /// It must be this failure.
    #[track_caller]
    pub fn is(&self, status: u16, code: &str, why: &str) {
        assert_eq!(self.failure(), (status, code.to_owned()), "{why}");
    }

    /// It must be a stored file; gives what is said of it.
    #[track_caller]
    pub fn receipt(&self) -> Value {
        assert_eq!(self.status, StatusCode::CREATED, "{self:?}");
        self.json()
    }
}

impl Askfile {
    /// Sends a request through the router and reads the answer.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.open(request).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            headers,
            body,
        }
    }

    /// Opens an address of this server.
    pub async fn fetch(&self, address: &str) -> Answer {
        self.send(get(at(address))).await
    }

    /// Sends a request through the router; the answer's body is not read.
    pub fn open(&self, request: Request<Body>) -> impl Future<Output = Response> + use<> {
        let router = self.router.clone();
        async move { router.oneshot(request).await.unwrap() }
    }

    /// Sends a file as `curl -T` does, and it must be stored.
    pub async fn put(&self, link: &Link, bytes: &'static [u8]) -> Value {
        self.send(put(link, bytes)).await.receipt()
    }
}
