//! How much anybody may do in a minute: uploads and wrong links by address, tool calls by caller, links
//! by workspace. Each process counts for itself.

mod buckets;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use self::buckets::{Buckets, MOST, Whom};
use super::Service;
use crate::{
    clock::Clock,
    config::Settings,
    domain::{
        budget::{Counted, Standing},
        caller::Caller,
        ids::PrincipalId,
        session::UploadSession,
    },
    error::{Error, Result},
};

/// Every limit. What one is flooded with takes no place from another.
#[derive(Debug)]
pub(super) struct Rates {
    uploads: RateLimit,
    declared: RateLimit,
    pub(super) links: RateLimit,
    wrong_links: RateLimit,
    wrong_keys: RateLimit,
    pub(super) codes: RateLimit,
    pub(super) clients: RateLimit,
    tool_calls: RateLimit,
    pub(super) sent: RateLimit,
}

/// Files that a caller may send with its key in a minute.
const SENT_PER_MINUTE: u32 = 60;
/// Clients that one address may register, or have looked up, in a minute.
const CLIENTS_PER_MINUTE: u32 = 20;

impl Rates {
    pub(super) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let limit = |of, per_minute| RateLimit::new(of, per_minute, Arc::clone(clock));
        let wrong = settings.rate_limit_wrong_per_minute;
        Self {
            uploads: limit(Counted::Uploads, settings.rate_limit_uploads_per_minute),
            declared: limit(Counted::Sent, settings.rate_limit_uploads_per_minute),
            links: limit(Counted::Links, settings.rate_limit_links_per_minute),
            wrong_links: limit(Counted::WrongLinks, wrong),
            wrong_keys: limit(Counted::WrongKeys, wrong),
            codes: limit(Counted::Codes, wrong),
            // Whoever lifts the limit on what is wrong lifts this one.
            clients: limit(Counted::Clients, CLIENTS_PER_MINUTE * wrong.min(1)),
            tool_calls: limit(
                Counted::ToolCalls,
                settings.rate_limit_tool_calls_per_minute,
            ),
            // Whoever lifts the limit on uploads lifts this one.
            sent: limit(
                Counted::Sent,
                SENT_PER_MINUTE * settings.rate_limit_uploads_per_minute.min(1),
            ),
        }
    }

    /// The budget that a file is charged to.
    pub(super) fn of(&self, payer: Payer) -> (&RateLimit, Whom) {
        match payer {
            Payer::Address(address) => (&self.uploads, address.into()),
            Payer::Program(principal) => (&self.declared, principal.into()),
        }
    }
}

/// A bucket of tokens for each. The libraries' limiters charge whoever asks, and go through all that
/// they remember to forget some; this one can be asked for nothing, because claims are what counts,
/// not requests, and costs the same under a flood.
#[derive(Debug)]
pub(super) struct RateLimit {
    of: Counted,
    clock: Arc<dyn Clock>,
    /// `None`: no limit.
    buckets: Option<Mutex<Buckets>>,
}

impl RateLimit {
    /// `per_minute` 0: no limit.
    fn new(of: Counted, per_minute: u32, clock: Arc<dyn Clock>) -> Self {
        let buckets = (per_minute > 0).then(|| Mutex::new(Buckets::new(per_minute, MOST)));
        Self { of, clock, buckets }
    }

    /// Charges somebody for one.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if there is none left, with when there is again.
    pub(super) fn charge(&self, whom: impl Into<Whom>) -> Result<()> {
        let taken = self
            .lock()
            .map(|mut all| all.take(whom.into(), self.clock.now()));
        match taken {
            Some(Err(standing)) => Err(self.refusal(standing)),
            _ => Ok(()),
        }
    }

    /// What [`Self::charge`] would say, without charging.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(super) fn check(&self, whom: impl Into<Whom>) -> Result<()> {
        match self.standing(whom) {
            Some(standing) if standing.left == 0 => Err(self.refusal(standing)),
            _ => Ok(()),
        }
    }

    /// How somebody's budget stands; `None` where there is no limit.
    pub(super) fn standing(&self, whom: impl Into<Whom>) -> Option<Standing> {
        let buckets = self.lock()?;
        Some(buckets.look(whom.into(), self.clock.now()))
    }

    fn refusal(&self, standing: Standing) -> Error {
        Error::RateLimited {
            of: self.of,
            standing,
        }
    }

    fn lock(&self) -> Option<MutexGuard<'_, Buckets>> {
        let buckets = self.buckets.as_ref()?;
        Some(buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Who is charged for a file of a session.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payer {
    /// Whoever sends it.
    Address(IpAddr),
    /// The program that declared what it will send.
    Program(PrincipalId),
}

impl Payer {
    pub(super) fn of(session: &UploadSession, from: IpAddr) -> Self {
        let program = session.spec.as_ref().and(session.created_by);
        program.map_or(Self::Address(from), Self::Program)
    }
}

impl Service {
    /// How many uploads whoever sends to this link from this address may still begin; `None` where there
    /// is no limit.
    #[must_use]
    pub fn uploads_left(&self, session: &UploadSession, from: IpAddr) -> Option<Standing> {
        let (limit, whom) = self.rates.of(Payer::of(session, from));
        limit.standing(whom)
    }

    /// What an address is told whose link opens nothing. Links that open something do not get here,
    /// so that nobody can lock them out.
    #[must_use]
    pub fn wrong_link(&self, from: IpAddr, why: Error) -> Error {
        self.rates.wrong_links.charge(from).err().unwrap_or(why)
    }

    /// What an address is told whose key opens nothing; the same goes for keys. Faults of ours do not
    /// count.
    #[must_use]
    pub fn wrong_key(&self, from: IpAddr, why: Error) -> Error {
        match why {
            Error::Unauthenticated(_) => {
                let refusal = self.rates.wrong_keys.charge(from).err();
                refusal.unwrap_or(why)
            }
            other => other,
        }
    }

    /// Charges a caller for a tool call.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn charge_call(&self, caller: &Caller) -> Result<()> {
        self.rates.tool_calls.charge(caller.principal.id)
    }
}
