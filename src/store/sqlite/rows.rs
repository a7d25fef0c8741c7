//! Rows as values, and values as columns.

use jiff::Timestamp;
use rusqlite::{
    Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    domain::{
        attachment::{Attachment, Target},
        audit::Action,
        capability::Capabilities,
        ids::{
            AccountId, ApiKeyId, AttachmentId, AttemptId, ClaimId, MediaId, PrincipalId, UploadId,
            WebhookId, WorkspaceId,
        },
        language::Language,
        media::{Content, Dimensions, Media, ScanStatus},
        principal::PrincipalKind,
        session::{State, UploadSession},
        transfer::Transfer,
        webhook::WebhookState,
        workspace::Workspace,
    },
    link::Token,
};

/// A value in the form that its column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Col<T>(pub T);

/// Types that are stored as 16 bytes.
macro_rules! sixteen_bytes {
    ($($type:ty: $to:expr, $from:expr;)*) => {$(
        impl ToSql for Col<$type> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let to: fn(&$type) -> [u8; 16] = $to;
                Ok(ToSqlOutput::from(to(&self.0).to_vec()))
            }
        }

        impl FromSql for Col<$type> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let from: fn([u8; 16]) -> $type = $from;
                let bytes: [u8; 16] = value
                    .as_blob()?
                    .try_into()
                    .map_err(|_| FromSqlError::InvalidType)?;
                Ok(Self(from(bytes)))
            }
        }
    )*};
}

sixteen_bytes! {
    UploadId: |id| id.to_bytes(), UploadId::from_bytes;
    AccountId: |id| id.to_bytes(), AccountId::from_bytes;
    AttachmentId: |id| id.to_bytes(), AttachmentId::from_bytes;
    PrincipalId: |id| id.to_bytes(), PrincipalId::from_bytes;
    ApiKeyId: |id| id.to_bytes(), ApiKeyId::from_bytes;
    WebhookId: |id| id.to_bytes(), WebhookId::from_bytes;
    Token: |token| token.0.into_bytes(), |bytes| Token(Uuid::from_bytes(bytes));
    WorkspaceId: |id| id.0.into_bytes(), |bytes| WorkspaceId(Uuid::from_bytes(bytes));
    MediaId: |id| id.0.into_bytes(), |bytes| MediaId(Uuid::from_bytes(bytes));
    ClaimId: |id| id.0.into_bytes(), |bytes| ClaimId(Uuid::from_bytes(bytes));
    AttemptId: |id| id.0.into_bytes(), |bytes| AttemptId(Uuid::from_bytes(bytes));
}

impl ToSql for Col<Timestamp> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_microsecond()))
    }
}

impl FromSql for Col<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Timestamp::from_microsecond(value.as_i64()?)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

impl ToSql for Col<State> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_str()))
    }
}

impl FromSql for Col<State> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        State::from_word(value.as_str()?)
            .map(Self)
            .ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Col<Language> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Language::of_tag(value.as_str()?)
            .map(Self)
            .ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Col<Transfer> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Transfer::from_word(value.as_str()?)
            .map(Self)
            .ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Col<ScanStatus> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        [
            ScanStatus::Skipped,
            ScanStatus::Pending,
            ScanStatus::Clean,
            ScanStatus::Blocked,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
        .map(Self)
        .ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Col<PrincipalKind> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let mut kinds = PrincipalKind::ALL.into_iter();
        kinds
            .find(|kind| kind.as_str() == word)
            .map(Self)
            .ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Col<Action> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let mut actions = Action::ALL.iter();
        actions
            .find(|action| action.as_str() == word)
            .map(|action| Self(*action))
            .ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Col<WebhookState> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let mut states = WebhookState::ALL.into_iter();
        states
            .find(|state| state.as_str() == word)
            .map(Self)
            .ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Col<Capabilities> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let read = value.as_str()?.parse();
        read.map(Self)
            .map_err(|why: String| FromSqlError::Other(why.into()))
    }
}

/// A value kept as JSON text.
pub(super) fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// A value that was kept as JSON text.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| FromSqlError::other(error).into())
}

fn plain<T>(column: Option<Col<T>>) -> Option<T> {
    column.map(|Col(value)| value)
}

/// A value of a column that only [`Col`] reads.
pub(super) fn get<T>(row: &Row<'_>, name: &str) -> rusqlite::Result<T>
where
    Col<T>: FromSql,
{
    row.get::<_, Col<T>>(name).map(|Col(value)| value)
}

pub(super) fn get_opt<T>(row: &Row<'_>, name: &str) -> rusqlite::Result<Option<T>>
where
    Col<T>: FromSql,
{
    row.get(name).map(plain)
}

pub(super) fn workspace(row: &Row<'_>) -> rusqlite::Result<Workspace> {
    Ok(Workspace {
        id: get(row, "id")?,
        alias: row
            .get_ref("alias")?
            .as_str()?
            .parse()
            .map_err(|why: String| FromSqlError::Other(why.into()))?,
        name: row.get("name")?,
        created_at: get(row, "created_at")?,
        archived_at: get_opt(row, "archived_at")?,
    })
}

pub(super) fn session(row: &Row<'_>) -> rusqlite::Result<UploadSession> {
    let consumed_type: Option<String> = row.get("consumed_type")?;
    let consumed_id: Option<String> = row.get("consumed_id")?;
    Ok(UploadSession {
        id: get(row, "id")?,
        token: get(row, "token")?,
        workspace_id: get(row, "workspace_id")?,
        asked_by: row.get("asked_by")?,
        created_by: get_opt(row, "created_by")?,
        purpose: row.get("purpose")?,
        prompt: row.get("prompt")?,
        language: get_opt(row, "language")?,
        metadata: from_json(row.get_ref("metadata")?.as_str()?)?,
        limits: from_json(row.get_ref("limits")?.as_str()?)?,
        transfer: get(row, "transfer")?,
        spec: row
            .get_ref("spec")?
            .as_str_or_null()?
            .map(from_json)
            .transpose()?,
        retain_seconds: row.get("retain_seconds")?,
        state: get(row, "state")?,
        created_at: get(row, "created_at")?,
        expires_at: get(row, "expires_at")?,
        redeem_by: get(row, "redeem_by")?,
        opened_at: get_opt(row, "opened_at")?,
        ended_at: get_opt(row, "ended_at")?,
        last_error: row
            .get::<_, Option<String>>("last_error")?
            .map(|text| from_json(&text))
            .transpose()?,
        decline_reason: row.get("decline_reason")?,
        media_gone: row.get("media_gone")?,
        consumed_by: consumed_type
            .zip(consumed_id)
            .map(|(kind, id)| Target { kind, id }),
    })
}

/// Everything of a media but its handles.
pub(super) fn media(row: &Row<'_>) -> rusqlite::Result<Media> {
    let width: Option<u32> = row.get("width")?;
    let height: Option<u32> = row.get("height")?;
    Ok(Media {
        id: get(row, "id")?,
        workspace_id: get(row, "workspace_id")?,
        upload_id: get(row, "session_id")?,
        created_by: get_opt(row, "created_by")?,
        slot: row.get("slot")?,
        purpose: row.get("purpose")?,
        labels: from_json(row.get_ref("labels")?.as_str()?)?,
        attempt: get_opt(row, "attempt")?,
        original_filename: row.get("original_filename")?,
        description: row.get("description")?,
        stored: Content {
            mime_type: row.get("mime_type")?,
            size_bytes: row.get("size_bytes")?,
            sha256: row.get("sha256")?,
        },
        original: Content {
            mime_type: row.get("original_mime_type")?,
            size_bytes: row.get("original_size_bytes")?,
            sha256: row.get("original_sha256")?,
        },
        dimensions: width
            .zip(height)
            .map(|(width, height)| Dimensions { width, height }),
        scan_status: get(row, "scan_status")?,
        created_at: get(row, "created_at")?,
        retain_until: get_opt(row, "retain_until")?,
        handles: Vec::new(),
    })
}

pub(super) fn attachment(row: &Row<'_>) -> rusqlite::Result<Attachment> {
    Ok(Attachment {
        id: get(row, "id")?,
        media_id: get(row, "media_id")?,
        target: Target {
            kind: row.get("target_type")?,
            id: row.get("target_id")?,
        },
        alt: row.get("alt")?,
        position: row.get("position")?,
    })
}
