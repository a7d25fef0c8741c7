//! The signed link: making it, checking it, and the keys for both.

use std::{fmt, str::FromStr};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    domain::ids::{self, WorkspaceId},
    error::{Error, Result},
};

const UPLOAD_CONTEXT: &str = "askfile-upload-v1";

/// The secret, single-use name of an upload session. Never logged: `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub Uuid);

impl Token {
    /// A new one: 122 bits from the operating system's random number generator.
    #[must_use]
    pub fn random() -> Self {
        Self(ids::random_uuid())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

impl FromStr for Token {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Uuid::try_parse(text)
            .ok()
            .filter(|_| text.len() == 36)
            .map(Self)
            .ok_or(Error::NotFound)
    }
}

/// The keys that sign: the first signs, all are accepted, so that a key can be replaced without
/// breaking live links.
#[derive(Clone)]
pub struct KeyRing(Vec<[u8; 32]>);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.0.len())
    }
}

/// The text is no ring of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is 64 hexadecimal digits, one key a line, and there is at least one")]
pub struct BadKeys;

impl KeyRing {
    /// A ring of these keys, each 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`BadKeys`] if there is none, or one is not as it should be.
    pub fn from_hex<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, BadKeys> {
        let keys = keys
            .into_iter()
            .map(|key| hex_decode(key).ok_or(BadKeys))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(BadKeys);
        }
        Ok(Self(keys))
    }

    /// A new key, in the form that [`Self::from_hex`] reads.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "the length is within HKDF's bounds"
    )]
    pub fn new_key_hex() -> String {
        // Extraction spreads the bits that are random over the key.
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, &ids::random_bits())
            .expand(b"askfile-link-key", &mut key)
            .expect("32 bytes are within HKDF's bounds");
        hex(&key)
    }

    /// The ring for one other use, named by a label: knowing it does not help to sign links.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "the length is within HKDF's bounds"
    )]
    pub fn derive(&self, label: &str) -> Self {
        Self(
            self.0
                .iter()
                .map(|key| {
                    let mut derived = [0; 32];
                    Hkdf::<Sha256>::new(None, key)
                        .expand(label.as_bytes(), &mut derived)
                        .expect("32 bytes are within HKDF's bounds");
                    derived
                })
                .collect(),
        )
    }

    /// The signature of a message, in lower-case hexadecimal.
    #[must_use]
    pub fn sign(&self, message: &str) -> String {
        hex(&mac(&self.0[0], message))
    }

    /// Whether one of the keys signed this message; takes the same time for every wrong signature.
    #[must_use]
    pub fn verify(&self, message: &str, signature: &str) -> bool {
        let Some(signature) = hex_decode(signature) else {
            return false;
        };
        self.0
            .iter()
            .map(|key| mac(key, message).ct_eq(&signature))
            .fold(subtle::Choice::from(0), |any, this| any | this)
            .into()
    }
}

fn mac(key: &[u8; 32], message: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The query of a link: exactly these parameters, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkQuery {
    /// The workspace, as its UUID.
    pub workspace_id: String,
    /// Unix seconds.
    pub expires: String,
    /// Lower-case hexadecimal.
    pub signature: String,
}

impl LinkQuery {
    /// The query that was signed for this session.
    #[must_use]
    pub fn signed(
        keys: &KeyRing,
        token: Token,
        workspace: WorkspaceId,
        expires_at: Timestamp,
    ) -> Self {
        let (workspace_id, expires) = (workspace.to_string(), expires_at.as_second().to_string());
        let signature = keys.sign(&message(&token.to_string(), &workspace_id, &expires));
        Self {
            workspace_id,
            expires,
            signature,
        }
    }

    /// Reads a query. What a link does not have is ignored for reading and refused for writing:
    /// chat apps append parameters of their own to links that people open.
    ///
    /// # Errors
    /// [`Error::LinkInvalid`] if a parameter is missing, repeated or (`strict`) unknown.
    pub fn parse(query: Option<&str>, strict: bool) -> Result<Self> {
        let mut found: [Option<&str>; 3] = [None; 3];
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match name {
                "workspace_id" => &mut found[0],
                "expires" => &mut found[1],
                "signature" => &mut found[2],
                _ if strict => return Err(Error::LinkInvalid),
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(Error::LinkInvalid);
            }
        }
        match found {
            [Some(workspace_id), Some(expires), Some(signature)] => Ok(Self {
                workspace_id: workspace_id.into(),
                expires: expires.into(),
                signature: signature.into(),
            }),
            _ => Err(Error::LinkInvalid),
        }
    }

    /// Checks the signature over the token as it stands in the path.
    ///
    /// # Errors
    /// [`Error::LinkInvalid`] unless one of the keys signed exactly this.
    pub fn check(&self, keys: &KeyRing, token_in_path: &str) -> Result<()> {
        let message = message(token_in_path, &self.workspace_id, &self.expires);
        let lower_case = !self.signature.bytes().any(|b| b.is_ascii_uppercase());
        if lower_case && keys.verify(&message, &self.signature) {
            Ok(())
        } else {
            Err(Error::LinkInvalid)
        }
    }
}

impl fmt::Display for LinkQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "workspace_id={}&expires={}&signature={}",
            self.workspace_id, self.expires, self.signature
        )
    }
}

/// What is signed: the path as the router sees it, so that a proxy may add a prefix, and the
/// parameters, sorted.
fn message(token: &str, workspace_id: &str, expires: &str) -> String {
    format!("{UPLOAD_CONTEXT}\n/uploads/{token}\nexpires={expires}&workspace_id={workspace_id}")
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn hex_decode(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &[&str]) -> KeyRing {
        KeyRing::from_hex(keys.iter().copied()).unwrap()
    }

    fn link(keys: &KeyRing) -> (String, LinkQuery) {
        let token: Token = "11111111-2222-4333-8444-555555555555".parse().unwrap();
        let workspace = "99999999-2222-4333-8444-555555555555".parse().unwrap();
        let expires_at = "2026-01-01T00:15:00Z".parse().unwrap();
        let query = LinkQuery::signed(keys, token, workspace, expires_at);
        (token.to_string(), query)
    }

    #[test]
    fn a_link_that_was_changed_anywhere_is_refused() {
        let keys = ring(&[&"ab".repeat(32)]);
        let (token, query) = link(&keys);
        assert!(query.check(&keys, &token).is_ok());

        let other_token = token.replace('1', "2");
        assert!(query.check(&keys, &other_token).is_err());
        let changes: [fn(&mut LinkQuery); 6] = [
            |q| q.workspace_id = q.workspace_id.replace('9', "8"),
            |q| q.expires = "1767226501".into(),
            |q| q.signature = q.signature.to_uppercase(),
            |q| q.signature.replace_range(..1, "+"),
            |q| q.signature.truncate(63),
            |q| q.signature = "0".repeat(64),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut other = query.clone();
            change(&mut other);
            assert!(other.check(&keys, &token).is_err(), "change {n}");
        }
    }

    #[test]
    fn a_replaced_key_still_opens_the_links_that_it_signed() {
        let (old, new) = ("ab".repeat(32), "cd".repeat(32));
        let (token, query) = link(&ring(&[&old]));
        assert!(query.check(&ring(&[&new, &old]), &token).is_ok());
        assert!(query.check(&ring(&[&new]), &token).is_err());
        let (_, renewed) = link(&ring(&[&new, &old]));
        assert!(renewed.check(&ring(&[&new]), &token).is_ok());
    }

    #[test]
    fn writes_take_exactly_the_signed_parameters_and_reads_ignore_others() {
        let good = "workspace_id=w&expires=1&signature=s";
        assert!(LinkQuery::parse(Some(good), true).is_ok());
        let extra = format!("{good}&utm_source=chat");
        assert!(LinkQuery::parse(Some(&extra), true).is_err());
        assert!(LinkQuery::parse(Some(&extra), false).is_ok());
        let twice = format!("{good}&expires=2");
        assert!(LinkQuery::parse(Some(&twice), true).is_err());
        assert!(LinkQuery::parse(Some(&twice), false).is_err());
        for missing in [None, Some(""), Some("workspace_id=w&expires=1")] {
            assert!(LinkQuery::parse(missing, false).is_err());
        }
    }

    #[test]
    fn keys_are_made_new_and_apart_by_use() {
        let key = KeyRing::new_key_hex();
        assert_ne!(key, KeyRing::new_key_hex());
        let keys = ring(&[&key]);
        let (a, b) = (keys.derive("cookie"), keys.derive("download"));
        assert!(!b.verify("x", &a.sign("x")));
        assert!(!keys.verify("x", &a.sign("x")));
        assert!(keys.derive("cookie").verify("x", &a.sign("x")));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
            assert!(KeyRing::from_hex([bad]).is_err(), "{bad}");
        }
        assert!(KeyRing::from_hex([]).is_err());
    }
}
