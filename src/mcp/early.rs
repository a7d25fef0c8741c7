//! Waits that nobody watches, before the protocol's machinery takes up the call: that holds some 60 KB for
//! each, which thousands of waiting clients cannot have, and waiting itself takes a few.

use std::{borrow::Cow, time::Duration};

use memchr::memmem;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, GetMeta as _, ProtocolVersion};
use tokio::time::Instant;

use super::{
    arguments::{Arguments, session_ref},
    upload_status::StatusArguments,
    wait::{WaitedSince, seconds},
};
use crate::{domain::caller::Caller, service::Service, store::SessionRef};

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

/// For which session a message wants to wait, and how long. It is read as it will be again when the wait is
/// over: what is no call is refused at once.
fn wanted(body: &[u8]) -> Option<(SessionRef, Duration)> {
    // Hardly any call waits.
    memmem::find(body, b"\"wait_seconds\"")?;
    let ClientJsonRpcMessage::Request(message) = serde_json::from_slice(body).ok()? else {
        return None;
    };
    let meta = message.request.get_meta();
    let version = ProtocolVersion::V_2026_07_28;
    let is_watched = meta.get_progress_token().is_some();
    if is_watched || !meta.missing_required_keys(&version).is_empty() {
        return None;
    }
    let ClientRequest::CallToolRequest(call) = message.request else {
        return None;
    };
    if call.params.name != "upload_status" {
        return None;
    }
    let arguments = Arguments::new(call.params.arguments?);
    let StatusArguments {
        token,
        upload_id,
        wait_seconds,
    } = arguments.read().ok()?;
    let which = session_ref(token.as_deref(), upload_id.as_deref()).ok()?;
    let wanted = seconds("wait_seconds", wait_seconds).ok()?;
    Some((which, wanted))
}
