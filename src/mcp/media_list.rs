//! `media_list`: the files that are there, a page at a time.

use rmcp::{RoleServer, service::RequestContext, tool, tool_router};

use super::{Answer, Tools, arguments::Arguments, meta, schema};
use crate::{
    arguments::{Labels, ListArguments},
    error::Result,
    service::answers::ListAnswer,
};

#[tool_router(router = media_list_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "List uploaded files",
        description = include_str!("../../tools/media_list.md"),
        input_schema = schema::input_both::<ListArguments, Labels>(),
        output_schema = schema::output::<ListAnswer>(),
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        ),
        meta = meta("read-only", &["read", "media"], "Listing files", "Files listed")
    )]
    async fn media_list(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<ListAnswer>> {
        let (list, labels) = arguments.read_both::<ListArguments, Labels>()?;
        let request = list.read(labels.labels)?;
        let caller = self.caller(&context)?;
        let listed = self.service.list_media(&caller, request).await?;
        Ok(Answer(listed.into()))
    }
}
