//! Who lets a client in: people, with a code that the operator made for them.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::request::AuthorizationRequest;
use crate::{
    domain::{
        api_key::Secret,
        caller::Caller,
        capability::{Capabilities, Capability},
        sign_in::SignInCode,
        workspace::Workspace,
    },
    error::{Error, Result},
    service::{
        Service,
        keys::{checked_email, checked_name},
        must,
    },
    store::{
        StoreError, later,
        oauth::{NewGrant, NewSignIn, SignedIn, TriedCode},
    },
};

/// How long a sign-in code opens, and then how long the person has to decide.
const CODE_OPENS: SignedDuration = SignedDuration::from_mins(10);
/// How many wrong tries a code bears.
const MOST_TRIES: u32 = 5;
/// How long a client has to fetch its tokens: a browser may ask first whether it may open the app.
const FETCHED_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// How often a name is drawn that another code has.
const DRAWS: u32 = 5;

/// Asks for a sign-in code.
#[derive(Debug, Clone)]
pub struct SignInRequest {
    /// Whom it is for.
    pub person: String,
    /// Where they are reached: grants and keys of one address are one person's.
    pub email: Option<String>,
    /// Where clients are let in, by id or alias; `None`: in the caller's only workspace.
    pub workspace: Option<String>,
    /// What clients are let do at most.
    pub capabilities: Capabilities,
}

/// A sign-in code that was made.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The code, to be shown to whom it is for.
    pub code: SignInCode,
    /// Whom it is for.
    pub person: String,
    /// Where clients are let in with it.
    pub workspace: Workspace,
    /// What they are let do at most.
    pub capabilities: Capabilities,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A person who signed in for one request.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// With which the request is answered.
    pub secret: Secret,
    /// Who they are, and where.
    pub signed_in: SignedIn,
}

impl Service {
    /// Makes a sign-in code.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for who is no administrator; [`Error::InvalidArgument`];
    /// [`Error::NoSuchWorkspace`] for one that is not the caller's; [`Error::Conflict`] for one that is
    /// archived.
    pub async fn offer_sign_in(&self, caller: &Caller, request: SignInRequest) -> Result<Offered> {
        must(caller, Capability::Admin)?;
        let workspace = self
            .open_workspace(caller, request.workspace.as_deref())
            .await?;
        let email = request
            .email
            .map(|email| checked_email(&email))
            .transpose()?;
        let person = checked_name("for", &request.person)?;
        let mut draws = 0;
        loop {
            let code = SignInCode::random();
            let new = NewSignIn {
                name: code.name().to_owned(),
                hash: code.hash(),
                person: (person.clone(), email.clone()),
                workspace: workspace.id,
                capabilities: request.capabilities,
                opens_for: CODE_OPENS,
            };
            match self.oauth.offer(new, caller.actor()).await {
                Err(StoreError::Taken) if draws < DRAWS => draws += 1,
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    return Ok(Offered {
                        code,
                        person,
                        workspace,
                        capabilities: request.capabilities,
                        expires_at: later(self.clock.now(), CODE_OPENS),
                    });
                }
            }
        }
    }

    /// Signs somebody in who typed a code, for this request and this browser alone. Who sends the same
    /// once more is signed in still: people click twice, and reload.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`] for a code that opens nothing, whatever the reason;
    /// [`Error::RateLimited`] where too many of those came.
    pub async fn sign_in(
        &self,
        request: &AuthorizationRequest,
        typed: &str,
        browser: &str,
        from: IpAddr,
    ) -> Result<Ticket> {
        // Each try counts, before it is looked at: else many could be tried at once.
        self.rates.codes.charge(from)?;
        let secret = Secret::random();
        let signed_in = match typed.parse::<SignInCode>() {
            Ok(code) => {
                let tried = TriedCode {
                    name: code.name().to_owned(),
                    hash: code.hash(),
                    most_tries: MOST_TRIES,
                    ticket: secret.hash(),
                    request: request.whole,
                    browser: Secret::given(browser).hash(),
                    client_id: request.client.id.clone(),
                    opens_for: CODE_OPENS,
                };
                self.oauth.sign_in(tried).await?
            }
            Err(()) => None,
        };
        let signed_in = signed_in.ok_or_else(|| Error::PermissionDenied(WRONG_CODE.into()))?;
        Ok(Ticket { secret, signed_in })
    }

    /// Lets the client in that asked, and says where the person goes next.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a ticket that was used, is too old or is another request's.
    pub async fn let_in(
        &self,
        request: &AuthorizationRequest,
        ticket: &Secret,
        browser: &str,
    ) -> Result<String> {
        let code = Secret::random();
        let new = NewGrant {
            ticket: ticket.hash(),
            request: request.whole,
            browser: Secret::given(browser).hash(),
            client: request.client.clone(),
            capabilities: request.capabilities,
            code: code.hash(),
            opens_for: FETCHED_WITHIN,
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge,
        };
        let grant = self.oauth.grant(new).await?;
        let grant = grant.ok_or_else(|| Error::Conflict(TOO_LATE.into()))?;
        tracing::info!(grant.id = %grant.id, client.id = request.client.id, "a client was let in");
        Ok(request.granted(code.reveal()))
    }
}

const WRONG_CODE: &str =
    "This code is not taken: it was mistyped, used before, or made too long ago.";
const TOO_LATE: &str = "You have answered this already, or its time is over.";
