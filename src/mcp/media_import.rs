//! `media_import`: takes in a file that the client can forward, or that is at an address.

use rmcp::{RoleServer, model::MetaObject, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::{Answer, Tools, arguments::Arguments, language, meta, schema};
use crate::{
    error::{Error, Result},
    service::{CreateRequest, ImportRequest, Source, answers::StatusAnswer},
    store::SessionRef,
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ImportArguments {
    /// A file that the person attached to the chat, as the client gives it to you.
    #[serde(deserialize_with = "forwarded")]
    file: Option<ForwardedFile>,
    /// Where the file is: an https address that everybody can open.
    url: Option<String>,
    /// The file itself in base64, if it is tiny. Prefer a link: longer ones are refused.
    #[schemars(length(max = 10_000))]
    data: Option<String>,
    /// What the file is called. Its content says what it is, whatever the name.
    #[schemars(length(max = 255))]
    file_name: Option<String>,
    /// The workspace that the file will belong to, by UUID or alias. Leave it out for your own.
    workspace_id: Option<String>,
    /// What the file is for; decides which types are accepted and which handles come back. Leave it
    /// out unless you were told one.
    purpose: Option<String>,
}

/// A file as ChatGPT forwards it: just these fields.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
struct ForwardedFile {
    download_url: String,
    #[expect(dead_code, reason = "it is a name in the client's own system")]
    file_id: String,
    #[serde(default)]
    #[expect(dead_code, reason = "types are judged by content")]
    mime_type: Option<String>,
    #[serde(default)]
    file_name: Option<String>,
}

/// Some clients send the placeholder that the model sees, instead of the object.
fn forwarded<'de, D: Deserializer<'de>>(file: D) -> Result<Option<ForwardedFile>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an object with download_url and file_id")]
    enum Given {
        File(ForwardedFile),
        Placeholder(String),
    }
    Ok(Some(match Given::deserialize(file)? {
        Given::File(file) => file,
        Given::Placeholder(download_url) => ForwardedFile {
            download_url,
            ..ForwardedFile::default()
        },
    }))
}

impl ImportArguments {
    fn source(&mut self) -> Result<Source> {
        // Some clients fill in every argument.
        let url = self.url.take().filter(|url| !url.trim().is_empty());
        match (self.file.take(), url, self.data.take()) {
            (Some(file), None, None) => {
                self.file_name = self.file_name.take().or(file.file_name);
                Ok(Source::Url(file.download_url))
            }
            (None, Some(url), None) => Ok(Source::Url(url)),
            (None, None, Some(data)) => Ok(Source::Data(data)),
            _ => Err(Error::InvalidArgument(
                "Give exactly one of file, url and data.".into(),
            )),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct ImportAnswer {
    #[serde(flatten)]
    status: StatusAnswer,
    /// Where nothing could be taken in: the link for the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_url: Option<String>,
    /// Ready to relay to the person, word for word.
    #[serde(skip_serializing_if = "Option::is_none")]
    instruction: Option<String>,
}

/// What the tool says of itself, and which argument ChatGPT puts a file into.
fn meta_of_files() -> MetaObject {
    let mut meta = meta(
        "write",
        &["media", "write"],
        "Taking in the file",
        "The file is taken in",
    );
    meta.insert("openai/fileParams".into(), json!(["file"]));
    meta
}

#[tool_router(router = media_import_router, vis = "pub(super)")]
impl Tools {
    #[tool(
        title = "Take in a file from the chat",
        description = include_str!("../../tools/media_import.md"),
        input_schema = schema::input::<ImportArguments>(),
        output_schema = schema::output::<ImportAnswer>(),
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = false,
            open_world_hint = true
        ),
        meta = meta_of_files()
    )]
    async fn media_import(
        &self,
        arguments: Arguments,
        context: RequestContext<RoleServer>,
    ) -> Result<Answer<ImportAnswer>> {
        let mut arguments: ImportArguments = arguments.read()?;
        let caller = self.caller(&context)?;
        let source = arguments.source()?;
        let session = CreateRequest {
            workspace_id: arguments.workspace_id,
            purpose: arguments.purpose,
            language: language(&context),
            ..CreateRequest::default()
        };
        if source.is_out_of_reach() {
            let session = self.service.create(&caller, session).await?;
            let link = self.service.session_answer(&session);
            let view = self
                .service
                .status(&caller, SessionRef::Id(session.id))
                .await?;
            let mut status = self.service.status_answer(&view);
            status.next_action = format!(
                "Nothing was taken in: that is a place which only the chat can reach. {}",
                link.next_action
            );
            return Ok(Answer(ImportAnswer {
                status,
                upload_url: Some(link.upload_url),
                instruction: Some(link.instruction),
            }));
        }
        let request = ImportRequest {
            session,
            source,
            name: arguments.file_name,
        };
        let media = self.service.import(&caller, request).await?;
        let view = self
            .service
            .status(&caller, SessionRef::Id(media.upload_id))
            .await?;
        Ok(Answer(ImportAnswer {
            status: self.service.status_answer(&view),
            upload_url: None,
            instruction: None,
        }))
    }
}
