//! What is told of files that are there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{MediaAnswer, rfc3339};
use crate::{
    domain::{
        media::{Media, object_key},
        resource::ResourceUri,
    },
    service::media::{Listed, Shown},
};

/// One stored file, with all that is known of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FileAnswer {
    #[serde(flatten)]
    facts: MediaAnswer,
    /// When it came.
    created_at: String,
    /// Until when it is kept while nothing is attached, if not until it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    retain_until: Option<String>,
    /// The upload that brought it.
    upload_id: String,
    /// The purpose that it came for.
    purpose: String,
    /// Labels of its upload.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(default)]
    labels: BTreeMap<String, String>,
    /// Its handles, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(default)]
    handles: BTreeMap<String, String>,
    /// Names the file too, wherever `media_id` does.
    upload_key: String,
    /// The same file as a resource, for resources/read.
    resource_uri: String,
}

impl From<&Media> for FileAnswer {
    fn from(media: &Media) -> Self {
        Self {
            facts: media.into(),
            created_at: rfc3339(media.created_at),
            retain_until: media.retain_until.map(rfc3339),
            upload_id: media.upload_id.to_string(),
            purpose: media.purpose.clone(),
            labels: media.labels.clone(),
            handles: media.handles.iter().cloned().collect(),
            upload_key: object_key(media.id, &media.stored.mime_type),
            resource_uri: ResourceUri::Media(media.workspace_id, media.id).to_string(),
        }
    }
}

/// A page of files.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ListAnswer {
    /// Always true: the call did what it was asked to.
    ok: bool,
    /// Newest first.
    items: Vec<FileAnswer>,
    /// Pass it as `cursor` for the next page; not there after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl From<Listed> for ListAnswer {
    fn from(listed: Listed) -> Self {
        Self {
            ok: true,
            items: listed.media.iter().map(FileAnswer::from).collect(),
            next_cursor: listed.next_cursor,
        }
    }
}

/// A file, and links to it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct GetAnswer {
    /// Always true: the call did what it was asked to.
    ok: bool,
    #[serde(flatten)]
    file: FileAnswer,
    /// Where the bytes can be fetched, by whoever has this address.
    download_url: String,
    /// When the addresses stop working.
    download_expires_at: String,
    /// Of a picture: a small copy, to show to a person. It is taken as a file nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview_url: Option<String>,
}

impl From<Shown> for GetAnswer {
    fn from(shown: Shown) -> Self {
        Self {
            ok: true,
            file: FileAnswer::from(&shown.media),
            download_url: shown.download_url,
            download_expires_at: rfc3339(shown.expires_at),
            preview_url: shown.preview_url,
        }
    }
}

/// A file that was deleted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DeleteAnswer {
    /// Always true: the call did what it was asked to.
    ok: bool,
    /// The file that is gone.
    media_id: String,
}

impl From<Media> for DeleteAnswer {
    fn from(media: Media) -> Self {
        Self {
            ok: true,
            media_id: media.id.to_string(),
        }
    }
}
