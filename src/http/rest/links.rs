//! `/v1/links`: the same sessions as `upload_create` makes, for programs that send the link themselves.

use std::time::Duration;

use aide::transform::TransformOperation;
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    extract::{Body, Named, Nothing, Query, Who},
    openapi::{Created, or_events},
    routes::{Methods as _, Routes},
};
use crate::{
    arguments::LinkArguments,
    domain::session::Status,
    error::{Error, Result},
    http::{events::follow, failure::accepts},
    service::{
        Progress, Service, Turn,
        answers::{SessionAnswer, StatusAnswer},
    },
    store::SessionRef,
};

pub(super) fn routes<R: Routes>(routes: R) -> R {
    routes
        .at("/v1/links", |it| it.post(create, describe_create))
        .at("/v1/links/{upload_id}", |it| {
            it.get(show, describe_show).delete(cancel, describe_cancel)
        })
}

/// A link.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Link {
    /// Its `upload_id`.
    upload_id: String,
}

impl Link {
    fn session(&self) -> Result<SessionRef> {
        let id = self.upload_id.parse().map_err(|_| Error::NotFound)?;
        Ok(SessionRef::Id(id))
    }
}

fn describe_create(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("createLink")
        .tag("links")
        .summary("Make an upload link for a person")
        .description(
            "The same link as the tool `upload_create` makes. Send `upload_url` to whoever has the \
             file. Takes `asset:upload`.",
        )
}

async fn create(
    State(service): State<Service>,
    Who(caller): Who,
    _: Query<Nothing>,
    Body(asked): Body<LinkArguments>,
) -> Result<Created<SessionAnswer>> {
    let session = service.create(&caller, asked.into()).await?;
    Ok(Created(service.session_answer(&session)))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ShowQuery {
    /// Answer as soon as the status is no longer `pending`, or after so many seconds. It is cut to what
    /// the server allows.
    #[schemars(range(min = 0.0, max = 3_600.0))]
    wait: Option<f64>,
}

/// How a link stands, as it is told while it happens.
#[derive(Debug, Serialize)]
struct LinkEvent {
    #[serde(flatten)]
    status: StatusAnswer,
    /// Bytes of files that are on their way now and have come.
    received_bytes: u64,
    /// How many will come, if their senders said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
}

fn describe_show(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("getLink")
        .tag("links")
        .summary("See whether the files have arrived")
        .description(
            "With `wait`, holds the answer until the status changes. With `Accept: \
             text/event-stream`, each change is an event whose data is the same object with \
             `received_bytes` and `size_bytes`; the stream ends with the first status that is not \
             `pending`.",
        )
        .response_with::<200, Json<StatusAnswer>, _>(or_events)
}

async fn show(
    State(service): State<Service>,
    Who(caller): Who,
    Named(link): Named<Link>,
    Query(ShowQuery { wait }): Query<ShowQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let wait = wait.unwrap_or(0.0);
    if !(0.0..=3_600.0).contains(&wait) {
        return Err(Error::InvalidArgument(
            "wait: between 0 and 3,600 seconds.".into(),
        ));
    }
    let which = link.session()?;
    if accepts(&headers, "text/event-stream") {
        let watch = service.watch_own(&caller, which).await?;
        let tell = move |progress: Progress| LinkEvent {
            status: service.status_for(&caller, &progress.view),
            received_bytes: progress.received_bytes,
            size_bytes: progress.size_bytes,
        };
        return Ok(follow(watch, tell));
    }
    let mut view = service.status(&caller, which).await?;
    let wait = Duration::from_secs_f64(wait).min(service.settings().max_wait);
    let deadline = Instant::now() + wait;
    while view.session.state.status() == Status::Pending && !wait.is_zero() {
        match service.wait_turn(&caller, &view, deadline).await? {
            Turn::Pending(now) => view = now,
            Turn::Over(now) => {
                view = now;
                break;
            }
        }
    }
    service.settled().await?;
    Ok(Json(service.status_for(&caller, &view)).into_response())
}

fn describe_cancel(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("cancelLink")
        .tag("links")
        .summary("Close a link")
        .description("As the tool `upload_cancel`. Takes `asset:upload`.")
}

async fn cancel(
    State(service): State<Service>,
    Who(caller): Who,
    Named(link): Named<Link>,
    _: Query<Nothing>,
) -> Result<Json<StatusAnswer>> {
    let view = service.cancel(&caller, link.session()?).await?;
    Ok(Json(service.status_for(&caller, &view)))
}
