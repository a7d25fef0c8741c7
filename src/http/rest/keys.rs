//! `/v1/keys`, for administrators.

use std::time::Duration;

use aide::transform::TransformOperation;
use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    extract::{Body, Named, Nothing, Query, Who},
    openapi::{Created, Items},
    repeat::TellOnce,
    routes::{Methods as _, Routes},
};
use crate::{
    arguments::object,
    domain::capability::{Capabilities, Capability},
    error::{Error, Result},
    service::{
        Service,
        answers::{KeyAnswer, NewKeyAnswer},
        keys::KeyRequest,
    },
};

/// How long an old secret opens beside the new one, unless it is said, in seconds.
const OVERLAP: u64 = 86_400;

pub(super) fn routes<R: Routes>(routes: R) -> R {
    routes
        .at("/v1/keys", |it| {
            it.get(list, describe_list).post(create, describe_create)
        })
        .at("/v1/keys/{key_id}", |it| {
            it.patch(change, describe_change)
                .delete(revoke, describe_revoke)
        })
        .at("/v1/keys/{key_id}/rotate", |it| {
            it.post(rotate, describe_rotate)
        })
}

/// A key.
#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Its id, its name, or how its secret begins.
    key_id: String,
}

fn describe_list(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("listKeys")
        .tag("keys")
        .summary("The keys of the caller's workspaces, the oldest first")
        .description("Takes `admin`. Also those that have ended or were revoked.")
}

async fn list(
    State(service): State<Service>,
    Who(caller): Who,
    _: Query<Nothing>,
) -> Result<Json<Items<KeyAnswer>>> {
    let (keys, now) = (service.keys(&caller).await?, service.now());
    Ok(Json(
        keys.iter().map(|key| KeyAnswer::new(key, now)).collect(),
    ))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    /// Its name for people. Keys that live have different ones.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// The person whose agents use it; leave it out for a program.
    #[serde(default, deserialize_with = "object")]
    person: Option<PersonBody>,
    /// Where it may be used, by UUIDs or aliases. Leave it out for your own.
    #[serde(default)]
    workspaces: Option<Vec<String>>,
    /// What it may do there: all that agents need, if not said.
    #[serde(default)]
    capabilities: Option<Vec<Capability>>,
    /// How long it lives; until it is revoked, if not said.
    #[serde(default)]
    #[schemars(range(min = 1, max = 3_153_600_000_u64))]
    expires_in_seconds: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PersonBody {
    /// As the page names them: “Ana’s agent asks for…”.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// By which they are known again.
    #[serde(default)]
    email: Option<String>,
}

fn describe_create(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("createKey")
        .tag("keys")
        .summary("Make a key")
        .description("Takes `admin`. The answer holds the secret, this once.")
}

async fn create(
    State(service): State<Service>,
    Who(caller): Who,
    _: Query<Nothing>,
    Body(asked): Body<CreateBody>,
) -> Result<TellOnce<Created<NewKeyAnswer>>> {
    let capabilities = asked.capabilities.map(Capabilities::from_iter);
    let request = KeyRequest {
        name: asked.name,
        person: asked.person.map(|person| (person.name, person.email)),
        workspaces: asked.workspaces.unwrap_or_default(),
        capabilities: capabilities.unwrap_or(Capabilities::AGENT),
        expires_in: asked.expires_in_seconds.map(life).transpose()?,
    };
    let (key, secret) = service.create_key(&caller, request).await?;
    let answer = NewKeyAnswer::new(&key, &secret, service.now());
    Ok(TellOnce(Created(answer)))
}

/// A hundred years are as good as no end, and no sum of times overflows.
fn life(seconds: u64) -> Result<Duration> {
    const MOST: u64 = 100 * 365 * 86_400;
    if (1..=MOST).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err(Error::InvalidArgument(format!(
        "expires_in_seconds: 1 to {MOST}."
    )))
}

/// Give one or the other.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ChangeBody {
    /// What it may do from now on, and nothing else.
    capabilities: Option<Vec<Capability>>,
    /// What it may do besides.
    allow: Option<Vec<Capability>>,
    /// What it may do no more.
    deny: Option<Vec<Capability>>,
}

fn describe_change(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("changeKey")
        .tag("keys")
        .summary("Switch what a key may do")
        .description("Takes `admin`. It is in force with the key's next request.")
}

async fn change(
    State(service): State<Service>,
    Who(caller): Who,
    Named(which): Named<Which>,
    _: Query<Nothing>,
    Body(asked): Body<ChangeBody>,
) -> Result<Json<KeyAnswer>> {
    let ChangeBody {
        capabilities,
        allow,
        deny,
    } = asked;
    let change = |before| {
        let base = capabilities.map_or(before, Capabilities::from_iter);
        let more = allow.into_iter().flatten().fold(base, Capabilities::with);
        deny.into_iter().flatten().fold(more, Capabilities::without)
    };
    let key = service.allow_key(&caller, &which.key_id, change).await?;
    Ok(Json(KeyAnswer::new(&key, service.now())))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RotateBody {
    /// How long the old secret still opens: a day, if not said.
    #[schemars(range(max = 2_592_000))]
    overlap_seconds: Option<u64>,
}

fn describe_rotate(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("rotateKey")
        .tag("keys")
        .summary("Give a key a new secret")
        .description(
            "Takes `admin`. The answer holds the new secret, this once; the old one opens for a while.",
        )
}

async fn rotate(
    State(service): State<Service>,
    Who(caller): Who,
    Named(which): Named<Which>,
    _: Query<Nothing>,
    Body(asked): Body<RotateBody>,
) -> Result<TellOnce<Json<NewKeyAnswer>>> {
    let overlap = asked.overlap_seconds.unwrap_or(OVERLAP);
    if overlap > 30 * 86_400 {
        return Err(Error::InvalidArgument(
            "overlap_seconds: at most 2,592,000, which is 30 days.".into(),
        ));
    }
    let overlap = Duration::from_secs(overlap);
    let (key, secret) = service.rotate_key(&caller, &which.key_id, overlap).await?;
    let answer = NewKeyAnswer::new(&key, &secret, service.now());
    Ok(TellOnce(Json(answer)))
}

fn describe_revoke(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .id("revokeKey")
        .tag("keys")
        .summary("End a key for good")
        .description("Takes `admin`. The open links that were made with it are closed.")
}

async fn revoke(
    State(service): State<Service>,
    Who(caller): Who,
    Named(which): Named<Which>,
    _: Query<Nothing>,
) -> Result<Json<KeyAnswer>> {
    let (key, _) = service.revoke_key(&caller, &which.key_id).await?;
    Ok(Json(KeyAnswer::new(&key, service.now())))
}
