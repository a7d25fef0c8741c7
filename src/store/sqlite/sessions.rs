//! Sessions and claims: what happens inside a transaction.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::json;

use super::{
    AttemptId, ClaimId, ClaimOutcome, ClaimRequest, MediaId, NewSession, Result, SessionRef,
    SessionView, StoreError, WorkspaceId, audit, checking, files, grants, quota,
    rows::{self, Col, get},
    sweeping,
};
use crate::{
    domain::{
        audit::{Action, Actor},
        ids::UploadId,
        media::{ScanStatus, staging_key},
        quota::{Quota, Usage},
        session::{CLAIM_MAX_AGE, Event, LastError, State, Tally, UploadSession},
    },
    store::{NewMedia, audit::Note, later},
};

const INSERT: &str = "INSERT INTO upload_session
    (id, token, workspace_id, asked_by, created_by, api_key_id, purpose, prompt, metadata, limits,
     max_files, transfer, retain_seconds, state, created_at, expires_at, redeem_by)
    VALUES (:id, :token, :workspace_id, :asked_by, :created_by, :api_key_id, :purpose, :prompt,
     :metadata, :limits, :max_files, :transfer, :retain_seconds, 'pending', :created_at, :expires_at,
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

const HELD: &str = "SELECT * FROM claim WHERE session_id = ?1 AND slot IS NOT NULL ORDER BY slot";
const CLAIM: &str = "SELECT * FROM claim WHERE id = ?1 AND slot IS NOT NULL";
const INSERT_CLAIM: &str = "INSERT INTO claim
    (id, session_id, slot, media_id, attempt, began_at, lease_until, reserved)
    VALUES (:id, :session_id, :slot, :media_id, :attempt, :now, :lease_until, :reserved)";
const RESERVED: &str = "SELECT reserved, workspace_id FROM claim
    JOIN upload_session ON upload_session.id = session_id
    WHERE claim.id = ?1 AND slot IS NOT NULL";
const RESERVE: &str = "UPDATE claim SET reserved = ?2 WHERE id = ?1";
const LOSE_CLAIM: &str = "UPDATE claim SET slot = NULL, lease_until = :now WHERE id = :id";
const RENEW: &str = "UPDATE claim
    SET lease_until = :lease_until, turn_until = :turn_until,
        media_key = coalesce(:media_key, media_key)
    WHERE id = :id";
const NOTE_BEGUN: &str = "UPDATE claim SET begun = ?2 WHERE id = ?1 AND slot IS NOT NULL";
pub(super) const DELETE_CLAIM: &str = "DELETE FROM claim WHERE id = ?1";

/// For how long what landed in the store outlives a turn to see to it: another one can be taken.
const AFTER_TURN: SignedDuration = SignedDuration::from_mins(2);

/// A claim that holds a slot.
pub(super) struct Held {
    pub(super) id: ClaimId,
    session: UploadId,
    slot: u32,
    media: MediaId,
    attempt: Option<AttemptId>,
    began_at: Timestamp,
    lease_until: Timestamp,
    lands_at: Option<String>,
    turn_until: Option<Timestamp>,
}

impl Held {
    /// Its next lease, and its next turn where its bytes landed in the store.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] once it was silent for too long, or is too old.
    pub(super) fn renewed(
        &self,
        lease: SignedDuration,
        now: Timestamp,
    ) -> Result<(Timestamp, Option<Timestamp>)> {
        let oldest = later(self.began_at, CLAIM_MAX_AGE);
        if self.lease_until <= now || now >= oldest {
            return Err(StoreError::ClaimGone);
        }
        let until = later(now, lease).min(oldest);
        if self.lands_at.is_none() {
            return Ok((until, None));
        }
        let kept = later(until, AFTER_TURN).min(oldest);
        Ok((self.lease_until.max(kept), Some(until)))
    }

    /// Whether it is somebody's turn to see to what landed.
    pub(super) fn is_in_turn(&self, now: Timestamp) -> bool {
        self.turn_until.is_some_and(|until| until > now)
    }

    /// Whoever had the turn may have died over the copy that has its name, or be making it.
    pub(super) fn doom_copy(&self, db: &Connection, after: Timestamp) -> Result<()> {
        match self.turn_until {
            Some(_) => sweeping::doom(db, &staging_key(self.id), after),
            None => Ok(()),
        }
    }
}

fn held(row: &rusqlite::Row<'_>) -> rusqlite::Result<Held> {
    Ok(Held {
        id: get(row, "id")?,
        session: get(row, "session_id")?,
        slot: row.get("slot")?,
        media: get(row, "media_id")?,
        attempt: rows::get_opt(row, "attempt")?,
        began_at: get(row, "began_at")?,
        lease_until: get(row, "lease_until")?,
        lands_at: row.get("lands_at")?,
        turn_until: rows::get_opt(row, "turn_until")?,
    })
}

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
            ":metadata": rows::to_json(&new.metadata)?, ":limits": rows::to_json(&new.limits)?,
            ":max_files": new.limits.max_files, ":transfer": new.transfer.as_str(), ":retain_seconds": new.retain_seconds,
            ":created_at": Col(now), ":expires_at": Col(expires_at),
        },
        rows::session,
    )?;
    let note = Note::new(by, Action::UploadCreated, session.id, session.workspace_id);
    let limits = json!({ "purpose": session.purpose, "max_files": session.limits.max_files });
    audit::note(db, &note.with(limits), now)?;
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

fn held_claims(db: &Connection, id: UploadId) -> Result<Vec<Held>> {
    let mut query = db.prepare_cached(HELD)?;
    let claims = query.query_map([Col(id)], held)?;
    Ok(claims.collect::<Result<_, _>>()?)
}

/// The session as it stands at `now`; writes nothing, so that a reader can ask.
pub(super) fn view(
    db: &Connection,
    within: Option<&[WorkspaceId]>,
    which: SessionRef,
    now: Timestamp,
) -> Result<Option<SessionView>> {
    let Some(mut session) = load(db, within, which)? else {
        return Ok(None);
    };
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
    Ok(Some(SessionView {
        session,
        media: stored,
        tally,
    }))
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

pub(super) fn claim(
    db: &Connection,
    request: &ClaimRequest,
    quota: Quota,
    now: Timestamp,
) -> Result<ClaimOutcome> {
    let mut current = Current::load(db, SessionRef::Id(request.session), now)?;
    if let Some(attempt) = request.attempt {
        if let Some(media) = files::of_attempt(db, request.session, attempt)? {
            return Ok(ClaimOutcome::StoredBefore(Box::new(media)));
        }
        let (same, others) = std::mem::take(&mut current.claims)
            .into_iter()
            .partition(|claim| claim.attempt == Some(attempt));
        current.claims = others;
        current.lose(same)?;
    }
    current.must_be_open()?;
    // While another file is still arriving, the session itself lives on.
    if now >= current.session.redeem_by {
        return Err(StoreError::Closed(State::Expired));
    }
    let taken = |slot: &u32| {
        current.files.iter().any(|(used, _)| used == slot)
            || current.claims.iter().any(|c| c.slot == *slot)
    };
    let Some(slot) = (0..current.session.limits.max_files).find(|slot| !taken(slot)) else {
        return Err(StoreError::AllTaken {
            free_in: current.free_in(),
        });
    };
    let workspace = current.session.workspace_id;
    let (least, likely) = request.bytes;
    let reserved = match quota::must_fit(db, workspace, on_its_way(likely), quota) {
        Err(StoreError::OverQuota(_)) if least < likely => {
            quota::must_fit(db, workspace, on_its_way(least), quota)?;
            least
        }
        fits => fits.map(|()| likely)?,
    };
    db.prepare_cached(INSERT_CLAIM)?.execute(named_params! {
        ":id": Col(request.claim), ":session_id": Col(request.session), ":slot": slot,
        ":media_id": Col(request.media), ":attempt": request.attempt.map(Col), ":now": Col(now),
        ":lease_until": Col(later(now, request.lease)), ":reserved": reserved,
    })?;
    if let Some(grant) = &request.grant {
        grants::begin(db, request.claim, grant, now)?;
    }
    current.apply(Event::ClaimTaken, &Actor::Link)?;
    Ok(ClaimOutcome::Taken { slot, reserved })
}

pub(super) fn live_claim(db: &Connection, id: ClaimId) -> Result<Held> {
    db.prepare_cached(CLAIM)?
        .query_row([Col(id)], held)
        .optional()?
        .ok_or(StoreError::ClaimGone)
}

pub(super) fn heartbeat(
    db: &Connection,
    id: ClaimId,
    lease: SignedDuration,
    media_key: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let claim = live_claim(db, id)?;
    let (lease_until, turn_until) = claim.renewed(lease, now)?;
    db.prepare_cached(RENEW)?.execute(named_params! {
        ":id": Col(id), ":lease_until": Col(lease_until), ":turn_until": turn_until.map(Col),
        ":media_key": media_key,
    })?;
    Ok(())
}

fn on_its_way(bytes: u64) -> Usage {
    Usage {
        in_flight_bytes: bytes,
        ..Usage::default()
    }
}

/// Makes room for as many bytes of a claim's file.
pub(super) fn reserve(db: &Connection, id: ClaimId, bytes: u64, quota: Quota) -> Result<()> {
    let found = db.prepare_cached(RESERVED)?.query_row([Col(id)], |row| {
        Ok((row.get("reserved")?, get(row, "workspace_id")?))
    });
    let (reserved, workspace): (u64, WorkspaceId) =
        found.optional()?.ok_or(StoreError::ClaimGone)?;
    if bytes > reserved {
        quota::must_fit(db, workspace, on_its_way(bytes - reserved), quota)?;
        db.prepare_cached(RESERVE)?.execute((Col(id), bytes))?;
    }
    Ok(())
}

pub(super) fn note_begun(db: &Connection, id: ClaimId, begun: &str) -> Result<()> {
    match db.prepare_cached(NOTE_BEGUN)?.execute((Col(id), begun))? {
        0 => Err(StoreError::ClaimGone),
        _ => Ok(()),
    }
}

pub(super) fn commit_upload(
    db: &Connection,
    id: ClaimId,
    new: &NewMedia,
    quota: Quota,
    now: Timestamp,
) -> Result<SessionView> {
    let claim = live_claim(db, id)?;
    // Loading takes the slot from this claim too if it was silent for too long.
    let mut current = Current::load(db, SessionRef::Id(claim.session), now)?;
    if !current.claims.iter().any(|live| live.id == id) {
        return Err(StoreError::ClaimGone);
    }
    db.prepare_cached(DELETE_CLAIM)?.execute([Col(id)])?;
    current.claims.retain(|live| live.id != id);
    let stored = Usage {
        stored_bytes: new.stored.size_bytes,
        ..Usage::default()
    };
    quota::must_fit(db, current.session.workspace_id, stored, quota)?;
    files::insert(
        db,
        &current.session,
        claim.media,
        claim.slot,
        claim.attempt,
        new,
        now,
    )?;
    current.files.push((claim.slot, new.scan_status));
    let workspace = current.session.workspace_id;
    let note = Note::new(&Actor::Link, Action::MediaUploaded, claim.media, workspace);
    let facts = json!({
        "upload_id": claim.session.to_string(), "mime_type": new.original.mime_type,
        "size_bytes": new.original.size_bytes,
    });
    audit::note(db, &note.with(facts), now)?;
    let tally = current.tally();
    if let Some(check) = &new.check {
        checking::begin(db, claim.media, check, claim.began_at, now)?;
        current.apply(Event::Staged(tally), &Actor::Link)?;
    } else {
        current.apply(Event::Stored(tally), &Actor::Link)?;
    }
    set_error(db, current.session.id, None)?;
    current.session.last_error = None;
    current.view()
}

/// Why the last try was refused, if it was.
pub(super) fn set_error(db: &Connection, id: UploadId, why: Option<&LastError>) -> Result<()> {
    db.prepare_cached(SET_ERROR)?.execute(named_params! {
        ":id": Col(id), ":last_error": why.map(rows::to_json).transpose()?,
    })?;
    Ok(())
}

/// Gives a claim back; says whose it was.
pub(super) fn release(
    db: &Connection,
    id: ClaimId,
    why: Option<&LastError>,
    now: Timestamp,
) -> Result<Option<UploadId>> {
    let claim = live_claim(db, id);
    db.prepare_cached(DELETE_CLAIM)?.execute([Col(id)])?;
    let claim = match claim {
        Ok(claim) => claim,
        Err(StoreError::ClaimGone) => return Ok(None),
        Err(error) => return Err(error),
    };
    let session = load(db, None, SessionRef::Id(claim.session))?.ok_or(StoreError::NotFound)?;
    let mut current = Current {
        db,
        claims: held_claims(db, session.id)?,
        files: files::slots(db, session.id)?,
        session,
        now,
    };
    current.refused(claim.began_at)?;
    if why.is_some() {
        set_error(db, claim.session, why)?;
    }
    Ok(Some(claim.session))
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
    now: Timestamp,
) -> Result<()> {
    let mut current = Current::load(db, SessionRef::Id(id), now)?;
    if current.session.state == State::Declined {
        return Ok(());
    }
    current.close(Event::Declined, &Actor::Link)?;
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
