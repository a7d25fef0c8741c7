//! What a client asks a person for, by sending their browser here.

use std::{collections::HashMap, net::IpAddr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use crate::{
    domain::{
        api_key::SecretHash,
        capability::{Capabilities, Capability},
        client::Client,
    },
    error::Error,
    oauth::Failure,
    service::Service,
};

/// Longest query, in bytes.
const MOST_BYTES: usize = 8 * 1024;

/// The parameters of a request, each with all that was given for it.
#[derive(Debug, Clone)]
pub struct Parameters(HashMap<String, Vec<String>>);

impl Parameters {
    /// Those of a query or a form.
    #[must_use]
    pub fn read(text: &[u8]) -> Self {
        let mut all: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            all.entry(name.into_owned())
                .or_default()
                .push(value.into_owned());
        }
        Self(all)
    }

    /// The one value of this name; none is the same as an empty one (RFC 6749, section 3.1).
    ///
    /// # Errors
    /// `invalid_request` where there are several.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.all(name) {
            [] => Ok(None),
            [one] => Ok(Some(one.as_str()).filter(|one| !one.is_empty())),
            _ => {
                let why = format!("{name}: it is given more than once.");
                Err(Failure::refused("invalid_request", why))
            }
        }
    }

    /// All values of this name.
    #[must_use]
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// A request that may be shown to a person.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client: Client,
    /// What it asks to do.
    pub capabilities: Capabilities,
    /// Where the answer is sent.
    pub redirect_uri: String,
    state: Option<String>,
    issuer: String,
    /// The hash of what the client must show when it fetches its tokens.
    pub(super) challenge: [u8; 32],
    /// The hash of all of it as it came, and of what is known of the client: what is decided on is what
    /// was shown.
    pub(super) whole: SecretHash,
}

/// A request that is not put to anybody. Nobody is sent anywhere without having said so: whoever
/// registers a client could use this server's name for a way to anywhere (RFC 9700, section 4.11.2).
#[derive(Debug)]
pub enum Turned {
    /// Nobody knows where the answer should go.
    Away(Error),
    /// The client is told, if the person goes back.
    Back {
        /// Who asked.
        client: Client,
        /// What is wrong, as a sentence.
        why: String,
        /// Where it is told.
        to: String,
    },
}

impl Service {
    /// Reads what a client asks for in a query.
    ///
    /// # Errors
    /// [`Turned`].
    pub async fn authorization_request(
        &self,
        query: &str,
        from: IpAddr,
    ) -> Result<AuthorizationRequest, Turned> {
        if query.len() > MOST_BYTES {
            let why = "The request of the program that sent you here is too long.";
            return Err(Turned::Away(Error::InvalidArgument(why.into())));
        }
        let parameters = Parameters::read(query.as_bytes());
        let known = self.client_and_way_back(&parameters, from).await;
        let (client, redirect_uri) = known.map_err(|failure| {
            Turned::Away(match failure {
                Failure::Refused { why, .. } => Error::InvalidArgument(why),
                Failure::Other(error) => error,
            })
        })?;
        // The client's own, which it gets back however it is answered.
        let state = parameters.one("state").ok().flatten().map(str::to_owned);
        let mut request = AuthorizationRequest {
            client,
            redirect_uri,
            state,
            issuer: self.public_url(),
            capabilities: Capabilities::default(),
            challenge: [0; 32],
            whole: SecretHash([0; 32]),
        };
        request.whole = request.hash_with(query);
        match self.asked(&parameters) {
            Ok((capabilities, challenge)) => {
                (request.capabilities, request.challenge) = (capabilities, challenge);
                Ok(request)
            }
            Err(Failure::Refused { code, why }) => Err(Turned::Back {
                to: request.answer(&[("error", code), ("error_description", &why)]),
                client: request.client,
                why,
            }),
            Err(Failure::Other(error)) => Err(Turned::Away(error)),
        }
    }

    async fn client_and_way_back(
        &self,
        parameters: &Parameters,
        from: IpAddr,
    ) -> Result<(Client, String), Failure> {
        let refused = |why: &str| Failure::refused("invalid_request", why);
        let id = parameters.one("client_id")?;
        let id = id.ok_or_else(|| refused("The request does not say which program asks."))?;
        let client = self.client(id, from).await?;
        let asked = parameters.one("redirect_uri")?;
        let redirect_uri = client.redirect_for(asked).ok_or_else(|| {
            refused(
                "The request wants its answer sent to an address that is not the program's own.",
            )
        })?;
        Ok((client, redirect_uri))
    }

    /// What is asked for, and the challenge of PKCE.
    fn asked(&self, parameters: &Parameters) -> Result<(Capabilities, [u8; 32]), Failure> {
        parameters.one("state")?;
        if parameters.one("response_type")? != Some("code") {
            let why = "response_type: `code` is the only one here.";
            return Err(Failure::refused("unsupported_response_type", why));
        }
        if !matches!(parameters.one("response_mode")?, None | Some("query")) {
            let why = "response_mode: `query` is the only one here.";
            return Err(Failure::refused("invalid_request", why));
        }
        for resource in parameters.all("resource") {
            self.must_be_for_us(resource)?;
        }
        let challenge = parameters.one("code_challenge")?;
        let is_hashed = parameters.one("code_challenge_method")? == Some("S256");
        let challenge = challenge.filter(|_| is_hashed).and_then(unhashed);
        let challenge = challenge.ok_or_else(|| {
            let why = "code_challenge: PKCE with the method S256 is wanted.";
            Failure::refused("invalid_request", why)
        })?;
        Ok((asked_for(parameters.one("scope")?)?, challenge))
    }
}

impl AuthorizationRequest {
    fn hash_with(&self, query: &str) -> SecretHash {
        let mut hash = Sha256::new();
        for part in [
            query,
            &self.client.id,
            &self.client.name,
            &self.redirect_uri,
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        SecretHash(hash.finalize().into())
    }

    /// Where a person goes who lets the client in with this code.
    pub(super) fn granted(&self, code: &str) -> String {
        self.answer(&[("code", code)])
    }

    /// Where a person goes who does not let the client in.
    #[must_use]
    pub fn denied(&self) -> String {
        let why = "The person did not let the program in.";
        self.answer(&[("error", "access_denied"), ("error_description", why)])
    }

    /// The way back, with who answers (RFC 9207), so that a client of several servers takes no one's
    /// answer for another's.
    fn answer(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        query.extend_pairs(self.state.as_ref().map(|state| ("state", state)));
        query.append_pair("iss", &self.issuer);
        let joint = if self.redirect_uri.contains('?') {
            '&'
        } else {
            '?'
        };
        format!("{}{joint}{}", self.redirect_uri, query.finish())
    }
}

/// The 32 bytes of a challenge.
fn unhashed(challenge: &str) -> Option<[u8; 32]> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(challenge).ok()?;
    bytes.try_into().ok()
}

/// What a scope means here. Clients ask for what belongs to other servers too; that is passed over.
fn asked_for(scope: Option<&str>) -> Result<Capabilities, Failure> {
    let Some(scope) = scope else {
        return Ok(Capabilities::AGENT);
    };
    let words = scope.split_ascii_whitespace();
    let known: Capabilities = words
        .filter_map(|word| word.parse::<Capability>().ok())
        .collect();
    if known == Capabilities::default() {
        let all = super::scope_text(Capabilities::ALL);
        let why = format!("scope: there is none of these here; there are {all}.");
        return Err(Failure::refused("invalid_scope", why));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_or_address_of_a_client_is_another_request() {
        let of = |name: &str, redirect: &str| AuthorizationRequest {
            client: Client {
                id: "https://chat.example/client.json".into(),
                name: name.into(),
                redirect_uris: Vec::new(),
            },
            capabilities: Capabilities::AGENT,
            redirect_uri: redirect.into(),
            state: None,
            issuer: String::new(),
            challenge: [0; 32],
            whole: SecretHash([0; 32]),
        };
        // A document may change while somebody decides.
        let shown = of("Chat", "https://chat.example/back").hash_with("query");
        assert_eq!(
            shown,
            of("Chat", "https://chat.example/back").hash_with("query")
        );
        for changed in [
            of("Evil", "https://chat.example/back").hash_with("query"),
            of("Chat", "https://evil.example/back").hash_with("query"),
            of("Chat", "https://chat.example/back").hash_with("another"),
        ] {
            assert_ne!(shown, changed);
        }
    }
}
