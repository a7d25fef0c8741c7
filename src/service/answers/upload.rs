//! What is told of uploads that programs declare, in the names of their clients.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::rfc3339;
use crate::{
    domain::{
        media::{Media, object_key},
        principal::{Principal, PrincipalKind},
        session::Status,
    },
    error::{Error, Result},
    service::uploads::Upload,
};

/// How an upload stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UploadStatus {
    /// Never sent.
    UploadStatusUnspecified,
    /// The file is not there yet.
    UploadStatusPending,
    /// The file is there.
    UploadStatusComplete,
    /// The file is there and was attached.
    UploadStatusConsumed,
    /// Nothing came in time, or the file was deleted.
    UploadStatusExpired,
    /// A person said no.
    UploadStatusDeclined,
    /// It was taken back.
    UploadStatusCancelled,
}

impl From<Status> for UploadStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::UploadStatusPending,
            Status::Completed => Self::UploadStatusComplete,
            Status::Consumed => Self::UploadStatusConsumed,
            Status::Expired => Self::UploadStatusExpired,
            Status::Declined => Self::UploadStatusDeclined,
            Status::Cancelled => Self::UploadStatusCancelled,
        }
    }
}

impl UploadStatus {
    /// The status that it is the word for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for the word that stands for none.
    pub(crate) fn wanted(self) -> Result<Status> {
        Ok(match self {
            Self::UploadStatusUnspecified => {
                return Err(Error::InvalidArgument(
                    "status: no upload stands so; leave it out for all.".into(),
                ));
            }
            Self::UploadStatusPending => Status::Pending,
            Self::UploadStatusComplete => Status::Completed,
            Self::UploadStatusConsumed => Status::Consumed,
            Self::UploadStatusExpired => Status::Expired,
            Self::UploadStatusDeclined => Status::Declined,
            Self::UploadStatusCancelled => Status::Cancelled,
        })
    }
}

/// An upload that a program declared.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UploadAnswer {
    metadata: UploadMetadata,
    spec: UploadSpec,
    info: UploadInfo,
}

/// What it is found by.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UploadMetadata {
    /// Names the upload.
    id: String,
    /// Names the installation.
    account_id: String,
    /// The workspace that it belongs to.
    workspace_id: String,
    /// Who declared it.
    profile_id: String,
    /// A name for people.
    name: String,
    /// An id of the caller's own system.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(default)]
    labels: BTreeMap<String, String>,
    /// When it was declared.
    created_at: String,
}

/// What is sent.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UploadSpec {
    /// Its type.
    content_type: String,
    /// What it is called.
    filename: String,
    /// Its length in bytes.
    #[schemars(schema_with = "digits")]
    size_bytes: String,
}

fn digits(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9]+$" })
}

/// How it stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UploadInfo {
    status: UploadStatus,
    /// While it is pending: PUT the file here, with the `Content-Type` and the length of the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_url: Option<String>,
    /// Until when that can begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_url_expires_at: Option<String>,
    /// Who declared it.
    created_by: Profile,
}

/// Somebody or something that acts.
#[derive(Debug, Serialize, JsonSchema)]
struct Profile {
    metadata: ProfileMetadata,
    spec: ProfileSpec,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ProfileMetadata {
    id: String,
    account_id: String,
    name: String,
    profile_id: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ProfileSpec {
    r#type: ProfileType,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    name: String,
}

/// What somebody is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(clippy::enum_variant_names, reason = "the words of the format")]
enum ProfileType {
    /// A person.
    ProfileTypeUser,
    /// A program with a key.
    ProfileTypeApiKey,
    /// The installation itself.
    ProfileTypeSystem,
}

impl From<PrincipalKind> for ProfileType {
    fn from(kind: PrincipalKind) -> Self {
        match kind {
            PrincipalKind::User => Self::ProfileTypeUser,
            PrincipalKind::ApiKey => Self::ProfileTypeApiKey,
            PrincipalKind::System => Self::ProfileTypeSystem,
        }
    }
}

impl From<Upload> for UploadAnswer {
    fn from(upload: Upload) -> Self {
        let Upload { session, spec, .. } = upload;
        let account_id = upload.account.to_string();
        let (upload_url, expires_at) = upload.url.unzip();
        Self {
            metadata: UploadMetadata {
                id: session.id.to_string(),
                account_id: account_id.clone(),
                workspace_id: session.workspace_id.to_string(),
                profile_id: upload.created_by.id.to_string(),
                name: session.metadata.name.unwrap_or_default(),
                external_id: session.metadata.external_id,
                labels: session.metadata.labels,
                created_at: rfc3339(session.created_at),
            },
            spec: UploadSpec {
                content_type: spec.mime_type,
                filename: spec.filename,
                size_bytes: spec.size_bytes.to_string(),
            },
            info: UploadInfo {
                status: session.state.status().into(),
                upload_url,
                upload_url_expires_at: expires_at.map(rfc3339),
                created_by: Profile::of(&upload.created_by, account_id),
            },
        }
    }
}

impl Profile {
    fn of(principal: &Principal, account_id: String) -> Self {
        let id = principal.id.to_string();
        Self {
            metadata: ProfileMetadata {
                id: id.clone(),
                account_id,
                name: principal.name.clone(),
                profile_id: id,
            },
            spec: ProfileSpec {
                r#type: principal.kind.into(),
                email: principal.email.clone(),
                name: principal.name.clone(),
            },
        }
    }
}

/// A picture that was sent with a key.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PictureAnswer {
    /// Names the file, wherever a `media_id` does.
    upload_key: String,
    /// A small copy of it for five minutes, to show to a person. It is taken as a file nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
}

impl PictureAnswer {
    pub(crate) fn new(media: &Media, image_url: Option<String>) -> Self {
        Self {
            upload_key: object_key(media.id, &media.stored.mime_type),
            image_url,
        }
    }
}
