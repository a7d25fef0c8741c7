//! The layer that answers a repeated POST as it was answered before (`Idempotency-Key`).
//!
//! What was done is kept for a day under the caller's key, with the SHA-256 of the request. What was
//! refused is not: it may be tried again with the same key.

mod fingerprint;

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aide::{
    OperationOutput,
    generate::GenContext,
    openapi::{Operation, Response as Described, StatusCode as Status},
};
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt as _, TryStreamExt as _};

use self::fingerprint::Taker;
use super::Caller;
use crate::{
    error::{Error, Result},
    service::Service,
    store::requests::{Begun, Fingerprint, Reply, RequestKey},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How often it is said that a request is still being answered.
const STILL: Duration = Duration::from_secs(20);
/// Largest answer, in bytes. None of ours is nearly so large.
const MOST_BYTES: usize = 1024 * 1024;

/// An answer with a secret in it, which is kept nowhere.
pub(super) struct TellOnce<T>(pub T);

#[derive(Debug, Clone, Copy)]
struct ToldOnce;

impl<T: IntoResponse> IntoResponse for TellOnce<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(ToldOnce);
        response
    }
}

impl<T: OperationOutput> OperationOutput for TellOnce<T> {
    type Inner = T::Inner;

    fn operation_response(
        context: &mut GenContext,
        operation: &mut Operation,
    ) -> Option<Described> {
        T::operation_response(context, operation)
    }

    fn inferred_responses(
        context: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<Status>, Described)> {
        T::inferred_responses(context, operation)
    }
}

pub(super) async fn once(State(service): State<Service>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let answered = match key(request.headers()) {
        Ok(None) => return next.run(request).await,
        Ok(Some(key)) => {
            // In a task of its own: who hangs up and asks again is to find what was done.
            let answer = async move { answer(&service, &key, request, next).await };
            let answered = tokio::spawn(answer).await;
            answered.map_err(Error::internal).flatten()
        }
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(IntoResponse::into_response)
}

fn key(headers: &HeaderMap) -> Result<Option<String>> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(one), None) if let Ok(key) = one.to_str() => Ok(Some(key.to_owned())),
        _ => Err(Error::InvalidArgument(
            "Idempotency-Key: one, of visible ASCII characters.".into(),
        )),
    }
}

async fn answer(service: &Service, key: &str, request: Request, next: Next) -> Result<Response> {
    let caller = request.extensions().get::<Caller>();
    let caller = caller.ok_or(Error::Unauthenticated("This askfile wants a key."))?;
    let (key, begun) = service.begin_request(caller, key).await?;
    let taker = Taker::new(&request);
    match begun {
        Begun::Answered(known, reply) => {
            if taken(taker, request.into_body(), known.bytes).await != Some(known) {
                return Err(Error::Conflict(
                    "This Idempotency-Key was used for another request: take a new one.".into(),
                ));
            }
            replay(reply)
        }
        Begun::New | Begun::Running => Ok(first(service, key, taker, request, next).await),
    }
}

/// What a body is, if it is no longer than so many bytes.
async fn taken(mut taker: Taker, body: Body, most: u64) -> Option<Fingerprint> {
    let mut body = body.into_data_stream();
    while let Some(piece) = body.next().await {
        taker.take(&piece.ok()?);
        if taker.bytes() > most {
            return None;
        }
    }
    Some(taker.finish())
}

fn replay(reply: Reply) -> Result<Response> {
    let Some(body) = reply.body else {
        return Err(Error::Conflict(
            "This was done already, and its secret is told once: rotate the key for a new one."
                .into(),
        ));
    };
    let status = StatusCode::from_u16(reply.status).map_err(Error::internal)?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (REPLAYED, HeaderValue::from_static("true")),
    ];
    Ok((status, headers, body).into_response())
}

/// Answers for the first time, and keeps the answer. Of what was refused, the key is given back.
async fn first(
    service: &Service,
    key: RequestKey,
    taker: Taker,
    request: Request,
    next: Next,
) -> Response {
    let taker = Arc::new(Mutex::new(taker));
    let (parts, body) = request.into_parts();
    let watched = Arc::clone(&taker);
    let body = body.into_data_stream().inspect_ok(move |piece: &Bytes| {
        watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(piece);
    });
    let request = Request::from_parts(parts, Body::from_stream(body));
    let mut running = pin!(next.run(request));
    let response = loop {
        tokio::select! {
            response = &mut running => break response,
            () = tokio::time::sleep(STILL) => {
                if let Err(error) = service.renew_request(key.clone()).await {
                    error.log();
                }
            }
        }
    };
    if !response.status().is_success() {
        if let Err(error) = service.give_back_request(key).await {
            error.log();
        }
        return response;
    }
    let is_secret = response.extensions().get::<ToldOnce>().is_some();
    let (parts, body) = response.into_parts();
    let body = match axum::body::to_bytes(body, MOST_BYTES).await {
        Ok(body) => body,
        Err(error) => return Error::internal(error).into_response(),
    };
    let reply = Reply {
        status: parts.status.as_u16(),
        body: (!is_secret).then(|| body.to_vec()),
    };
    let fingerprint = taker
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
        .finish();
    if let Err(error) = service.finish_request(key, fingerprint, reply).await {
        // It is done: that it can be done once more is the smaller evil.
        error.log();
    }
    Response::from_parts(parts, Body::from(body))
}
