//! `media_delete`: takes a file away for good.

use rmcp::{RoleServer, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Answer, Tools, arguments::Arguments, hints, meta, schema};
use crate::{error::Result, service::answers::DeleteAnswer, store::MediaRef};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeleteArguments {
    /// The file, by its `media_id`, one of its handles or its `upload_key`.
    media_id: String,
    /// Delete it although it is attached, and its attachments with it.
    #[serde(default)]
    force: bool,
}

#[tool_router(router = media_delete_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "Delete an uploaded file",
        description = include_str!("../../tools/media_delete.md"),
        input_schema = schema::input::<DeleteArguments>(),
        output_schema = schema::output::<DeleteAnswer>(),
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        ),
        meta = meta("write", &["media", "write"], "Deleting the file", "Done with the file")
    )]
    async fn media_delete(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<DeleteAnswer>> {
        let arguments: DeleteArguments = arguments.read()?;
        let caller = self.caller(&context)?;
        let which = MediaRef::named(&arguments.media_id);
        let deleted = self
            .service
            .delete_media(&caller, which, arguments.force)
            .await
            .map_err(hints::of_deletion)?;
        Ok(Answer(deleted.into()))
    }
}
