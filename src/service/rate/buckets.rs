//! Buckets of tokens for any number of callers, in bounded memory and constant time.
//!
//! A bucket is the instant at which it is full again; that one number says how many tokens it has. One
//! that was left alone for a minute is full, and so the same as none: buckets are kept in two
//! generations of a minute each, and the elder is forgotten as a whole.
//!
//! Who comes when all places are taken shares the bucket of a crowd, that of a wider network, until a
//! place is free. So a flood from many addresses pushes nobody out, lets nobody off, and is in the way
//! of its neighbours alone.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};

use jiff::Timestamp;

use crate::domain::{
    budget::Standing,
    ids::{PrincipalId, WorkspaceId},
};

/// Most buckets for one each: some 7 MB.
pub(super) const MOST: usize = 100_000;
/// Buckets for crowds: half a megabyte, of which a page is touched when it is used.
const CROWDS: usize = 1 << 16;
/// How many times what one may do a crowd may.
const CROWD: u32 = 10;

/// A minute, in nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// Whom a bucket is for.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Whom {
    own: u128,
    crowd: u128,
}

impl From<IpAddr> for Whom {
    /// One person holds an IPv4 address, or a /64 of IPv6; their provider a /16, or a /32.
    fn from(address: IpAddr) -> Self {
        let (own, rest) = match address.to_canonical() {
            IpAddr::V4(v4) => (u128::from(v4.to_ipv6_mapped()), 16),
            IpAddr::V6(v6) => (u128::from(v6) >> 64 << 64, 96),
        };
        let crowd = own >> rest;
        Self { own, crowd }
    }
}

impl From<WorkspaceId> for Whom {
    fn from(id: WorkspaceId) -> Self {
        Self::id(id.0.as_u128())
    }
}

impl From<PrincipalId> for Whom {
    fn from(id: PrincipalId) -> Self {
        Self::id(u128::from_be_bytes(id.to_bytes()))
    }
}

impl Whom {
    /// Ids have no neighbours.
    fn id(own: u128) -> Self {
        Self { own, crowd: own }
    }
}

/// All buckets of one kind.
#[derive(Debug)]
pub(super) struct Buckets {
    per_minute: u32,
    /// Those used in this minute, and those used in the one before and not since.
    recent: HashMap<u128, u64>,
    before: HashMap<u128, u64>,
    /// When this minute began.
    began: u64,
    most: usize,
    crowds: Vec<u64>,
    hasher: RandomState,
}

impl Buckets {
    /// Buckets of `per_minute` tokens, for `most` at the same time.
    pub(super) fn new(per_minute: u32, most: usize) -> Self {
        Self {
            per_minute,
            recent: HashMap::new(),
            before: HashMap::new(),
            began: 0,
            most,
            crowds: vec![0; CROWDS],
            hasher: RandomState::new(),
        }
    }

    /// Takes a token, if there is one; gives how the bucket then stands.
    ///
    /// # Errors
    /// How it stands without any.
    pub(super) fn take(&mut self, whom: Whom, now: Timestamp) -> Result<Standing, Standing> {
        let now = nanoseconds(now);
        self.turn(now);
        let bucket = self.find(whom, now);
        if bucket.standing().left == 0 {
            return Err(bucket.standing());
        }
        let full_in = bucket.full_in + bucket.each();
        let taken = Bucket { full_in, ..bucket };
        self.put(whom, taken, now);
        Ok(taken.standing())
    }

    /// How somebody's bucket stands.
    pub(super) fn look(&self, whom: Whom, now: Timestamp) -> Standing {
        self.find(whom, nanoseconds(now)).standing()
    }

    /// Begins a new minute where one is over. What is forgotten was left alone for a minute.
    fn turn(&mut self, now: u64) {
        if now.abs_diff(self.began) >= MINUTE {
            self.before = std::mem::take(&mut self.recent);
            self.began = now;
        }
    }

    fn find(&self, whom: Whom, now: u64) -> Bucket {
        let own = self.recent.get(&whom.own);
        let own = own.or_else(|| self.before.get(&whom.own)).copied();
        let has_room = self.recent.len() + self.before.len() < self.most;
        let (full_at, crowd) = match own {
            Some(full_at) => (full_at, 1),
            None if has_room => (0, 1),
            None => (self.crowds[self.crowd(whom)], CROWD),
        };
        Bucket::new(self.per_minute, crowd, full_at.saturating_sub(now))
    }

    fn put(&mut self, whom: Whom, bucket: Bucket, now: u64) {
        let full_at = now + bucket.full_in;
        if bucket.is_crowds {
            let crowd = self.crowd(whom);
            self.crowds[crowd] = full_at;
        } else {
            self.before.remove(&whom.own);
            self.recent.insert(whom.own, full_at);
        }
    }

    /// Where a crowd's bucket is; nobody outside can tell who shares one by chance.
    fn crowd(&self, whom: Whom) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let hash = self.hasher.hash_one(whom.crowd) as usize;
        hash % CROWDS
    }
}

/// One bucket, at one instant.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    limit: u32,
    is_crowds: bool,
    /// In how many nanoseconds it is full.
    full_in: u64,
}

impl Bucket {
    fn new(per_minute: u32, times: u32, full_in: u64) -> Self {
        let mut bucket = Self {
            limit: per_minute.saturating_mul(times),
            is_crowds: times > 1,
            full_in,
        };
        // No more than empty, even where somebody has set the clock back.
        bucket.full_in = full_in.min(bucket.each() * u64::from(bucket.limit));
        bucket
    }

    /// In how many nanoseconds a token comes back.
    fn each(self) -> u64 {
        MINUTE / u64::from(self.limit)
    }

    fn standing(self) -> Standing {
        let gone = self.full_in.div_ceil(self.each());
        let next_in = self.full_in - gone.saturating_sub(1) * self.each();
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Standing {
            limit: self.limit,
            left: self.limit.saturating_sub(number(gone)),
            next_in: number(next_in.div_ceil(1_000_000_000)),
        }
    }
}

fn nanoseconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_nanosecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const NONE_LEFT: Result<Standing, Standing> = Err(Standing {
        limit: 10,
        left: 0,
        next_in: 6,
    });

    fn at(seconds: i64) -> Timestamp {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        start + SignedDuration::from_secs(seconds)
    }

    fn address(n: u32) -> Whom {
        IpAddr::from(n.to_be_bytes()).into()
    }

    fn whom(text: &str) -> Whom {
        text.parse::<IpAddr>().unwrap().into()
    }

    /// Takes what there is; gives how many that were.
    fn drain(buckets: &mut Buckets, whom: Whom, now: Timestamp) -> usize {
        (0..1_000_000)
            .take_while(|_| buckets.take(whom, now).is_ok())
            .count()
    }

    #[test]
    fn the_eleventh_of_a_minute_waits_six_seconds() {
        let mut buckets = Buckets::new(10, MOST);
        assert_eq!(drain(&mut buckets, address(1), at(0)), 10);
        assert_eq!(buckets.take(address(1), at(0)), NONE_LEFT);
        assert_eq!(buckets.look(address(1), at(5)).next_in, 1);
        assert_eq!(drain(&mut buckets, address(1), at(6)), 1);
        assert_eq!(drain(&mut buckets, address(1), at(3600)), 10);
        assert_eq!(drain(&mut buckets, address(2), at(3600)), 10);
    }

    #[test]
    fn what_is_left_and_when_more_comes_is_told() {
        let mut buckets = Buckets::new(10, MOST);
        let standing = |left, next_in| Standing {
            limit: 10,
            left,
            next_in,
        };
        assert_eq!(buckets.look(address(1), at(0)), standing(10, 0));
        assert_eq!(buckets.take(address(1), at(0)), Ok(standing(9, 6)));
        assert_eq!(buckets.take(address(1), at(2)), Ok(standing(8, 4)));
        assert_eq!(buckets.look(address(1), at(12)), standing(10, 0));
    }

    #[test]
    fn any_limit_is_kept_to() {
        for limit in [1, 7, 600, 60_000] {
            let mut buckets = Buckets::new(limit, MOST);
            let taken = drain(&mut buckets, address(1), at(0));
            assert_eq!(taken, limit as usize);
            assert_eq!(drain(&mut buckets, address(1), at(60)), taken);
        }
        let mut buckets = Buckets::new(u32::MAX, MOST);
        assert!(buckets.take(address(1), at(0)).is_ok());
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket() {
        let own = |text| whom(text).own;
        assert_eq!(own("2001:db8::1"), own("2001:db8::ffff"));
        assert_ne!(own("2001:db8::1"), own("2001:db8:0:1::1"));
        assert_eq!(own("::ffff:10.0.0.1"), own("10.0.0.1"));
        assert_ne!(own("10.0.0.1"), own("10.0.0.2"));
        let crowd = |text| whom(text).crowd;
        assert_eq!(crowd("2001:db8::1"), crowd("2001:db8:ffff::1"));
        assert_ne!(crowd("2001:db8::1"), crowd("2001:db9::1"));
        assert_eq!(crowd("10.0.0.1"), crowd("10.0.255.1"));
        assert_ne!(crowd("10.0.0.1"), crowd("10.1.0.1"));
    }

    #[test]
    fn a_bucket_outlives_the_minute_that_it_was_used_in() {
        let mut buckets = Buckets::new(10, MOST);
        buckets.take(address(2), at(0)).unwrap();
        assert_eq!(drain(&mut buckets, address(1), at(59)), 10);
        buckets.take(address(2), at(60)).unwrap();
        assert_eq!(drain(&mut buckets, address(1), at(61)), 0);
        assert_eq!(drain(&mut buckets, address(1), at(65)), 1);
        buckets.take(address(2), at(120)).unwrap();
        assert_eq!(drain(&mut buckets, address(1), at(120)), 9);
    }

    #[test]
    fn who_is_at_rest_is_forgotten() {
        let mut buckets = Buckets::new(10, MOST);
        for n in 0..1000 {
            buckets.take(address(n), at(0)).unwrap();
        }
        for minute in 1..=2 {
            buckets.take(address(0), at(60 * minute)).unwrap();
        }
        assert_eq!((buckets.recent.len(), buckets.before.len()), (1, 0));
    }

    #[test]
    fn a_flood_of_addresses_locks_nobody_out_and_lets_nobody_off() {
        let mut buckets = Buckets::new(10, MOST);
        let (quiet, greedy) = (whom("192.0.2.1"), whom("192.0.2.2"));
        buckets.take(quiet, at(0)).unwrap();
        assert_eq!(drain(&mut buckets, greedy, at(0)), 10);
        let flood = |n| address(0x0a00_0000 + n);
        for seconds in [0, 30, 61] {
            for n in 0..3 * u32::try_from(MOST).unwrap() {
                let _ = buckets.take(flood(n), at(seconds));
            }
        }
        let kept = buckets.recent.capacity() + buckets.before.capacity();
        assert!(kept <= 3 * MOST, "{kept}");
        assert_eq!(
            buckets.look(quiet, at(0)).left,
            9,
            "who was under the limit"
        );
        assert_eq!(buckets.look(greedy, at(0)).left, 0, "who was over it");
        let newcomer = whom("198.51.100.7");
        assert!(drain(&mut buckets, newcomer, at(61)) >= 10, "a newcomer");
        let last = flood(3 * u32::try_from(MOST).unwrap());
        assert_eq!(
            drain(&mut buckets, last, at(61)),
            0,
            "one more of the flood"
        );
        assert_eq!(drain(&mut buckets, last, at(600)), 10, "when it is over");
    }

    #[test]
    fn a_flood_from_one_provider_shares_what_a_crowd_may() {
        let mut buckets = Buckets::new(10, 100);
        let mut taken = 0;
        for n in 0..10_000_u128 {
            let bits = 0x2001_0db8_u128 << 96 | n << 64;
            let one = Whom::from(IpAddr::from(bits.to_be_bytes()));
            taken += drain(&mut buckets, one, at(0));
        }
        assert_eq!(taken, 100 * 10 + 10 * 10);
        assert_eq!(drain(&mut buckets, whom("2001:db9::1"), at(0)), 100);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_waiting_longer_than_a_minute() {
        let mut buckets = Buckets::new(10, MOST);
        assert_eq!(drain(&mut buckets, address(1), at(3600)), 10);
        assert_eq!(buckets.take(address(1), at(0)), NONE_LEFT);
        assert_eq!(buckets.look(address(1), at(0)).left, 0);
    }
}
