//! `/v1/media` and `/v1/handles`: files that are there, as the tools have them.

use aide::transform::TransformOperation;
use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    extract::{Named, Queries, Query, Who},
    routes::{Methods as _, Routes},
};
use crate::{
    arguments::{LabelPairs, ListArguments},
    error::Result,
    service::{
        Service,
        answers::{DeleteAnswer, GetAnswer, ListAnswer},
    },
    store::MediaRef,
};

pub(super) fn routes<R: Routes>(routes: R) -> R {
    routes
        .at("/v1/media", |it| it.get(list, describe_list))
        .at("/v1/media/{media_id}", |it| {
            it.get(show, describe_show).delete(delete, describe_delete)
        })
        .at("/v1/handles/{handle}", |it| it.get(redeem, describe_redeem))
}

/// A file.
#[derive(Debug, Deserialize, JsonSchema)]
struct File {
    /// Its `media_id`, one of its handles, or its `upload_key` with `%2F` for the slash.
    media_id: String,
}

/// A handle.
#[derive(Debug, Deserialize, JsonSchema)]
struct Handle {
    /// As it was given, such as `ps_…`.
    handle: String,
}

fn describe_list(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("listMedia")
        .tag("media")
        .summary("List files, the newest first")
        .description("Takes `media:read`. A page may be short although more follow.")
}

async fn list(
    State(service): State<Service>,
    Who(caller): Who,
    Queries(asked, labels): Queries<ListArguments, LabelPairs>,
) -> Result<Json<ListAnswer>> {
    let request = asked.read(labels.read()?)?;
    let listed = service.list_media(&caller, request).await?;
    Ok(Json(listed.into()))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct LinkLife {
    /// How long the links are to work: 300 seconds if not said.
    #[schemars(range(min = 1, max = 3_600))]
    expires_in_seconds: Option<u64>,
}

fn describe_show(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("getMedia")
        .tag("media")
        .summary("A file's facts, with fresh links to its bytes and to its preview")
        .description("Takes `media:read`.")
}

async fn show(
    State(service): State<Service>,
    Who(caller): Who,
    Named(file): Named<File>,
    Query(life): Query<LinkLife>,
) -> Result<Json<GetAnswer>> {
    let which = MediaRef::named(&file.media_id);
    let shown = service.show_media(&caller, which, life.expires_in_seconds);
    Ok(Json(shown.await?.into()))
}

fn describe_redeem(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("redeemHandle")
        .tag("media")
        .summary("What a handle stands for: facts and a fresh download link")
        .description("Takes `media:read`.")
}

async fn redeem(
    State(service): State<Service>,
    Who(caller): Who,
    Named(handle): Named<Handle>,
    Query(life): Query<LinkLife>,
) -> Result<Json<GetAnswer>> {
    let which = MediaRef::Handle(handle.handle);
    let shown = service.show_media(&caller, which, life.expires_in_seconds);
    Ok(Json(shown.await?.into()))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct DeleteQuery {
    /// Delete it although it is attached, and its attachments with it.
    force: Option<bool>,
}

fn describe_delete(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("deleteMedia")
        .tag("media")
        .summary("Delete a file for good")
        .description("Takes `media:delete`. One that is attached is a conflict without `force`.")
}

async fn delete(
    State(service): State<Service>,
    Who(caller): Who,
    Named(file): Named<File>,
    Query(DeleteQuery { force }): Query<DeleteQuery>,
) -> Result<Json<DeleteAnswer>> {
    let which = MediaRef::named(&file.media_id);
    let deleted = service
        .delete_media(&caller, which, force.unwrap_or(false))
        .await?;
    Ok(Json(deleted.into()))
}
