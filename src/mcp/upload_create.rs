//! `upload_create`: mints a link.

use rmcp::{RoleServer, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Tools,
    arguments::Arguments,
    card::{self, with_card},
    language, meta, schema,
    wait::{rounded, seconds},
};
use crate::{
    arguments::LinkArguments,
    error::Result,
    service::{
        CreateRequest,
        answers::{LastErrorAnswer, ResultAnswer, SessionAnswer},
    },
    store::SessionRef,
};

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct WaitArguments {
    /// Hold the call until the file is there. Prefer false: the person sees the link only once the
    /// call has returned.
    wait: bool,
    /// With wait: for how many seconds at most.
    #[schemars(range(min = 0.001, max = 3_600.0))]
    timeout: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CreateAnswer {
    #[serde(flatten)]
    session: SessionAnswer,
    /// With wait: how long it was waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    waited_seconds: Option<f64>,
    /// With wait: the files, if they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultAnswer>,
    /// With wait: the exact next calls, if the files are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestions: Option<Vec<String>>,
    /// With wait: why the last try was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<LastErrorAnswer>,
}

/// How long a call with `wait` waits, in seconds, unless it says otherwise.
const DEFAULT_TIMEOUT: f64 = 120.0;

#[tool_router(router = upload_create_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "Ask a person for a file",
        description = include_str!("../../tools/upload_create.md"),
        input_schema = schema::input_both::<LinkArguments, WaitArguments>(),
        output_schema = schema::output::<CreateAnswer>(),
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        ),
        meta = with_card(meta("write", &["upload", "write"], "Making a link for the file", "Done with the link"))
    )]
    async fn upload_create(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<CreateAnswer>> {
        let (link, WaitArguments { wait, timeout }) =
            arguments.read_both::<LinkArguments, WaitArguments>()?;
        let timeout = seconds("timeout", timeout.unwrap_or(DEFAULT_TIMEOUT))?;
        let caller = self.caller(&context)?;
        let request = CreateRequest {
            language: language(&context),
            ..link.into()
        };
        let session = self.service.create(&caller, request).await?;
        let mut answer = CreateAnswer {
            session: self.service.session_answer(&session),
            waited_seconds: None,
            result: None,
            suggestions: None,
            last_error: None,
        };
        // Who is shown a card sees it once the call has returned.
        if !wait || card::is_shown(&context) {
            return Ok(Answer(answer));
        }
        let view = self.service.status(&caller, SessionRef::Id(session.id));
        let first = Some(answer.session.instruction.as_str());
        let waited = self.wait(&context, &caller, view.await?, timeout, first);
        match waited.await {
            Ok(waited) => {
                let status = self.service.status_for(&waited.caller, &waited.view);
                answer.waited_seconds = Some(rounded(waited.seconds));
                answer.session.status = status.status;
                answer.session.phase = status.phase;
                answer.session.next_action = waited.next_action(status.next_action);
                answer.result = status.result;
                answer.suggestions = status.suggestions;
                answer.last_error = status.last_error;
            }
            // The link is there, whatever became of the wait for it.
            Err(error) => error.log(),
        }
        Ok(Answer(answer))
    }
}
