//! Attaching media to what they are for.

use super::{Service, authority::must, download::must_be_passed};
use crate::{
    domain::{
        attachment::{Attachment, MOST_TARGET_ID, Room, Target},
        caller::Caller,
        capability::Capability,
        media::{Media, media_of_key},
        session::Status,
    },
    error::{Error, Result},
    store::{MediaRef, NewAttachment, SessionRef},
};

/// Highest position; further files of a session come after it.
const MOST_POSITION: u32 = 1_000_000;
/// Longest alternative text, in characters.
const MOST_ALT: usize = 2_000;

/// What to attach.
#[derive(Debug, Clone)]
pub enum What {
    /// All media of a session, once.
    Session(SessionRef),
    /// One media, by its id or one of its handles.
    Media(String),
    /// One media, by its key.
    UploadKey(String),
}

/// Asks to attach.
#[derive(Debug, Clone)]
pub struct AttachRequest {
    /// What.
    pub what: What,
    /// To what.
    pub target: Target,
    /// Text for those who do not see the picture.
    pub alt: Option<String>,
    /// Where among the target's media, counted from 0.
    pub position: Option<u32>,
}

impl Service {
    /// Attaches media to a target. The same call again gives the same answer.
    ///
    /// A session is consumed by it; a media is not. The status is that of the session that was
    /// consumed.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`], [`Error::InvalidArgument`], [`Error::NotFound`], [`Error::FilesGone`],
    /// [`Error::NotReady`], [`Error::MimeNotAllowed`], [`Error::AlreadyConsumed`], [`Error::Conflict`] if
    /// the target has all that it may have, [`Error::ScanBlocked`], or as [`Error::of_closed`].
    pub async fn attach(
        &self,
        caller: &Caller,
        request: AttachRequest,
    ) -> Result<(Vec<Attachment>, Status)> {
        must(caller, Capability::MediaAttach)?;
        check(&request)?;
        let wanted = NewAttachment {
            room: self.room_of(&request.target),
            target: request.target,
            alt: request.alt,
            position: request.position,
            created_by: caller.actor(),
        };
        match request.what {
            What::Session(which) => {
                let view = self.status(caller, which).await?;
                if view.is_emptied() {
                    return Err(Error::FilesGone);
                }
                self.must_suit(&view.session.purpose, &view.media, &wanted.target)?;
                let attached = self.store.consume(view.session.id, wanted).await?;
                super::close::log_move(
                    view.session.id,
                    view.session.state,
                    crate::domain::session::State::Consumed,
                );
                Ok((attached, Status::Consumed))
            }
            What::Media(name) => {
                self.attach_one(caller, MediaRef::named(&name), wanted)
                    .await
            }
            What::UploadKey(key) => {
                let id = media_of_key(&key).ok_or(Error::NotFound)?;
                self.attach_one(caller, MediaRef::Id(id), wanted).await
            }
        }
    }

    async fn attach_one(
        &self,
        caller: &Caller,
        which: MediaRef,
        wanted: NewAttachment,
    ) -> Result<(Vec<Attachment>, Status)> {
        let found = self.store.media(&caller.workspaces, which).await?;
        let media = found.ok_or(Error::NotFound)?;
        self.must_suit(&media.purpose, std::slice::from_ref(&media), &wanted.target)?;
        let session = self.store.find(SessionRef::Id(media.upload_id)).await?;
        if session
            .as_ref()
            .is_some_and(|view| view.session.state.is_open())
        {
            return Err(Error::NotReady);
        }
        must_be_passed(&media)?;
        let attached = self
            .store
            .attach(media.workspace_id, media.id, wanted)
            .await?;
        let status = session.map_or(Status::Completed, |view| view.session.state.status());
        Ok((vec![attached], status))
    }

    /// # Errors
    /// [`Error::InvalidArgument`] if the purpose's media do not go on such targets;
    /// [`Error::MimeNotAllowed`] if such targets do not take one of them.
    pub(super) fn must_suit(&self, purpose: &str, media: &[Media], target: &Target) -> Result<()> {
        if let Some(purpose) = self.settings.purpose(purpose)
            && !purpose.target_types.is_empty()
            && !purpose.target_types.contains(&target.kind)
        {
            return Err(Error::InvalidArgument(format!(
                "target_type: a file for `{}` goes on {}, not on `{}`.",
                purpose.name,
                purpose.target_types.join(", "),
                target.kind
            )));
        }
        let Some(takes) = self.settings.target_type(&target.kind) else {
            return Ok(());
        };
        let mut types = media.iter().map(|media| &media.stored.mime_type);
        match types.find(|mime| !takes.accepts(mime)) {
            Some(found) => Err(Error::MimeNotAllowed {
                found: Some(found.clone()),
                allowed: takes.accepts.clone(),
            }),
            None => Ok(()),
        }
    }

    /// How many media this target may have.
    fn room_of(&self, target: &Target) -> Room {
        let takes = self.settings.target_type(&target.kind);
        takes.map(|takes| takes.room).unwrap_or_default()
    }
}

fn check(request: &AttachRequest) -> Result<()> {
    check_target(&request.target)?;
    check_facts(request.alt.as_deref(), request.position)
}

/// # Errors
/// [`Error::InvalidArgument`] for what no target can be called.
pub(super) fn check_target(target: &Target) -> Result<()> {
    if !Target::is_kind(&target.kind) {
        return Err(invalid(
            "target_type: 1 to 64 characters of a-z, 0-9, `_` and `-`.",
        ));
    }
    if !(1..=MOST_TARGET_ID).contains(&target.id.chars().count()) {
        return Err(invalid("target_id: 1 to 200 characters."));
    }
    Ok(())
}

/// # Errors
/// [`Error::InvalidArgument`] for what no attachment can have.
pub(super) fn check_facts(alt: Option<&str>, position: Option<u32>) -> Result<()> {
    if position.is_some_and(|position| position > MOST_POSITION) {
        return Err(invalid("position: at most 1,000,000."));
    }
    if alt.is_some_and(|alt| alt.chars().count() > MOST_ALT) {
        return Err(invalid("alt: at most 2,000 characters."));
    }
    Ok(())
}

fn invalid(why: &str) -> Error {
    Error::InvalidArgument(why.to_owned())
}
