//! Requests whose link the agent's program shows to the person itself, and calls again with what they
//! chose: how the second call is known to belong to the first.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::Service;
use crate::{
    domain::{
        caller::Caller,
        ids::UploadId,
        session::{Status, UploadSession},
    },
    error::{Error, Result},
    link::hex,
    store::{
        SessionRef, SessionView,
        requests::{Begun, Fingerprint, Reply, RequestKey},
    },
};

/// What a person chose who was shown the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// To open the link; the file is still to come.
    Accept,
    /// Not to send anything.
    Decline,
    /// Nothing: the question was put away.
    Cancel,
}

impl Choice {
    fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Decline => "decline",
            Self::Cancel => "cancel",
        }
    }
}

/// How long a choice may take to be written down.
const LEASE: SignedDuration = SignedDuration::from_secs(10);

impl Service {
    /// What a program brings back with the person's choice. It is good for this caller's same call, by
    /// the SHA-256 of its arguments, while the link lives. It names the session and holds no secret.
    #[must_use]
    pub fn request_state(&self, caller: &Caller, id: UploadId, call: [u8; 32]) -> String {
        let signature = self.request_keys.sign(&message(caller, id, call));
        format!("{id}.{signature}")
    }

    /// The session that such a state belongs to.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a state that was changed, is of another call or somebody else's,
    /// and once the link's time is over.
    pub async fn of_state(
        &self,
        caller: &Caller,
        state: &str,
        call: [u8; 32],
    ) -> Result<SessionView> {
        let signed = state.split_once('.').and_then(|(id, signature)| {
            let id: UploadId = id.parse().ok()?;
            let message = message(caller, id, call);
            self.request_keys.verify(&message, signature).then_some(id)
        });
        let id = signed.ok_or_else(foreign)?;
        // Its workspace may not be the caller's any more.
        let view = self.status(caller, SessionRef::Id(id)).await;
        let view = view.map_err(|error| match error {
            Error::NotFound => foreign(),
            other => other,
        })?;
        if self.clock.now() >= view.session.expires_at {
            return Err(refused(&view.session, "it has expired with its link"));
        }
        Ok(view)
    }

    /// Takes what the person chose. The first choice stands: the same one again changes nothing, so that
    /// a call whose answer was lost can be repeated; another one is a replay.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another choice than before; [`Error::Conflict`] while one is
    /// written down.
    pub async fn choose(
        &self,
        caller: &Caller,
        session: &UploadSession,
        choice: Choice,
    ) -> Result<()> {
        let key = RequestKey {
            principal: caller.principal.id,
            // What clients give as keys has no blanks.
            key: format!("shown link {}", session.id),
        };
        let chosen = Fingerprint {
            sha256: Sha256::digest(choice.as_str()).into(),
            bytes: 0,
        };
        match self.requests.begin(key.clone(), LEASE).await? {
            Begun::New => {
                let reply = Reply {
                    status: 200,
                    body: None,
                };
                Ok(self.requests.finish(key, chosen, reply).await?)
            }
            Begun::Answered(before, _) if before == chosen => Ok(()),
            Begun::Answered(..) => Err(refused(
                session,
                "the person's choice came with it before, and it was another one",
            )),
            Begun::Running => Err(Error::Conflict(
                "The person's choice is just being written down: call again in a few seconds."
                    .into(),
            )),
        }
    }
}

/// What is signed.
fn message(caller: &Caller, id: UploadId, call: [u8; 32]) -> String {
    let (principal, call) = (caller.principal.id, hex(&call));
    format!("upload_request\n{principal}\n{id}\n{call}")
}

fn foreign() -> Error {
    Error::InvalidArgument(
        "requestState: it does not belong to this call: it was changed, is somebody else's, or the \
         arguments are not those that it came with. Call upload_request anew, without it."
            .into(),
    )
}

/// A state that is the caller's own, so that it may be told what became of the session.
fn refused(session: &UploadSession, why: &str) -> Error {
    let anew = match session.state.status() {
        Status::Completed | Status::Consumed => "",
        _ => ", or upload_request anew, without it",
    };
    Error::InvalidArgument(format!(
        "requestState: {why}. Call upload_status(upload_id=\"{}\") to see how it stands{anew}.",
        session.id
    ))
}
