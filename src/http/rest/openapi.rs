//! The document that describes `/v1` to programs, made from the types that the handlers take and give;
//! and the same as a page.

use std::sync::LazyLock;

use aide::{
    OperationOutput,
    axum::ApiRouter,
    generate::GenContext,
    openapi::{
        MediaType, OpenApi, Operation, Response as Described, SecurityScheme, StatusCode as Status,
    },
    transform::{TransformOpenApi, TransformResponse},
};
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::docs;
use crate::http::page::html_response;

/// An answer about something that was made.
pub(in crate::http) struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn operation_response(
        context: &mut GenContext,
        operation: &mut Operation,
    ) -> Option<Described> {
        Json::<T>::operation_response(context, operation)
    }

    fn inferred_responses(
        context: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<Status>, Described)> {
        let made = Self::operation_response(context, operation);
        made.map(|made| (Some(Status::Code(201)), made))
            .into_iter()
            .collect()
    }
}

/// All that there are, or a page of them.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Items<T> {
    items: Vec<T>,
    /// Pass it as `cursor` for the next page; not there after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> FromIterator<T> for Items<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self {
            items: items.into_iter().collect(),
            next_cursor: None,
        }
    }
}

/// The same answer as a stream of events, for who asks for one.
pub(super) fn or_events<T>(mut response: TransformResponse<'_, T>) -> TransformResponse<'_, T> {
    let kind = "text/event-stream".to_owned();
    response.inner().content.insert(kind, MediaType::default());
    response
}

fn describe(document: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    document
        .title("askfile")
        .version(env!("CARGO_PKG_VERSION"))
        .summary("Files from people, for programs")
        .description(include_str!("openapi.md"))
        .security_scheme(
            "key",
            SecurityScheme::Http {
                scheme: "bearer".into(),
                bearer_format: None,
                description: Some("A key that `askfile keys create` made.".into()),
                extensions: [].into(),
            },
        )
        .security_requirement("key")
}

/// `GET /openapi.json`
pub(super) async fn document() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| described().to_string());
    (
        [(header::CONTENT_TYPE, "application/json")],
        DOCUMENT.as_str(),
    )
}

/// `GET /docs`
pub(super) async fn page() -> Response {
    static PAGE: LazyLock<String> = LazyLock::new(|| docs::html(&described()));
    html_response(StatusCode::OK, PAGE.clone())
}

fn described() -> Value {
    let mut document = OpenApi::default();
    let _ = super::all(ApiRouter::new()).finish_api_with(&mut document, describe);
    let mut document = serde_json::to_value(document).expect("the document is JSON");
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (_, post) in paths.filter_map(|(path, methods)| Some((path, methods.get_mut("post")?))) {
        let parameters = post.as_object_mut().map(|post| {
            post.entry("parameters")
                .or_insert_with(|| Value::Array(Vec::new()))
        });
        if let Some(Value::Array(parameters)) = parameters {
            parameters.push(idempotency_key());
        }
    }
    document
}

/// What every POST takes, by a layer around them all.
fn idempotency_key() -> Value {
    json!({
        "in": "header",
        "name": "Idempotency-Key",
        "description": "Done once, however often it is sent with this key: for 24 hours.",
        "schema": { "type": "string", "pattern": "^[!-~]{1,255}$" },
    })
}
