//! Waits that nobody watches, before the protocol's machinery takes up the call: that holds some 60 KB for
//! each, which thousands of waiting clients cannot have, and waiting itself takes a few.

use std::{borrow::Cow, time::Duration};

use memchr::memmem;
use serde::{Deserialize, de::IgnoredAny};
use tokio::time::Instant;

use super::{
    upload_status::StatusArguments,
    wait::{WaitedSince, seconds},
};
use crate::{arguments::session_ref, domain::caller::Caller, service::Service, store::SessionRef};

/// What of a message says that it waits.
#[derive(Deserialize)]
struct Message {
    /// What has none is no call, and is not answered.
    #[serde(rename = "id")]
    _id: IgnoredAny,
    method: String,
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    name: String,
    arguments: StatusArguments,
    #[serde(rename = "_meta")]
    meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "progressToken")]
    progress_token: Option<IgnoredAny>,
}

/// Waits, if this is a call of `upload_status` that does, and is told nothing while it does. Whatever is
/// wrong with it, the tool says.
pub(crate) async fn wait(
    service: &Service,
    caller: Option<&Caller>,
    body: &[u8],
) -> Option<WaitedSince> {
    let (which, wanted) = wanted(body)?;
    let settings = service.settings();
    let caller = match caller {
        Some(caller) => Cow::Borrowed(caller),
        None if settings.auth.is_open() => Cow::Owned(service.open_caller(None)),
        None => return None,
    };
    service.charge_call(&caller).ok()?;
    let began = Instant::now();
    let deadline = began + wanted.min(settings.max_wait);
    // What went wrong goes wrong for the tool as well, which says so.
    let _ = service.wait_over(&caller, which, deadline).await;
    Some(WaitedSince::new(began))
}

/// For which session a message wants to wait, and how long.
fn wanted(body: &[u8]) -> Option<(SessionRef, Duration)> {
    // Hardly any call waits.
    memmem::find(body, b"\"wait_seconds\"")?;
    let Message { method, params, .. } = serde_json::from_slice(body).ok()?;
    if method != "tools/call"
        || params.name != "upload_status"
        || params.meta.progress_token.is_some()
    {
        return None;
    }
    let StatusArguments {
        token,
        upload_id,
        wait_seconds,
    } = params.arguments;
    let which = session_ref(token.as_deref(), upload_id.as_deref()).ok()?;
    let wanted = seconds("wait_seconds", wait_seconds).ok()?;
    Some((which, wanted))
}
