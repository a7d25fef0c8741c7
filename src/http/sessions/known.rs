//! The sessions that are open, and which of them ends where there would be too many.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _};
use rmcp::{model::Extensions, transport::common::server_side_http::SessionId};
use tokio::time::Instant;

use super::{
    standalone::Streams,
    visit::{VISIT, Visit, Visitor},
};
use crate::{mcp::Hearing, service::Regular};

/// What part of all sessions one visitor may have.
const SHARE: usize = 4;

/// Those that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<SessionId, Session>>>);

#[derive(Debug)]
pub(super) struct Session {
    visitor: Visitor,
    /// Whoever made it, as they came last.
    regular: Option<Regular>,
    used: Instant,
    pub(super) calls: usize,
    /// Those that its client is told by.
    pub(super) heard: usize,
    hearing: Hearing,
    streams: Streams,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is there for who asks; if so, it was used, with what they came with.
    pub(super) fn find(&self, id: &SessionId) -> bool {
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
    pub(super) fn admit(&self, id: &SessionId, visit: &Visit, most: usize) -> Option<SessionId> {
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
    pub(super) fn release(&self, id: &SessionId) -> bool {
        let mut all = self.lock();
        let may_end = all.get(id).is_none_or(is_visitors);
        if may_end {
            all.remove(id);
        }
        may_end
    }

    /// Takes those out that were left alone so long; gives them.
    pub(super) fn take_idle(&self, idle: Duration) -> Vec<SessionId> {
        let mut all = self.lock();
        let gone = all.extract_if(|_, session| {
            session.calls + session.heard == 0 && session.used.elapsed() >= idle
        });
        gone.map(|(id, _)| id).collect()
    }

    /// By what its client hears; of a session that has just ended, nothing.
    pub(super) fn hearing(&self, id: &SessionId) -> (Streams, Hearing) {
        let all = self.lock();
        let found = all.get(id);
        let hearing = found.map(|session| (session.streams.clone(), session.hearing.clone()));
        hearing.unwrap_or_default()
    }

    /// Puts into a message what its handler needs that tells its client something later.
    pub(super) fn prepare(&self, id: &SessionId, extensions: &mut Extensions) {
        if let Some(session) = self.lock().get(id) {
            extensions.insert(session.hearing.clone());
            if let Some(regular) = &session.regular {
                extensions.insert(regular.asker());
            }
        }
    }

    /// Counts one more among these of a session, until what this gives is dropped.
    pub(super) fn hold(&self, id: &SessionId, of: fn(&mut Session) -> &mut usize) -> Held {
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
pub(super) struct Held {
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
pub(super) fn holding<S: Stream>(stream: S, held: Held) -> impl Stream<Item = S::Item> {
    stream.inspect(move |_| {
        let _ = &held;
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

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
