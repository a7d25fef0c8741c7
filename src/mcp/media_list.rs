//! `media_list`: the files that are there, a page at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rmcp::{RoleServer, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Answer, Tools, arguments::Arguments, meta, schema};
use crate::{
    domain::{media::Filter, mime::Kind},
    error::{Error, Result},
    service::{answers::ListAnswer, media::ListRequest},
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ListArguments {
    /// The workspace, by its id or alias. Leave it out for your own.
    workspace_id: Option<String>,
    /// Only files of this type, such as `image/png`, or `image/*`.
    mime_type: Option<String>,
    /// Only files of this kind.
    kind: Option<Kind>,
    /// Only files whose name has these characters in it, in capitals or not.
    #[schemars(length(max = 200))]
    name_contains: Option<String>,
    /// Only files of uploads that have all these labels.
    labels: BTreeMap<String, String>,
    /// Only files that came then or later, such as `2026-01-31T00:00:00Z`.
    since: Option<String>,
    /// Only files that this principal asked for, by its id; `me`: those that you asked for.
    created_by: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// At most so many files; 20 if not said.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

impl ListArguments {
    fn read(self) -> Result<ListRequest> {
        let pattern = |text: String| {
            let read = text.parse();
            read.map_err(|_| invalid("mime_type: a type such as image/png, or image/*."))
        };
        let instant = |text: String| {
            let read = text.parse::<Timestamp>();
            read.map_err(|_| invalid("since: a time with its zone, such as 2026-01-31T00:00:00Z."))
        };
        Ok(ListRequest {
            workspace_id: self.workspace_id,
            filter: Filter {
                mime_type: self.mime_type.map(pattern).transpose()?,
                kind: self.kind,
                name_contains: self.name_contains,
                labels: self.labels,
                since: self.since.map(instant).transpose()?,
                created_by: None,
            },
            created_by: self.created_by,
            cursor: self.cursor,
            limit: self.limit,
        })
    }
}

fn invalid(why: &str) -> Error {
    Error::InvalidArgument(why.to_owned())
}

#[tool_router(router = media_list_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "List uploaded files",
        description = include_str!("../../tools/media_list.md"),
        input_schema = schema::input::<ListArguments>(),
        output_schema = schema::output::<ListAnswer>(),
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        ),
        meta = meta("read-only", &["read", "media"])
    )]
    async fn media_list(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<ListAnswer>> {
        let request = arguments.read::<ListArguments>()?.read()?;
        let caller = self.caller(&context)?;
        let listed = self.service.list_media(&caller, request).await?;
        Ok(Answer(listed.into()))
    }
}
