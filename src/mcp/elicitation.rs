//! Clients that show the link to the person themselves (URL elicitation): by a request of ours up to
//! protocol 2025-11-25, by a question in the answer since 2026-07-28.
//!
//! The protocol forbids to show links that let their holder into something. Ours lets nobody in: it
//! takes files, once, for one session, and tells what is asked and by whom.

use std::{pin::pin, time::Duration};

use futures_util::FutureExt as _;
use rmcp::{
    RoleServer,
    model::{
        ClientResult, CustomNotification, ElicitRequest, ElicitRequestParams, ElicitResult,
        ElicitationAction, InputRequest, InputRequiredResult, InputResponses, ProtocolVersion,
        ServerNotification, ServerRequest,
    },
    service::{Peer, PeerRequestOptions, RequestContext},
};
use serde_json::json;
use tokio::{task::AbortHandle, time::Instant};

use super::{Tools, asker, wait::Waited};
use crate::{
    domain::{
        caller::Caller,
        language::Language,
        session::{State, Status, UploadSession},
    },
    error::{Error, Result},
    intake::filename::harmless_text,
    service::{Asker, Choice, Turn},
    store::{SessionRef, SessionView},
    words,
};

/// The one question in an answer.
const QUESTION: &str = "link";

/// Longer than any link lives, and any body that began in its time.
const LONGEST: Duration = Duration::from_secs(2 * 86_400);

/// How soon it is looked again after what passes.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How the person stands to the link, by what their client said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// They agreed to open it.
    Accepted,
    /// They put the question away.
    Dismissed,
    /// They have not answered.
    Unanswered,
    /// They have not been asked.
    Not,
}

/// What came of showing the link.
pub(super) struct Shown {
    pub waited: Waited,
    pub seen: Seen,
}

/// What a client brings when it calls again.
pub(super) struct Again {
    pub state: Option<String>,
    pub responses: Option<InputResponses>,
    /// SHA-256 of the call's arguments.
    pub call: [u8; 32],
}

/// What a call that came again leads to.
pub(super) enum Next {
    Shown(Box<Shown>),
    /// Nobody has answered.
    Question(InputRequiredResult),
}

/// Whether the client shows links to the person.
pub(super) fn is_offered(context: &RequestContext<RoleServer>) -> bool {
    let elicitation = context
        .client_capabilities()
        .and_then(|all| all.elicitation);
    elicitation.is_some_and(|modes| modes.url.is_some())
}

/// Whether the question goes into the answer: servers send no requests of their own any more.
pub(super) fn is_in_answers(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version();
    version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

impl Tools {
    /// Has the client show the link, and waits as [`Self::wait`] does. What goes wrong with the question
    /// leaves the link to be relayed.
    pub(super) async fn show(
        &self,
        context: &RequestContext<RoleServer>,
        caller: &Caller,
        view: SessionView,
        timeout: Duration,
    ) -> Result<Shown> {
        let began = Instant::now();
        let request = ServerRequest::ElicitRequest(self.question(&view.session));
        let options = PeerRequestOptions::no_options();
        let asked = context.peer.send_request_with_option(request, options);
        let mut asked = match asked.await {
            Ok(asked) => asked,
            Err(error) => {
                tracing::debug!(cause = %error, "a client was not asked to show a link");
                return self.unopened(caller, &view, None, began).await;
            }
        };
        // Some people open the link before they answer.
        let whom = asker(&context.extensions, caller);
        let telling = self.tell_when_over(whom, view.clone(), context.peer.clone());
        let waiting = self.wait(context, caller, view.clone(), timeout, None);
        // The link is there, whatever became of the wait for its file.
        let waiting = waiting.map(|waited| {
            waited.unwrap_or_else(|error| {
                error.log();
                Waited::so_far(view.clone(), caller.clone(), began)
            })
        });
        let mut waiting = pin!(waiting);
        let answer = tokio::select! {
            waited = &mut waiting => {
                tokio::select! {
                    // A client that went away asks nobody.
                    _ = asked.cancel(Some("The call is over.".into())) => {}
                    () = self.line.hung_up.cancelled() => {}
                }
                return Ok(Shown::new(waited, Seen::Unanswered));
            }
            answer = &mut asked.rx => answer,
        };
        let choice = match answer {
            Ok(Ok(ClientResult::ElicitResult(result))) => Some(choice(&result)),
            failed => {
                tracing::debug!(answer = ?failed, "a client did not show a link");
                None
            }
        };
        if choice == Some(Choice::Accept) {
            return Ok(Shown::new(waiting.await, Seen::Accepted));
        }
        // It shows nothing any more.
        telling.abort();
        self.unopened(caller, &view, choice, began).await
    }

    /// Has the client show the link, and call again with what the person chose.
    pub(super) fn question_first(
        &self,
        caller: &Caller,
        session: &UploadSession,
        call: [u8; 32],
    ) -> InputRequiredResult {
        let state = self.service.request_state(caller, session.id, call);
        self.question_with(session, state)
    }

    /// Goes on with a call that came again. It never mints a session.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what the client should not bring.
    pub(super) async fn again(
        &self,
        context: &RequestContext<RoleServer>,
        caller: &Caller,
        again: Again,
        timeout: Duration,
    ) -> Result<Next> {
        let state = again.state.ok_or_else(|| {
            Error::InvalidArgument(
                "requestState: it must come back beside inputResponses. Call upload_request anew, \
                 without either."
                    .into(),
            )
        })?;
        let began = Instant::now();
        self.service.settled().await?;
        let view = self.service.of_state(caller, &state, again.call).await?;
        if view.session.state.status() != Status::Pending {
            // What has ended is not changed by what comes late.
            let ended = Shown::new(Waited::so_far(view, caller.clone(), began), Seen::Accepted);
            return Ok(Next::Shown(Box::new(ended)));
        }
        let mut responses = again.responses.unwrap_or_default();
        let Some(response) = responses.remove(QUESTION) else {
            return Ok(Next::Question(self.question_with(&view.session, state)));
        };
        let response: ElicitResult = serde_json::from_value(response).map_err(|_| {
            Error::InvalidArgument(format!(
                "inputResponses.{QUESTION}.action: one of accept, decline and cancel."
            ))
        })?;
        let choice = choice(&response);
        self.service.choose(caller, &view.session, choice).await?;
        let shown = if choice == Choice::Accept {
            let waited = self.wait(context, caller, view, timeout, None);
            Shown::new(waited.await?, Seen::Accepted)
        } else {
            self.unopened(caller, &view, Some(choice), began).await?
        };
        Ok(Next::Shown(Box::new(shown)))
    }

    /// What the person did not agree to open.
    async fn unopened(
        &self,
        caller: &Caller,
        view: &SessionView,
        choice: Option<Choice>,
        began: Instant,
    ) -> Result<Shown> {
        let which = SessionRef::Id(view.session.id);
        let view = match choice {
            Some(Choice::Decline) => self.service.decline_for(caller, which).await?,
            _ => self.service.status(caller, which).await?,
        };
        let seen = choice.map_or(Seen::Not, |_| Seen::Dismissed);
        Ok(Shown::new(
            Waited::so_far(view, caller.clone(), began),
            seen,
        ))
    }

    /// Tells a client of before 2026-07-28 that what it showed is over, however late that is.
    fn tell_when_over(
        &self,
        mut asker: Asker,
        mut view: SessionView,
        peer: Peer<RoleServer>,
    ) -> AbortHandle {
        let service = self.service.clone();
        let telling = tokio::spawn(async move {
            let end = Instant::now() + LONGEST;
            let over = loop {
                let turn = service.wait_turn(&asker.last(), &view, end).await;
                if peer.is_transport_closed() {
                    return;
                }
                match turn {
                    Ok(Turn::Over(now)) => break now.session,
                    Ok(Turn::Pending(now)) => view = now,
                    Err(Error::Unauthenticated(_)) if asker.comes_anew().await => {}
                    Err(Error::NotFound | Error::Unauthenticated(_)) => return,
                    Err(passing) => {
                        passing.log();
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                }
            };
            // Else it is the server that ends.
            if over.state.status() != Status::Pending {
                let params = json!({ "elicitationId": over.id.to_string() });
                let over = CustomNotification::new(COMPLETE, Some(params));
                let told = peer.send_notification(ServerNotification::CustomNotification(over));
                // A client that went away need not know.
                let _ = told.await;
            }
        });
        telling.abort_handle()
    }

    fn question_with(&self, session: &UploadSession, state: String) -> InputRequiredResult {
        let question = InputRequest::Elicitation(self.question(session));
        let questions = [(QUESTION.to_owned(), question)].into();
        InputRequiredResult::new(Some(questions), Some(state))
    }

    fn question(&self, session: &UploadSession) -> ElicitRequest {
        ElicitRequest::new(ElicitRequestParams::UrlElicitationParams {
            meta: None,
            message: message(session, &words::of(&self.service.link_query(session))),
            url: self.service.link_url(session),
            elicitation_id: session.id.to_string(),
        })
    }
}

const COMPLETE: &str = "notifications/elicitation/complete";

impl Shown {
    fn new(waited: Waited, seen: Seen) -> Self {
        Self { waited, seen }
    }
}

impl Seen {
    /// What to do next with a session that waits for its first file, where that depends on it.
    pub(super) fn next_action(self, view: &SessionView) -> Option<String> {
        let session = &view.session;
        let is_first = view.tally.stored == 0 && session.last_error.is_none();
        if session.state != State::Pending || !is_first {
            return None;
        }
        let then = format!(
            "call upload_status(token=\"{}\", wait_seconds=45)",
            session.token
        );
        Some(match self {
            Self::Accepted => format!(
                "The person agreed to open the link: there is nothing to relay. Now {then}. Never \
                 guess that the file arrived."
            ),
            Self::Dismissed => format!(
                "The person put the question away and did not choose; the link still works. Ask \
                 whether they want to send the file; if so, relay `instruction` word for word and \
                 {then}."
            ),
            Self::Unanswered => format!(
                "The person has not answered the question that they were shown, and it is closed \
                 now. Relay `instruction` to the person word for word; then {then}."
            ),
            Self::Not => {
                format!("Relay `instruction` to the person word for word; then {then}.")
            }
        })
    }
}

fn choice(result: &ElicitResult) -> Choice {
    match result.action {
        ElicitationAction::Accept => Choice::Accept,
        ElicitationAction::Decline => Choice::Decline,
        // Also what there may be one day: the link still works then.
        _ => Choice::Cancel,
    }
}

/// What the person reads. The agent's words come last, so that nothing of ours can be taken for theirs,
/// nor theirs for ours.
fn message(session: &UploadSession, words: &str) -> String {
    let phrases = session.language.unwrap_or(Language::English).phrases();
    let prompt = harmless_text(session.prompt.as_deref().unwrap_or_default()).replace('\n', " ");
    let asked = [
        ("asker", phrases.asker(&session.asked_by)),
        ("words", words),
    ];
    let shown = if session.limits.max_files > 1 {
        "instruction.shown_several"
    } else {
        "instruction.shown"
    };
    format!(
        "{}\n\n{}",
        phrases.say(shown, &asked),
        phrases.say("instruction.agents_words", &[("prompt", &prompt)]),
    )
}
