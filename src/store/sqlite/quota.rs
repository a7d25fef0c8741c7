//! What a workspace uses, and whether more fits: inside a transaction. The counting is the schema's.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::{Value, json};

use super::{Result, StoreError, WorkspaceId, audit, rows::Col};
use crate::{
    domain::{
        audit::{Action, Actor},
        quota::{OwnLimit, OwnQuota, Quota, QuotaChange, Usage},
    },
    store::audit::Note,
};

const USED: &str = "SELECT stored_bytes, in_flight_bytes, open_links,
        quota_stored, quota_in_flight, quota_links
    FROM workspace WHERE id = ?1";
const SET: &str = "UPDATE workspace SET quota_stored = :stored, quota_in_flight = :in_flight,
        quota_links = :links
    WHERE id = :id";

/// In a column: no limit, whatever the settings say.
const NO_LIMIT: i64 = -1;

/// What a workspace uses, and its own quotas.
pub(super) fn used(db: &Connection, workspace: WorkspaceId) -> Result<(Usage, OwnQuota)> {
    let used = db.prepare_cached(USED)?.query_row([Col(workspace)], |row| {
        let usage = Usage {
            stored_bytes: row.get("stored_bytes")?,
            in_flight_bytes: row.get("in_flight_bytes")?,
            open_links: row.get("open_links")?,
        };
        let own = OwnQuota {
            stored_bytes: own(row, "quota_stored")?,
            in_flight_bytes: own(row, "quota_in_flight")?,
            open_links: own(row, "quota_links")?,
        };
        Ok((usage, own))
    });
    used.optional()?.ok_or(StoreError::NotFound)
}

fn own(row: &Row<'_>, column: &str) -> rusqlite::Result<OwnLimit> {
    let kept: Option<i64> = row.get(column)?;
    Ok(match kept {
        None => OwnLimit::Default,
        Some(kept) => u64::try_from(kept).map_or(OwnLimit::Unlimited, OwnLimit::At),
    })
}

pub(super) fn change(
    db: &Connection,
    workspace: WorkspaceId,
    change: QuotaChange,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let (_, before) = used(db, workspace)?;
    let own = before.after(change);
    let kept = |own: OwnLimit| match own {
        OwnLimit::Default => None,
        OwnLimit::Unlimited => Some(NO_LIMIT),
        OwnLimit::At(most) => Some(i64::try_from(most).unwrap_or(i64::MAX)),
    };
    db.prepare_cached(SET)?.execute(named_params! {
        ":id": Col(workspace), ":stored": kept(own.stored_bytes),
        ":in_flight": kept(own.in_flight_bytes), ":links": kept(own.open_links),
    })?;
    if own != before {
        let note = Note::new(by, Action::WorkspaceLimited, workspace, workspace);
        let change = json!({ "from": limits(before), "to": limits(own) });
        audit::note(db, &note.with(change), now)?;
    }
    Ok(())
}

/// Quotas, to be noted.
fn limits(own: OwnQuota) -> Value {
    let limit = |own| match own {
        OwnLimit::Default => json!("default"),
        OwnLimit::Unlimited => json!("none"),
        OwnLimit::At(most) => json!(most),
    };
    json!({
        "stored_bytes": limit(own.stored_bytes), "in_flight_bytes": limit(own.in_flight_bytes),
        "open_links": limit(own.open_links),
    })
}

/// # Errors
/// [`StoreError::OverQuota`] if the workspace's quota, or else the default one, does not suffice.
pub(super) fn must_fit(
    db: &Connection,
    workspace: WorkspaceId,
    more: Usage,
    default: Quota,
) -> Result<()> {
    let (usage, own) = used(db, workspace)?;
    usage
        .must_fit(more, own.or(default))
        .map_err(StoreError::OverQuota)
}
