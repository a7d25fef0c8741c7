//! What a token says.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::store::later;

/// How far the issuer's clock and ours may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// What an issuer says of whoever shows its token (RFC 7519, RFC 9068).
#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    iss: String,
    /// Whom it is about, by a name that the issuer gives to nobody else.
    pub sub: String,
    aud: OneOrMany,
    exp: f64,
    nbf: Option<f64>,
    scope: Option<String>,
    scp: Option<OneOrMany>,
    /// What people call them.
    pub name: Option<String>,
    /// Where they are reached.
    pub email: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Claims {
    /// # Errors
    /// Why this is no token of that issuer for that audience now.
    pub(super) fn check(
        &self,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        if self.iss != issuer {
            return Err("it is of another issuer");
        }
        // A slash at the end is all that addresses of one thing differ in.
        let is_ours = |aud: &String| aud.trim_end_matches('/') == audience.trim_end_matches('/');
        if !self.aud.as_slice().iter().any(is_ours) {
            return Err("it is for another audience");
        }
        if self.sub.is_empty() {
            return Err("it is about nobody");
        }
        if now >= later(instant(self.exp), LEEWAY) {
            return Err("it has expired");
        }
        let begins = self.nbf.map(instant);
        if begins.is_some_and(|begins| later(now, LEEWAY) < begins) {
            return Err("it is not valid yet");
        }
        Ok(())
    }

    /// When it ends.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        instant(self.exp)
    }

    /// What was granted, in the issuer's words.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let words = self.scope.as_deref().into_iter();
        let lists = self.scp.iter().flat_map(OneOrMany::as_slice);
        let lists = lists.map(String::as_str);
        words.chain(lists).flat_map(str::split_ascii_whitespace)
    }

    /// The texts of another claim: one, or a list.
    pub fn texts(&self, claim: &str) -> impl Iterator<Item = &str> {
        let value = self.others.get(claim);
        let list = value.and_then(Value::as_array).into_iter().flatten();
        value.into_iter().chain(list).filter_map(Value::as_str)
    }
}

/// Seconds since 1970; what is beyond all time is its end.
fn instant(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    let seconds = seconds as i64;
    let bound = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(bound)
}
