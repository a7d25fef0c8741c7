//! What a link is asked with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::object;
use crate::{
    domain::{session::Metadata, transfer::Transfer},
    service::CreateRequest,
};

/// What a link is asked with.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LinkArguments {
    /// The workspace that the file will belong to, by UUID or alias. Leave it out for your own.
    workspace_id: Option<String>,
    /// What the file is for; decides which types are accepted and which handles come back. Leave it
    /// out unless you were told one.
    purpose: Option<String>,
    /// One or two plain sentences to the person: which file, and why. Shown on the page as yours.
    #[schemars(length(max = 1000))]
    pub(crate) prompt: Option<String>,
    /// Narrower than what is accepted anyway, for example `["image/*"]`.
    allowed_mime_types: Option<Vec<String>>,
    /// Smaller than the server's cap, in bytes.
    #[schemars(range(min = 1))]
    max_size_bytes: Option<u64>,
    /// How many files the link takes.
    #[schemars(range(min = 1, max = 50))]
    max_files: Option<u32>,
    /// Whether the page may send straight into the store behind the server (`direct`) or not
    /// (`proxy`). Leave it out unless you were told.
    transfer: Option<TransferArgument>,
    /// How long the link works, in seconds.
    #[schemars(range(min = 60, max = 86_400))]
    expires_in_seconds: Option<u64>,
    /// To find the upload by, later.
    #[serde(deserialize_with = "object")]
    metadata: Option<MetadataArguments>,
}

/// The way that a file takes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TransferArgument {
    /// As the server has it.
    Auto,
    /// Through the server.
    Proxy,
    /// Straight into the store.
    Direct,
}

impl TransferArgument {
    fn wanted(self) -> Option<Transfer> {
        match self {
            Self::Auto => None,
            Self::Proxy => Some(Transfer::Proxy),
            Self::Direct => Some(Transfer::Direct),
        }
    }
}

/// To find the upload by, later.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct MetadataArguments {
    /// A name for people.
    #[schemars(length(max = 200))]
    name: Option<String>,
    /// An id of your own system.
    #[schemars(length(max = 200))]
    external_id: Option<String>,
    /// At most 32 pairs; keys up to 64 and values up to 256 characters.
    labels: Option<BTreeMap<String, String>>,
}

impl From<LinkArguments> for CreateRequest {
    fn from(arguments: LinkArguments) -> Self {
        let metadata = arguments.metadata.unwrap_or_default();
        Self {
            workspace_id: arguments.workspace_id,
            purpose: arguments.purpose,
            prompt: arguments.prompt,
            allowed_mime_types: arguments.allowed_mime_types,
            max_size_bytes: arguments.max_size_bytes,
            max_files: arguments.max_files,
            transfer: arguments.transfer.and_then(TransferArgument::wanted),
            expires_in_seconds: arguments.expires_in_seconds,
            metadata: Metadata {
                name: metadata.name,
                external_id: metadata.external_id,
                labels: metadata.labels.unwrap_or_default(),
            },
            language: None,
        }
    }
}
