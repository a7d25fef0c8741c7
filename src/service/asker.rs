//! Who asks for what takes longer than one request, and by which credential.

use tokio::sync::watch;

use crate::domain::caller::Caller;

/// Whoever asks for something that takes longer than one request. Credentials end meanwhile and others
/// take their places: access tokens each hour, the secrets of keys when they are rotated. So it goes by
/// the one that they came with last. While that opens nothing, they are told nothing.
#[derive(Debug, Clone)]
pub struct Asker(watch::Receiver<Caller>);

impl Asker {
    /// As they came last.
    pub fn last(&mut self) -> Caller {
        self.0.borrow_and_update().clone()
    }

    /// Waits until they come with another credential; false where they cannot.
    pub async fn comes_anew(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

/// Who comes with no other credential.
impl From<Caller> for Asker {
    fn from(caller: Caller) -> Self {
        Self(watch::channel(caller).1)
    }
}

/// Whoever comes again and again. Who they are stays the same.
#[derive(Debug)]
pub(crate) struct Regular(watch::Sender<Caller>);

impl Regular {
    pub(crate) fn new(caller: Caller) -> Self {
        Self(watch::Sender::new(caller))
    }

    pub(crate) fn asker(&self) -> Asker {
        Asker(self.0.subscribe())
    }

    /// They came with this.
    pub(crate) fn came(&self, caller: &Caller) {
        self.0.send_if_modified(|last| {
            let is_new = last.credential != caller.credential;
            if is_new {
                last.clone_from(caller);
            }
            is_new
        });
    }
}
