//! Clients whose name is the address of a document that says what they are
//! (draft-ietf-oauth-client-id-metadata-document).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::IgnoredAny};
use tokio::sync::Semaphore;
use url::Url;

use crate::{
    domain::client::{Client, check_redirects},
    fetch::Fetcher,
};

/// Largest document, in bytes.
const MOST_BYTES: usize = 64 * 1024;
/// Longest address of one, in bytes.
const LONGEST_ADDRESS: usize = 1_000;
/// How many are fetched at the same time, and how long one waits for its turn.
const AT_ONCE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(5);
/// How many are remembered.
const MOST_KNOWN: usize = 200;
/// How long one is believed, and for how long one that is none is not asked for again.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
const PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// Those that were seen lately.
#[derive(Debug)]
pub struct Documents {
    fetcher: Fetcher,
    known: Mutex<HashMap<String, Known>>,
    turns: Semaphore,
}

const BUSY: &str = "Many documents of clients are being fetched: try again in a few seconds.";

#[derive(Debug, Clone)]
struct Known {
    client: Result<Client, String>,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Document {
    client_id: String,
    client_name: Option<String>,
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    /// The ways that it has, of which it takes one that the server names.
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    client_secret: Option<IgnoredAny>,
}

impl Documents {
    /// None are known yet.
    #[must_use]
    pub fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            known: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// Whether a client's name is the address of a document.
    #[must_use]
    pub fn is_one(client_id: &str) -> bool {
        client_id.starts_with("https:")
    }

    /// The client of this name, as far as it was seen lately.
    pub fn seen(&self, client_id: &str, now: Timestamp) -> Option<Result<Client, String>> {
        let known = self.lock();
        let fresh = known.get(client_id).filter(|known| now < known.until);
        fresh.map(|known| known.client.clone())
    }

    /// The client of this name, by its document.
    ///
    /// # Errors
    /// Why it is none, as a sentence.
    pub async fn fetch(&self, client_id: &str, now: Timestamp) -> Result<Client, String> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(BUSY.into());
        };
        let client = self.read(client_id).await;
        let fresh = if client.is_ok() { FRESH } else { PAUSE };
        let mut known = self.lock();
        if known.len() >= MOST_KNOWN {
            // The one that will be asked for again first makes room.
            let oldest = known.iter().min_by_key(|(_, known)| known.until);
            let oldest = oldest.map(|(id, _)| id.clone());
            oldest.and_then(|oldest| known.remove(&oldest));
        }
        let until = crate::store::later(now, fresh);
        let seen = Known {
            client: client.clone(),
            until,
        };
        known.insert(client_id.to_owned(), seen);
        client
    }

    async fn read(&self, client_id: &str) -> Result<Client, String> {
        let host = host(client_id)?;
        let found = self.fetcher.get(client_id, MOST_BYTES).await;
        let body = found.map_err(|why| format!("The client's document at {client_id} {why}."))?;
        client(client_id, host, &body)
            .map_err(|why| format!("The client's document at {client_id} {why}."))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The host of an address that may be a client's name: one address has one spelling.
fn host(client_id: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("The client's name `{client_id}` {why}.");
    if client_id.len() > LONGEST_ADDRESS {
        return Err("The client's name is too long.".into());
    }
    let url: Url = client_id.parse().map_err(|_| wrong("is no address"))?;
    if url.scheme() != "https" || url.as_str() != client_id {
        return Err(wrong("is no address in its plain form"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(wrong("has a user or a fragment"));
    }
    if url.path() == "/" {
        return Err(wrong("has no path"));
    }
    let host = url.host_str().ok_or_else(|| wrong("has no host"))?;
    Ok(host.to_owned())
}

fn client(client_id: &str, host: String, body: &[u8]) -> Result<Client, String> {
    let read = serde_json::from_slice(body);
    let read: Document = read.map_err(|error| format!("cannot be read: {error}"))?;
    if read.client_id != client_id {
        return Err("is about another client".into());
    }
    if read.client_secret.is_some() {
        return Err("has a secret in it".into());
    }
    let wanted = read.token_endpoint_auth_method.iter();
    let mut ways = read
        .token_endpoint_auth_methods_supported
        .iter()
        .chain(wanted)
        .peekable();
    if ways.peek().is_some() && !ways.any(|way| way == "none") {
        return Err("wants a way to prove itself that is not offered here; `none` is".into());
    }
    check_redirects(&read.redirect_uris).map_err(|why| {
        let why = why.trim_end_matches('.');
        format!("is refused: {why}")
    })?;
    Ok(Client {
        id: read.client_id,
        name: read.client_name.unwrap_or(host),
        redirect_uris: read.redirect_uris,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "https://chat.example/client.json";

    fn read(text: &str) -> Result<Client, String> {
        client(ID, "chat.example".into(), text.as_bytes())
    }

    #[test]
    fn a_document_says_what_its_client_is() {
        let text = format!(
            r#"{{"client_id":"{ID}","client_name":"Chat","redirect_uris":["https://chat.example/back"],
                "token_endpoint_auth_method":"none","grant_types":["authorization_code"],"x":1}}"#
        );
        let chat = read(&text).unwrap();
        assert_eq!((chat.id.as_str(), chat.name.as_str()), (ID, "Chat"));
        assert_eq!(chat.redirect_uris, ["https://chat.example/back"]);
        let nameless = text.replace(r#""client_name":"Chat","#, "");
        assert_eq!(read(&nameless).unwrap().name, "chat.example");
    }

    #[test]
    fn a_client_that_can_prove_itself_but_need_not_is_taken_without() {
        // What ChatGPT says of itself.
        let text = format!(
            r#"{{"client_id":"{ID}","client_name":"ChatGPT","redirect_uris":["https://chat.example/back"],
                "token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"RS256",
                "token_endpoint_auth_methods_supported":["none","private_key_jwt"],
                "jwks_uri":"https://chat.example/jwks.json"}}"#
        );
        assert!(read(&text).is_ok());
        assert!(read(&text.replace(r#""none","#, "")).is_err());
    }

    #[test]
    fn a_document_that_is_not_the_clients_own_is_refused() {
        let of = |id: &str, more: &str| {
            format!(r#"{{"client_id":"{id}","redirect_uris":["https://chat.example/back"]{more}}}"#)
        };
        assert!(read(&of(ID, "")).is_ok());
        for wrong in [
            of("https://chat.example/client.json/", ""),
            of("https://CHAT.example/client.json", ""),
            of(ID, r#","client_secret":"x""#),
            of(ID, r#","token_endpoint_auth_method":"client_secret_post""#),
            of(ID, r#","token_endpoint_auth_method":"private_key_jwt""#),
            format!(r#"{{"client_id":"{ID}"}}"#),
            format!(r#"{{"client_id":"{ID}","redirect_uris":[]}}"#),
            format!(r#"{{"client_id":"{ID}","redirect_uris":["javascript:alert(1)"]}}"#),
            "[]".into(),
            "<html>".into(),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_client_has_one_name() {
        assert_eq!(host(ID).as_deref(), Ok("chat.example"));
        for wrong in [
            "https://chat.example",
            "https://chat.example/",
            "https://chat.example/a/../client.json",
            "https://chat.example/client.json#a",
            "https://me@chat.example/client.json",
            "https://CHAT.example/client.json",
            "https://chat.example:443/client.json",
            "https:/chat.example/client.json",
            "http://chat.example/client.json",
            "https://chat.example/client .json",
        ] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }
}
