//! What is to be attached.

use schemars::JsonSchema;
use serde::Deserialize;

use super::session_ref;
use crate::{
    domain::attachment::Target,
    error::{Error, Result},
    service::{AttachRequest, What},
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AttachArguments {
    /// The token of a completed upload: attaches all its files, once. Give exactly one of
    /// `upload_token`, `upload_id`, `media_id` and `upload_key`.
    upload_token: Option<String>,
    /// The `upload_id` of a completed upload: the same as its token.
    upload_id: Option<String>,
    /// One file, by its `media_id` or one of its handles. May be attached any number of times.
    media_id: Option<String>,
    /// One file, by its key: medias/….
    upload_key: Option<String>,
    /// Text for those who do not see the picture.
    #[schemars(length(max = 2000))]
    alt: Option<String>,
    /// Where among the target's files, counted from 0; what is there moves back. Leave it out for the
    /// end.
    #[schemars(range(max = 1_000_000))]
    position: Option<u32>,
}

impl AttachArguments {
    /// What they ask for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless one file or upload is named; [`Error::NotFound`] for what
    /// cannot be a name.
    pub(crate) fn read(self, target: Target) -> Result<AttachRequest> {
        let what = match (
            self.upload_token,
            self.upload_id,
            self.media_id,
            self.upload_key,
        ) {
            (Some(token), None, None, None) => What::Session(session_ref(Some(&token), None)?),
            (None, Some(id), None, None) => What::Session(session_ref(None, Some(&id))?),
            (None, None, Some(media), None) => What::Media(media),
            (None, None, None, Some(key)) => What::UploadKey(key),
            _ => {
                return Err(Error::InvalidArgument(
                    "Give exactly one of upload_token, upload_id, media_id and upload_key.".into(),
                ));
            }
        };
        Ok(AttachRequest {
            what,
            target,
            alt: self.alt,
            position: self.position,
        })
    }
}
