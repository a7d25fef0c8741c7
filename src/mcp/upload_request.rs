//! `upload_request`: asks, or goes on waiting for what was asked.

use std::time::Duration;

use rmcp::{
    ErrorData, RoleServer,
    handler::server::tool::{InputResponses, IntoCallToolResult, RequestState},
    model::{CallToolResponse, InputRequiredResult},
    service::RequestContext,
    tool, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Tools,
    arguments::{Arguments, session_ref},
    card::{self, with_card},
    elicitation::{self, Again, Next, Seen},
    language, meta, schema,
    wait::{Waited, rounded, seconds},
};
use crate::{
    arguments::LinkArguments,
    domain::{caller::Caller, session::Status},
    error::{Error, Result},
    service::{
        CreateRequest,
        answers::{LastErrorAnswer, ResultAnswer, SessionAnswer},
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
    /// Why the last try was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<LastErrorAnswer>,
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
        RequestState(state): RequestState,
        InputResponses(responses): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Result<Reply> {
        let call = arguments.digest();
        let (link, WaitArguments { token, timeout }) =
            arguments.read_both::<LinkArguments, WaitArguments>()?;
        let timeout = seconds("timeout", timeout.unwrap_or(DEFAULT_TIMEOUT))?;
        let caller = self.caller(&context)?;
        if state.is_some() || responses.is_some() {
            let again = Again {
                state,
                responses,
                call,
            };
            return match self.again(&context, &caller, again, timeout).await? {
                Next::Shown(shown) => self.waited(&shown.waited, Some(shown.seen), timeout),
                Next::Question(question) => Ok(Reply::Question(question)),
            };
        }
        if let Some(token) = token {
            let view = self.asked_before(&caller, &token, &link).await?;
            if card::is_shown(&context) {
                // What the card is of, the person sees once this call has returned.
                let outcome = outcome(&view, false)?;
                let answer = self.request_answer(&view, &caller, outcome, None);
                return Ok(Reply::Answer(Box::new(answer)));
            }
            let waited = self.wait(&context, &caller, view, timeout, None).await?;
            return self.waited(&waited, None, timeout);
        }
        let request = CreateRequest {
            language: language(&context),
            ..link.into()
        };
        let view = self.ask(&caller, request).await?;
        // Who is shown a card sees it once the call has returned.
        if card::is_shown(&context) || !elicitation::is_offered(&context) {
            // The person sees the link only once this call has returned: waiting would be in vain.
            let answer = self.request_answer(&view, &caller, Outcome::Pending, Some(Seen::Not));
            return Ok(Reply::Answer(Box::new(answer)));
        }
        if elicitation::is_in_answers(&context) {
            let question = self.question_first(&caller, &view.session, call);
            return Ok(Reply::Question(question));
        }
        let shown = self.show(&context, &caller, view, timeout).await?;
        self.waited(&shown.waited, Some(shown.seen), timeout)
    }

    /// A new session.
    async fn ask(&self, caller: &Caller, request: CreateRequest) -> Result<SessionView> {
        let prompt = request.prompt.as_deref().unwrap_or_default();
        if prompt.trim().is_empty() {
            return Err(Error::InvalidArgument(
                "prompt: say which file is asked for, and why; or give the token of an earlier \
                 request."
                    .into(),
            ));
        }
        let session = self.service.create(caller, request).await?;
        let which = SessionRef::Id(session.id);
        self.service.status(caller, which).await
    }

    async fn asked_before(
        &self,
        caller: &Caller,
        token: &str,
        link: &LinkArguments,
    ) -> Result<SessionView> {
        if *link != LinkArguments::default() {
            return Err(Error::InvalidArgument(
                "token: give it alone, or with timeout; it goes on with what was asked before."
                    .into(),
            ));
        }
        self.service.settled().await?;
        let which = session_ref(Some(token), None)?;
        self.service.status(caller, which).await
    }

    fn waited(&self, waited: &Waited, seen: Option<Seen>, timeout: Duration) -> Result<Reply> {
        let outcome = outcome(&waited.view, waited.seconds >= timeout.as_secs_f64())?;
        let mut answer = self.request_answer(&waited.view, &waited.caller, outcome, seen);
        answer.session.next_action = waited.next_action(answer.session.next_action);
        answer.waited_seconds = Some(rounded(waited.seconds));
        Ok(Reply::Answer(Box::new(answer)))
    }

    fn request_answer(
        &self,
        view: &SessionView,
        caller: &Caller,
        outcome: Outcome,
        seen: Option<Seen>,
    ) -> RequestAnswer {
        let status = self.service.status_for(caller, view);
        let mut session = self.service.session_answer(&view.session);
        let next = seen.and_then(|seen| seen.next_action(view));
        session.next_action = next.unwrap_or(status.next_action);
        RequestAnswer {
            session,
            outcome,
            waited_seconds: None,
            result: status.result,
            suggestions: status.suggestions,
            reason: status.reason,
            last_error: status.last_error,
        }
    }
}

/// An answer, or first a question to the person.
enum Reply {
    Answer(Box<RequestAnswer>),
    Question(InputRequiredResult),
}

impl IntoCallToolResult for Reply {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        match self {
            Self::Answer(answer) => Answer(answer).into_call_tool_result(),
            Self::Question(question) => question.into_call_tool_result(),
        }
    }
}

/// # Errors
/// As [`Error::of_closed`] where there is no outcome: the link lapsed or was cancelled;
/// [`Error::FilesGone`].
fn outcome(view: &SessionView, time_is_over: bool) -> Result<Outcome> {
    match view.session.state.status() {
        _ if view.is_emptied() => Err(Error::FilesGone),
        Status::Completed | Status::Consumed => Ok(Outcome::Uploaded),
        Status::Declined => Ok(Outcome::Declined),
        Status::Pending if time_is_over => Ok(Outcome::Timeout),
        Status::Pending => Ok(Outcome::Pending),
        Status::Expired => Err(Error::LinkExpired),
        Status::Cancelled => Err(Error::Cancelled),
    }
}
