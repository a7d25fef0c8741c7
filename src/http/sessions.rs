//! MCP sessions of clients before 2026-07-28: whose they are, and how many.
//!
//! A session is known only to who made it; to everybody else it is as if it did not exist. When there
//! are as many as there may be, the one that was left alone longest ends, and its client begins anew
//! when it is needed. Nobody has more than a share of all, so who floods the server with sessions ends
//! their own. While its client has a stream to hear by, a session is not left alone: it ends after all
//! others, and not by time.

mod standalone;

use std::{
    cmp::Reverse,
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt as _};
use rmcp::{
    model::{ClientJsonRpcMessage, Extensions, GetExtensions, ServerJsonRpcMessage},
    transport::{
        common::server_side_http::{ServerSseMessage, SessionId},
        streamable_http_server::session::{
            SessionManager,
            local::{LocalSessionManager, LocalSessionManagerError},
        },
    },
};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use self::standalone::{Standalone, Streams};
use crate::{
    domain::{
        caller::Caller,
        ids::{ApiKeyId, PrincipalId},
    },
    mcp::Hearing,
    service::Regular,
};

/// What part of all sessions one visitor may have.
const SHARE: usize = 4;
/// How often it is looked for sessions that were left alone.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

tokio::task_local! {
    /// Whose request this task answers. rmcp asks for a session by its id alone.
    static VISIT: Visit;
}

/// Who visits: a principal with a key, or in `open` mode an address. Keys of one principal may open
/// different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Visitor {
    Principal(PrincipalId, Option<ApiKeyId>),
    Address(IpAddr),
}

impl Visitor {
    /// In `open` mode everybody is taken for the owner, wherever they are: addresses change.
    fn may_use_those_of(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Address(_), Self::Address(_)))
    }
}

#[derive(Debug)]
struct Visit {
    visitor: Visitor,
    /// With what they came, where they are asked for something.
    caller: Option<Caller>,
    found_no_room: AtomicBool,
}

/// Nobody can tell this from a fault of ours by rmcp's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom;

/// Answers a request of this visitor.
///
/// # Errors
/// [`NoRoom`] for one more session, where calls run in all that the visitor has.
pub(super) async fn visited<T>(
    visitor: Visitor,
    caller: Option<Caller>,
    answer: impl Future<Output = T>,
) -> Result<T, NoRoom> {
    let visit = Visit {
        visitor,
        caller,
        found_no_room: AtomicBool::new(false),
    };
    let answer = async {
        let answer = answer.await;
        let found_no_room = VISIT.with(|visit| visit.found_no_room.load(Ordering::Relaxed));
        if found_no_room {
            Err(NoRoom)
        } else {
            Ok(answer)
        }
    };
    VISIT.scope(visit, answer).await
}

/// The sessions of one server.
#[derive(Debug)]
pub(super) struct Sessions {
    local: Arc<LocalSessionManager>,
    known: Known,
    most: usize,
    _ending: AbortOnDropHandle<()>,
}

/// Those that are open.
#[derive(Debug, Clone, Default)]
struct Known(Arc<Mutex<HashMap<SessionId, Session>>>);

#[derive(Debug)]
struct Session {
    visitor: Visitor,
    /// Whoever made it, as they came last.
    regular: Option<Regular>,
    used: Instant,
    calls: usize,
    /// Those that its client is told by.
    heard: usize,
    hearing: Hearing,
    streams: Streams,
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

impl Known {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is there for who asks; if so, it was used, with what they came with.
    fn find(&self, id: &SessionId) -> bool {
        let mut all = self.lock();
        let found = all.get_mut(id).filter(|session| is_visitors(session));
        let Some(session) = found else {
            return false;
        };
        session.used = Instant::now();
        let _ = VISIT.try_with(|visit| {
            if let (Some(regular), Some(caller)) = (&session.regular, &visit.caller) {
                regular.came(caller);
            }
        });
        true
    }

    /// Puts a session in, and takes one out where there would be too many; gives the latter.
    fn admit(&self, id: &SessionId, visit: &Visit, most: usize) -> Option<SessionId> {
        let visitor = visit.visitor;
        let mut all = self.lock();
        let session = Session {
            visitor,
            regular: visit.caller.clone().map(Regular::new),
            used: Instant::now(),
            calls: 0,
            heard: 0,
            hearing: Hearing::default(),
            streams: Streams::default(),
        };
        let surplus = surplus(&all, id, visitor, most);
        all.insert(id.clone(), session);
        if let Some(surplus) = &surplus {
            all.remove(surplus);
        }
        surplus
    }

    /// Takes a session out, if it is not somebody else's; whether it may end.
    fn release(&self, id: &SessionId) -> bool {
        let mut all = self.lock();
        let may_end = all.get(id).is_none_or(is_visitors);
        if may_end {
            all.remove(id);
        }
        may_end
    }

    /// Takes those out that were left alone so long; gives them.
    fn take_idle(&self, idle: Duration) -> Vec<SessionId> {
        let mut all = self.lock();
        let gone = all.extract_if(|_, session| {
            session.calls + session.heard == 0 && session.used.elapsed() >= idle
        });
        gone.map(|(id, _)| id).collect()
    }

    /// By what its client hears; of a session that has just ended, nothing.
    fn hearing(&self, id: &SessionId) -> (Streams, Hearing) {
        let all = self.lock();
        let found = all.get(id);
        let hearing = found.map(|session| (session.streams.clone(), session.hearing.clone()));
        hearing.unwrap_or_default()
    }

    /// Puts into a message what its handler needs that tells its client something later.
    fn prepare(&self, id: &SessionId, extensions: &mut Extensions) {
        if let Some(session) = self.lock().get(id) {
            extensions.insert(session.hearing.clone());
            if let Some(regular) = &session.regular {
                extensions.insert(regular.asker());
            }
        }
    }

    /// Counts one more among these of a session, until what this gives is dropped.
    fn hold(&self, id: &SessionId, of: fn(&mut Session) -> &mut usize) -> Held {
        if let Some(session) = self.lock().get_mut(id) {
            *of(session) += 1;
        }
        Held {
            known: self.clone(),
            id: id.clone(),
            of,
        }
    }
}

/// What has to go where one more is too many: the session that was left alone longest, of its visitor
/// if that has its share, else of who has most, and one by which somebody hears after the others; the new
/// one itself where calls run in all of those.
fn surplus(
    all: &HashMap<SessionId, Session>,
    new: &SessionId,
    visitor: Visitor,
    most: usize,
) -> Option<SessionId> {
    let mut held: HashMap<Visitor, usize> = HashMap::new();
    for session in all.values() {
        *held.entry(session.visitor).or_default() += 1;
    }
    let has_share = held.get(&visitor).copied().unwrap_or(0) >= (most / SHARE).max(1);
    if !has_share && all.len() < most {
        return None;
    }
    let idle = all.iter().filter(|(_, session)| session.calls == 0);
    let idle = idle.filter(|(_, session)| !has_share || session.visitor == visitor);
    let longest = idle.max_by_key(|(_, session)| {
        let is_deaf = session.heard == 0;
        (held[&session.visitor], is_deaf, Reverse(session.used))
    });
    Some(longest.map_or(new, |(id, _)| id).clone())
}

/// What has no visitor is the server's own doing.
fn is_visitors(session: &Session) -> bool {
    let allowed = VISIT.try_with(|visit| visit.visitor.may_use_those_of(session.visitor));
    allowed.unwrap_or(true)
}

/// A call that runs in a session, or a stream that its client hears by.
struct Held {
    known: Known,
    id: SessionId,
    of: fn(&mut Session) -> &mut usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(session) = self.known.lock().get_mut(&self.id) {
            *(self.of)(session) -= 1;
            session.used = Instant::now();
        }
    }
}

/// The same stream, which has this until it is dropped.
fn holding<S: Stream>(stream: S, held: Held) -> impl Stream<Item = S::Item> {
    stream.inspect(move |_| {
        let _ = &held;
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60 * 60);

    #[tokio::test]
    async fn what_is_heard_by_or_called_in_is_not_left_alone() {
        let known = Known::default();
        let visit = Visit {
            visitor: Visitor::Address([127, 0, 0, 1].into()),
            caller: None,
            found_no_room: AtomicBool::new(false),
        };
        let [alone, heard, called] = ["alone", "heard", "called"].map(SessionId::from);
        for id in [&alone, &heard, &called] {
            assert_eq!(known.admit(id, &visit, 100), None);
        }
        let stream = known.hold(&heard, |session| &mut session.heard);
        let call = known.hold(&called, |session| &mut session.calls);
        assert!(known.take_idle(LONG).is_empty());
        assert_eq!(known.take_idle(Duration::ZERO), [alone]);
        drop(stream);
        assert_eq!(known.take_idle(Duration::ZERO), [heard]);
        drop(call);
        assert!(known.take_idle(LONG).is_empty(), "it was used just now");
        assert_eq!(known.take_idle(Duration::ZERO), [called]);
    }
}
