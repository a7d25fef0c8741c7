//! Who visits, and what their request may find: rmcp knows of neither.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::domain::{
    caller::Caller,
    ids::{ApiKeyId, PrincipalId},
};

tokio::task_local! {
    /// Whose request this task answers. rmcp asks for a session by its id alone.
    pub(super) static VISIT: Visit;
}

/// Who visits: a principal with a key, or in `open` mode an address. Keys of one principal may open
/// different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::http) enum Visitor {
    Principal(PrincipalId, Option<ApiKeyId>),
    Address(IpAddr),
}

impl Visitor {
    /// In `open` mode everybody is taken for the owner, wherever they are: addresses change.
    pub(super) fn may_use_those_of(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Address(_), Self::Address(_)))
    }
}

#[derive(Debug)]
pub(super) struct Visit {
    pub(super) visitor: Visitor,
    /// With what they came, where they are asked for something.
    pub(super) caller: Option<Caller>,
    pub(super) found_no_room: AtomicBool,
}

/// Nobody can tell this from a fault of ours by rmcp's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct NoRoom;

/// Answers a request of this visitor.
///
/// # Errors
/// [`NoRoom`] for one more session, where calls run in all that the visitor has.
pub(in crate::http) async fn visited<T>(
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
