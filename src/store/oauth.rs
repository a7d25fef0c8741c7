//! What clients were granted by people: the state of the built-in authorization server.

use std::fmt;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::{Result, identity::NewSecret};
use crate::domain::{
    api_key::{ApiKey, SecretHash},
    audit::Actor,
    capability::Capabilities,
    client::Client,
    ids::WorkspaceId,
    workspace::Workspace,
};

/// Remembers clients, sign-in codes and grants. As with [`super::UploadStore`], every method is one
/// transaction.
#[async_trait]
pub trait OAuthStore: fmt::Debug + Send + Sync + 'static {
    /// Remembers a client that registered itself. Of those that nobody let in, at most `most` are
    /// kept: the oldest makes room.
    async fn register(&self, client: Client, most: u32) -> Result<()>;

    /// The client of this id that registered itself.
    async fn client(&self, id: &str) -> Result<Option<Client>>;

    /// Keeps a sign-in code.
    ///
    /// # Errors
    /// [`super::StoreError::Taken`] if another one has its name.
    async fn offer(&self, sign_in: NewSignIn, by: Actor) -> Result<()>;

    /// Uses a sign-in code up for one request and one browser, which get a ticket for it, and another one
    /// if they ask again; `None` if it opens nothing, which counts as a try of the code of this name.
    async fn sign_in(&self, tried: TriedCode) -> Result<Option<SignedIn>>;

    /// Uses a ticket up: lets a client in. `None` if it is not one of this request.
    async fn grant(&self, new: NewGrant) -> Result<Option<ApiKey>>;

    /// Gives a client its first tokens for a code.
    async fn redeem(&self, shown: ShownCode, tokens: NewTokens) -> Result<Redeemed>;

    /// Gives a client other tokens for a refresh token.
    async fn refresh(
        &self,
        shown: SecretHash,
        client_id: String,
        tokens: NewTokens,
    ) -> Result<Redeemed>;

    /// Ends an access token of this client, or with a refresh token all that it was granted with it;
    /// what is neither is ended already.
    async fn end_token(&self, shown: SecretHash, client_id: String) -> Result<()>;

    /// Every grant, the oldest first; also those that are over.
    async fn client_grants(&self) -> Result<Vec<ClientGrant>>;

    /// Forgets what has ended, at most so many of each kind; says how many of the most numerous.
    async fn forget_oauth(&self, most: u32) -> Result<u32>;
}

/// What a client was granted: a key that is the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientGrant {
    /// The key, by the name of the client.
    pub key: ApiKey,
    /// Whose it is.
    pub client_id: String,
}

/// A sign-in code to be kept.
#[derive(Debug, Clone)]
pub struct NewSignIn {
    /// What it is found by.
    pub name: String,
    /// What is kept of all of it.
    pub hash: SecretHash,
    /// Whom it is for, by name and address.
    pub person: (String, Option<String>),
    /// Where it lets clients in.
    pub workspace: WorkspaceId,
    /// What it lets them do at most.
    pub capabilities: Capabilities,
    /// How long it opens.
    pub opens_for: SignedDuration,
}

/// A sign-in code that somebody typed.
#[derive(Debug, Clone)]
pub struct TriedCode {
    /// What it is found by.
    pub name: String,
    /// What was typed.
    pub hash: SecretHash,
    /// How many wrong ones are borne.
    pub most_tries: u32,
    /// What takes its place.
    pub ticket: SecretHash,
    /// What it was typed for.
    pub request: SecretHash,
    /// Where it was typed.
    pub browser: SecretHash,
    /// For which client, which is not forgotten from then on.
    pub client_id: String,
    /// How long the ticket may be used.
    pub opens_for: SignedDuration,
}

/// For whom a code signs in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// What people call them.
    pub person: String,
    /// Where clients are let in.
    pub workspace: Workspace,
    /// What they are let do at most.
    pub capabilities: Capabilities,
}

/// A client to be let in.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// What the code was used up for.
    pub ticket: SecretHash,
    /// The request that it was used up for.
    pub request: SecretHash,
    /// The browser that it was used up in.
    pub browser: SecretHash,
    /// Who is let in.
    pub client: Client,
    /// What it asks to do.
    pub capabilities: Capabilities,
    /// What it may fetch its tokens with, and for how long.
    pub code: SecretHash,
    /// How long it has for that.
    pub opens_for: SignedDuration,
    /// Where it is told the code.
    pub redirect_uri: String,
    /// The hash of what it must show with it.
    pub challenge: [u8; 32],
}

/// A code that somebody wants tokens for.
#[derive(Debug, Clone)]
pub struct ShownCode {
    /// The code.
    pub hash: SecretHash,
    /// Who it says it is.
    pub client_id: String,
    /// Where it says it was told the code.
    pub redirect_uri: Option<String>,
    /// The hash of what it shows with it.
    pub challenge: [u8; 32],
}

/// Tokens to be given.
#[derive(Debug, Clone)]
pub struct NewTokens {
    /// Opens.
    pub access: NewSecret,
    /// For how long.
    pub opens_for: SignedDuration,
    /// Gets the next ones.
    pub refresh: SecretHash,
    /// How long the grant lives if it is not used for that.
    pub lives_for: SignedDuration,
    /// How long a refresh token that was shown may be shown again, and how often.
    pub leeway: SignedDuration,
    /// See [`Self::leeway`].
    pub most_shown: u32,
}

/// What came of a code or a refresh token.
#[derive(Debug, Clone)]
pub enum Redeemed {
    /// The tokens open, to do this.
    Given(Capabilities),
    /// It opens nothing.
    Unknown,
    /// It was used before. Whoever has what it gave has it no more.
    Replayed,
}
