//! The upload session: its states, and the one table of legal moves between them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    attachment::Target,
    ids::{PrincipalId, UploadId, WorkspaceId},
    language::Language,
    limits::Limits,
    transfer::{Spec, Transfer},
};
use crate::link::Token;

/// How long after its end a session is still known.
pub const KEPT_AFTER_END: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long a claim can live, however busily it is fed.
pub const CLAIM_MAX_AGE: SignedDuration = SignedDuration::from_hours(2);

/// What a body that failed after the link's expiry leaves to try again.
pub const GRACE_AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(10);

/// One request for one or more files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UploadSession {
    /// Its name, for everybody.
    pub id: UploadId,
    /// Its secret, single-use name: the link is made of it.
    pub token: Token,
    /// Whom it belongs to.
    pub workspace_id: WorkspaceId,
    /// How the page names who asks.
    pub asked_by: String,
    /// Who asks; `None` for what is older than principals are.
    pub created_by: Option<PrincipalId>,
    /// The purpose's name.
    pub purpose: String,
    /// The agent's words to the person. Plain text, perhaps an attacker's.
    pub prompt: Option<String>,
    /// What the person is spoken to in, where the client knows it.
    pub language: Option<Language>,
    /// What the agent wants to find it by.
    pub metadata: Metadata,
    /// What it takes.
    pub limits: Limits,
    /// The way that its files take.
    pub transfer: Transfer,
    /// What is going to be sent, where a program has said it: exactly that is taken.
    pub spec: Option<Spec>,
    /// For how many seconds its unattached media are kept; `None`: until deleted.
    pub retain_seconds: Option<u64>,
    /// Where it stands.
    pub state: State,
    /// When it was made.
    pub created_at: Timestamp,
    /// The expiry that is signed into its link.
    pub expires_at: Timestamp,
    /// Until when a claim can be taken: the expiry, or later where a body failed after it.
    pub redeem_by: Timestamp,
    /// When the page was first opened.
    pub opened_at: Option<Timestamp>,
    /// When it reached a final state.
    pub ended_at: Option<Timestamp>,
    /// Why the last try was refused.
    pub last_error: Option<LastError>,
    /// What the person said when declining.
    pub decline_reason: Option<String>,
    /// Whether it is expired because its last file was deleted, and not because its link lapsed.
    pub media_gone: bool,
    /// What its media were attached to by token.
    pub consumed_by: Option<Target>,
}

/// What an agent wants to find a session by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Metadata {
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An id of the caller's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Words to filter by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Why a try was refused, as it was told to the person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LastError {
    /// A code of the error table.
    pub code: String,
    /// The sentence.
    pub message: String,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The link works; nobody is sending.
    Pending,
    /// A file is arriving.
    Receiving,
    /// The bytes are durable and not yet judged.
    Checking,
    /// The files are there.
    Completed,
    /// The files were attached by token. Final.
    Consumed,
    /// The link lapsed unused, or all its media are gone. Final.
    Expired,
    /// The person said no. Final.
    Declined,
    /// The agent took it back. Final.
    Cancelled,
}

/// How a session's slots are used, after the event that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tally {
    /// Slots in all.
    pub slots: u32,
    /// Live claims whose bytes are arriving.
    pub receiving: u32,
    /// Files that are durable and not yet judged.
    pub checking: u32,
    /// Files that are stored.
    pub stored: u32,
}

impl Tally {
    /// Whether every slot has a live claim or a file.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.taken() >= self.slots
    }

    /// How many slots have a live claim or a file.
    #[must_use]
    pub fn taken(self) -> u32 {
        self.receiving + self.checking + self.stored
    }
}

/// Something that happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody began to send a file.
    ClaimTaken,
    /// A claim ended without a file: it failed, was refused or went silent.
    ClaimLost(Tally),
    /// A file is durable; its check is still to come.
    Staged(Tally),
    /// A file is stored for good.
    Stored(Tally),
    /// The person has no more files.
    Done(Tally),
    /// The time to take a claim is over.
    LinkExpired(Tally),
    /// The person said no.
    Declined,
    /// The agent took it back.
    Cancelled,
    /// Its media were attached by token.
    Attached,
    /// The last of its media was deleted.
    MediaGone,
}

/// `event` may not happen in state `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} is not allowed while {from:?}")]
pub struct IllegalMove {
    /// Where the session was.
    pub from: State,
    /// What was tried.
    pub event: Event,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Receiving,
        Self::Checking,
        Self::Completed,
        Self::Consumed,
        Self::Expired,
        Self::Declined,
        Self::Cancelled,
    ];

    /// The state after `event`. This match is the whole life of a session.
    ///
    /// # Errors
    /// [`IllegalMove`] for every pair not listed.
    #[expect(clippy::match_same_arms, reason = "one line a move")]
    pub fn after(self, event: Event) -> Result<Self, IllegalMove> {
        use State::{Cancelled, Checking, Completed, Consumed, Declined, Expired};
        use State::{Pending, Receiving};
        match (self, event) {
            (Pending | Receiving | Checking, Event::ClaimTaken) => Ok(Receiving),
            (Receiving | Checking, Event::ClaimLost(tally)) => Ok(Self::open_with(tally)),
            (Receiving, Event::Staged(tally)) => Ok(Self::open_with(tally)),
            (Receiving | Checking, Event::Stored(tally)) if tally.stored >= tally.slots => {
                Ok(Completed)
            }
            (Receiving | Checking, Event::Stored(tally)) => Ok(Self::open_with(tally)),
            (Pending, Event::Done(tally)) if tally.stored > 0 => Ok(Completed),
            (Pending, Event::LinkExpired(tally)) if tally.stored > 0 => Ok(Completed),
            (Pending, Event::LinkExpired(_)) => Ok(Expired),
            (Pending | Receiving | Checking, Event::Declined) => Ok(Declined),
            (Pending | Receiving | Checking, Event::Cancelled) => Ok(Cancelled),
            (Completed, Event::Attached) => Ok(Consumed),
            (Completed, Event::MediaGone) => Ok(Expired),
            (from, event) => Err(IllegalMove { from, event }),
        }
    }

    /// The open state that says most of what is going on.
    fn open_with(tally: Tally) -> Self {
        match tally {
            Tally { receiving: 1.., .. } => Self::Receiving,
            Tally { checking: 1.., .. } => Self::Checking,
            _ => Self::Pending,
        }
    }

    /// Whether files can still come.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Receiving | Self::Checking)
    }

    /// The word in the database and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Receiving => "receiving",
            Self::Checking => "checking",
            Self::Completed => "completed",
            Self::Consumed => "consumed",
            Self::Expired => "expired",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// What the agent sees: one of six words.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Pending | Self::Receiving | Self::Checking => Status::Pending,
            Self::Completed => Status::Completed,
            Self::Consumed => Status::Consumed,
            Self::Expired => Status::Expired,
            Self::Declined => Status::Declined,
            Self::Cancelled => Status::Cancelled,
        }
    }
}

/// What the agent sees of a session's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Files can still come.
    Pending,
    /// The files are there.
    Completed,
    /// The files were attached by token.
    Consumed,
    /// The link lapsed unused, or the files are gone.
    Expired,
    /// The person said no.
    Declined,
    /// The link was closed.
    Cancelled,
}

/// What goes on while the status is `pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The link was not opened yet.
    Waiting,
    /// The page was opened.
    Opened,
    /// A file is arriving.
    Receiving,
    /// A file is being checked.
    Scanning,
}

impl UploadSession {
    /// What goes on while the status is `pending`.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        match self.state {
            State::Pending if self.opened_at.is_none() => Some(Phase::Waiting),
            State::Pending => Some(Phase::Opened),
            State::Receiving => Some(Phase::Receiving),
            State::Checking => Some(Phase::Scanning),
            _ => None,
        }
    }

    /// The moves that time alone has brought: silent claims are lost, then the link may have lapsed.
    /// `tally` counts live claims only. Empty where nothing is due.
    #[must_use]
    pub fn overdue(&self, tally: Tally, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        let silent = self.state == State::Receiving && tally.receiving == 0;
        let mut state = self.state;
        if silent {
            events.push(Event::ClaimLost(tally));
            state = State::open_with(tally);
        }
        if state == State::Pending && now >= self.redeem_by {
            events.push(Event::LinkExpired(tally));
        }
        events
    }

    /// Until when a claim can be taken, given that one that began at `began_at` failed at `now`.
    ///
    /// Only a claim of before the link's expiry earns more time, so that nobody can keep a link
    /// alive by failing again and again.
    #[must_use]
    pub fn redeem_by_after_failure(&self, began_at: Timestamp, now: Timestamp) -> Timestamp {
        if began_at < self.expires_at && now >= self.redeem_by {
            now + GRACE_AFTER_FAILURE
        } else {
            self.redeem_by
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State::{
        Cancelled, Checking, Completed, Consumed, Declined, Expired, Pending, Receiving,
    };
    use super::*;

    fn tally(receiving: u32, checking: u32, stored: u32) -> Tally {
        Tally {
            slots: 3,
            receiving,
            checking,
            stored,
        }
    }

    #[test]
    fn every_state_meets_every_event() {
        let idle = tally(0, 0, 0);
        let other_body = tally(1, 1, 1);
        let other_check = tally(0, 1, 1);
        let some = tally(0, 0, 1);
        let full = tally(0, 0, 3);
        let no = None;
        #[rustfmt::skip]
        let table = [
            //                                from: Pending          Receiving        Checking         Completed      Consumed Expired Declined Cancelled
            (Event::ClaimTaken,              [Some(Receiving),  Some(Receiving), Some(Receiving), no,             no, no, no, no]),
            (Event::ClaimLost(idle),         [no,               Some(Pending),   Some(Pending),   no,             no, no, no, no]),
            (Event::ClaimLost(other_body),   [no,               Some(Receiving), Some(Receiving), no,             no, no, no, no]),
            (Event::ClaimLost(other_check),  [no,               Some(Checking),  Some(Checking),  no,             no, no, no, no]),
            (Event::Staged(other_check),     [no,               Some(Checking),  no,              no,             no, no, no, no]),
            (Event::Staged(other_body),      [no,               Some(Receiving), no,              no,             no, no, no, no]),
            (Event::Stored(some),            [no,               Some(Pending),   Some(Pending),   no,             no, no, no, no]),
            (Event::Stored(other_check),     [no,               Some(Checking),  Some(Checking),  no,             no, no, no, no]),
            (Event::Stored(other_body),      [no,               Some(Receiving), Some(Receiving), no,             no, no, no, no]),
            (Event::Stored(full),            [no,               Some(Completed), Some(Completed), no,             no, no, no, no]),
            (Event::Done(idle),              [no,               no,              no,              no,             no, no, no, no]),
            (Event::Done(some),              [Some(Completed),  no,              no,              no,             no, no, no, no]),
            (Event::LinkExpired(idle),       [Some(Expired),    no,              no,              no,             no, no, no, no]),
            (Event::LinkExpired(some),       [Some(Completed),  no,              no,              no,             no, no, no, no]),
            (Event::Declined,                [Some(Declined),   Some(Declined),  Some(Declined),  no,             no, no, no, no]),
            (Event::Cancelled,               [Some(Cancelled),  Some(Cancelled), Some(Cancelled), no,             no, no, no, no]),
            (Event::Attached,                [no,               no,              no,              Some(Consumed), no, no, no, no]),
            (Event::MediaGone,               [no,               no,              no,              Some(Expired),  no, no, no, no]),
        ];
        for (event, row) in table {
            for (from, want) in State::ALL.into_iter().zip(row) {
                assert_eq!(from.after(event).ok(), want, "{from:?} meets {event:?}");
            }
        }
    }

    #[test]
    fn a_word_names_its_state() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.as_str()), Some(state));
        }
        assert_eq!(State::from_word("open"), None);
    }
}
