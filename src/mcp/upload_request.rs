//! `upload_request`: asks, or goes on waiting for what was asked.

use rmcp::{RoleServer, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Tools,
    arguments::{Arguments, session_ref},
    card::with_card,
    language, meta, schema,
    wait::{rounded, seconds},
};
use crate::{
    arguments::LinkArguments,
    domain::session::Status,
    error::{Error, Result},
    service::{
        CreateRequest,
        answers::{ResultAnswer, SessionAnswer},
    },
    store::{SessionRef, SessionView},
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct WaitArguments {
    /// Go on waiting for an earlier request, instead of asking anew. Give it alone, or with timeout.
    token: Option<String>,
    /// For how many seconds to wait at most, where the call waits.
    #[schemars(range(min = 0.001, max = 3_600.0))]
    timeout: Option<f64>,
}

/// How asking ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// The files are there.
    Uploaded,
    /// The person said no.
    Declined,
    /// The asked time is over.
    Timeout,
    /// The person has the link still to see or to use.
    Pending,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RequestAnswer {
    #[serde(flatten)]
    session: SessionAnswer,
    /// How asking ended so far.
    outcome: Outcome,
    /// How long it was waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    waited_seconds: Option<f64>,
    /// The files, if they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultAnswer>,
    /// The exact next calls, if the files are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestions: Option<Vec<String>>,
    /// What the person said when declining.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// How long a call waits, in seconds, unless it says otherwise.
const DEFAULT_TIMEOUT: f64 = 300.0;

#[tool_router(router = upload_request_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "Ask a person for a file and wait",
        description = include_str!("../../tools/upload_request.md"),
        input_schema = schema::input_both::<LinkArguments, WaitArguments>(),
        output_schema = schema::output::<RequestAnswer>(),
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        ),
        meta = with_card(meta("write", &["upload", "write"], "Waiting for the file", "Asked for the file"))
    )]
    async fn upload_request(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<RequestAnswer>> {
        let (link, WaitArguments { token, timeout }) =
            arguments.read_both::<LinkArguments, WaitArguments>()?;
        let timeout = seconds("timeout", timeout.unwrap_or(DEFAULT_TIMEOUT))?;
        let caller = self.caller(&context)?;
        let Some(token) = token else {
            if link
                .prompt
                .as_deref()
                .is_none_or(|text| text.trim().is_empty())
            {
                return Err(Error::InvalidArgument(
                    "prompt: say which file is asked for, and why; or give the token of an \
                     earlier request."
                        .into(),
                ));
            }
            // The person sees the link only once this call has returned: waiting would be in vain.
            let request = CreateRequest {
                language: language(&context),
                ..link.into()
            };
            let session = self.service.create(&caller, request).await?;
            let view = self
                .service
                .status(&caller, SessionRef::Id(session.id))
                .await?;
            let mut answer = self.request_answer(&view, Outcome::Pending);
            answer.session.next_action = format!(
                "Relay `instruction` to the person word for word; then call \
                 upload_status(token=\"{}\", wait_seconds=45).",
                answer.session.token
            );
            return Ok(Answer(answer));
        };
        if link != LinkArguments::default() {
            return Err(Error::InvalidArgument(
                "token: give it alone, or with timeout; it goes on with what was asked before."
                    .into(),
            ));
        }
        self.service.settled().await?;
        let which = session_ref(Some(&token), None)?;
        let view = self.service.status(&caller, which).await?;
        let waited = self.wait(&context, &caller, view, timeout, None).await?;
        let outcome = outcome(&waited.view, waited.seconds >= timeout.as_secs_f64())?;
        let mut answer = self.request_answer(&waited.view, outcome);
        answer.session.next_action = waited.next_action(answer.session.next_action);
        answer.waited_seconds = Some(rounded(waited.seconds));
        Ok(Answer(answer))
    }

    fn request_answer(&self, view: &SessionView, outcome: Outcome) -> RequestAnswer {
        let status = self.service.status_answer(view);
        RequestAnswer {
            session: self.service.session_answer(&view.session),
            outcome,
            waited_seconds: None,
            result: status.result,
            suggestions: status.suggestions,
            reason: status.reason,
        }
    }
}

/// # Errors
/// As [`Error::of_closed`] where there is no outcome: the link lapsed or was cancelled.
fn outcome(view: &SessionView, time_is_over: bool) -> Result<Outcome> {
    match view.session.state.status() {
        Status::Completed | Status::Consumed => Ok(Outcome::Uploaded),
        Status::Declined => Ok(Outcome::Declined),
        Status::Pending if time_is_over => Ok(Outcome::Timeout),
        Status::Pending => Ok(Outcome::Pending),
        Status::Expired => Err(Error::LinkExpired),
        Status::Cancelled => Err(Error::Cancelled),
    }
}
