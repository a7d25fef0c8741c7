//! What is wrong, and where: for programs.

use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::harness::{
    Askfile,
    rest::rest,
    web::{With, request},
};

const POST: Method = Method::POST;

#[tokio::test]
async fn a_mistake_is_answered_with_where_it_is() {
    let askfile = Askfile::start().await;
    #[rustfmt::skip]
    let table = [
        (json!({ "promt": "x" }),                          json!(["body", "promt"])),
        (json!({ "max_files": "two" }),                    json!(["body", "max_files"])),
        (json!({ "max_files": 51 }),                       json!(["body", "max_files"])),
        (json!({ "allowed_mime_types": ["image/*", 7] }),  json!(["body", "allowed_mime_types", 1])),
        (json!({ "metadata": { "labels": { "a": 1 } } }),  json!(["body", "metadata", "labels", "a"])),
        (json!({ "metadata": { "nam": "x" } }),            json!(["body", "metadata", "nam"])),
        (json!({ "metadata": ["a", "b"] }),                json!(["body", "metadata"])),
        (json!([]),                                        json!(["body"])),
    ];
    for (body, place) in table {
        let (way, why) = askfile
            .rest(POST, "/v1/links", body.clone())
            .await
            .mistake();
        assert_eq!(Value::from(way), place, "{body}: {why}");
    }
    let (way, why) = askfile
        .rest(POST, "/v1/workspaces", json!({}))
        .await
        .mistake();
    assert_eq!(
        (Value::from(way), &*why),
        (json!(["body", "name"]), "name: this must be given.")
    );
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_mistake_too() {
    let askfile = Askfile::start().await;
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", ""),
        ("application/x-www-form-urlencoded", "prompt=x"),
        ("", "{}"),
    ] {
        let asked = request(POST, "/v1/links").header(header::CONTENT_TYPE, kind);
        let answer = askfile.send(asked.body(body.into()).unwrap()).await;
        assert_eq!(answer.mistake().0, ["body"], "{kind} {body}");
    }
    let large = json!({ "prompt": "x".repeat(300_000) });
    assert_eq!(
        askfile.rest(POST, "/v1/links", large).await.mistake().0,
        ["body"]
    );
}

#[tokio::test]
async fn a_query_is_read_strictly() {
    let askfile = Askfile::start().await;
    for (query, at) in [
        ("limit=many", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=null", "limit"),
        ("lmit=1", "lmit"),
        ("kind=picture", "kind"),
    ] {
        let path = format!("/v1/media?{query}");
        let (way, why) = askfile
            .rest(Method::GET, &path, Value::Null)
            .await
            .mistake();
        assert_eq!(way, ["query", at], "{query}: {why}");
    }
}

#[tokio::test]
async fn everything_else_is_a_problem_whatever_the_client_would_rather_have() {
    let askfile = Askfile::start().await;
    for (method, path, status, code) in [
        (Method::GET, "/v1/nothing", 404, "NOT_FOUND"),
        (Method::GET, "/v1/links/upl_x", 404, "NOT_FOUND"),
        (Method::GET, "/v1/links/%ff", 404, "NOT_FOUND"),
        (Method::PUT, "/v1/links", 405, "INVALID_ARGUMENT"),
    ] {
        let asked = rest(None, method, path, &Value::Null).with("accept", "text/html");
        let answer = askfile.send(asked).await;
        assert_eq!(answer.problem(), (status, code.into()), "{path}");
        if status == 405 {
            assert_eq!(answer.header("allow"), "POST");
            let hint = answer.json()["hint"].to_string();
            assert!(hint.contains("the header Allow"), "{hint}");
        }
    }
    let foreign = rest(None, Method::GET, "/v1/media", &Value::Null);
    let foreign = askfile
        .send(foreign.with("origin", "https://evil.example"))
        .await;
    assert_eq!(foreign.problem(), (403, "PERMISSION_DENIED".into()));
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_come_again() {
    let askfile = Askfile::start_with(|settings| {
        settings.rate_limit_tool_calls_per_minute = 2;
    })
    .await;
    for _ in 0..2 {
        askfile.done(Method::GET, "/v1/media", Value::Null).await;
    }
    let refused = askfile.rest(Method::GET, "/v1/media", Value::Null).await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED".into()));
    assert!(!refused.header("retry-after").is_empty());
}
