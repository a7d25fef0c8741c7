//! Following a resource: hearing of each change of what it shows, for as long as it can change.

use std::pin::pin;

use sha2::{Digest, Sha256};

use super::{Asker, Place, Service, authority::must, status::LOOK_AGAIN};
use crate::{
    domain::{
        caller::Caller,
        capability::Capability,
        ids::{MediaId, UploadId, WorkspaceId},
        resource::ResourceUri,
        session::State,
    },
    error::{Error, Result},
    store::{MediaRef, SessionRef, SessionView},
};

/// Somebody who follows a resource.
#[derive(Debug)]
pub struct Follower {
    service: Service,
    asker: Asker,
    what: ResourceUri,
    _place: Place,
    /// The session that it is, or came by: its changes are told.
    session: UploadId,
    seen: Seen,
}

/// What was seen of a resource. There may be thousands who follow, so it is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    digest: [u8; 32],
    is_final: bool,
}

impl Service {
    /// Follows a session or a file of the asker's workspaces, from how it stands now.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::PermissionDenied`] for a file without `media:read`.
    pub async fn follow(
        &self,
        mut asker: Asker,
        what: ResourceUri,
        place: Place,
    ) -> Result<Follower> {
        let (session, seen) = self.look(&asker.last(), what).await?;
        Ok(Follower {
            service: self.clone(),
            asker,
            what,
            _place: place,
            session,
            seen,
        })
    }

    async fn look(&self, caller: &Caller, what: ResourceUri) -> Result<(UploadId, Seen)> {
        match what {
            ResourceUri::Upload(workspace, id) => {
                let seen = self.look_at_session(caller, workspace, id).await?;
                Ok((id, seen))
            }
            ResourceUri::Media(workspace, id) => self.look_at_media(caller, workspace, id).await,
        }
    }

    async fn look_at_session(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        id: UploadId,
    ) -> Result<Seen> {
        let view = self.known(caller, SessionRef::Id(id)).await?;
        if view.session.workspace_id != workspace {
            return Err(Error::NotFound);
        }
        // Who counts files hears of each: how many there are is told before the last one is.
        let shown = (self.status_for(caller, &view), view.tally.stored);
        let shown = serde_json::to_vec(&shown).map_err(Error::internal)?;
        Ok(Seen {
            digest: Sha256::digest(shown).into(),
            is_final: is_final(&view),
        })
    }

    /// A file's bytes never change, but whether there are any to be read does.
    async fn look_at_media(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        id: MediaId,
    ) -> Result<(UploadId, Seen)> {
        must(caller, Capability::MediaRead)?;
        let media = self
            .store
            .media(&caller.workspaces, MediaRef::Id(id))
            .await?;
        let media = media.filter(|media| media.workspace_id == workspace);
        let media = media.ok_or(Error::NotFound)?;
        let shown = Sha256::new()
            .chain_update(media.scan_status.as_str())
            .chain_update(media.stored.sha256);
        let seen = Seen {
            digest: shown.finalize().into(),
            is_final: false,
        };
        Ok((media.upload_id, seen))
    }
}

/// Whether nothing changes any more that is shown of it. Files can be deleted that were consumed.
fn is_final(view: &SessionView) -> bool {
    match view.session.state {
        State::Pending | State::Receiving | State::Checking | State::Completed => false,
        State::Consumed => view.media.is_empty(),
        State::Expired | State::Declined | State::Cancelled => true,
    }
}

impl Follower {
    /// Whether it can still change.
    #[must_use]
    pub fn can_change(&self) -> bool {
        !self.seen.is_final
    }

    /// Waits for the next change; false where there is none to come: after the last, once the
    /// asker's key opens nothing any more and they have no other, and when the server stops.
    pub async fn changed(&mut self) -> bool {
        let service = &self.service.clone();
        let _watching = service.store.watch();
        let changes = service.waiters.watch(self.session);
        while !self.seen.is_final {
            let mut signal = pin!(changes.notified());
            signal.as_mut().enable();
            // Read after the place was taken, so that no change falls between the two.
            let now = self.look_again().await;
            if service.closing.is_cancelled() {
                return false;
            }
            match now {
                Ok(now) if now != self.seen => {
                    self.seen = now;
                    return true;
                }
                // What the key does not allow at present it may allow again.
                Ok(_) | Err(Error::PermissionDenied(_)) => {}
                // It is gone, which is the last change.
                Err(Error::NotFound) => {
                    self.seen.is_final = true;
                    return true;
                }
                Err(Error::Unauthenticated(_)) => {
                    let comes_anew = tokio::select! {
                        comes_anew = self.asker.comes_anew() => comes_anew,
                        () = service.closing.cancelled() => false,
                    };
                    if comes_anew {
                        continue;
                    }
                    return false;
                }
                Err(passing) => passing.log(),
            }
            tokio::select! {
                () = signal => {}
                () = service.closing.cancelled() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        false
    }

    /// As the asker's key allows by now.
    async fn look_again(&mut self) -> Result<Seen> {
        let caller = self.service.by_now(&self.asker.last()).await?;
        let (_, seen) = self.service.look(&caller, self.what).await?;
        Ok(seen)
    }
}
