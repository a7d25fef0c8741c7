//! What a program says of a file that it is going to send. Here names are in camelCase, and what the
//! server sets is passed over.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};

use super::media::LabelPairs;
use crate::{
    domain::session::Metadata,
    error::Result,
    service::{
        answers::UploadStatus,
        uploads::{DeclareRequest, UploadsRequest},
    },
    store::declared::DeclaredQuery,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclareArguments {
    /// To find it by.
    #[serde(deserialize_with = "super::given")]
    metadata: MetadataArguments,
    /// What will be sent: exactly that is taken.
    #[serde(deserialize_with = "super::given")]
    spec: SpecArguments,
    #[serde(default, rename = "info")]
    #[schemars(schema_with = "passed_over")]
    _info: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MetadataArguments {
    /// A name for people.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// An id of your own system.
    #[serde(default)]
    #[schemars(length(max = 200))]
    external_id: Option<String>,
    /// At most 32 pairs; keys up to 64 and values up to 256 characters.
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default, rename = "id")]
    #[schemars(schema_with = "passed_over")]
    _id: Option<IgnoredAny>,
    #[serde(default, rename = "accountId")]
    #[schemars(schema_with = "passed_over")]
    _account_id: Option<IgnoredAny>,
    #[serde(default, rename = "workspaceId")]
    #[schemars(schema_with = "passed_over")]
    _workspace_id: Option<IgnoredAny>,
    #[serde(default, rename = "profileId")]
    #[schemars(schema_with = "passed_over")]
    _profile_id: Option<IgnoredAny>,
    #[serde(default, rename = "createdAt")]
    #[schemars(schema_with = "passed_over")]
    _created_at: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SpecArguments {
    /// Its type, such as `image/png`.
    content_type: String,
    /// What it is called.
    #[schemars(length(min = 1, max = 255))]
    filename: String,
    /// Its length in bytes, as a number or as text.
    #[schemars(schema_with = "number_or_text")]
    #[serde(deserialize_with = "read_number")]
    size_bytes: u64,
}

fn passed_over(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "readOnly": true, "description": "Set by the server: passed over." })
}

fn number_or_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 1 },
        { "type": "string", "pattern": "^[1-9][0-9]{0,18}$" },
    ] })
}

fn read_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Number(u64),
        Text(String),
    }
    let wrong = || D::Error::custom("a whole number of bytes, such as 1024 or \"1024\"");
    match Number::deserialize(deserializer) {
        Ok(Number::Number(number)) => Ok(number),
        Ok(Number::Text(text)) if text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse().map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

impl DeclareArguments {
    /// What they ask for, in this workspace.
    pub(crate) fn within(self, workspace_id: Option<String>) -> DeclareRequest {
        DeclareRequest {
            workspace_id,
            metadata: Metadata {
                name: Some(self.metadata.name),
                external_id: self.metadata.external_id,
                labels: self.metadata.labels.unwrap_or_default(),
            },
            content_type: self.spec.content_type,
            filename: self.spec.filename,
            size_bytes: self.spec.size_bytes,
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UploadsArguments {
    /// The workspace, by its id or alias. Leave it out for your own.
    workspace_id: Option<String>,
    /// Only those that stand so.
    status: Option<UploadStatus>,
    /// Only those with this `externalId`.
    #[schemars(length(max = 200))]
    external_id: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// At most so many; 20 if not said.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

impl UploadsArguments {
    /// What they ask for.
    ///
    /// # Errors
    /// [`crate::error::Error::InvalidArgument`] that names the argument.
    pub(crate) fn read(self, labels: LabelPairs) -> Result<UploadsRequest> {
        Ok(UploadsRequest {
            workspace_id: self.workspace_id,
            query: DeclaredQuery {
                status: self.status.map(UploadStatus::wanted).transpose()?,
                external_id: self.external_id,
                labels: labels.read()?,
                ..DeclaredQuery::default()
            },
            cursor: self.cursor,
            limit: self.limit,
        })
    }
}
