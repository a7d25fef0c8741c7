//! `attach_media`: puts files where they belong.

use rmcp::{RoleServer, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Tools,
    arguments::{Arguments, session_ref},
    meta, schema,
};
use crate::{
    domain::{attachment::Target, session::Status},
    error::{Error, Result},
    service::{AttachRequest, What, answers::AttachmentAnswer},
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AttachArguments {
    /// What kind of thing the file goes on, for example post: a-z, 0-9, _ and -.
    #[schemars(length(min = 1, max = 64))]
    target_type: String,
    /// Which one.
    #[schemars(length(min = 1, max = 200))]
    target_id: String,
    /// The token of a completed upload: attaches all its files, once. Give exactly one of
    /// `upload_token`, `upload_id`, `media_id` and `upload_key`.
    #[serde(default)]
    upload_token: Option<String>,
    /// The `upload_id` of a completed upload: the same as its token.
    #[serde(default)]
    upload_id: Option<String>,
    /// One file, by its `media_id` or one of its handles. May be attached any number of times.
    #[serde(default)]
    media_id: Option<String>,
    /// One file, by its key: medias/….
    #[serde(default)]
    upload_key: Option<String>,
    /// Text for those who do not see the picture.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    alt: Option<String>,
    /// Where among the target's files, counted from 0. Leave it out for the end.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    position: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AttachAnswer {
    /// Always true: the call did what it was asked to.
    ok: bool,
    /// In the order of their positions.
    attachments: Vec<AttachmentAnswer>,
    /// How the upload stands now.
    status: Status,
}

fn what(arguments: &mut AttachArguments) -> Result<What> {
    let (token, id) = (arguments.upload_token.take(), arguments.upload_id.take());
    let given = (
        token,
        id,
        arguments.media_id.take(),
        arguments.upload_key.take(),
    );
    match given {
        (Some(token), None, None, None) => session_ref(Some(&token), None).map(What::Session),
        (None, Some(id), None, None) => session_ref(None, Some(&id)).map(What::Session),
        (None, None, Some(media), None) => Ok(What::Media(media)),
        (None, None, None, Some(key)) => Ok(What::UploadKey(key)),
        _ => Err(Error::InvalidArgument(
            "Give exactly one of upload_token, upload_id, media_id and upload_key.".into(),
        )),
    }
}

#[tool_router(router = attach_media_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "Attach an uploaded file",
        description = include_str!("../../tools/attach_media.md"),
        input_schema = schema::input::<AttachArguments>(),
        output_schema = schema::output::<AttachAnswer>(),
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        ),
        meta = meta("write", &["media", "write"])
    )]
    async fn attach_media(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<AttachAnswer>> {
        let mut arguments: AttachArguments = arguments.read()?;
        let request = AttachRequest {
            what: what(&mut arguments)?,
            target: Target {
                kind: arguments.target_type,
                id: arguments.target_id,
            },
            alt: arguments.alt,
            position: arguments.position,
        };
        let caller = self.caller(&context)?;
        let (attached, status) = self.service.attach(&caller, request).await?;
        Ok(Answer(AttachAnswer {
            ok: true,
            attachments: attached.iter().map(AttachmentAnswer::from).collect(),
            status,
        }))
    }
}
