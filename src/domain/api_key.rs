//! API keys: what a program shows to act for a principal.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    capability::Capabilities,
    ids::{self, ApiKeyId},
    principal::Principal,
    workspace::Workspace,
};

/// What every key begins with, so that people and scanners of secrets know what it is.
const MARK: &str = "askfile_";
/// How many characters of a key are kept to recognise it by, after the mark.
const RECOGNISED: usize = 6;

/// A key as everybody but its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name for programs. Not the secret.
    pub id: ApiKeyId,
    /// Its name for people.
    pub name: String,
    /// Whom its owner acts as.
    pub principal: Principal,
    /// Where it may be used.
    pub workspaces: Vec<Workspace>,
    /// What it may do there.
    pub capabilities: Capabilities,
    /// How its secret begins; that of the newest, while two overlap.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it still opens anything at this time.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// What its owner keeps: shown once, and kept here by its hash alone.
#[derive(Clone)]
pub struct Secret(String);

/// The SHA-256 of a [`Secret`]. With 256 random bits in it, nothing slower is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl Secret {
    /// A new one: 256 bits from the operating system's random number generator.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "the length is within HKDF's bounds"
    )]
    pub fn random() -> Self {
        let mut bits = [0; 32];
        Hkdf::<Sha256>::new(None, &ids::random_bits())
            .expand(b"askfile-api-key", &mut bits)
            .expect("32 bytes are within HKDF's bounds");
        Self(format!("{MARK}{}", BASE64_URL_SAFE_NO_PAD.encode(bits)))
    }

    /// As it came from somebody.
    #[must_use]
    pub fn given(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// In full, to be shown to its owner once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its beginning, to recognise it by.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.0.chars().take(MARK.len() + RECOGNISED).collect()
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(&self.0).into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_random_and_says_what_it_is() {
        let (one, other) = (Secret::random(), Secret::random());
        assert_eq!(one.reveal().len(), MARK.len() + 43);
        assert_ne!(one.reveal(), other.reveal());
        assert!(one.reveal().starts_with(&one.prefix()));
        assert_eq!(one.prefix().len(), MARK.len() + RECOGNISED);
        assert_eq!(one.hash(), Secret::given(one.reveal()).hash());
        assert!(!format!("{one:?}").contains(&one.prefix()));
    }
}
