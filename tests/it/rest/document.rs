//! The document that describes `/v1`, and its page.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use crate::harness::{Askfile, rest::rest, web::get};

pub async fn document(askfile: &Askfile) -> Value {
    let answer = askfile.send(get("/openapi.json")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

/// Each operation: path, method, what is said of it.
pub fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(|(method, operation)| {
            let method = method.to_ascii_uppercase().parse().unwrap();
            (path.clone(), method, operation.clone())
        })
    });
    all.collect()
}

/// The sources of the routes.
fn sources() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/rest");
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

#[tokio::test]
async fn every_route_is_described_and_everything_described_is_a_route() {
    let askfile = Askfile::start().await;
    let document = document(&askfile).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let described: BTreeSet<String> = operations(&document)
        .into_iter()
        .map(|(path, ..)| path)
        .collect();
    let mut routes = BTreeSet::new();
    for source in sources() {
        for rest in source.split(".at(").skip(1) {
            if let Some(path) = rest.trim_start().strip_prefix('"') {
                routes.insert(path.split('"').next().unwrap().to_owned());
            }
        }
    }
    assert_eq!(described, routes);
    for (path, method, operation) in operations(&document) {
        let asked = rest(
            None,
            method.clone(),
            &path.replace(['{', '}'], ""),
            &Value::Null,
        );
        let answer = askfile.send(asked).await;
        assert_ne!(answer.status, 405, "{method} {path}");
        let id = operation["operationId"]
            .as_str()
            .unwrap_or_else(|| panic!("{method} {path}"));
        assert!(
            operation["summary"].is_string() && operation["tags"][0].is_string(),
            "{id}"
        );
    }
}

#[tokio::test]
async fn everything_it_speaks_of_is_in_it() {
    let askfile = Askfile::start().await;
    let document = document(&askfile).await;
    let text = document.to_string();
    for pointer in text.split("\"$ref\":\"#").skip(1) {
        let pointer = pointer.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    assert!(text.contains("SessionAnswer"));
}

#[tokio::test]
async fn the_page_names_every_operation_and_loads_nothing_from_elsewhere() {
    let askfile = Askfile::start().await;
    let page = askfile.send(get("/docs")).await;
    let html = page.html().replace("&#x2f;", "/");
    let document = document(&askfile).await;
    for (path, _, operation) in operations(&document) {
        let group = operation["tags"][0].as_str().unwrap();
        assert!(html.contains(&format!("<h2>{group}</h2>")), "{group}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(html.contains(&format!("<section id=\"{id}\">")), "{id}");
        assert!(html.contains(&format!("<code>{path}</code>")), "{path}");
    }
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"));
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
}
