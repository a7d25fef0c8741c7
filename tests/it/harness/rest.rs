//! Programs that use `/v1`.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::Value;

use super::{
    Askfile,
    web::{Answer, request},
};

/// A request of `/v1` with this key; with a body in JSON, unless it is null.
pub fn rest(key: Option<&str>, method: Method, path: &str, body: &Value) -> Request<Body> {
    let mut asked = request(method, path);
    if let Some(key) = key {
        asked = asked.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let body = match body {
        Value::Null => Body::empty(),
        body => {
            asked = asked.header(header::CONTENT_TYPE, "application/json");
            body.to_string().into()
        }
    };
    asked.body(body).unwrap()
}

impl Askfile {
    /// What is answered to this request in `open` mode.
    pub async fn rest(&self, method: Method, path: &str, body: Value) -> Answer {
        self.send(rest(None, method, path, &body)).await
    }

    /// The same, which is done.
    pub async fn done(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.rest(method, path, body).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.json()
    }
}

impl Answer {
    /// What is wrong with a request: where it is, and what it says.
    #[track_caller]
    pub fn mistake(&self) -> (Vec<Value>, String) {
        assert_eq!(self.status, 422, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        let mut told = self.json();
        let [mistake] = told["detail"].as_array_mut().unwrap().as_mut_slice() else {
            panic!("{self:?}");
        };
        let way = mistake["loc"].as_array().unwrap().clone();
        (way, mistake["msg"].as_str().unwrap().to_owned())
    }

    /// Status and code of a problem.
    #[track_caller]
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let told = self.json();
        assert_eq!(told["status"], self.status.as_u16());
        assert!(told["hint"].is_string() && told["error_kind"].is_string());
        (
            self.status.as_u16(),
            told["code"].as_str().unwrap().to_owned(),
        )
    }
}
