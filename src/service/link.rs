//! Making links, and what a link opens.

use std::net::IpAddr;

use super::Service;
use crate::{
    domain::{
        ids::MediaId,
        session::{State, UploadSession},
        workspace::{Workspace, WorkspaceRef},
    },
    error::{Error, Result},
    link::{LinkQuery, Token},
    store::{SessionRef, SessionView},
};

/// A link as somebody opened it: unchecked.
#[derive(Debug, Clone, Copy)]
pub struct AskedLink<'a> {
    /// The token as it stands in the path.
    pub token: &'a str,
    /// The query as it came.
    pub query: Option<&'a str>,
    /// Who opens it.
    pub from: IpAddr,
    /// Whether it is opened for writing: then it must have exactly the signed parameters.
    pub for_writing: bool,
}

/// A session whose link was checked: signature and existence. Whether it still takes files is
/// another question.
#[derive(Debug, Clone)]
pub struct LinkedSession {
    /// The session as it stands.
    pub view: SessionView,
    /// Whom it belongs to.
    pub workspace: Workspace,
    /// The signed query.
    pub query: LinkQuery,
}

impl Service {
    /// Checks a link.
    ///
    /// # Errors
    /// In this order: [`Error::NotFound`] if the token is no UUID, [`Error::LinkInvalid`], or
    /// [`Error::RateLimited`] for either where there were too many; [`Error::NotFound`] if there is no
    /// such session.
    pub async fn linked(&self, link: AskedLink<'_>) -> Result<LinkedSession> {
        let (token, query) = self
            .signed_query(&link)
            .map_err(|why| self.wrong_link(link.from, why))?;
        let view = self
            .store
            .find(SessionRef::Token(token))
            .await?
            .ok_or(Error::NotFound)?;
        let which = WorkspaceRef::Id(view.session.workspace_id);
        let workspace = self.identities.workspace(&which).await?;
        Ok(LinkedSession {
            view,
            workspace: workspace.ok_or(Error::NotFound)?,
            query,
        })
    }

    fn signed_query(&self, link: &AskedLink<'_>) -> Result<(Token, LinkQuery)> {
        let token: Token = link.token.parse()?;
        let query = LinkQuery::parse(link.query, link.for_writing)?;
        query.check(&self.link_keys, link.token)?;
        Ok((token, query))
    }

    /// Remembers that the person has opened the page.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn opened(&self, session: &UploadSession) -> Result<()> {
        if session.state == State::Pending && session.opened_at.is_none() {
            self.store.open(session.id).await?;
        }
        Ok(())
    }

    /// The signed query of a session's link.
    #[must_use]
    pub fn link_query(&self, session: &UploadSession) -> LinkQuery {
        let (token, workspace) = (session.token, session.workspace_id);
        LinkQuery::signed(&self.link_keys, token, workspace, session.expires_at)
    }

    /// The whole link, to be relayed.
    #[must_use]
    pub fn link_url(&self, session: &UploadSession) -> String {
        self.link_url_below(session, "")
    }

    /// The whole address of what is below the link at this path.
    pub(super) fn link_url_below(&self, session: &UploadSession, path: &str) -> String {
        let (base, token, query) = (self.public_url(), session.token, self.link_query(session));
        format!("{base}/uploads/{token}{path}?{query}")
    }

    /// A proof, for the sender's browser alone, that it sent this media.
    #[must_use]
    pub fn receipt(&self, media: MediaId) -> String {
        format!("{media}.{}", self.receipt_keys.sign(&media.to_string()))
    }

    /// The media that a receipt proves.
    #[must_use]
    pub fn receipt_media(&self, receipt: &str) -> Option<MediaId> {
        let (media, signature) = receipt.split_once('.')?;
        self.receipt_keys
            .verify(media, signature)
            .then(|| media.parse().ok())
            .flatten()
    }
}
