//! Telling clients that they may use other tools than before.

use std::time::Duration;

use rmcp::{
    RoleServer,
    service::{Peer, SubscriptionContext},
};

use super::Tools;
use crate::domain::caller::Caller;

/// How often it is looked whether a session is over that nobody ended.
const STILL_THERE: Duration = Duration::from_secs(60);

impl Tools {
    /// For clients since 2026-07-28. Resolves once the caller's key opens nothing any more.
    pub(super) async fn tell_listener(&self, context: &SubscriptionContext) {
        let caller = self.caller(context.request_context()).ok();
        let mut known = caller.filter(|caller| caller.credential.is_some());
        if known.is_none() {
            std::future::pending::<()>().await;
        }
        while let Some(caller) = known.take() {
            known = self.service.allowed_otherwise(&caller).await;
            // Who did not ask for it is not told.
            let _ = context.sink().notify_tool_list_changed().await;
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
