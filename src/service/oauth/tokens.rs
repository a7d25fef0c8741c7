//! Giving clients their tokens, and taking them back.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::{Parameters, scope_text};
use crate::{
    domain::{api_key::Secret, capability::Capabilities},
    oauth::Failure,
    service::{Service, keys::kept, signed},
    store::oauth::{NewTokens, Redeemed, ShownCode},
};

/// How long a grant lives that its client does not use.
const GRANT_LIVES: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long a refresh token that was shown may be shown again. Where a token has just ended, the official
/// SDKs ask for the next one by each of their requests at once, and programs that share a token by each
/// process; a minute lies between some of them, and none is a thief.
const REFRESH_LEEWAY: SignedDuration = SignedDuration::from_mins(2);

/// How often it may be.
const MOST_SHOWN: u32 = 20;

/// Asks for tokens.
#[derive(Debug)]
pub struct TokenRequest(pub Parameters);

/// The tokens that a client is given.
#[derive(Debug)]
pub struct GivenTokens {
    /// Opens.
    pub access: Secret,
    /// For so many seconds.
    pub expires_in: u64,
    /// Gets the next ones, once.
    pub refresh: Secret,
    /// What the first one lets the client do.
    pub capabilities: Capabilities,
}

impl GivenTokens {
    /// What the access token lets the client do, as scopes.
    #[must_use]
    pub fn scope(&self) -> String {
        scope_text(self.capabilities)
    }
}

impl Service {
    /// Gives a client tokens, for the code of a person who let it in or for a refresh token.
    ///
    /// # Errors
    /// As RFC 6749 has them, section 5.2.
    pub async fn give_tokens(&self, request: &TokenRequest) -> Result<GivenTokens, Failure> {
        let TokenRequest(form) = request;
        for resource in form.all("resource") {
            self.must_be_for_us(resource)?;
        }
        let client_id = needed(form, "client_id")?.to_owned();
        self.must_be_known(&client_id).await?;
        let lives = self.settings.oauth_access_token_ttl;
        let (access, refresh) = (Secret::random(), Secret::random());
        let tokens = NewTokens {
            access: kept(&access),
            opens_for: signed(lives),
            refresh: refresh.hash(),
            lives_for: GRANT_LIVES,
            leeway: REFRESH_LEEWAY,
            most_shown: MOST_SHOWN,
        };
        let redeemed = match form.one("grant_type")? {
            Some("authorization_code") => {
                let shown = ShownCode {
                    hash: Secret::given(needed(form, "code")?).hash(),
                    client_id,
                    redirect_uri: form.one("redirect_uri")?.map(str::to_owned),
                    challenge: challenge(needed(form, "code_verifier")?)?,
                };
                self.oauth.redeem(shown, tokens).await?
            }
            Some("refresh_token") => {
                let shown = Secret::given(needed(form, "refresh_token")?).hash();
                self.oauth.refresh(shown, client_id, tokens).await?
            }
            _ => {
                let why = "grant_type: there are authorization_code and refresh_token.";
                return Err(Failure::refused("unsupported_grant_type", why));
            }
        };
        match redeemed {
            Redeemed::Given(capabilities) => Ok(GivenTokens {
                access,
                expires_in: lives.as_secs(),
                refresh,
                capabilities,
            }),
            Redeemed::Unknown => Err(Failure::refused("invalid_grant", WRONG)),
            Redeemed::Replayed => {
                tracing::warn!("a grant was ended: what can be used once was shown twice");
                Err(Failure::refused("invalid_grant", REPLAYED))
            }
        }
    }

    /// Ends a token of a client; with a refresh token all that was granted with it (RFC 7009).
    ///
    /// # Errors
    /// `invalid_request`.
    pub async fn end_token(&self, request: &TokenRequest) -> Result<(), Failure> {
        let TokenRequest(form) = request;
        let shown = Secret::given(needed(form, "token")?).hash();
        let client_id = needed(form, "client_id")?.to_owned();
        Ok(self.oauth.end_token(shown, client_id).await?)
    }
}

const WRONG: &str = "It is not known here, is another client's, has ended, or what proves that the \
                     client may use it is wrong.";
const REPLAYED: &str = "It was used before, so all that was granted with it is ended: somebody else \
                        may have it. Have the person let you in anew.";

fn needed<'a>(form: &'a Parameters, name: &str) -> Result<&'a str, Failure> {
    form.one(name)?
        .ok_or_else(|| Failure::refused("invalid_request", format!("{name}: it is missing.")))
}

/// The hash of what a client shows (RFC 7636, section 4).
fn challenge(verifier: &str) -> Result<[u8; 32], Failure> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_plain) {
        let why = "code_verifier: 43 to 128 letters, digits and -._~.";
        return Err(Failure::refused("invalid_request", why));
    }
    Ok(Sha256::digest(verifier).into())
}
