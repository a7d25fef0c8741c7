//! Who signs tokens, and with which keys.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use reqwest::{Client, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use super::Claims;
use crate::store::later;

/// How long one answer of the issuer may take, and how large it may be in bytes.
const TIME: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 256 * 1024;
/// How long keys are used without looking whether there are new ones.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// How long nothing is asked after a look that did not help; it doubles with each, up to the longest.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// Those that keys can be published for. Without the first letter's family, which is a shared secret's.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// An identity provider, and its keys as they were seen last.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    client: Client,
    keys: RwLock<Keys>,
    /// Whoever finds that keys are to be fetched fetches them for all.
    fetching: Mutex<()>,
}

#[derive(Default)]
struct Keys {
    /// One without a name is that of tokens that name none.
    by_id: HashMap<String, Key>,
    seen_at: Option<Timestamp>,
    /// Nothing is asked before.
    rest_until: Option<Timestamp>,
    pause: SignedDuration,
}

#[derive(Clone)]
struct Key {
    key: DecodingKey,
    algorithm: Option<KeyAlgorithm>,
}

impl Keys {
    fn fresh(&self, id: &str, now: Timestamp) -> Option<Key> {
        let is_fresh = |seen| now.duration_since(seen) < FRESH;
        let all = self.seen_at.is_some_and(is_fresh).then_some(&self.by_id);
        all?.get(id).cloned()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.by_id.keys()).finish()
    }
}

/// Why a token opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// What is wrong with it.
    Token(&'static str),
    /// Its issuer cannot be asked.
    Issuer(String),
}

/// What an issuer says of itself (`OpenID` Connect Discovery, RFC 8414).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    /// The issuer at this address. It is asked for nothing yet.
    ///
    /// # Errors
    /// Where this machine has no means for TLS.
    pub fn new(url: &str) -> reqwest::Result<Self> {
        let client = Client::builder().timeout(TIME).redirect(Policy::none());
        Ok(Self {
            url: url.to_owned(),
            client: client.build()?,
            keys: RwLock::default(),
            fetching: Mutex::default(),
        })
    }

    /// Its address, which is its name.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What a token says, if this issuer made it for this audience and it is valid now.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn verify(
        &self,
        token: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Claims, Refused> {
        let header = decode_header(token).map_err(|_| Refused::Token("it cannot be read"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Refused::Token("its algorithm is not taken"));
        }
        if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(Refused::Token("it wants what is not known here"));
        }
        let key = self
            .key(header.kid.as_deref().unwrap_or_default(), now)
            .await?;
        let is_other = |of| of != KeyAlgorithm::from(header.alg);
        if key.algorithm.is_some_and(is_other) {
            return Err(Refused::Token("its key is for another algorithm"));
        }
        // Issuer, audience and times are checked below, by our clock.
        let mut signature = Validation::new(header.alg);
        signature.required_spec_claims.clear();
        (signature.validate_exp, signature.validate_aud) = (false, false);
        let read = decode::<Claims>(token, &key.key, &signature);
        let claims = read
            .map_err(|_| Refused::Token("its signature is wrong"))?
            .claims;
        claims
            .check(&self.url, audience, now)
            .map_err(Refused::Token)?;
        Ok(claims)
    }

    /// The key of this name. The issuer is asked for its keys when they were seen long ago, and for one
    /// that is not known: once, and then at growing distances, so that a flood of made-up names does
    /// not become a flood of questions.
    async fn key(&self, id: &str, now: Timestamp) -> Result<Key, Refused> {
        if let Some(key) = self.keys().fresh(id, now) {
            return Ok(key);
        }
        let _turn = self.fetching.lock().await;
        let (known, may_ask) = {
            let keys = self.keys();
            if let Some(key) = keys.fresh(id, now) {
                return Ok(key);
            }
            let rests = keys.rest_until.is_some_and(|until| now < until);
            (keys.by_id.get(id).cloned(), !rests)
        };
        let unknown = Refused::Token("its key is not known");
        if !may_ask {
            return known.ok_or(unknown);
        }
        let fetched = self.fetch().await;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let (found, is_answered) = match fetched {
            Ok(all) => {
                (keys.by_id, keys.seen_at) = (all, Some(now));
                (keys.by_id.get(id).cloned().ok_or(unknown), true)
            }
            Err(why) => {
                tracing::warn!(
                    issuer = self.url,
                    cause = why,
                    "the issuer's keys cannot be had"
                );
                // Those that were seen last are better than none.
                (known.ok_or(Refused::Issuer(why)), false)
            }
        };
        keys.pause = if is_answered && found.is_ok() {
            SignedDuration::ZERO
        } else {
            (keys.pause * 2).clamp(PAUSE, LONGEST_PAUSE)
        };
        keys.rest_until = Some(later(now, keys.pause));
        found
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<HashMap<String, Key>, String> {
        let metadata = self.metadata().await?;
        let set: JwkSet = self.get(&metadata.jwks_uri).await?;
        let signing = |jwk: &&Jwk| {
            let of = jwk.common.public_key_use.as_ref();
            of.is_none_or(|of| *of == PublicKeyUse::Signature)
        };
        let keys = set.keys.iter().filter(signing).filter_map(|jwk| {
            let key = Key {
                key: DecodingKey::from_jwk(jwk).ok()?,
                algorithm: jwk.common.key_algorithm,
            };
            Some((jwk.common.key_id.clone().unwrap_or_default(), key))
        });
        Ok(keys.collect())
    }

    /// What the issuer says of itself, at one of the two places where they say it.
    async fn metadata(&self) -> Result<Metadata, String> {
        let base = self.url.trim_end_matches('/');
        let openid = format!("{base}/.well-known/openid-configuration");
        let metadata: Metadata = match self.get(&openid).await {
            Ok(metadata) => metadata,
            Err(why) => {
                let oauth = well_known(base).ok_or(why.clone())?;
                self.get(&oauth).await.map_err(|_| why)?
            }
        };
        if metadata.issuer != self.url {
            return Err(format!("{openid} speaks of {}", metadata.issuer));
        }
        Ok(metadata)
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let failed = |error: reqwest::Error| format!("{url}: {error}");
        let answer = self.client.get(url).send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(format!("{url} answers {}", answer.status()));
        }
        let mut answer = answer;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&piece);
            if body.len() > MOST_BYTES {
                return Err(format!("{url} answers too much"));
            }
        }
        serde_json::from_slice(&body).map_err(|error| format!("{url}: {error}"))
    }
}

/// Where RFC 8414 puts it: between host and path.
fn well_known(issuer: &str) -> Option<String> {
    let (scheme, rest) = issuer.split_once("://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = if path.is_empty() {
        String::new()
    } else {
        format!("/{path}")
    };
    Some(format!(
        "{scheme}://{host}/.well-known/oauth-authorization-server{path}"
    ))
}
