//! [`TargetStore`] in the same file, and attaching: what happens inside a transaction.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::json;

use super::{
    MediaId, MediaRef, NewAttachment, Result, SessionRef, SqliteStore, StoreError, UploadId,
    WorkspaceId, audit, files,
    rows::{self, Col, get},
    sessions::Current,
};
use crate::{
    domain::{
        attachment::{Attachment, Room, Target},
        audit::{Action, Actor},
        ids::AttachmentId,
        session::State,
    },
    store::{
        audit::Note,
        targets::{AttachmentChange, OneOfTarget, TargetPage, TargetQuery, TargetStore},
    },
};

const ATTACH: &str = "INSERT INTO attachment
    (id, workspace_id, media_id, created_by, target_type, target_id, alt, position, created_at)
    VALUES (:id, :workspace_id, :media_id, :created_by, :target_type, :target_id, :alt, :position,
     :now)";
const MARK_ATTACHED: &str = "UPDATE media SET is_attached = 1 WHERE id = ?1";
const ATTACHED: &str = "SELECT * FROM attachment
    WHERE media_id = :media_id AND target_type = :target_type AND target_id = :target_id";
const CONSUMED: &str = "UPDATE upload_session
    SET consumed_type = :target_type, consumed_id = :target_id WHERE id = :id";

const SUM: &str = "SELECT count(*), coalesce(max(position) + 1, 0) FROM attachment
    WHERE workspace_id = :workspace_id AND target_type = :target_type AND target_id = :target_id";
const IS_TAKEN: &str = "SELECT 1 FROM attachment
    WHERE workspace_id = :workspace_id AND target_type = :target_type AND target_id = :target_id
        AND position >= :first AND position < :first + :count";
const MOVE_BACK: &str = "UPDATE attachment SET position = position + :count
    WHERE workspace_id = :workspace_id AND target_type = :target_type AND target_id = :target_id
        AND position >= :first";
const ALL: &str = "SELECT * FROM attachment
    WHERE workspace_id = :workspace_id AND target_type = :target_type AND target_id = :target_id
    ORDER BY position, id";
const PAGE: &str = "SELECT * FROM attachment
    WHERE workspace_id = :workspace_id AND target_type = :target_type AND target_id = :target_id
        AND (position, id) > (:position, :id)
    ORDER BY position, id LIMIT :most";
const BY_ID: &str = "SELECT * FROM attachment WHERE id = ?1";
const PLACE: &str = "UPDATE attachment SET position = ?2 WHERE id = ?1";
const CHANGE: &str = "UPDATE attachment SET alt = :alt, position = :position WHERE id = :id";
const DETACH: &str = "DELETE FROM attachment WHERE id = ?1";
const IS_ATTACHED: &str = "SELECT 1 FROM attachment WHERE media_id = ?1";
const KEPT_FOR: &str = "SELECT retain_seconds FROM media WHERE id = ?1";
const KEEP_UNTIL: &str = "UPDATE media SET is_attached = 0, retain_until = ?2 WHERE id = ?1";

#[async_trait]
impl TargetStore for SqliteStore {
    async fn on_target(
        &self,
        workspace: WorkspaceId,
        target: Target,
        query: TargetQuery,
    ) -> Result<TargetPage> {
        self.read(|db, _| page(db, workspace, &target, &query))
    }

    async fn detach(&self, which: OneOfTarget, by: Actor) -> Result<Attachment> {
        self.write(move |db, now| detach(db, &which, &by, now))
            .await
    }

    async fn change_attachment(
        &self,
        which: OneOfTarget,
        change: AttachmentChange,
        by: Actor,
    ) -> Result<Attachment> {
        self.write(move |db, now| self::change(db, &which, &change, &by, now))
            .await
    }

    async fn order(
        &self,
        workspace: WorkspaceId,
        target: Target,
        order: Vec<AttachmentId>,
        by: Actor,
    ) -> Result<Vec<Attachment>> {
        self.write(move |db, now| self::order(db, workspace, &target, &order, &by, now))
            .await
    }
}

/// Attaches all media of a completed session, once.
pub(super) fn consume(
    db: &Connection,
    id: UploadId,
    wanted: &NewAttachment,
    now: Timestamp,
) -> Result<Vec<Attachment>> {
    let mut current = Current::load(db, SessionRef::Id(id), now)?;
    let workspace = current.session.workspace_id;
    let media: Vec<MediaId> = files::of_session(db, id)?
        .iter()
        .map(|media| media.id)
        .collect();
    match (current.session.state, &current.session.consumed_by) {
        (State::Completed, _) => {
            current.consumed(&wanted.created_by)?;
            db.prepare_cached(CONSUMED)?.execute(named_params! {
                ":id": Col(id), ":target_type": wanted.target.kind, ":target_id": wanted.target.id,
            })?;
            attach_all(db, workspace, &media, wanted, now)
        }
        (State::Consumed, Some(by)) if *by == wanted.target => {
            let left = attached(db, &media, &wanted.target)?;
            let left: Vec<_> = left.into_iter().flatten().collect();
            if left.is_empty() {
                // They were taken off it since.
                return Err(StoreError::AlreadyConsumed(by.clone()));
            }
            Ok(left)
        }
        (State::Consumed, Some(by)) => Err(StoreError::AlreadyConsumed(by.clone())),
        (state, _) if state.is_open() => Err(StoreError::NotReady),
        (state, _) => Err(StoreError::Closed(state)),
    }
}

/// Attaches one media of this workspace.
pub(super) fn attach(
    db: &Connection,
    workspace: WorkspaceId,
    media: MediaId,
    wanted: &NewAttachment,
    now: Timestamp,
) -> Result<Attachment> {
    files::find(db, &[workspace], &MediaRef::Id(media))?.ok_or(StoreError::NotFound)?;
    let mut attached = attach_all(db, workspace, &[media], wanted, now)?;
    attached.pop().ok_or(StoreError::NotFound)
}

/// Attaches these in order; what is attached there already stays as it is.
fn attach_all(
    db: &Connection,
    workspace: WorkspaceId,
    media: &[MediaId],
    wanted: &NewAttachment,
    now: Timestamp,
) -> Result<Vec<Attachment>> {
    let (target, by) = (&wanted.target, &wanted.created_by);
    let before = attached(db, media, target)?;
    let new = before.iter().filter(|found| found.is_none()).count();
    let new = u32::try_from(new).unwrap_or(u32::MAX);
    let mut position = make_room(db, workspace, wanted, new)?;
    let mut all = Vec::with_capacity(media.len());
    for (media, found) in media.iter().zip(before) {
        if let Some(found) = found {
            all.push(found);
            continue;
        }
        let attachment = Attachment {
            id: AttachmentId::new(now),
            media_id: *media,
            target: target.clone(),
            alt: wanted.alt.clone(),
            position,
        };
        db.prepare_cached(ATTACH)?.execute(named_params! {
            ":id": Col(attachment.id), ":workspace_id": Col(workspace), ":media_id": Col(*media),
            ":created_by": by.principal().map(Col), ":target_type": target.kind,
            ":target_id": target.id, ":alt": wanted.alt, ":position": position, ":now": Col(now),
        })?;
        db.prepare_cached(MARK_ATTACHED)?.execute([Col(*media)])?;
        let note = Note::new(by, Action::MediaAttached, *media, workspace);
        let to = json!({ "target_type": target.kind, "target_id": target.id });
        audit::note(db, &note.with(to), now)?;
        all.push(attachment);
        position += 1;
    }
    Ok(all)
}

/// For each media, how it is attached to this target.
fn attached(
    db: &Connection,
    media: &[MediaId],
    target: &Target,
) -> Result<Vec<Option<Attachment>>> {
    let mut query = db.prepare_cached(ATTACHED)?;
    let each = media.iter().map(|media| {
        let of = named_params! {
            ":media_id": Col(*media), ":target_type": target.kind, ":target_id": target.id,
        };
        Ok(query.query_row(of, rows::attachment).optional()?)
    });
    each.collect()
}

/// Where the first of so many new ones goes.
fn make_room(
    db: &Connection,
    workspace: WorkspaceId,
    wanted: &NewAttachment,
    new: u32,
) -> Result<u32> {
    let target = &wanted.target;
    let (there, next): (u32, u32) = db.prepare_cached(SUM)?.query_row(
        named_params! {
            ":workspace_id": Col(workspace), ":target_type": target.kind, ":target_id": target.id,
        },
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Room { most, one_shot } = wanted.room;
    let is_too_much = most.is_some_and(|most| there.saturating_add(new) > most);
    if new > 0 && (is_too_much || (one_shot && there > 0)) {
        return Err(StoreError::TargetFull(wanted.room));
    }
    match wanted.position {
        Some(first) => {
            move_back(db, workspace, target, first, new)?;
            Ok(first)
        }
        None => Ok(next),
    }
}

/// Makes so many positions free, where they are taken.
fn move_back(
    db: &Connection,
    workspace: WorkspaceId,
    target: &Target,
    first: u32,
    count: u32,
) -> Result<()> {
    let is_taken = db.prepare_cached(IS_TAKEN)?.exists(named_params! {
        ":workspace_id": Col(workspace), ":target_type": target.kind, ":target_id": target.id,
        ":first": first, ":count": count,
    })?;
    if is_taken {
        db.prepare_cached(MOVE_BACK)?.execute(named_params! {
            ":workspace_id": Col(workspace), ":target_type": target.kind, ":target_id": target.id,
            ":first": first, ":count": count,
        })?;
    }
    Ok(())
}

fn page(
    db: &Connection,
    workspace: WorkspaceId,
    target: &Target,
    query: &TargetQuery,
) -> Result<TargetPage> {
    let (position, id) = match query.after {
        Some((position, id)) => (i64::from(position), Some(id)),
        None => (-1, None),
    };
    // One more tells whether there is a next page.
    let most = i64::try_from(query.most)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let mut statement = db.prepare_cached(PAGE)?;
    let found = statement.query_map(
        named_params! {
            ":workspace_id": Col(workspace), ":target_type": target.kind, ":target_id": target.id,
            ":position": position,
            ":id": Col(id.unwrap_or_else(|| AttachmentId::from_bytes([0; 16]))), ":most": most,
        },
        rows::attachment,
    )?;
    let mut page = TargetPage::default();
    for attachment in found {
        let attachment = attachment?;
        if page.items.len() == query.most {
            let last = page.items.last().map(|(last, _)| (last.position, last.id));
            page.next = last;
            break;
        }
        let media = files::find(db, &[workspace], &MediaRef::Id(attachment.media_id))?;
        page.items
            .push((attachment, media.ok_or(StoreError::NotFound)?));
    }
    Ok(page)
}

/// An attachment of that target, and whose it is.
fn find(db: &Connection, which: &OneOfTarget) -> Result<(Attachment, WorkspaceId)> {
    let read = |row: &Row<'_>| Ok((rows::attachment(row)?, get(row, "workspace_id")?));
    let found = db
        .prepare_cached(BY_ID)?
        .query_row([Col(which.id)], read)
        .optional()?;
    found
        .filter(|(found, of)| found.target == which.target && which.workspaces.contains(of))
        .ok_or(StoreError::NotFound)
}

fn detach(db: &Connection, which: &OneOfTarget, by: &Actor, now: Timestamp) -> Result<Attachment> {
    let (attachment, workspace) = find(db, which)?;
    db.prepare_cached(DETACH)?.execute([Col(attachment.id)])?;
    let id = attachment.media_id;
    if !db.prepare_cached(IS_ATTACHED)?.exists([Col(id)])? {
        let kept: Option<u64> = db
            .prepare_cached(KEPT_FOR)?
            .query_row([Col(id)], |row| row.get(0))?;
        let until = kept.map(|seconds| Col(files::kept_until(now, seconds)));
        db.prepare_cached(KEEP_UNTIL)?.execute((Col(id), until))?;
    }
    let note = Note::new(by, Action::MediaDetached, id, workspace);
    let (kind, of) = (&attachment.target.kind, &attachment.target.id);
    let from = json!({ "target_type": kind, "target_id": of });
    audit::note(db, &note.with(from), now)?;
    Ok(attachment)
}

fn change(
    db: &Connection,
    which: &OneOfTarget,
    change: &AttachmentChange,
    by: &Actor,
    now: Timestamp,
) -> Result<Attachment> {
    let (before, workspace) = find(db, which)?;
    let alt = change.alt.clone().or_else(|| before.alt.clone());
    let mut after = Attachment {
        alt,
        ..before.clone()
    };
    if let Some(place) = change.position {
        after.position = moved(db, workspace, &after, place)?;
    }
    if after == before {
        return Ok(before);
    }
    db.prepare_cached(CHANGE)?.execute(named_params! {
        ":id": Col(after.id), ":alt": after.alt, ":position": after.position,
    })?;
    let note = Note::new(by, Action::AttachmentChanged, after.id, workspace);
    audit::note(db, &note.with(of(&after)), now)?;
    Ok(after)
}

/// Puts the others around this place, or the end, and says which it is.
fn moved(db: &Connection, workspace: WorkspaceId, moving: &Attachment, place: u32) -> Result<u32> {
    let mut others = all(db, workspace, &moving.target)?;
    others.retain(|other| other.id != moving.id);
    let place = place.min(u32::try_from(others.len()).unwrap_or(u32::MAX));
    for (n, other) in (0..).zip(&others) {
        let position = if n < place { n } else { n + 1 };
        if position != other.position {
            db.prepare_cached(PLACE)?
                .execute((Col(other.id), position))?;
        }
    }
    Ok(place)
}

/// All that a target has, in its order.
fn all(db: &Connection, workspace: WorkspaceId, target: &Target) -> Result<Vec<Attachment>> {
    let mut query = db.prepare_cached(ALL)?;
    let found = query.query_map(
        named_params! {
            ":workspace_id": Col(workspace), ":target_type": target.kind, ":target_id": target.id,
        },
        rows::attachment,
    )?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn order(
    db: &Connection,
    workspace: WorkspaceId,
    target: &Target,
    order: &[AttachmentId],
    by: &Actor,
    now: Timestamp,
) -> Result<Vec<Attachment>> {
    let there = all(db, workspace, target)?;
    let mut there: HashMap<_, _> = there.into_iter().map(|found| (found.id, found)).collect();
    if order.len() != there.len() {
        return Err(StoreError::OtherAttachments);
    }
    let mut ordered = Vec::with_capacity(order.len());
    for (position, id) in (0..).zip(order) {
        let before = there.remove(id).ok_or(StoreError::OtherAttachments)?;
        if before.position == position {
            ordered.push(before);
            continue;
        }
        db.prepare_cached(PLACE)?.execute((Col(*id), position))?;
        let after = Attachment { position, ..before };
        let note = Note::new(by, Action::AttachmentChanged, after.id, workspace);
        audit::note(db, &note.with(of(&after)), now)?;
        ordered.push(after);
    }
    Ok(ordered)
}

/// Where an attachment is, for the log.
fn of(attachment: &Attachment) -> serde_json::Value {
    json!({
        "media_id": attachment.media_id.to_string(),
        "target_type": attachment.target.kind,
        "target_id": attachment.target.id,
        "position": attachment.position,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::plan::go_by_index;

    #[test]
    fn the_media_of_a_target_are_found_by_index_in_their_order() {
        const INDEX: &str = "attachment_target (workspace_id=? AND target_type=? AND target_id=?";
        go_by_index(&[SUM, IS_TAKEN, MOVE_BACK, ALL, PAGE].map(|sql| (sql, INDEX)));
    }
}
