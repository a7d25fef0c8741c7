//! `upload_status`: how a session stands; the call that waits.

use std::time::Duration;

use rmcp::{RoleServer, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AnswerBeside, Tools,
    arguments::{Arguments, session_ref},
    meta, resources, schema,
    wait::rounded,
};
use crate::{
    domain::session::State,
    error::{Error, Result},
    service::answers::StatusAnswer,
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StatusArguments {
    /// The token that `upload_create` returned. Give this or `upload_id`.
    pub token: Option<String>,
    /// The `upload_id` that `upload_create` returned. Give this or `token`.
    pub upload_id: Option<String>,
    /// Hold the call until the file is there, for at most so many seconds. 0: answer at once.
    #[schemars(range(min = 0.0, max = 3_600.0))]
    pub wait_seconds: f64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Waited {
    #[serde(flatten)]
    status: StatusAnswer,
    /// With `wait_seconds`: how long it was waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    waited_seconds: Option<f64>,
}

#[tool_router(router = upload_status_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "See whether the file has arrived",
        description = include_str!("../../tools/upload_status.md"),
        input_schema = schema::input::<StatusArguments>(),
        output_schema = schema::output::<Waited>(),
        annotations(
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        ),
        meta = meta("read-only", &["read", "upload"], "Looking for the file", "Looked for the file")
    )]
    async fn upload_status(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<AnswerBeside<Waited>> {
        let arguments: StatusArguments = arguments.read()?;
        if !(0.0..=3_600.0).contains(&arguments.wait_seconds) {
            return Err(Error::InvalidArgument(
                "wait_seconds: between 0 and 3,600 seconds.".into(),
            ));
        }
        let which = session_ref(arguments.token.as_deref(), arguments.upload_id.as_deref())?;
        let caller = self.caller(&context)?;
        let view = self.service.status(&caller, which).await?;
        if view.session.state == State::Completed {
            // What is suggested may have addresses in it.
            self.service.settled().await?;
        }
        if arguments.wait_seconds == 0.0 {
            let answer = Waited {
                status: self.service.status_for(&caller, &view),
                waited_seconds: None,
            };
            return Ok(AnswerBeside(
                answer,
                resources::links(&context, &caller, &view),
            ));
        }
        let wanted = Duration::from_secs_f64(arguments.wait_seconds);
        let waited = self.wait(&context, &caller, view, wanted, None).await?;
        let mut status = self.service.status_for(&waited.caller, &waited.view);
        status.next_action = waited.next_action(status.next_action);
        let links = resources::links(&context, &waited.caller, &waited.view);
        let answer = Waited {
            status,
            waited_seconds: Some(rounded(waited.seconds)),
        };
        Ok(AnswerBeside(answer, links))
    }
}
