//! `/v1/uploads`: files that programs send themselves. First what will be sent and then a PUT of just
//! that, or a picture in one form.

use aide::transform::TransformOperation;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    extract::{FileForm, JsonOrForm, Named, Nothing, Queries, Query, Who},
    openapi::{Created, Items},
    routes::{Methods as _, Routes},
};
use crate::{
    arguments::{DeclareArguments, LabelPairs, UploadsArguments},
    domain::ids::UploadId,
    error::{Error, Result},
    service::{
        SendRequest, Service,
        answers::{PictureAnswer, UploadAnswer},
    },
};

pub(super) fn routes<R: Routes>(routes: R) -> R {
    routes
        .at("/v1/uploads", |it| {
            it.get(list, describe_list).post(create, describe_create)
        })
        .at("/v1/uploads/{id}", |it| {
            it.get(show, describe_show).delete(delete, describe_delete)
        })
}

/// An upload.
#[derive(Debug, Deserialize, JsonSchema)]
struct Upload {
    /// Its `metadata.id`.
    id: String,
}

impl Upload {
    fn id(&self) -> Result<UploadId> {
        self.id.parse().map_err(|_| Error::NotFound)
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct InWorkspace {
    /// The workspace, by its id or alias. Leave it out for your own.
    workspace_id: Option<String>,
}

/// A picture, in a form.
pub(super) struct Picture;

impl FileForm for Picture {
    const ABOUT: &'static str = "A JPEG, PNG or WebP picture of at most 25 MB.";
    const TEXTS: &'static [&'static str] = &[];
    const ABOUT_TEXTS: &'static [&'static str] = &[];
}

fn describe_create(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("createUpload")
        .tag("uploads")
        .summary("Send a file")
        .description(
            "In JSON: say what will be sent, then `PUT` it to `info.uploadUrl` with exactly that \
             `Content-Type` and length: askfile answers 201 with the file's facts, or 202 while it is \
             still checked; 422 `SPEC_MISMATCH` for anything else, which changes nothing; a bucket \
             answers as buckets do. As many a minute as the setting `rate_limit_uploads_per_minute` \
             says. What nothing gets is deleted after a day. As a form: a picture in the field \
             `file`, answered once it is stored and found clean; 60 a minute for one caller, those \
             to targets among them. Takes `asset:upload`.",
        )
        .response::<201, Json<UploadAnswer>>()
        .response::<200, Json<PictureAnswer>>()
}

async fn create(
    State(service): State<Service>,
    Who(caller): Who,
    Query(within): Query<InWorkspace>,
    body: JsonOrForm<DeclareArguments, Picture>,
) -> Result<Response> {
    match body {
        JsonOrForm::Json(declared) => {
            let request = declared.within(within.workspace_id);
            let upload = service.declare(&caller, request).await?;
            Ok(Created(UploadAnswer::from(upload)).into_response())
        }
        JsonOrForm::Form(form, _) => {
            let request = SendRequest::picture(within.workspace_id, form.body, form.length);
            let media = service.send(&caller, request).await?;
            let image_url = service.preview_for_now(&media);
            Ok(Json(PictureAnswer::new(&media, image_url)).into_response())
        }
    }
}

fn describe_list(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("listUploads")
        .tag("uploads")
        .summary("List uploads that were declared, the newest first")
        .description("Takes `asset:upload`. A page may be short although more follow.")
}

async fn list(
    State(service): State<Service>,
    Who(caller): Who,
    Queries(asked, labels): Queries<UploadsArguments, LabelPairs>,
) -> Result<Json<Items<UploadAnswer>>> {
    let page = service.uploads(&caller, asked.read(labels)?).await?;
    let mut items: Items<_> = page.items.into_iter().map(UploadAnswer::from).collect();
    items.next_cursor = page.next_cursor;
    Ok(Json(items))
}

fn describe_show(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("getUpload")
        .tag("uploads")
        .summary("See how an upload stands")
        .description(
            "Which file came of it, and why the last `PUT` was refused, is told by \
             `/v1/links/{id}`. `uploadUrl` takes `asset:upload`.",
        )
}

async fn show(
    State(service): State<Service>,
    Who(caller): Who,
    Named(upload): Named<Upload>,
    _: Query<Nothing>,
) -> Result<Json<UploadAnswer>> {
    let upload = service.declared(&caller, upload.id()?).await?;
    Ok(Json(upload.into()))
}

fn describe_delete(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("deleteUpload")
        .tag("uploads")
        .summary("Cancel an upload that is pending, or delete one that has ended")
        .description(
            "With an upload that has ended goes its file, unless that is attached. Takes \
             `asset:upload` for the one and `media:delete` for the other.",
        )
}

async fn delete(
    State(service): State<Service>,
    Who(caller): Who,
    Named(upload): Named<Upload>,
    _: Query<Nothing>,
) -> Result<Json<UploadAnswer>> {
    let upload = service.delete_upload(&caller, upload.id()?).await?;
    Ok(Json(upload.into()))
}
