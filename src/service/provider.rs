//! Tokens of the operator's identity provider.

use jiff::SignedDuration;

use super::{Service, authority::UNKNOWN_KEY};
use crate::{
    domain::{
        api_key::Secret,
        capability::{Capabilities, Capability},
        ids::WorkspaceId,
        workspace::WorkspaceRef,
    },
    error::{Error, Result},
    intake::filename::harmless_text,
    oauth::{Claims, Refused},
    store::identity::NewToken,
};

/// How long a token is taken without its signature being checked again: a key that its issuer withdrew
/// opens nothing after that.
pub(super) const CHECKED_FOR: SignedDuration = SignedDuration::from_mins(5);
/// Longest token, in bytes.
const MOST_BYTES: usize = 8 * 1024;
/// Longest name and address of a person, and longest name that an issuer has for one, in characters.
const MOST_NAME: usize = 200;
const MOST_SUBJECT: usize = 255;

impl Service {
    /// For whom tokens must be made: this server's MCP endpoint, unless the settings say otherwise.
    #[must_use]
    pub fn audience(&self) -> String {
        let own = || format!("{}/mcp", self.public_url());
        self.settings.oauth_audience.clone().unwrap_or_else(own)
    }

    /// Where clients learn how to come by a token (RFC 9728): for a resource at `/mcp`, that path comes
    /// after the well-known one.
    #[must_use]
    pub fn resource_metadata_url(&self) -> String {
        format!(
            "{}/.well-known/oauth-protected-resource/mcp",
            self.public_url()
        )
    }

    /// Lets in whoever shows a token that the issuer made for us.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Unavailable`] while the issuer cannot be asked.
    pub(super) async fn admit_token(&self, shown: &Secret) -> Result<()> {
        let token = shown.reveal();
        let issuer = self.issuer.as_ref();
        let is_token = token.len() <= MOST_BYTES && token.split('.').count() == 3;
        let issuer = issuer.filter(|_| is_token);
        let issuer = issuer.ok_or(Error::Unauthenticated(UNKNOWN_KEY))?;
        let now = self.clock.now();
        let claims = issuer.verify(token, &self.audience(), now).await;
        let claims = claims.map_err(|refused| match refused {
            Refused::Token(why) => {
                tracing::info!(why, "a token was refused");
                Error::Unauthenticated(WRONG_TOKEN)
            }
            Refused::Issuer(_) => Error::Unavailable(
                "The identity provider that signs tokens cannot be reached.".into(),
            ),
        })?;
        if claims.sub.chars().count() > MOST_SUBJECT {
            return Err(Error::Unauthenticated(WRONG_TOKEN));
        }
        let email = claims.email.as_deref().and_then(shown_as);
        let name = claims.name.as_deref().and_then(shown_as);
        let new = NewToken {
            hash: shown.hash(),
            issuer: issuer.url().to_owned(),
            name: name.or(email.clone()).unwrap_or("Somebody".into()),
            email,
            workspaces: self.workspaces_of(&claims).await?,
            capabilities: capabilities(&claims),
            expires_at: claims.ends_at(),
            subject: claims.sub,
        };
        Ok(self.identities.admit(new).await?)
    }

    /// Where a token may be used: what its claim names, or else the workspace of all.
    async fn workspaces_of(&self, claims: &Claims) -> Result<Vec<WorkspaceId>> {
        let Some(claim) = &self.settings.oauth_workspace_claim else {
            return Ok(vec![self.home]);
        };
        let mut workspaces = Vec::new();
        for named in claims.texts(claim).take(100) {
            let Ok(which) = named.parse::<WorkspaceRef>() else {
                continue;
            };
            let found = self.identities.workspace(&which).await?;
            workspaces.extend(found.map(|workspace| workspace.id));
        }
        Ok(workspaces)
    }
}

const WRONG_TOKEN: &str =
    "This token is not taken here: it has ended, or was made by or for somebody else.";

/// The scopes that are capabilities. Some providers write what they are for before them:
/// `api://askfile/asset:upload`.
fn capabilities(claims: &Claims) -> Capabilities {
    let words = claims.scopes();
    let words = words.filter_map(|scope| scope.rsplit('/').next());
    words
        .filter_map(|word| word.parse::<Capability>().ok())
        .collect()
}

/// A text of somebody else, fit to be shown, if anything is left of it.
pub(super) fn shown_as(text: &str) -> Option<String> {
    let text = harmless_text(text).replace('\n', " ");
    let text: String = text.trim().chars().take(MOST_NAME).collect();
    (!text.is_empty()).then_some(text)
}
