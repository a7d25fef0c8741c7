//! How many uploads one address may begin in a minute.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::{
    clock::Clock,
    error::{Error, Result},
};

/// Most addresses that are remembered before those at rest are forgotten.
const REMEMBERED: usize = 10_000;

/// A bucket of tokens an address: as many as the limit, filled again over a minute. Unlike
/// the libraries' limiters it can be asked without being charged: claims are what counts, not
/// requests.
#[derive(Debug)]
pub(super) struct RateLimit {
    per_minute: u32,
    clock: Arc<dyn Clock>,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl RateLimit {
    /// `per_minute` 0: no limit.
    pub(super) fn new(per_minute: u32, clock: Arc<dyn Clock>) -> Self {
        Self {
            per_minute,
            clock,
            buckets: Mutex::default(),
        }
    }

    /// Charges this address for one claim.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if it has none left, with when it has again.
    pub(super) fn charge(&self, address: IpAddr) -> Result<()> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let mut buckets = self.lock();
        if buckets.len() >= REMEMBERED {
            let full = f64::from(self.per_minute);
            buckets.retain(|_, bucket| self.filled(Some(*bucket)) < full);
        }
        let tokens = self.left(&buckets, address)?;
        self.set(&mut buckets, address, tokens - 1.0);
        Ok(())
    }

    /// What [`Self::charge`] would say, without charging.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(super) fn check(&self, address: IpAddr) -> Result<()> {
        if self.per_minute == 0 {
            return Ok(());
        }
        self.left(&self.lock(), address).map(drop)
    }

    fn left(&self, buckets: &HashMap<IpAddr, Bucket>, address: IpAddr) -> Result<f64> {
        let tokens = self.filled(buckets.get(&network(address)).copied());
        if tokens >= 1.0 {
            return Ok(tokens);
        }
        let seconds = (1.0 - tokens) * 60.0 / f64::from(self.per_minute);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 60"
        )]
        let retry_after = seconds.ceil() as u32;
        Err(Error::RateLimited { retry_after })
    }

    fn set(&self, buckets: &mut HashMap<IpAddr, Bucket>, address: IpAddr, tokens: f64) {
        let at = self.clock.now();
        buckets.insert(network(address), Bucket { tokens, at });
    }

    fn filled(&self, bucket: Option<Bucket>) -> f64 {
        let full = f64::from(self.per_minute);
        let Some(bucket) = bucket else {
            return full;
        };
        let rest = self.clock.now().duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + rest.max(0.0) * full / 60.0).min(full)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one person holds: an IPv4 address, or a /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[derive(Debug)]
    struct TestClock(Mutex<Timestamp>);

    impl Clock for TestClock {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    #[test]
    fn the_eleventh_claim_of_a_minute_waits_six_seconds() {
        let clock = Arc::new(TestClock(Mutex::new(
            "2026-01-01T00:00:00Z".parse().unwrap(),
        )));
        let limit = RateLimit::new(10, clock.clone());
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        for _ in 0..10 {
            limit.charge(one).unwrap();
        }
        assert_eq!(limit.charge(one).unwrap_err().retry_after(), Some(6));
        assert!(limit.charge(other).is_ok());
        *clock.0.lock().unwrap() += SignedDuration::from_secs(6);
        assert!(limit.charge(one).is_ok());
        assert!(limit.charge(one).is_err());
        assert!(limit.check(one).is_err());
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }

    #[test]
    fn addresses_at_rest_are_forgotten() {
        let clock = Arc::new(TestClock(Mutex::new(
            "2026-01-01T00:00:00Z".parse().unwrap(),
        )));
        let limit = RateLimit::new(10, clock.clone());
        for n in 0..REMEMBERED {
            let n = u32::try_from(n).unwrap();
            limit.charge(IpAddr::from(n.to_be_bytes())).unwrap();
        }
        *clock.0.lock().unwrap() += SignedDuration::from_mins(2);
        limit.charge(IpAddr::from([127, 0, 0, 1])).unwrap();
        assert_eq!(limit.lock().len(), 1);
    }
}
