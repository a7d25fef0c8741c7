//! How much anybody follows at one time.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use super::Service;
use crate::{
    domain::{caller::Caller, ids::PrincipalId},
    error::{Error, Result},
};

/// Most that one caller follows, over all that it subscribed to and listens by.
const MOST: usize = 1_024;

/// Who has places: a principal, or where nobody is asked for a key an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Principal(PrincipalId),
    Address(IpAddr),
}

/// How many places each has taken.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<Holder, usize>>);

impl Places {
    fn take(&self, holder: Holder) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.entry(holder).or_default();
        let is_free = *taken < MOST;
        *taken += usize::from(is_free);
        is_free
    }

    fn give_back(&self, holder: Holder) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = all.get_mut(&holder) {
            *taken -= 1;
            if *taken == 0 {
                all.remove(&holder);
            }
        }
    }
}

/// A place among those who follow; it is given back by being dropped.
#[derive(Debug)]
pub struct Place {
    service: Service,
    holder: Holder,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.service.places.give_back(self.holder);
    }
}

impl Service {
    /// A place among those who follow, for who comes from this address.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the caller has as many as anybody may.
    pub fn place_to_follow(&self, caller: &Caller, from: Option<IpAddr>) -> Result<Place> {
        let holder = match (caller.credential, from) {
            (None, Some(address)) => Holder::Address(address),
            _ => Holder::Principal(caller.principal.id),
        };
        if !self.places.take(holder) {
            return Err(Error::InvalidArgument(format!(
                "At most {MOST} resources can be followed at one time, in all sessions and by all that \
                 listen: unsubscribe, or listen no longer, first."
            )));
        }
        Ok(Place {
            service: self.clone(),
            holder,
        })
    }
}
