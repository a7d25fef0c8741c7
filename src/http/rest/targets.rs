//! `/v1/targets`: what files are on, such as a post of the caller's own.

use aide::transform::TransformOperation;
use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    extract::{Body, FileForm, JsonOrForm, Named, Nothing, Query, Who},
    routes::{Methods as _, Routes},
};
use crate::{
    arguments::AttachArguments,
    domain::{self, ids::AttachmentId, session::Status},
    error::{Error, Result},
    service::{
        ALT, CreateRequest, POSITION, SendRequest, Service,
        answers::{AttachAnswer, ChangedAnswer, DetachAnswer, OnTargetAnswer, OrderAnswer},
        targets::OnTargetRequest,
    },
    store::targets::AttachmentChange,
};

pub(super) fn routes<R: Routes>(routes: R) -> R {
    routes
        .at("/v1/targets/{target_type}/{target_id}/media", |it| {
            it.get(list, describe_list)
                .post(attach, describe_attach)
                .put(order, describe_order)
        })
        .at(
            "/v1/targets/{target_type}/{target_id}/media/{attachment_id}",
            |it| {
                it.patch(change, describe_change)
                    .delete(detach, describe_detach)
            },
        )
}

/// What has files: something that the caller's own system knows.
#[derive(Debug, Deserialize, JsonSchema)]
struct Target {
    /// What kind of thing it is, for example `post`: a-z, 0-9, `_` and `-`.
    #[schemars(length(min = 1, max = 64))]
    target_type: String,
    /// Which one.
    #[schemars(length(min = 1, max = 200))]
    target_id: String,
}

impl From<Target> for domain::attachment::Target {
    fn from(target: Target) -> Self {
        Self {
            kind: target.target_type,
            id: target.target_id,
        }
    }
}

/// One file of a target.
#[derive(Debug, Deserialize, JsonSchema)]
struct OnTarget {
    /// What kind of thing the target is.
    target_type: String,
    /// Which one.
    target_id: String,
    /// Its `attachment_id`.
    attachment_id: String,
}

impl OnTarget {
    fn named(self) -> Result<(domain::attachment::Target, AttachmentId)> {
        let id = self.attachment_id.parse().map_err(|_| Error::NotFound)?;
        let target = domain::attachment::Target {
            kind: self.target_type,
            id: self.target_id,
        };
        Ok((target, id))
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Page {
    /// The workspace, by its id or alias. Leave it out for your own.
    workspace_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// At most so many files; 50 if not said.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
}

fn describe_list(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("listTargetMedia")
        .tag("targets")
        .summary("List the files of a target, in their order")
        .description("Takes `media:read`. A target that nothing was attached to has none.")
}

async fn list(
    State(service): State<Service>,
    Who(caller): Who,
    Named(target): Named<Target>,
    Query(page): Query<Page>,
) -> Result<Json<OnTargetAnswer>> {
    let request = OnTargetRequest {
        workspace_id: page.workspace_id,
        target: target.into(),
        cursor: page.cursor,
        limit: page.limit,
    };
    let page = service.on_target(&caller, request).await?;
    Ok(Json(page.into()))
}

fn describe_attach(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("attachMedia")
        .tag("targets")
        .summary("Attach files")
        .description(
            "In JSON, as the tool `attach_media`: `upload_token` and `upload_id` attach all files of \
             a completed upload, once; the same call again gives the same answer, and another target \
             afterwards is `ALREADY_CONSUMED`. As a form: the file itself in the field `file`, which \
             is taken in and attached, or not kept. Takes `media:attach`, and a form \
             `asset:upload` too.",
        )
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct AttachQuery {
    /// The workspace, by its id or alias. Leave it out for that of the files, or for your own.
    workspace_id: Option<String>,
    /// Of a form: what the file is for, which decides what is accepted.
    purpose: Option<String>,
}

/// A file for a target, in a form.
struct ForTarget;

impl FileForm for ForTarget {
    const ABOUT: &'static str = "The file.";
    const TEXTS: &'static [&'static str] = &[ALT, POSITION];
    const ABOUT_TEXTS: &'static [&'static str] = &[
        "Text for those who do not see the picture.",
        "Where among the target's files, counted from 0; what is there moves back.",
    ];
}

async fn attach(
    State(service): State<Service>,
    Who(caller): Who,
    Named(target): Named<Target>,
    Query(asked): Query<AttachQuery>,
    body: JsonOrForm<AttachArguments, ForTarget>,
) -> Result<Json<AttachAnswer>> {
    let target = target.into();
    let caller = service
        .within(&caller, asked.workspace_id.as_deref())
        .await?;
    let (attached, status) = match body {
        JsonOrForm::Json(what) => service.attach(&caller, what.read(target)?).await?,
        JsonOrForm::Form(form, _) => {
            let request = SendRequest {
                session: CreateRequest {
                    workspace_id: asked.workspace_id,
                    purpose: asked.purpose,
                    ..CreateRequest::default()
                },
                most_bytes: None,
                body: form.body,
                declared_bytes: form.length,
            };
            let sent = service.send_to(&caller, request, target, form.texts);
            (sent.await?, Status::Consumed)
        }
    };
    Ok(Json(AttachAnswer::new(&attached, status)))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct InWorkspace {
    /// The workspace, by its id or alias. Leave it out for your own.
    workspace_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The `attachment_id` of each file that the target has, in the order that they are to have.
    order: Vec<String>,
}

fn describe_order(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("orderTargetMedia")
        .tag("targets")
        .summary("Put the files of a target in another order")
        .description(
            "Names all that the target has. If it has others by now, that is a `CONFLICT`: list them \
             again. Takes `media:attach`.",
        )
}

async fn order(
    State(service): State<Service>,
    Who(caller): Who,
    Named(target): Named<Target>,
    Query(within): Query<InWorkspace>,
    Body(Order { order }): Body<Order>,
) -> Result<Json<OrderAnswer>> {
    let ids = (0..).zip(&order).map(|(n, id): (usize, _)| {
        let read = id.parse();
        read.map_err(|_| invalid(&format!("order[{n}]: an attachment_id, such as att_….")))
    });
    let ids = ids.collect::<Result<_>>()?;
    let workspace = within.workspace_id.as_deref();
    let ordered = service
        .order_target(&caller, workspace, target.into(), ids)
        .await?;
    Ok(Json(ordered.into()))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Change {
    /// Text for those who do not see the picture.
    #[schemars(length(max = 2000))]
    alt: Option<String>,
    /// Its place among the target's files, counted from 0; beyond the end is the end.
    #[schemars(range(max = 1_000_000))]
    position: Option<u32>,
}

fn describe_change(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("changeAttachment")
        .tag("targets")
        .summary("Change the text or the place of a file of a target")
        .description("What is left out stays as it is. Takes `media:attach`.")
}

async fn change(
    State(service): State<Service>,
    Who(caller): Who,
    Named(which): Named<OnTarget>,
    _: Query<Nothing>,
    Body(Change { alt, position }): Body<Change>,
) -> Result<Json<ChangedAnswer>> {
    let (target, id) = which.named()?;
    let change = AttachmentChange { alt, position };
    let changed = service.change_attachment(&caller, target, id, change);
    Ok(Json(changed.await?.into()))
}

fn describe_detach(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("detachMedia")
        .tag("targets")
        .summary("Take a file off a target")
        .description(
            "The file stays, as long as its purpose says from now on. An upload that was consumed \
             stays consumed. Takes `media:attach`.",
        )
}

async fn detach(
    State(service): State<Service>,
    Who(caller): Who,
    Named(which): Named<OnTarget>,
    _: Query<Nothing>,
) -> Result<Json<DetachAnswer>> {
    let (target, id) = which.named()?;
    let detached = service.detach(&caller, target, id).await?;
    Ok(Json(detached.into()))
}

fn invalid(why: &str) -> Error {
    Error::InvalidArgument(why.to_owned())
}
