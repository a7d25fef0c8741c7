//! Waiting for the verdict on a file that was just stored.

use std::time::Duration;

use super::{Received, file::Stored};
use crate::{
    domain::ids::MediaId,
    error::{Error, Result},
    service::{Service, check::Checked},
    store::{Check, SessionRef, SessionView},
};

/// How long who sent a file waits for its verdict at most; the check goes on after that.
const PATIENCE: Duration = Duration::from_secs(10);

impl Service {
    /// The same where calls are to be shorter.
    pub(in crate::service) fn patience(&self) -> Duration {
        PATIENCE.min(self.settings.max_wait / 2)
    }

    /// What became of a stored file: as good as final, or still to be judged.
    ///
    /// # Errors
    /// What is wrong with the file, or why its session was closed meanwhile.
    pub(super) async fn judged(&self, stored: Stored, media: MediaId) -> Result<Received> {
        let received = received(stored.view, media)?;
        let Some(turn) = stored.check else {
            return Ok(received);
        };
        let check = Check {
            media: received.media.clone(),
            source_key: turn.source_key,
            turn: turn.turn,
            tries: 0,
        };
        // In a task of its own, which outlives the patience.
        let service = self.clone();
        let checking = tokio::spawn(async move { service.check(check).await });
        let Ok(checked) = tokio::time::timeout(self.patience(), checking).await else {
            return self.still_wanted(received).await;
        };
        match checked.map_err(Error::internal)? {
            Ok(Checked::Passed(view)) => self::received(*view, media),
            Ok(Checked::Refused(error)) => Err(error),
            Ok(Checked::Later) => Ok(received),
            Ok(Checked::Lost) => self.still_wanted(received).await,
            // The file is durable, and its check comes again.
            Err(error) => {
                error.log();
                Ok(received)
            }
        }
    }

    /// # Errors
    /// Why its session was closed meanwhile, if it was.
    async fn still_wanted(&self, received: Received) -> Result<Received> {
        let id = received.session.id;
        let now = self.store.find(SessionRef::Id(id)).await?;
        match Error::of_closed(now.ok_or(Error::NotFound)?.session.state) {
            Some(closed @ (Error::Declined | Error::Cancelled)) => Err(closed),
            _ => Ok(received),
        }
    }
}

fn received(view: SessionView, id: MediaId) -> Result<Received> {
    let mut media = view.media.into_iter();
    let media = media.find(|media| media.id == id);
    Ok(Received {
        session: view.session,
        media: media.ok_or_else(|| Error::internal("a stored media is missing"))?,
    })
}
