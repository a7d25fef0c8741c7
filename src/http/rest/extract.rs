//! What a request of `/v1` carries. A mistake in it is answered with where it is.

use std::{any::Any, marker::PhantomData};

use aide::{
    OperationInput,
    generate::GenContext,
    openapi::{MediaType, Operation, ReferenceOr, SchemaObject},
    operation::{ParamLocation, add_parameters, parameters_from_schema},
};
use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use rmcp::model::JsonObject;
use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::Caller;
use crate::{
    arguments::{Arguments, properties},
    error::{Error, Result},
    http::{body::whole, receive::header_number},
    intake::body::{DESCRIPTION_FIELD, FileBody, Texts},
    service::Service,
};

/// The field of a form that holds the file.
const FILE: &str = "file";
/// Largest body in JSON, in bytes.
const MOST_BYTES: usize = 256 * 1024;

/// Who calls.
pub(in crate::http) struct Who(pub Caller);

impl FromRequestParts<Service> for Who {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller
            .map(Self)
            .ok_or(Error::Unauthenticated("This askfile wants a key."))
    }
}

impl OperationInput for Who {}

/// What the path names.
pub(in crate::http) struct Named<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for Named<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self> {
        let path = Path::<T>::from_request_parts(parts, service).await;
        // What is no text names nothing.
        path.map(|Path(named)| Self(named))
            .map_err(|_| Error::NotFound)
    }
}

impl<T: JsonSchema> OperationInput for Named<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        Path::<T>::operation_input(context, operation);
    }
}

/// A body in JSON.
pub(in crate::http) struct Body<T>(pub T);

impl<T: DeserializeOwned + JsonSchema + Any> FromRequest<Service> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Service) -> Result<Self> {
        object(request).await?.read().map(Self)
    }
}

impl<T: JsonSchema> OperationInput for Body<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        Json::<T>::operation_input(context, operation);
    }
}

/// A form with a file that a program sends.
pub(in crate::http) trait FileForm {
    /// What may be sent.
    const ABOUT: &'static str;
    /// The names of its texts, beside `description`.
    const TEXTS: &'static [&'static str];
    /// What each of them is.
    const ABOUT_TEXTS: &'static [&'static str];
}

/// A form, still to be read.
pub(in crate::http) struct Form {
    pub body: FileBody,
    /// There once the body was read.
    pub texts: Texts,
    /// What the sender says the body's length is.
    pub length: Option<u64>,
}

/// A body in JSON, or a form with a file.
pub(in crate::http) enum JsonOrForm<T, F> {
    Json(T),
    Form(Box<Form>, PhantomData<F>),
}

impl<T, F> FromRequest<Service> for JsonOrForm<T, F>
where
    T: DeserializeOwned + JsonSchema + Any,
    F: FileForm,
{
    type Rejection = Error;

    async fn from_request(request: Request, service: &Service) -> Result<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let is_form = kind.as_deref().is_some_and(|kind| {
            let essence = kind.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("multipart/form-data")
        });
        if !is_form {
            let Body(json) = Body::from_request(request, service).await?;
            return Ok(Self::Json(json));
        }
        let length = header_number(request.headers());
        let body = request.into_body();
        let (body, texts) = FileBody::form_with(body, kind.as_deref(), FILE, F::TEXTS)?;
        let form = Form {
            body,
            texts,
            length,
        };
        Ok(Self::Form(Box::new(form), PhantomData))
    }
}

impl<T: JsonSchema, F: FileForm> OperationInput for JsonOrForm<T, F> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        Json::<T>::operation_input(context, operation);
        let Some(ReferenceOr::Item(body)) = &mut operation.request_body else {
            return;
        };
        let mut fields = serde_json::Map::new();
        fields.insert(
            FILE.into(),
            json!({ "type": "string", "format": "binary", "description": F::ABOUT }),
        );
        let description = (
            &DESCRIPTION_FIELD,
            &"What is to be said of the file: up to 500 characters.",
        );
        let texts = F::TEXTS.iter().zip(F::ABOUT_TEXTS);
        for (text, about) in std::iter::once(description).chain(texts) {
            fields.insert(
                (*text).into(),
                json!({ "type": "string", "description": about }),
            );
        }
        let schema = json_schema!({
            "type": "object", "properties": fields, "required": [FILE],
            "additionalProperties": false,
        });
        let form = MediaType {
            schema: Some(SchemaObject {
                json_schema: schema,
                external_docs: None,
                example: None,
            }),
            ..MediaType::default()
        };
        body.content.insert("multipart/form-data".into(), form);
    }
}

/// The object that a body holds.
///
/// # Errors
/// [`Error::InvalidArgument`], [`Error::MalformedBody`].
pub(in crate::http) async fn object(request: Request) -> Result<Arguments> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(invalid("Send JSON, with Content-Type: application/json."));
    }
    let body = whole(request.into_body(), MOST_BYTES).await;
    let body = body.map_err(|why| Error::MalformedBody(why.into()))?;
    match serde_json::from_slice(&body) {
        Ok(Value::Object(object)) => Ok(Arguments::new(object)),
        Ok(_) => Err(invalid("The body is to be an object.")),
        Err(error) => Err(Error::MalformedBody(format!(
            "The body is no JSON: {error}."
        ))),
    }
}

/// What stands behind the `?`.
pub(in crate::http) struct Query<T>(pub T);

/// A mistake that is not in the body.
pub(in crate::http) struct InQuery(Error);

/// Marks the answer to one.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfQuery;

impl IntoResponse for InQuery {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(OfQuery);
        response
    }
}

impl<T: DeserializeOwned + JsonSchema + Any> FromRequestParts<Service> for Query<T> {
    type Rejection = InQuery;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, InQuery> {
        let given = given(parts, &properties::<T>());
        let read = given.and_then(Arguments::read);
        read.map(Self).map_err(InQuery)
    }
}

impl<T: JsonSchema> OperationInput for Query<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let schema = context.schema.subschema_for::<T>();
        let parameters = parameters_from_schema(context, schema, ParamLocation::Query);
        add_parameters(context, operation, parameters);
    }
}

/// Nothing is taken behind the `?`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Nothing {}

/// What stands behind the `?`, of two kinds.
pub(in crate::http) struct Queries<A, B>(pub A, pub B);

impl<A, B> FromRequestParts<Service> for Queries<A, B>
where
    A: DeserializeOwned + JsonSchema + Any,
    B: DeserializeOwned + JsonSchema + Any,
{
    type Rejection = InQuery;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, InQuery> {
        let mut known = properties::<A>();
        known.extend(properties::<B>());
        let read = given(parts, &known).and_then(Arguments::read_both);
        read.map(|(a, b)| Self(a, b)).map_err(InQuery)
    }
}

impl<A: JsonSchema, B: JsonSchema> OperationInput for Queries<A, B> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        Query::<A>::operation_input(context, operation);
        Query::<B>::operation_input(context, operation);
    }
}

/// A query as the JSON that it stands for, by the schemas of what is known.
fn given(parts: &Parts, known: &JsonObject) -> Result<Arguments> {
    let query = parts.uri.query().unwrap_or_default();
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|_| invalid("The query cannot be read."))?;
    let mut object = JsonObject::new();
    for (name, text) in pairs {
        let schema = known.get(&name).unwrap_or(&Value::Null);
        if is_of(schema, "array") {
            let list = object
                .entry(name)
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(text.into());
            }
        } else if object.contains_key(&name) {
            return Err(invalid(&format!("{name}: give it once.")));
        } else {
            object.insert(name, value(schema, text));
        }
    }
    Ok(Arguments::new(object))
}

/// What cannot be read as it should stays text, and the message about it says so.
fn value(schema: &Value, text: String) -> Value {
    let is_typed = ["integer", "number", "boolean"]
        .iter()
        .any(|kind| is_of(schema, kind));
    match serde_json::from_str(&text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) if is_typed => value,
        _ => Value::String(text),
    }
}

fn is_of(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(only) => only == kind,
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        _ => false,
    }
}

fn invalid(why: &str) -> Error {
    Error::InvalidArgument(why.to_owned())
}
