//! MCP over streamable HTTP, for protocol versions before and since 2026-07-28.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    address::ClientAddress,
    auth,
    body::whole,
    sessions::{Sessions, Visitor, visited},
};
use crate::{
    domain::caller::Caller,
    error::{Error, Result},
    mcp::wait_early,
    service::Service,
};

/// Largest request, in bytes.
const MOST_BYTES: usize = 256 * 1024;

/// How long a session of an older client is kept without a call and without a stream to hear by: longer
/// than people take to follow a link.
const IDLE_SESSION: Duration = Duration::from_secs(60 * 60);

/// How long sessions outlive the last call.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// `/mcp`, spoken by `handler`: made anew for each session and each request without one.
pub(super) fn routes<H: ServerHandler>(
    service: &Service,
    handler: impl Fn() -> H + Send + Sync + 'static,
) -> Router<Service> {
    let visits = Visits {
        service: service.clone(),
        answering: TaskTracker::new(),
    };
    Router::new()
        .nest_service("/mcp", endpoint(&visits, handler))
        .layer(middleware::from_fn_with_state(visits, visit))
}

/// What the layer over it knows.
#[derive(Clone)]
struct Visits {
    service: Service,
    /// The calls that are being answered.
    answering: TaskTracker,
}

fn endpoint<H: ServerHandler>(
    visits: &Visits,
    handler: impl Fn() -> H + Send + Sync + 'static,
) -> StreamableHttpService<H, Sessions> {
    let stopping = CancellationToken::new();
    let config = StreamableHttpServerConfig::default()
        .with_cancellation_token(stopping.clone())
        // An answer without progress before it is one piece of JSON, not a stream of one event.
        .with_json_response(true)
        // Host and Origin are checked on every route in one place: `guards`.
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let closing = visits.clone();
    tokio::spawn(async move {
        closing.service.closing().await;
        // Waits end by themselves at this point, and their answers have still to go out: of thousands,
        // that takes a while.
        closing.answering.close();
        // Connections are given as long, and then cut.
        let grace = closing.service.settings().shutdown_grace;
        let grace = grace.saturating_sub(2 * LAST_ANSWERS);
        let _ = tokio::time::timeout(grace, closing.answering.wait()).await;
        tokio::time::sleep(LAST_ANSWERS).await;
        stopping.cancel();
    });
    let mut sessions = LocalSessionManager::default();
    // It knows of messages alone, and would end a session whose client only listens.
    sessions.session_config.keep_alive = None;
    let most = visits.service.settings().max_mcp_sessions;
    let sessions = Sessions::new(sessions, most, IDLE_SESSION);
    StreamableHttpService::new(move || Ok(handler()), Arc::new(sessions), config)
}

/// The layer over it: asks whose request it is, and has all of it before it is answered.
///
/// A call that waits keeps what this function has room for, so what is large in it has a box.
async fn visit(
    State(Visits { service, answering }): State<Visits>,
    mut request: Request,
    next: Next,
) -> Result<Response> {
    let answering = answering.token();
    // Streams by which clients only hear are not waited for.
    let is_call = request.method() == Method::POST;
    let is_end = request.method() == Method::DELETE;
    if let Some(refusal) = Box::pin(auth::refusal(&service, &mut request)).await {
        return Ok(refusal);
    }
    let (mut parts, body) = request.into_parts();
    let visitor = if let Some(caller) = parts.extensions.get::<Caller>() {
        Visitor::Principal(caller.principal.id, caller.actor().api_key())
    } else {
        let from = ClientAddress::of(&service, &parts.extensions, &parts.headers);
        parts.extensions.insert(from.0);
        Visitor::Address(from.0)
    };
    let body = Box::pin(whole(body, MOST_BYTES)).await;
    let body = body.map_err(|why| Error::InvalidArgument(why.into()))?;
    if may_wait_early(&parts.headers) {
        let caller = parts.extensions.get::<Caller>();
        if let Some(waited) = Box::pin(wait_early(&service, caller, &body)).await {
            parts.extensions.insert(waited);
        }
    }
    let request = Request::from_parts(parts, Body::from(body));
    let caller = request.extensions().get::<Caller>().cloned();
    let answered = Box::pin(visited(visitor, caller, next.run(request))).await;
    let mut answered = answered.map_err(|_| Error::Busy { retry_after: 5 })?;
    // The session has ended by now; clients of the Python SDK take "accepted" for a failure.
    if is_end && answered.status() == StatusCode::ACCEPTED {
        *answered.status_mut() = StatusCode::NO_CONTENT;
    }
    // What is known to its end is as good as answered; a stream is answered to once it ends.
    if !is_call || answered.body().size_hint().exact().is_some() {
        return Ok(answered);
    }
    Ok(answered.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _ = &answering;
            frame
        }))
    }))
}

/// Whether it says of itself that it is a call that may wait, of a protocol version whose clients take a
/// closed connection for the end of a call: others send a message. What is refused for its headers is
/// refused at once.
fn may_wait_early(headers: &HeaderMap) -> bool {
    let says = |name: HeaderName, what: &str| {
        let said = headers.get(name).and_then(|value| value.to_str().ok());
        said.is_some_and(|said| said.contains(what))
    };
    let is = |name: &'static str, what: &str| {
        let name = HeaderName::from_static(name);
        headers.get(name).is_some_and(|value| value == what)
    };
    is("mcp-protocol-version", "2026-07-28")
        && is("mcp-method", "tools/call")
        && is("mcp-name", "upload_status")
        && says(CONTENT_TYPE, "application/json")
        && says(ACCEPT, "application/json")
        && says(ACCEPT, "text/event-stream")
}
