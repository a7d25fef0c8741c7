//! How much of everything a workspace may use.

/// Most that a workspace may use; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Bytes of its stored files.
    pub stored_bytes: Option<u64>,
    /// Bytes of files that are on their way to it at one time.
    pub in_flight_bytes: Option<u64>,
    /// Links that are open at one time.
    pub open_links: Option<u64>,
}

/// The quotas that a workspace has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnQuota {
    /// Bytes of its stored files.
    pub stored_bytes: OwnLimit,
    /// Bytes of files that are on their way to it at one time.
    pub in_flight_bytes: OwnLimit,
    /// Links that are open at one time.
    pub open_links: OwnLimit,
}

/// A limit of a workspace's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnLimit {
    /// It has none of its own: the settings' is in force.
    #[default]
    Default,
    /// No limit, whatever the settings say.
    Unlimited,
    /// This one, whatever the settings say.
    At(u64),
}

/// What of a workspace's own quotas is to be another; `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaChange {
    /// Bytes of its stored files.
    pub stored_bytes: Option<OwnLimit>,
    /// Bytes of files that are on their way to it at one time.
    pub in_flight_bytes: Option<OwnLimit>,
    /// Links that are open at one time.
    pub open_links: Option<OwnLimit>,
}

impl OwnQuota {
    /// What they are after a change.
    #[must_use]
    pub fn after(self, change: QuotaChange) -> Self {
        Self {
            stored_bytes: change.stored_bytes.unwrap_or(self.stored_bytes),
            in_flight_bytes: change.in_flight_bytes.unwrap_or(self.in_flight_bytes),
            open_links: change.open_links.unwrap_or(self.open_links),
        }
    }

    /// What is in force, where the settings say this.
    #[must_use]
    pub fn or(self, default: Quota) -> Quota {
        Quota {
            stored_bytes: self.stored_bytes.or(default.stored_bytes),
            in_flight_bytes: self.in_flight_bytes.or(default.in_flight_bytes),
            open_links: self.open_links.or(default.open_links),
        }
    }
}

impl OwnLimit {
    fn or(self, default: Option<u64>) -> Option<u64> {
        match self {
            Self::Default => default,
            Self::Unlimited => None,
            Self::At(most) => Some(most),
        }
    }
}

/// What a workspace uses now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes of its stored files.
    pub stored_bytes: u64,
    /// Bytes that files on their way to it may turn out to have.
    pub in_flight_bytes: u64,
    /// Links that are open.
    pub open_links: u64,
}

/// What is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedUp {
    /// Room for files.
    Stored,
    /// Room for files on their way.
    InFlight,
    /// Links.
    Links,
}

impl Usage {
    /// What of the quota does not suffice for this much more.
    ///
    /// What is on its way is to be stored, so it counts as that too.
    ///
    /// # Errors
    /// [`UsedUp`].
    pub fn must_fit(self, more: Self, quota: Quota) -> Result<(), UsedUp> {
        let sum = |of: fn(Self) -> u64| of(self).saturating_add(of(more));
        let in_flight = sum(|usage| usage.in_flight_bytes);
        let stored = sum(|usage| usage.stored_bytes).saturating_add(in_flight);
        let links = sum(|usage| usage.open_links);
        let is_over = |sum: u64, most: Option<u64>| most.is_some_and(|most| sum > most);
        // Whoever takes nothing more of something is not refused for it.
        if more.stored_bytes.max(more.in_flight_bytes) > 0 && is_over(stored, quota.stored_bytes) {
            return Err(UsedUp::Stored);
        }
        if more.in_flight_bytes > 0 && is_over(in_flight, quota.in_flight_bytes) {
            return Err(UsedUp::InFlight);
        }
        if more.open_links > 0 && is_over(links, quota.open_links) {
            return Err(UsedUp::Links);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        stored_bytes: Some(100),
        in_flight_bytes: Some(50),
        open_links: Some(2),
    };

    fn more(stored_bytes: u64, in_flight_bytes: u64, open_links: u64) -> Usage {
        Usage {
            stored_bytes,
            in_flight_bytes,
            open_links,
        }
    }

    #[test]
    fn what_fits_exactly_fits() {
        let now = more(60, 0, 1);
        assert_eq!(now.must_fit(more(0, 40, 0), QUOTA), Ok(()));
        assert_eq!(now.must_fit(more(0, 41, 0), QUOTA), Err(UsedUp::Stored));
        assert_eq!(now.must_fit(more(0, 0, 1), QUOTA), Ok(()));
        assert_eq!(now.must_fit(more(0, 0, 2), QUOTA), Err(UsedUp::Links));
        let empty = Usage::default();
        assert_eq!(empty.must_fit(more(0, 51, 0), QUOTA), Err(UsedUp::InFlight));
        assert_eq!(
            empty.must_fit(more(u64::MAX, 9, 9), Quota::default()),
            Ok(())
        );
    }

    #[test]
    fn a_quota_that_was_made_smaller_refuses_only_what_takes_more_of_it() {
        let over = more(200, 0, 9);
        assert_eq!(over.must_fit(more(0, 0, 0), QUOTA), Ok(()));
        assert_eq!(over.must_fit(more(0, 1, 0), QUOTA), Err(UsedUp::Stored));
    }
}
