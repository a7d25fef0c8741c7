//! Telling clients that they may use other tools than before.

use std::time::Duration;

use rmcp::{
    RoleServer,
    model::SubscriptionFilter,
    service::{Peer, SubscriptionContext},
};

use super::Tools;
use crate::domain::caller::Caller;

/// How often it is looked whether a session is over that nobody ended.
const STILL_THERE: Duration = Duration::from_secs(60);

impl Tools {
    /// For clients since 2026-07-28, as long as they listen.
    pub(super) async fn tell_listener(&self, context: &SubscriptionContext) {
        let caller = self.caller(context.request_context()).ok();
        let telling = async {
            let mut known = caller.filter(|caller| caller.credential.is_some());
            while let Some(caller) = known.take() {
                known = self.service.allowed_otherwise(&caller).await;
                let told = context.sink().notify_tool_list_changed().await;
                if told.is_err() {
                    break;
                }
            }
            context.cancelled().await;
        };
        tokio::select! {
            () = telling => {}
            () = context.cancelled() => {}
            () = self.service.closing() => {}
        }
    }

    /// For clients before that, as long as their session lives.
    pub(super) fn tell_session(&self, caller: Caller, peer: Peer<RoleServer>) {
        if caller.credential.is_none() {
            return;
        }
        let service = self.service.clone();
        tokio::spawn(async move {
            let mut known = Some(caller);
            while let Some(caller) = known.take() {
                tokio::select! {
                    now = service.allowed_otherwise(&caller) => {
                        known = now;
                        if peer.notify_tool_list_changed().await.is_err() {
                            return;
                        }
                    }
                    () = tokio::time::sleep(STILL_THERE) => {
                        known = Some(caller).filter(|_| !peer.is_transport_closed());
                    }
                    () = service.closing() => return,
                }
            }
        });
    }
}

/// What a client may listen for.
pub(super) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut accepted = SubscriptionFilter::new();
    accepted.tools_list_changed = requested.tools_list_changed;
    accepted
}
