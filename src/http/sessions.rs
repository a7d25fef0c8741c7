//! MCP sessions of clients before 2026-07-28: whose they are, and how many.
//!
//! A session is known only to who made it; to everybody else it is as if it did not exist. When there
//! are as many as there may be, the one that was left alone longest ends, and its client begins anew
//! when it is needed. Nobody has more than a share of all, so who floods the server with sessions ends
//! their own. While its client has a stream to hear by, a session is not left alone: it ends after all
//! others, and not by time.

mod known;
mod standalone;
mod visit;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _};
use rmcp::{
    model::{ClientJsonRpcMessage, GetExtensions, ServerJsonRpcMessage},
    transport::{
        common::server_side_http::{ServerSseMessage, SessionId},
        streamable_http_server::session::{
            SessionManager,
            local::{LocalSessionManager, LocalSessionManagerError},
        },
    },
};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

pub(super) use self::visit::{Visitor, visited};
use self::{
    known::{Known, holding},
    standalone::Standalone,
    visit::VISIT,
};

/// How often it is looked for sessions that were left alone.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The sessions of one server.
#[derive(Debug)]
pub(super) struct Sessions {
    local: Arc<LocalSessionManager>,
    known: Known,
    most: usize,
    _ending: AbortOnDropHandle<()>,
}

/// Why a session does not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("calls run in every session there may be")]
    NoRoom,
    #[error(transparent)]
    Local(#[from] LocalSessionManagerError),
}

impl Sessions {
    /// At most so many at the same time; those end that are left alone so long. Must be called inside a
    /// tokio runtime.
    pub(super) fn new(local: LocalSessionManager, most: usize, idle: Duration) -> Self {
        let (local, known) = (Arc::new(local), Known::default());
        let ending = tokio::spawn(end_idle(Arc::clone(&local), known.clone(), idle));
        Self {
            local,
            known,
            most,
            _ending: AbortOnDropHandle::new(ending),
        }
    }

    /// Opens a stream that the client of a session hears by.
    async fn hear<S>(
        &self,
        id: &SessionId,
        opened: impl Future<Output = Result<S, LocalSessionManagerError>>,
    ) -> Result<Standalone, SessionError>
    where
        S: Stream<Item = ServerSseMessage> + Send + 'static,
    {
        let (streams, hearing) = self.known.hearing(id);
        let source = async {
            let held = self.known.hold(id, |session| &mut session.heard);
            let source = opened.await?.take_until(hearing.clone().in_vain());
            Ok::<_, SessionError>(holding(source, held))
        };
        let stream = streams.open(source).await?;
        hearing.begins();
        Ok(stream)
    }
}

/// Ends sessions that were left alone so long.
async fn end_idle(local: Arc<LocalSessionManager>, known: Known, idle: Duration) {
    loop {
        sleep(LOOK_AGAIN).await;
        for id in known.take_idle(idle) {
            end(&local, &id).await;
        }
    }
}

async fn end(local: &LocalSessionManager, id: &SessionId) {
    if let Err(error) = local.close_session(id).await {
        tracing::debug!(cause = %error, "a session had ended by itself");
    }
}

impl SessionManager for Sessions {
    type Error = SessionError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionError> {
        let (id, transport) = self.local.create_session().await?;
        let surplus = VISIT.with(|visit| self.known.admit(&id, visit, self.most));
        let Some(surplus) = surplus else {
            return Ok((id, transport));
        };
        let is_refused = surplus == id;
        // In a task of its own: who hangs up now leaves nothing behind.
        let local = Arc::clone(&self.local);
        tokio::spawn(async move { end(&local, &surplus).await });
        if is_refused {
            VISIT.with(|visit| visit.found_no_room.store(true, Ordering::Relaxed));
            return Err(SessionError::NoRoom);
        }
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionError> {
        Ok(self.local.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionError> {
        Ok(self.known.find(id) && self.local.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionError> {
        if self.known.release(id) {
            self.local.close_session(id).await?;
        }
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        mut message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        if let ClientJsonRpcMessage::Request(asked) = &mut message {
            self.known.prepare(id, asked.request.extensions_mut());
        }
        let call = self.known.hold(id, |session| &mut session.calls);
        let stream = self.local.create_stream(id, message).await?;
        Ok(holding(stream, call))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        mut message: ClientJsonRpcMessage,
    ) -> Result<(), SessionError> {
        if let ClientJsonRpcMessage::Notification(told) = &mut message {
            self.known.prepare(id, told.notification.extensions_mut());
        }
        Ok(self.local.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        self.hear(id, self.local.create_standalone_stream(id)).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        // What a call goes on to answer by has the call's number in its events' ids.
        let is_calls = last_event_id.contains('/');
        let resumed = self.local.resume(id, last_event_id);
        if !is_calls {
            return Ok(self.hear(id, resumed).await?.left_stream());
        }
        let call = self.known.hold(id, |session| &mut session.calls);
        Ok(holding(resumed.await?, call).right_stream())
    }
}
