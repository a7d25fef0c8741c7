//! Requests that may be repeated without being done twice (`Idempotency-Key`).

use jiff::SignedDuration;

use super::Service;
use crate::{
    domain::caller::Caller,
    error::{Error, Result},
    store::requests::{Begun, Fingerprint, Reply, RequestKey},
};

/// How long a key stays taken after its server was heard of last.
const LEASE: SignedDuration = SignedDuration::from_mins(1);
/// Longest key, in characters.
const MOST_KEY: usize = 255;

impl Service {
    /// Takes a key that the caller gave its request.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no key; [`Error::Conflict`] while the same is answered.
    pub async fn begin_request(&self, caller: &Caller, key: &str) -> Result<(RequestKey, Begun)> {
        let is_plain = key.bytes().all(|b| b.is_ascii_graphic());
        if !(1..=MOST_KEY).contains(&key.len()) || !is_plain {
            return Err(Error::InvalidArgument(
                "Idempotency-Key: 1 to 255 visible ASCII characters, such as a UUID.".into(),
            ));
        }
        // Keys of one principal may open different things.
        let key = match caller.actor().api_key() {
            Some(api_key) => format!("{api_key} {key}"),
            None => key.to_owned(),
        };
        let key = RequestKey {
            principal: caller.principal.id,
            key,
        };
        match self.requests.begin(key.clone(), LEASE).await? {
            Begun::Running => Err(Error::Conflict(
                "A request with this Idempotency-Key is still being answered: try again in a few \
                 seconds."
                    .into(),
            )),
            begun => Ok((key, begun)),
        }
    }

    /// The request with this key is still being answered.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn renew_request(&self, key: RequestKey) -> Result<()> {
        Ok(self.requests.renew(key, LEASE).await?)
    }

    /// Keeps an answer.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn finish_request(
        &self,
        key: RequestKey,
        request: Fingerprint,
        reply: Reply,
    ) -> Result<()> {
        Ok(self.requests.finish(key, request, reply).await?)
    }

    /// Nothing was done: the same key may be used again.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn give_back_request(&self, key: RequestKey) -> Result<()> {
        Ok(self.requests.give_back(key).await?)
    }
}
