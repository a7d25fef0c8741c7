//! `upload_cancel`: closes a link.

use rmcp::{RoleServer, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Answer, Tools,
    arguments::{Arguments, session_ref},
    hints, meta, schema,
};
use crate::{error::Result, service::answers::StatusAnswer};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct CancelArguments {
    /// The token that `upload_create` returned. Give this or `upload_id`.
    token: Option<String>,
    /// The `upload_id` that `upload_create` returned. Give this or `token`.
    upload_id: Option<String>,
}

#[tool_router(router = upload_cancel_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "Close an upload link",
        description = include_str!("../../tools/upload_cancel.md"),
        input_schema = schema::input::<CancelArguments>(),
        output_schema = schema::output::<StatusAnswer>(),
        annotations(
            read_only_hint = false,
            destructive_hint = true,
            idempotent_hint = true,
            open_world_hint = false
        ),
        meta = meta("write", &["upload", "write"], "Closing the link", "Done with the link")
    )]
    async fn upload_cancel(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<StatusAnswer>> {
        let arguments: CancelArguments = arguments.read()?;
        let which = session_ref(arguments.token.as_deref(), arguments.upload_id.as_deref());
        let which = which.map_err(hints::of_closing)?;
        let caller = self.caller(&context)?;
        let view = self.service.cancel(&caller, which).await;
        let view = view.map_err(hints::of_closing)?;
        Ok(Answer(self.service.status_answer(&view)))
    }
}
