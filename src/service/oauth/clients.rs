//! Who may ask: clients that registered themselves (RFC 7591), and those with a metadata document.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    domain::{
        client::{Client, check_redirects},
        ids::random_letters,
    },
    oauth::{Documents, Failure},
    service::{Service, provider::shown_as},
};

/// Most clients that registered themselves and that nobody has let in.
const MOST_UNUSED: u32 = 1_000;
/// Longest name of a client, in characters.
const MOST_NAME: usize = 80;
const UNKNOWN: &str = "This client is not known here, or was forgotten because nobody let it in for a \
                       day: have it connect anew.";
/// What a client is called that does not say.
const NAMELESS: &str = "A program without a name";

/// What a client says of itself. What else it says is not used here.
#[derive(Debug, Clone, Deserialize)]
pub struct Registration {
    /// What it calls itself.
    pub client_name: Option<String>,
    /// Where answers to it may be sent.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
}

/// A client that is registered now.
#[derive(Debug, Clone)]
pub struct Registered {
    /// As it is known from now on.
    pub client: Client,
    /// When that was.
    pub at: Timestamp,
}

impl Service {
    /// Registers a client that asks for it.
    ///
    /// # Errors
    /// `invalid_redirect_uri`; [`crate::Error::RateLimited`].
    pub async fn register_client(
        &self,
        asked: Registration,
        from: IpAddr,
    ) -> Result<Registered, Failure> {
        self.rates.clients.charge(from)?;
        check_redirects(&asked.redirect_uris)
            .map_err(|why| Failure::refused("invalid_redirect_uri", why))?;
        let client = Client {
            id: format!("client_{}", random_letters(24)),
            name: shown_name(asked.client_name.as_deref()),
            redirect_uris: asked.redirect_uris,
        };
        self.oauth.register(client.clone(), MOST_UNUSED).await?;
        tracing::info!(client.id, "a client registered itself");
        let at = self.clock.now();
        Ok(Registered { client, at })
    }

    /// A client that was forgotten, or is another server's, registers itself anew once it is told.
    ///
    /// # Errors
    /// `invalid_client`.
    pub(super) async fn must_be_known(&self, id: &str) -> Result<(), Failure> {
        if Documents::is_one(id) || self.oauth.client(id).await?.is_some() {
            return Ok(());
        }
        Err(Failure::refused("invalid_client", UNKNOWN))
    }

    /// The client of this name.
    pub(super) async fn client(&self, id: &str, from: IpAddr) -> Result<Client, Failure> {
        let documents = self.documents.as_ref().filter(|_| Documents::is_one(id));
        let Some(documents) = documents else {
            let known = self.oauth.client(id).await?;
            return known.ok_or_else(|| Failure::refused("invalid_client", UNKNOWN));
        };
        let now = self.clock.now();
        let found = if let Some(seen) = documents.seen(id, now) {
            seen
        } else {
            self.rates.clients.charge(from)?;
            documents.fetch(id, now).await
        };
        let client = found.map_err(|why| Failure::refused("invalid_client", why))?;
        let name = shown_name(Some(&client.name));
        Ok(Client { name, ..client })
    }
}

fn shown_name(name: Option<&str>) -> String {
    let name = name.and_then(shown_as);
    let name = name.map(|name| name.chars().take(MOST_NAME).collect());
    name.unwrap_or_else(|| NAMELESS.to_owned())
}
