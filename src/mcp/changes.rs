//! Telling clients that they may use other tools than before.

use std::{sync::OnceLock, time::Duration};

use rmcp::{
    RoleServer,
    service::{Peer, SubscriptionContext},
};
use tokio_util::task::AbortOnDropHandle;

use super::Tools;
use crate::domain::caller::Caller;

/// How often it is looked whether a session is over that nobody ended.
const STILL_THERE: Duration = Duration::from_secs(60);

/// What tells one connection something, as long as that lives. A clone is for another connection, and
/// tells nothing yet.
#[derive(Debug, Default)]
pub(super) struct Telling(OnceLock<AbortOnDropHandle<()>>);

impl Clone for Telling {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Telling {
    /// Clients may give cause to it again and again.
    pub(super) fn begin_once(&self, telling: impl Future<Output = ()> + Send + 'static) {
        self.0
            .get_or_init(|| AbortOnDropHandle::new(tokio::spawn(telling)));
    }
}

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
        self.telling_tools.begin_once(async move {
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
