//! Judging files that came: each is scanned, made uniform and published, or its bytes go. Nothing is
//! handed out before that.

mod uniform;

use std::{io, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use jiff::SignedDuration;

use super::{Service, close::log_move, signed};
use crate::{
    domain::{
        ids::ClaimId,
        media::{REMADE_AS, ScanStatus, object_key, staging_key},
        mime::Kind,
        session::State,
    },
    error::{Error, Result},
    hook,
    intake::scan::Verdict,
    store::{Check, MediaRef, NewCheck, Passed, SessionView, StoreError},
};

/// How often it is looked whose check is due.
const EVERY: Duration = Duration::from_secs(5);
/// How many are judged at once.
const AT_ONCE: usize = 4;
/// What a turn may come late, on a machine that has much to do.
const SLACK: Duration = Duration::from_secs(10);
/// The pause after the first try that brought no verdict; each one after is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest of those pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// For how long a verdict is tried for; a file without one is refused then.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What came of a check.
#[derive(Debug)]
pub(super) enum Checked {
    /// The file is stored for good.
    Passed(Box<SessionView>),
    /// It is not what it should be; its bytes are gone.
    Refused(Error),
    /// There is no verdict yet; it is tried again.
    Later,
    /// Somebody else has judged it, or its session was closed.
    Lost,
}

/// Why a file has not passed.
enum Stop {
    Refused(Error),
    Later(String),
    Lost,
    Failed(Error),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ClaimGone => Self::Lost,
            // Made uniform, a picture can be larger than it came.
            error @ StoreError::OverQuota(_) => Self::Refused(error.into()),
            error => Self::Failed(error.into()),
        }
    }
}

impl Service {
    /// The first turn to judge a file of this type, for who stores it; `None` where there is nothing
    /// to judge.
    pub(super) fn first_turn(&self, mime_type: &str, source_key: String) -> Option<NewCheck> {
        let is_image = Kind::of(mime_type) == Kind::Image;
        (is_image || self.settings.scan_clamd.is_some()).then(|| NewCheck {
            source_key,
            turn: ClaimId::random(),
            lease: self.turn_lease(),
        })
    }

    /// How long a turn is nobody else's: publishing may take as long as the scan.
    fn turn_lease(&self) -> SignedDuration {
        signed(2 * self.settings.scan_timeout + SLACK)
    }

    /// Judges a file and remembers what came of it.
    ///
    /// # Errors
    /// Ours; the check comes again then.
    pub(super) async fn check(&self, check: Check) -> Result<Checked> {
        let stop = match self.judge(&check).await {
            Ok(view) => {
                let id = check.media.upload_id;
                log_move(id, State::Checking, view.session.state);
                self.delete_leftovers().await;
                return Ok(Checked::Passed(Box::new(view)));
            }
            Err(stop) => stop,
        };
        self.delete(&staging_key(check.turn)).await?;
        match stop {
            Stop::Refused(error) => self.block(&check, error).await,
            Stop::Later(why) => self.put_off(&check, &why).await,
            Stop::Failed(error) => {
                error.log();
                self.put_off(&check, "it failed on our side").await
            }
            Stop::Lost => {
                self.take_back(&check).await?;
                Ok(Checked::Lost)
            }
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let deleted = self.objects.delete(key).await;
        deleted.map_err(Error::of_storage)
    }

    async fn judge(&self, check: &Check) -> Result<SessionView, Stop> {
        // A file over which processes die is not tried for ever either.
        if check.tries > 1 && self.is_given_up(check) {
            return Err(Stop::Later("it was never judged".into()));
        }
        let source = self.source_of(check).await?;
        let scan_status = self.scan(&source, check.media.stored.size_bytes).await?;
        hook::reached("scanned");
        let (media, turn) = (&check.media, check.turn);
        let uniform = self.uniform(media, turn, &source).await?;
        hook::reached("remade");
        // Only who has the turn publishes; whoever takes the next one waits until the lease is over.
        let lease = self.turn_lease();
        self.store.renew_check(media.id, turn, lease).await?;
        let (remade_of, from) = match &uniform.remade {
            Some(_) => (Some(source), staging_key(turn)),
            None => (None, source),
        };
        let stored = uniform.remade.unwrap_or_else(|| media.stored.clone());
        let key = object_key(media.id, &stored.mime_type);
        if from != key {
            let published = self.objects.publish(&from, &key).await;
            published.map_err(|error| Stop::Failed(Error::of_storage(error)))?;
        }
        hook::reached("published");
        let passed = Passed {
            stored,
            dimensions: uniform.dimensions,
            scan_status,
            remade_of,
        };
        let view = self.store.pass_check(media.id, turn, passed).await?;
        hook::reached("passed");
        Ok(view)
    }

    /// Where the bytes are: a turn before this one may have published them and died.
    async fn source_of(&self, check: &Check) -> Result<String, Stop> {
        let published = object_key(check.media.id, &check.media.stored.mime_type);
        for key in [&check.source_key, &published] {
            match self.objects.size(key).await {
                Ok(_) => return Ok(key.clone()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Stop::Failed(Error::of_storage(error))),
            }
        }
        tracing::error!(media.id = %check.media.id, "a file was lost before its check");
        Err(Stop::Refused(Error::ScanBlocked(
            "This file was lost on our side before it could be checked.".into(),
        )))
    }

    async fn scan(&self, source: &str, size_bytes: u64) -> Result<ScanStatus, Stop> {
        let Some(clamd) = &self.settings.scan_clamd else {
            return Ok(ScanStatus::Skipped);
        };
        let bytes = self.objects.open(source, 0..size_bytes).await;
        let bytes = bytes.map_err(|error| Stop::Failed(Error::of_storage(error)))?;
        let blocked = |why: &str| Err(Stop::Refused(Error::ScanBlocked(why.into())));
        match clamd.scan(bytes, self.settings.scan_timeout).await {
            Ok(Verdict::Clean) => Ok(ScanStatus::Clean),
            Ok(Verdict::Found) => {
                blocked("The virus scanner found something in this file, so it was deleted.")
            }
            Ok(Verdict::TooLarge) => blocked(
                "This file is more than the virus scanner can look through, so it was deleted.",
            ),
            Err(error) => Err(Stop::Later(error.to_string())),
        }
    }

    async fn block(&self, check: &Check, error: Error) -> Result<Checked> {
        let (media, why) = (&check.media, error.to_last_error());
        tracing::info!(
            upload.id = %media.upload_id, media.id = %media.id, code = why.code,
            "a file was blocked",
        );
        match self.store.block(media.id, check.turn, why).await {
            Ok(()) => {
                self.delete_leftovers().await;
                Ok(Checked::Refused(error))
            }
            Err(StoreError::ClaimGone) => Ok(Checked::Lost),
            Err(error) => Err(error.into()),
        }
    }

    async fn put_off(&self, check: &Check, why: &str) -> Result<Checked> {
        let media = &check.media;
        if self.is_given_up(check) {
            let error = "This file could not be checked for a day, so it was deleted.";
            return self.block(check, Error::ScanBlocked(error.into())).await;
        }
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(check.tries.min(10));
        let pause = pause.min(LONGEST_PAUSE);
        tracing::warn!(
            upload.id = %media.upload_id, media.id = %media.id, cause = why,
            again_in_seconds = pause.as_secs(), "a file was not judged",
        );
        match self
            .store
            .renew_check(media.id, check.turn, signed(pause))
            .await
        {
            Ok(()) => Ok(Checked::Later),
            Err(StoreError::ClaimGone) => Ok(Checked::Lost),
            Err(error) => Err(error.into()),
        }
    }

    fn is_given_up(&self, check: &Check) -> bool {
        let age = self.clock.now().duration_since(check.media.created_at);
        age >= GIVE_UP_AFTER
    }

    /// Deletes at once what the sweep would find.
    async fn delete_leftovers(&self) {
        if let Err(error) = self.delete_doomed().await {
            error.log();
        }
    }

    /// What this turn may have published after it was lost, unless another turn published the same.
    async fn take_back(&self, check: &Check) -> Result<()> {
        let media = &check.media;
        let within = [media.workspace_id];
        let now = self.store.media(&within, MediaRef::Id(media.id));
        let is_wanted = now
            .await?
            .is_some_and(|media| media.scan_status != ScanStatus::Blocked);
        if is_wanted {
            return Ok(());
        }
        for mime_type in [media.stored.mime_type.as_str(), REMADE_AS] {
            self.delete(&object_key(media.id, mime_type)).await?;
        }
        Ok(())
    }

    /// Judges what is due until [`Self::close`].
    pub(super) async fn keep_checked(&self) {
        while !self.closing.is_cancelled() {
            if let Err(error) = self.check_due().await {
                error.log();
            }
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Judges what is due: what a crash or a silent scanner has left.
    ///
    /// # Errors
    /// Ours; what was not judged is due again later.
    pub async fn check_due(&self) -> Result<()> {
        let mut checks = FuturesUnordered::new();
        loop {
            // One that is slow holds up none of those that come after it.
            while checks.len() < AT_ONCE {
                let due = self.store.take_checks(1, self.turn_lease()).await?;
                let Some(check) = due.into_iter().next() else {
                    break;
                };
                checks.push(self.check(check));
            }
            match checks.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => error.log(),
                None => return Ok(()),
            }
        }
    }
}
