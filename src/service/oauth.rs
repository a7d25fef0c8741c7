//! The built-in authorization server (mode `builtin`): clients ask to be let in, people let them in with
//! a code that the operator gave them, and clients get tokens for it.
//!
//! OAuth 2.1 as MCP has it: the authorization code with PKCE, for public clients. No library is on the
//! market that does this on another's store and pages, and the flow is short; what is not, the tokens
//! and their look-up, is that of keys.

mod clients;
mod grants;
mod request;
mod sign_in;
mod tokens;

pub use self::{
    clients::{Registered, Registration},
    request::{AuthorizationRequest, Parameters, Turned},
    sign_in::{Offered, SignInRequest, Ticket},
    tokens::{GivenTokens, TokenRequest},
};
use super::Service;
use crate::{
    domain::capability::{Capabilities, Capability},
    oauth::Failure,
};

impl Service {
    /// Whether clients are let in here.
    #[must_use]
    pub fn lets_clients_in(&self) -> bool {
        self.settings.auth.builtin
    }

    /// Tokens are made for this server's MCP endpoint alone (RFC 8707).
    fn must_be_for_us(&self, resource: &str) -> Result<(), Failure> {
        // A slash at the end is all that addresses of one thing differ in.
        if resource.trim_end_matches('/') == self.audience().trim_end_matches('/') {
            return Ok(());
        }
        let why = format!("resource: tokens are made for {} alone.", self.audience());
        Err(Failure::refused("invalid_target", why))
    }
}

/// Scopes, as they are written in OAuth.
#[must_use]
pub fn scope_text(capabilities: Capabilities) -> String {
    let words: Vec<_> = capabilities.iter().map(Capability::as_str).collect();
    words.join(" ")
}
