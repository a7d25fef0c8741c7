//! Waiting inside a call, with progress messages for clients that want them.

use std::time::Duration;

use http::request::Parts;
use rmcp::{RoleServer, model::ProgressNotificationParam, service::RequestContext};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Tools;
use crate::{
    domain::{
        caller::Caller,
        session::{Phase, Status},
    },
    error::{Error, Result},
    service::Turn,
    store::SessionView,
};

/// Rides on a call that has waited before the protocol's machinery took it up, and was charged for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitedSince(Instant);

impl WaitedSince {
    pub(super) fn new(began: Instant) -> Self {
        Self(began)
    }

    /// Since when this call has waited.
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Option<Instant> {
        let parts = context.extensions.get::<Parts>()?;
        parts.extensions.get::<Self>().map(|since| since.0)
    }
}

/// A wait that ended.
pub(super) struct Waited {
    /// The session as it stands now.
    pub view: SessionView,
    /// Whom the answer is for, as their key has it now.
    pub caller: Caller,
    /// How long it took.
    pub seconds: f64,
    /// Whether it was to take longer than clients bear.
    is_cut: bool,
}

impl Waited {
    /// One that ends at once.
    pub(super) fn so_far(view: SessionView, caller: Caller, began: Instant) -> Self {
        Self {
            view,
            caller,
            seconds: began.elapsed().as_secs_f64(),
            is_cut: false,
        }
    }

    /// What to do next; first that the wait was cut, so that nobody takes it for the person's answer.
    pub(super) fn next_action(&self, usual: String) -> String {
        if !self.is_cut || self.view.session.state.status() != Status::Pending {
            return usual;
        }
        format!(
            "Waited {} s, which is as long as a call may take here; the link still works. {usual}",
            rounded(self.seconds)
        )
    }
}

impl Tools {
    /// Waits until the session is not pending any more, for at most `wanted` and never longer than
    /// clients bear. `first` goes out with the first progress message.
    pub(super) async fn wait(
        &self,
        context: &RequestContext<RoleServer>,
        caller: &Caller,
        mut view: SessionView,
        wanted: Duration,
        first: Option<&str>,
    ) -> Result<Waited> {
        let began = WaitedSince::of(context).unwrap_or_else(Instant::now);
        let max_wait = self.service.settings().max_wait;
        let deadline = began + wanted.min(max_wait);
        let mut progress = Progress::of(context, &self.line.hung_up);
        progress.say(first.unwrap_or(doing(&view))).await;
        loop {
            let turn = tokio::select! {
                turn = self.service.wait_turn(caller, &view, deadline) => turn?,
                // Nobody waits any more; the link stays as it is.
                () = context.ct.cancelled() => Turn::Over(view),
                () = self.line.hung_up.cancelled() => Turn::Over(view),
            };
            match turn {
                Turn::Over(view) => {
                    return Ok(Waited {
                        view,
                        caller: self.service.by_now(caller).await?,
                        seconds: began.elapsed().as_secs_f64(),
                        is_cut: wanted > max_wait && began.elapsed() >= max_wait,
                    });
                }
                Turn::Pending(now) => view = now,
            }
            progress.say(doing(&view)).await;
        }
    }
}

/// Seconds as a caller gives them.
///
/// # Errors
/// [`Error::InvalidArgument`] that names the argument, unless it is within `0 < t ≤ 3,600`.
pub(super) fn seconds(argument: &str, seconds: f64) -> Result<Duration> {
    if seconds > 0.0 && seconds <= 3_600.0 {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(Error::InvalidArgument(format!(
        "{argument}: more than 0 and at most 3,600 seconds."
    )))
}

/// Tenths of a second are enough for an answer.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

fn doing(view: &SessionView) -> &'static str {
    match view.session.phase() {
        Some(Phase::Waiting) => "Waiting for the person to open the link",
        Some(Phase::Opened) => "The person has opened the page",
        Some(Phase::Receiving) => "The file is arriving",
        Some(Phase::Scanning) => "The file is being checked",
        None => "The upload has ended",
    }
}

/// Progress messages, where the client asked for them.
struct Progress<'a> {
    context: &'a RequestContext<RoleServer>,
    hung_up: &'a CancellationToken,
    token: Option<rmcp::model::ProgressToken>,
    said: f64,
}

impl<'a> Progress<'a> {
    fn of(context: &'a RequestContext<RoleServer>, hung_up: &'a CancellationToken) -> Self {
        Self {
            context,
            hung_up,
            token: context.meta.get_progress_token(),
            said: 0.0,
        }
    }

    async fn say(&mut self, message: &str) {
        let Some(token) = self.token.clone() else {
            return;
        };
        self.said += 1.0;
        let param = ProgressNotificationParam::new(token, self.said).with_message(message);
        tokio::select! {
            // A client that went away needs no progress.
            _ = self.context.peer.notify_progress(param) => {}
            // What was to go out then is neither sent nor given up.
            () = self.hung_up.cancelled() => {}
        }
    }
}
