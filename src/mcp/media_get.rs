//! `media_get`: one file: its facts, a link to its bytes, and a picture as models see it.

use base64::{Engine, prelude::BASE64_STANDARD};
use rmcp::{RoleServer, model::ContentBlock, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{AnswerBeside, Tools, arguments::Arguments, hints, meta, schema};
use crate::{
    domain::media::Media,
    error::{Error, Result},
    service::answers::GetAnswer,
    store::MediaRef,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetArguments {
    /// The file, by its `media_id`, one of its handles or its `upload_key`.
    media_id: String,
    /// How long the links are to work: 300 seconds if not said.
    #[serde(default)]
    #[schemars(range(min = 1, max = 3_600))]
    expires_in_seconds: Option<u64>,
}

#[tool_router(router = media_get_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "Look at an uploaded file",
        description = include_str!("../../tools/media_get.md"),
        input_schema = schema::input::<GetArguments>(),
        output_schema = schema::output::<GetAnswer>(),
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        ),
        meta = meta("read-only", &["read", "media"], "Getting the file", "Got the file")
    )]
    async fn media_get(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<AnswerBeside<GetAnswer>> {
        let arguments: GetArguments = arguments.read()?;
        let caller = self.caller(&context)?;
        let which = MediaRef::named(&arguments.media_id);
        let shown = self
            .service
            .show_media(&caller, which, arguments.expires_in_seconds)
            .await
            .map_err(hints::of_file)?;
        let picture = self.picture(&shown.media).await?;
        Ok(AnswerBeside(shown.into(), picture))
    }

    /// The picture, as models take it. One that cannot be decoded is none.
    async fn picture(&self, media: &Media) -> Result<Vec<ContentBlock>> {
        if !media.can_be_scaled() {
            return Ok(Vec::new());
        }
        match self.service.model_copy(media).await {
            Ok((bytes, mime_type)) => Ok(vec![ContentBlock::image(
                BASE64_STANDARD.encode(bytes),
                mime_type,
            )]),
            Err(Error::Damaged(_) | Error::ImageTooLarge(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
