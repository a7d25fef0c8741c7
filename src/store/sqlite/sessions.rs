//! Sessions: what happens inside a transaction.

pub(super) mod claims;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::json;

use self::claims::{Held, LOSE_CLAIM, held_claims};
use super::{
    NewSession, Result, SessionRef, SessionView, StoreError, WorkspaceId, audit, declared, files,
    quota,
    rows::{self, Col, get},
};
use crate::{
    domain::{
        audit::{Action, Actor},
        ids::UploadId,
        language::Language,
        media::ScanStatus,
        quota::{Quota, Usage},
        session::{Event, LastError, State, Tally, UploadSession},
    },
    store::{audit::Note, later},
};

const INSERT: &str = "INSERT INTO upload_session
    (id, token, workspace_id, asked_by, created_by, api_key_id, purpose, prompt, language, metadata, limits,
     max_files, transfer, spec, retain_seconds, state, created_at, expires_at, redeem_by)
    VALUES (:id, :token, :workspace_id, :asked_by, :created_by, :api_key_id, :purpose, :prompt,
     :language, :metadata, :limits, :max_files, :transfer, :spec, :retain_seconds, 'pending', :created_at, :expires_at,
     :expires_at)
    RETURNING *";
const BY_ID: &str = "SELECT * FROM upload_session WHERE id = ?1";
const BY_TOKEN: &str = "SELECT * FROM upload_session WHERE token = ?1";
const MOVE: &str = "UPDATE upload_session
    SET state = :state, redeem_by = :redeem_by, ended_at = :ended_at WHERE id = :id";
const SET_REDEEM_BY: &str = "UPDATE upload_session SET redeem_by = :redeem_by WHERE id = :id";
const OPEN: &str = "UPDATE upload_session SET opened_at = :now
    WHERE id = :id AND opened_at IS NULL RETURNING workspace_id";
const SET_ERROR: &str = "UPDATE upload_session SET last_error = :last_error WHERE id = :id";
const SET_MEDIA_GONE: &str = "UPDATE upload_session SET media_gone = 1 WHERE id = ?1";
const SET_REASON: &str = "UPDATE upload_session SET decline_reason = :reason WHERE id = :id";

pub(super) fn create(
    db: &Connection,
    new: &NewSession,
    quota: Quota,
    now: Timestamp,
) -> Result<UploadSession> {
    let one_more = Usage {
        open_links: 1,
        ..Usage::default()
    };
    quota::must_fit(db, new.workspace_id, one_more, quota)?;
    let expires_at = whole_second(later(now, new.expires_in));
    let by = &new.created_by;
    let session = db.prepare_cached(INSERT)?.query_row(
        named_params! {
            ":id": Col(new.id), ":token": Col(new.token), ":workspace_id": Col(new.workspace_id),
            ":asked_by": new.asked_by, ":created_by": by.principal().map(Col),
            ":api_key_id": by.api_key().map(Col), ":purpose": new.purpose, ":prompt": new.prompt,
            ":language": new.language.map(Language::as_str),
            ":metadata": rows::to_json(&new.metadata)?, ":limits": rows::to_json(&new.limits)?,
            ":max_files": new.limits.max_files, ":transfer": new.transfer.as_str(), ":retain_seconds": new.retain_seconds,
            ":spec": new.spec.as_ref().map(rows::to_json).transpose()?,
            ":created_at": Col(now), ":expires_at": Col(expires_at),
        },
        rows::session,
    )?;
    let note = Note::new(by, Action::UploadCreated, session.id, session.workspace_id);
    let limits = json!({ "purpose": session.purpose, "max_files": session.limits.max_files });
    audit::note(db, &note.with(limits), now)?;
    if session.spec.is_some() {
        declared::index(db, &session)?;
    }
    Ok(session)
}

/// The link tells its expiry in seconds, so that is what the row keeps: the next whole one.
fn whole_second(instant: Timestamp) -> Timestamp {
    let part = i64::from(instant.subsec_nanosecond() > 0);
    Timestamp::from_second(instant.as_second() + part).unwrap_or(instant)
}

/// The session, if it belongs to one of these workspaces; `None`: to any. Of a stranger's no more is
/// read than whose it is.
fn load(
    db: &Connection,
    within: Option<&[WorkspaceId]>,
    which: SessionRef,
) -> Result<Option<UploadSession>> {
    let read = |row: &Row<'_>| {
        let workspace = get(row, "workspace_id")?;
        let is_within = within.is_none_or(|within| within.contains(&workspace));
        is_within.then(|| rows::session(row)).transpose()
    };
    let found = match which {
        SessionRef::Id(id) => db.prepare_cached(BY_ID)?.query_row([Col(id)], read),
        SessionRef::Token(token) => db.prepare_cached(BY_TOKEN)?.query_row([Col(token)], read),
    };
    Ok(found.optional()?.flatten())
}

/// The session as it stands at `now`; writes nothing, so that a reader can ask.
pub(super) fn view(
    db: &Connection,
    within: Option<&[WorkspaceId]>,
    which: SessionRef,
    now: Timestamp,
) -> Result<Option<SessionView>> {
    let session = load(db, within, which)?;
    session.map(|session| view_of(db, session, now)).transpose()
}

/// The session of this row as it stands at `now`.
pub(super) fn view_of(
    db: &Connection,
    mut session: UploadSession,
    now: Timestamp,
) -> Result<SessionView> {
    let stored = files::of_session(db, session.id)?;
    let claims = if session.state.is_open() {
        held_claims(db, session.id)?
    } else {
        Vec::new()
    };
    let (lost, live): (Vec<_>, Vec<_>) = claims.iter().partition(|claim| claim.lease_until <= now);
    let statuses = stored.iter().map(|media| media.scan_status);
    let tally = tally(&session, live.len(), statuses);
    for claim in lost {
        session.redeem_by = session.redeem_by_after_failure(claim.began_at, claim.lease_until);
    }
    for event in session.overdue(tally, now) {
        session.state = session.state.after(event)?;
    }
    Ok(SessionView {
        session,
        media: stored,
        tally,
    })
}

fn tally(session: &UploadSession, live: usize, files: impl Iterator<Item = ScanStatus>) -> Tally {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (checking, stored): (Vec<_>, Vec<_>) =
        files.partition(|status| *status == ScanStatus::Pending);
    Tally {
        slots: session.limits.max_files,
        receiving: count(live),
        checking: count(checking.len()),
        stored: count(stored.len()),
    }
}

/// A session inside a transaction, with all that is overdue done.
pub(super) struct Current<'a> {
    db: &'a Connection,
    pub(super) session: UploadSession,
    claims: Vec<Held>,
    /// The slots that have a file, judged or not.
    files: Vec<(u32, ScanStatus)>,
    pub(super) now: Timestamp,
}

impl<'a> Current<'a> {
    /// Loads it and does what time alone has brought: silent claims are lost, a link has lapsed.
    pub(super) fn load(db: &'a Connection, which: SessionRef, now: Timestamp) -> Result<Self> {
        let session = load(db, None, which)?.ok_or(StoreError::NotFound)?;
        let mut current = Self {
            db,
            claims: held_claims(db, session.id)?,
            files: files::slots(db, session.id)?,
            session,
            now,
        };
        let (lost, live) = std::mem::take(&mut current.claims)
            .into_iter()
            .partition(|claim| claim.lease_until <= now);
        current.claims = live;
        current.lose(lost)?;
        for event in current.session.overdue(current.tally(), now) {
            current.apply(event, &Actor::System)?;
        }
        Ok(current)
    }

    pub(super) fn tally(&self) -> Tally {
        let statuses = self.files.iter().map(|(_, status)| *status);
        tally(&self.session, self.claims.len(), statuses)
    }

    /// As readers see it.
    pub(super) fn view(self) -> Result<SessionView> {
        Ok(SessionView {
            media: files::of_session(self.db, self.session.id)?,
            tally: self.tally(),
            session: self.session,
        })
    }

    /// Takes the slots from these claims. Their rows stay until the sweep has deleted their bytes.
    fn lose(&mut self, lost: Vec<Held>) -> Result<()> {
        for claim in lost {
            let at = claim.lease_until.min(self.now);
            self.session.redeem_by = self.session.redeem_by_after_failure(claim.began_at, at);
            self.db
                .prepare_cached(SET_REDEEM_BY)?
                .execute(named_params! {
                    ":id": Col(self.session.id), ":redeem_by": Col(self.session.redeem_by),
                })?;
            self.db
                .prepare_cached(LOSE_CLAIM)?
                .execute(named_params! { ":id": Col(claim.id), ":now": Col(self.now) })?;
            claim.doom_copy(self.db, claim.turn_until.unwrap_or(self.now))?;
        }
        Ok(())
    }

    /// A body or a file that began at `began_at` came to nothing; its slot is free.
    pub(super) fn refused(&mut self, began_at: Timestamp) -> Result<State> {
        self.session.redeem_by = self.session.redeem_by_after_failure(began_at, self.now);
        self.apply(Event::ClaimLost(self.tally()), &Actor::System)
    }

    pub(super) fn apply(&mut self, event: Event, by: &Actor) -> Result<State> {
        self.session.state = self.session.state.after(event)?;
        if !self.session.state.is_open() && self.session.ended_at.is_none() {
            self.session.ended_at = Some(self.now);
        }
        self.db.prepare_cached(MOVE)?.execute(named_params! {
            ":id": Col(self.session.id), ":state": Col(self.session.state),
            ":redeem_by": Col(self.session.redeem_by), ":ended_at": self.session.ended_at.map(Col),
        })?;
        self.note_end(event, by)?;
        Ok(self.session.state)
    }

    fn note_end(&self, event: Event, by: &Actor) -> Result<()> {
        let UploadSession {
            id,
            workspace_id,
            state,
            ..
        } = self.session;
        let Some(action) = Action::of_end(state) else {
            return Ok(());
        };
        let note = Note::new(by, action, id, workspace_id);
        let note = match event {
            Event::MediaGone => note.with(json!({ "expired_because": "retention" })),
            Event::LinkExpired(_) if state == State::Expired => {
                note.with(json!({ "expired_because": "link" }))
            }
            _ => note,
        };
        audit::note(self.db, &note, self.now)
    }

    /// # Errors
    /// [`StoreError::Closed`] unless files can still come.
    fn must_be_open(&self) -> Result<()> {
        if self.session.state.is_open() {
            Ok(())
        } else {
            Err(StoreError::Closed(self.session.state))
        }
    }

    fn free_in(&self) -> SignedDuration {
        let first = self.claims.iter().map(|claim| claim.lease_until).min();
        first.map_or(SignedDuration::ZERO, |at| at.duration_since(self.now))
    }

    /// Closes the session; bodies on their way lose their claims, and what came before is deleted.
    fn close(&mut self, event: Event, by: &Actor) -> Result<()> {
        let closed = self.session.state.after(event);
        if let Err(illegal) = closed {
            return Err(StoreError::Closed(illegal.from));
        }
        let claims = std::mem::take(&mut self.claims);
        self.lose(claims)?;
        for media in files::of_session(self.db, self.session.id)? {
            files::remove(self.db, media.id, self.now)?;
            let note = Note::new(by, Action::MediaDeleted, media.id, media.workspace_id);
            let note = note.with(json!({ "upload_id": media.upload_id.to_string() }));
            audit::note(self.db, &note, self.now)?;
        }
        self.apply(event, by).map(drop)
    }

    pub(super) fn consumed(&mut self, by: &Actor) -> Result<()> {
        self.apply(Event::Attached, by).map(drop)
    }

    /// One of its files was deleted; a session without any is of no use.
    pub(super) fn file_gone(&mut self, by: &Actor) -> Result<()> {
        if files::slots(self.db, self.session.id)?.is_empty() {
            self.apply(Event::MediaGone, by)?;
            let gone = [Col(self.session.id)];
            self.db.prepare_cached(SET_MEDIA_GONE)?.execute(gone)?;
            self.session.media_gone = true;
        }
        Ok(())
    }
}

pub(super) fn open(db: &Connection, id: UploadId, now: Timestamp) -> Result<()> {
    let mut open = db.prepare_cached(OPEN)?;
    let opened = open
        .query_row(named_params! { ":id": Col(id), ":now": Col(now) }, |row| {
            get(row, "workspace_id")
        })
        .optional()?;
    opened.map_or(Ok(()), |workspace| {
        let note = Note::new(&Actor::Link, Action::UploadOpened, id, workspace);
        audit::note(db, &note, now)
    })
}

/// Why the last try was refused, if it was.
pub(super) fn set_error(db: &Connection, id: UploadId, why: Option<&LastError>) -> Result<()> {
    db.prepare_cached(SET_ERROR)?.execute(named_params! {
        ":id": Col(id), ":last_error": why.map(rows::to_json).transpose()?,
    })?;
    Ok(())
}

pub(super) fn done(db: &Connection, id: UploadId, by: &Actor, now: Timestamp) -> Result<State> {
    let mut current = Current::load(db, SessionRef::Id(id), now)?;
    if current.session.state == State::Completed {
        return Ok(State::Completed);
    }
    current.must_be_open()?;
    let tally = current.tally();
    if tally.receiving + tally.checking > 0 {
        return Err(StoreError::AllTaken {
            free_in: current.free_in(),
        });
    }
    current.apply(Event::Done(tally), by)
}

pub(super) fn decline(
    db: &Connection,
    id: UploadId,
    reason: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let mut current = Current::load(db, SessionRef::Id(id), now)?;
    if current.session.state == State::Declined {
        return Ok(());
    }
    current.close(Event::Declined, by)?;
    db.prepare_cached(SET_REASON)?
        .execute(named_params! { ":id": Col(id), ":reason": reason })?;
    Ok(())
}

pub(super) fn cancel(db: &Connection, id: UploadId, by: &Actor, now: Timestamp) -> Result<()> {
    let mut current = Current::load(db, SessionRef::Id(id), now)?;
    if current.session.state == State::Cancelled {
        return Ok(());
    }
    current.close(Event::Cancelled, by)
}
