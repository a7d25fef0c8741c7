//! MCP over streamable HTTP, for protocol versions before and since 2026-07-28.

use std::{sync::Arc, time::Duration};

use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio_util::sync::CancellationToken;

use crate::{mcp::Tools, service::Service};

/// Largest request, in bytes.
const MOST_BYTES: usize = 256 * 1024;

/// How long a session of an older client is kept without a call: longer than people take to follow
/// a link.
const IDLE_SESSION: Duration = Duration::from_secs(60 * 60);

/// How long sessions outlive the last wait.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

pub(super) fn endpoint(service: &Service) -> StreamableHttpService<Tools, LocalSessionManager> {
    let stopping = CancellationToken::new();
    let config = StreamableHttpServerConfig::default()
        .with_max_request_body_bytes(MOST_BYTES)
        .with_cancellation_token(stopping.clone())
        // An answer without progress before it is one piece of JSON, not a stream of one event.
        .with_json_response(true)
        // Host and Origin are checked on every route in one place: `guards`.
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let closing = service.clone();
    tokio::spawn(async move {
        closing.closing().await;
        // Waits end by themselves at this point, and their answers have still to go out.
        tokio::time::sleep(LAST_ANSWERS).await;
        stopping.cancel();
    });
    let tools = Tools::new(service.clone());
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(IDLE_SESSION);
    let sessions = Arc::new(sessions);
    StreamableHttpService::new(move || Ok(tools.clone()), sessions, config)
}
