//! `upload_create`: mints a link.

use std::collections::BTreeMap;

use rmcp::{RoleServer, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Answer, Tools,
    arguments::Arguments,
    meta, schema,
    wait::{rounded, seconds},
};
use crate::{
    domain::{session::Metadata, transfer::Transfer},
    error::Result,
    service::{
        CreateRequest,
        answers::{ResultAnswer, SessionAnswer},
    },
    store::SessionRef,
};

/// What a link is asked with.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinkArguments {
    /// The workspace that the file will belong to, by UUID or alias. Leave it out for your own.
    workspace_id: Option<String>,
    /// What the file is for; decides which types are accepted and which handles come back. Leave it
    /// out unless you were told one.
    purpose: Option<String>,
    /// One or two plain sentences to the person: which file, and why. Shown on the page as yours.
    #[schemars(length(max = 1000))]
    pub(super) prompt: Option<String>,
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

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct WaitArguments {
    /// Hold the call until the file is there. Prefer false: the person sees the link only once the
    /// call has returned.
    wait: bool,
    /// With wait: for how many seconds at most.
    #[schemars(range(min = 0.001, max = 3_600.0))]
    timeout: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CreateAnswer {
    #[serde(flatten)]
    session: SessionAnswer,
    /// With wait: how long it was waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    waited_seconds: Option<f64>,
    /// With wait: the files, if they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultAnswer>,
    /// With wait: the exact next calls, if the files are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestions: Option<Vec<String>>,
}

/// How long a call with `wait` waits, in seconds, unless it says otherwise.
const DEFAULT_TIMEOUT: f64 = 120.0;

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
        }
    }
}

#[tool_router(router = upload_create_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "Ask a person for a file",
        description = include_str!("../../tools/upload_create.md"),
        input_schema = schema::input_both::<LinkArguments, WaitArguments>(),
        output_schema = schema::output::<CreateAnswer>(),
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = false
        ),
        meta = meta("write", &["upload", "write"])
    )]
    async fn upload_create(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<CreateAnswer>> {
        let (link, WaitArguments { wait, timeout }) =
            arguments.read_both::<LinkArguments, WaitArguments>()?;
        let timeout = seconds("timeout", timeout.unwrap_or(DEFAULT_TIMEOUT))?;
        let caller = self.caller(&context)?;
        let session = self.service.create(&caller, link.into()).await?;
        let mut answer = CreateAnswer {
            session: self.service.session_answer(&session),
            waited_seconds: None,
            result: None,
            suggestions: None,
        };
        if wait {
            let view = self
                .service
                .status(&caller, SessionRef::Id(session.id))
                .await?;
            let first = Some(answer.session.instruction.as_str());
            let waited = self.wait(&context, &caller, view, timeout, first).await?;
            let status = self.service.status_answer(&waited.view);
            answer.waited_seconds = Some(rounded(waited.seconds));
            answer.session.status = status.status;
            answer.session.phase = status.phase;
            answer.session.next_action = waited.next_action(status.next_action);
            answer.result = status.result;
            answer.suggestions = status.suggestions;
        }
        Ok(Answer(answer))
    }
}
