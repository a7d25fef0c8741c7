//! The names of things. Beside [`crate::link`], the only place that draws random numbers.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;
use uuid::Uuid;

/// The text is not an id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct BadId(&'static str);

/// An id of 128 bits, written as a prefix and a ULID.
macro_rules! prefixed_ulid {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// A new one; those made later sort after those made earlier, to the millisecond.
            #[must_use]
            pub fn new(now: Timestamp) -> Self {
                Self(ulid_at(now))
            }

            /// As stored in a database key.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }

            /// What [`Self::to_bytes`] gave.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Ulid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                // One thing has one spelling, and what is too large for an id is none.
                let is_plain = |ulid: &str, read: &Ulid| read.to_string() == ulid;
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|ulid| Ulid::from_string(ulid).ok().filter(|read| is_plain(ulid, read)))
                    .map(Self)
                    .ok_or(BadId(concat!($prefix, "_ and a ULID")))
            }
        }
    };
}

prefixed_ulid!(
    /// Names one upload session, for everybody. Not a secret: knowing it opens nothing.
    UploadId,
    "upl"
);
prefixed_ulid!(
    /// Names one attachment of a media to a target.
    AttachmentId,
    "att"
);

prefixed_ulid!(
    /// Names one principal: somebody or something that acts.
    PrincipalId,
    "prof"
);
prefixed_ulid!(
    /// Names one API key. Not the secret.
    ApiKeyId,
    "apikey"
);

prefixed_ulid!(
    /// Names one webhook, the same at every try to deliver it.
    WebhookId,
    "msg"
);

prefixed_ulid!(
    /// Names one installation.
    AccountId,
    "acct"
);

/// An id that is a UUID.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            /// Takes the hyphenated form only, so that one thing has one spelling.
            fn from_str(text: &str) -> Result<Self, BadId> {
                Uuid::try_parse(text)
                    .ok()
                    .filter(|_| text.len() == 36)
                    .map(Self)
                    .ok_or(BadId("a UUID"))
            }
        }
    };
}

uuid_id!(
    /// Names one stored file. UUID v7: sorts by time.
    MediaId
);
uuid_id!(
    /// Names one workspace. UUID v4.
    WorkspaceId
);
uuid_id!(
    /// Names one claim on a slot; also the name of the file that its bytes are staged in. UUID v4.
    ClaimId
);
uuid_id!(
    /// One attempt of a page to send one file, named by the page: its retry is the same attempt.
    AttemptId
);

impl MediaId {
    /// A new one.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the clock is never before 1970")]
    pub fn new(now: Timestamp) -> Self {
        let seconds = u64::try_from(now.as_second()).expect("after 1970");
        let nanos = now.subsec_nanosecond().unsigned_abs();
        Self(Uuid::new_v7(uuid::Timestamp::from_unix_time(
            seconds, nanos, 0, 0,
        )))
    }
}

/// How much earlier than a file was stored its name may have been made: with the claim, which lives
/// for two hours at most.
pub const OLDEST_BEFORE_STORED: SignedDuration = SignedDuration::from_hours(3);

impl MediaId {
    /// Not above any that is made from then on.
    #[must_use]
    pub fn first_at(instant: Timestamp) -> Self {
        let milliseconds = u128::try_from(instant.as_millisecond()).unwrap_or(0);
        Self(Uuid::from_u128(milliseconds << 80))
    }
}

impl WorkspaceId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(random_uuid())
    }
}

impl ClaimId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(random_uuid())
    }
}

/// A new handle's value: the prefix of its purpose, and a ULID.
#[must_use]
pub fn new_handle(prefix: &str, now: Timestamp) -> String {
    format!("{prefix}_{}", ulid_at(now))
}

/// `count` characters of `a-z0-9`, for names that people read.
#[must_use]
pub fn random_letters(count: usize) -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut bits = random_uuid().as_u128();
    let mut letters = String::with_capacity(count);
    for _ in 0..count {
        letters.push(char::from(LETTERS[(bits % 36) as usize]));
        bits /= 36;
    }
    letters
}

/// Random bits for a secret, more than 256 of them: a UUID v4 fixes 6 of its 128.
pub(crate) fn random_bits() -> [u8; 48] {
    let mut bits = [0; 48];
    for part in bits.chunks_exact_mut(16) {
        part.copy_from_slice(random_uuid().as_bytes());
    }
    bits
}

/// 122 bits from the operating system's random number generator.
#[expect(clippy::disallowed_methods, reason = "ids are made here")]
pub(crate) fn random_uuid() -> Uuid {
    Uuid::new_v4()
}

fn ulid_at(now: Timestamp) -> Ulid {
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Ulid::from_parts(milliseconds, random_uuid().as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let id = UploadId::new(now);
        assert!(id.to_string().starts_with("upl_01KD"), "{id}");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(UploadId::from_bytes(id.to_bytes()), id);
        let media = MediaId::new(now);
        assert_eq!(media.to_string().parse(), Ok(media));
        assert_eq!(media.0.get_version_num(), 7);
    }

    #[test]
    fn other_spellings_are_refused() {
        let media = MediaId::new("2026-01-01T00:00:00Z".parse().unwrap());
        for text in [
            "",
            "upl_",
            "upl_x",
            "att_01KDVDNA000000000000000000",
            "01KDVDNA000000000000000000",
        ] {
            assert!(text.parse::<UploadId>().is_err(), "{text}");
        }
        assert!(media.0.as_simple().to_string().parse::<MediaId>().is_err());
        assert!(media.0.as_braced().to_string().parse::<MediaId>().is_err());
    }

    #[test]
    fn two_ids_of_the_same_millisecond_differ() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_ne!(UploadId::new(now), UploadId::new(now));
        assert_ne!(MediaId::new(now), MediaId::new(now));
        assert_ne!(new_handle("ps", now), new_handle("ps", now));
    }
}
