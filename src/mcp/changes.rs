//! Telling clients that they may use other tools than before.

use std::sync::OnceLock;

use rmcp::{
    RoleServer,
    service::{Peer, SubscriptionContext},
};
use tokio_util::task::AbortOnDropHandle;

use super::{Hearing, Tools};
use crate::{domain::caller::Caller, service::Asker};

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
    pub(super) async fn tell_listener(&self, context: &SubscriptionContext, caller: &Caller) {
        if caller.credential.is_none() {
            std::future::pending::<()>().await;
        }
        let mut asker = Asker::from(caller.clone());
        let mut known = Some(caller.capabilities);
        while known.is_some() {
            known = self.service.allowed_otherwise(&mut asker, known).await;
            // Who did not ask for it is not told.
            let _ = context.sink().notify_tool_list_changed().await;
        }
    }

    /// For clients before that, as long as their session lives. Where their key opens nothing any more,
    /// the stream ends that they hear by: by opening another one they find out, and come with a newer key
    /// if they have one.
    pub(super) fn tell_session(
        &self,
        caller: &Caller,
        mut asker: Asker,
        hearing: Option<Hearing>,
        peer: Peer<RoleServer>,
    ) {
        if caller.credential.is_none() {
            return;
        }
        let (service, mut known) = (self.service.clone(), Some(caller.capabilities));
        let telling = async move {
            loop {
                known = service.allowed_otherwise(&mut asker, known).await;
                if peer.notify_tool_list_changed().await.is_err() {
                    return;
                }
                if known.is_some() {
                    continue;
                }
                if let Some(hearing) = &hearing {
                    hearing.is_in_vain();
                }
                if !asker.comes_anew().await {
                    return;
                }
            }
        };
        let service = self.service.clone();
        self.tool_changes.begin_once(async move {
            tokio::select! {
                () = telling => {}
                () = service.closing() => {}
            }
        });
    }
}
