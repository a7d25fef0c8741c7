//! `/v1/workspaces`, for administrators.

use aide::transform::TransformOperation;
use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    extract::{Body, Named, Nothing, Query, Who},
    openapi::{Created, Items},
    routes::{Methods as _, Routes},
};
use crate::{
    arguments::object,
    domain::quota::{OwnLimit, QuotaChange},
    error::Result,
    service::{
        Service,
        answers::{UsageAnswer, WorkspaceAnswer},
    },
};

pub(super) fn routes<R: Routes>(routes: R) -> R {
    routes
        .at("/v1/workspaces", |it| {
            it.get(list, describe_list).post(create, describe_create)
        })
        .at("/v1/workspaces/{workspace_id}", |it| {
            it.get(show, describe_show).patch(change, describe_change)
        })
}

/// A workspace.
#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Its UUID or alias.
    workspace_id: String,
}

fn describe_list(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("listWorkspaces")
        .tag("workspaces")
        .summary("The workspaces that the caller administers, the oldest first")
        .description("Takes `admin`. One that is archived is out of every key's reach.")
}

async fn list(
    State(service): State<Service>,
    Who(caller): Who,
    _: Query<Nothing>,
) -> Result<Json<Items<WorkspaceAnswer>>> {
    let all = service.workspaces(&caller).await?;
    Ok(Json(all.iter().map(WorkspaceAnswer::from).collect()))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    /// Its name for people.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// A short name: 1 to 8 letters, `-`, 3 to 8 letters or digits. A random one if not said.
    #[serde(default)]
    alias: Option<String>,
}

fn describe_create(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("createWorkspace")
        .tag("workspaces")
        .summary("Make a workspace")
        .description("For the operator alone.")
}

async fn create(
    State(service): State<Service>,
    Who(caller): Who,
    _: Query<Nothing>,
    Body(asked): Body<CreateBody>,
) -> Result<Created<WorkspaceAnswer>> {
    let alias = asked.alias.as_deref();
    let made = service.create_workspace(&caller, &asked.name, alias);
    Ok(Created((&made.await?).into()))
}

fn describe_show(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("getWorkspace")
        .tag("workspaces")
        .summary("A workspace, with what it uses and may use")
        .description("Takes `admin`.")
}

async fn show(
    State(service): State<Service>,
    Who(caller): Who,
    Named(which): Named<Which>,
    _: Query<Nothing>,
) -> Result<Json<UsageAnswer>> {
    let used = service.usage(&caller, &which.workspace_id).await?;
    Ok(Json((&used).into()))
}

/// What is not said stays as it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ChangeBody {
    /// Another name for people.
    #[schemars(length(min = 1, max = 200))]
    name: Option<String>,
    /// Another short name.
    alias: Option<String>,
    /// true: closes its links and lets no key in any more; its files stay. false: takes it up again,
    /// which whoever runs askfile can.
    archived: Option<bool>,
    /// Quotas of its own.
    #[serde(deserialize_with = "object")]
    quota: Option<QuotaBody>,
}

/// What is not said stays as it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct QuotaBody {
    /// Bytes of its stored files.
    stored_bytes: Option<Limit>,
    /// Bytes of files that are on their way to it at one time.
    in_flight_bytes: Option<Limit>,
    /// Links that are open at one time.
    open_links: Option<Limit>,
}

/// A number, or one of two words.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a whole number (0 or more), `unlimited` or `default`"
)]
enum Limit {
    /// At most so many.
    At(u64),
    Word(LimitWord),
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum LimitWord {
    /// No limit, whatever the settings say.
    Unlimited,
    /// As the settings say.
    Default,
}

impl From<Limit> for OwnLimit {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::At(most) => Self::At(most),
            Limit::Word(LimitWord::Unlimited) => Self::Unlimited,
            Limit::Word(LimitWord::Default) => Self::Default,
        }
    }
}

fn describe_change(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("changeWorkspace")
        .tag("workspaces")
        .summary("Rename a workspace, archive it, or give it quotas of its own")
        .description(
            "Takes `admin`. The parts are done one after another: where one is refused, those before \
             it stay done.",
        )
}

async fn change(
    State(service): State<Service>,
    Who(caller): Who,
    Named(which): Named<Which>,
    _: Query<Nothing>,
    Body(asked): Body<ChangeBody>,
) -> Result<Json<UsageAnswer>> {
    // By its id from here on: the alias may change.
    let id = service
        .usage(&caller, &which.workspace_id)
        .await?
        .workspace
        .id
        .to_string();
    if asked.name.is_some() || asked.alias.is_some() {
        let (name, alias) = (asked.name.as_deref(), asked.alias.as_deref());
        service.rename_workspace(&caller, &id, name, alias).await?;
    }
    if let Some(quota) = asked.quota {
        let change = QuotaChange {
            stored_bytes: quota.stored_bytes.map(OwnLimit::from),
            in_flight_bytes: quota.in_flight_bytes.map(OwnLimit::from),
            open_links: quota.open_links.map(OwnLimit::from),
        };
        service.set_quota(&caller, &id, change).await?;
    }
    if let Some(is_archived) = asked.archived {
        service.archive_workspace(&caller, &id, is_archived).await?;
    }
    let used = service.usage(&caller, &id).await?;
    Ok(Json((&used).into()))
}
