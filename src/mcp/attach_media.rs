//! `attach_media`: puts files where they belong.

use rmcp::{RoleServer, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{Answer, Tools, arguments::Arguments, hints, meta, schema};
use crate::{
    arguments::AttachArguments,
    domain::attachment::Target,
    error::Result,
    service::{What, answers::AttachAnswer},
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TargetArguments {
    /// What kind of thing the file goes on, for example post: a-z, 0-9, _ and -.
    #[schemars(length(min = 1, max = 64))]
    target_type: String,
    /// Which one.
    #[serde(deserialize_with = "text")]
    #[schemars(length(min = 1, max = 200))]
    target_id: String,
}

/// Models write an id that is a number as one.
fn text<'de, D: Deserializer<'de>>(id: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text")]
    enum Id {
        Text(String),
        Number(u64),
    }
    Ok(match Id::deserialize(id)? {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
    })
}

#[tool_router(router = attach_media_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "Attach an uploaded file",
        description = include_str!("../../tools/attach_media.md"),
        input_schema = schema::input_both::<TargetArguments, AttachArguments>(),
        output_schema = schema::output::<AttachAnswer>(),
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        ),
        meta = meta("write", &["media", "write"], "Attaching the file", "Done with the file")
    )]
    async fn attach_media(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<AttachAnswer>> {
        let (target, attach) = arguments.read_both::<TargetArguments, AttachArguments>()?;
        let request = attach.read(Target {
            kind: target.target_type,
            id: target.target_id,
        })?;
        let caller = self.caller(&context)?;
        let is_upload = matches!(request.what, What::Session(_));
        let attached = self.service.attach(&caller, request).await;
        let (attached, status) = attached.map_err(|error| hints::of_attaching(error, is_upload))?;
        Ok(Answer(AttachAnswer::new(&attached, status)))
    }
}
