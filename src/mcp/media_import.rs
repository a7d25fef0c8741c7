//! `media_import`: takes in a file that the client can forward, or that is at an address.

use rmcp::{RoleServer, model::MetaObject, service::RequestContext, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::{Answer, Tools, arguments::Arguments, language, meta, schema};
use crate::{
    domain::caller::Caller,
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
    /// What the file is called. Its content says what it is; of plain text, the ending of the name tells
    /// CSV, Markdown and JSON.
    #[schemars(length(max = 255))]
    file_name: Option<String>,
    /// The workspace that the file will belong to, by UUID or alias. Leave it out for your own.
    workspace_id: Option<String>,
    /// What the file is for; decides which types are accepted and which handles come back. Leave it
    /// out unless you were told one.
    purpose: Option<String>,
}

/// A file as ChatGPT forwards it: just these fields. What comes may lack any of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
struct ForwardedFile {
    #[schemars(required)]
    download_url: Option<String>,
    #[schemars(required)]
    file_id: Option<String>,
    // Types are judged by content.
    #[serde(rename = "mime_type")]
    _mime_type: Option<String>,
    file_name: Option<String>,
}

/// How much of a file's name the person is asked for by, in characters.
const MOST_NAME: usize = 200;

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
            download_url: Some(download_url),
            ..ForwardedFile::default()
        },
    }))
}

/// Some clients fill in every argument, with nothing in it.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

impl ImportArguments {
    /// Where the file is, and what it is called.
    fn source(&mut self) -> Result<(Source, Option<String>)> {
        let has_file = self.file.is_some();
        let file = self.file.take().and_then(|file| {
            // A file without an address is one by its name in the client's own system.
            let address = filled(file.download_url).or_else(|| filled(file.file_id))?;
            Some((address, filled(file.file_name)))
        });
        let (url, name) = (filled(self.url.take()), filled(self.file_name.take()));
        // An empty file is one that was meant, where nothing else was given.
        let is_only = file.is_none() && url.is_none();
        let data = self.data.take();
        let data = data.filter(|data| is_only || !data.trim().is_empty());
        match (file, url, data) {
            (Some((address, named)), None, None) => {
                Ok((Source::Forwarded(address), name.or(named)))
            }
            (None, Some(url), None) => Ok((Source::at(url), name)),
            (None, None, Some(data)) => Ok((Source::Data(data), name)),
            (None, None, None) if has_file => Err(Error::InvalidArgument(
                "file: it has no download_url.".into(),
            )),
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
        "Done with the file",
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
        let (source, name) = arguments.source()?;
        let session = CreateRequest {
            workspace_id: filled(arguments.workspace_id),
            purpose: filled(arguments.purpose),
            language: language(&context),
            ..CreateRequest::default()
        };
        if let Some(why) = self.service.out_of_reach(&source) {
            let name = name.or_else(|| source.name());
            let asked = CreateRequest {
                prompt: name.map(|name| name.chars().take(MOST_NAME).collect()),
                ..session
            };
            return self.asked_for_instead(&caller, asked, &why).await;
        }
        let request = ImportRequest {
            session,
            source,
            name,
        };
        let id = self.service.import(&caller, request).await?;
        let view = self.service.status(&caller, SessionRef::Id(id)).await?;
        Ok(Answer(ImportAnswer {
            status: self.service.status_for(&caller, &view),
            upload_url: None,
            instruction: None,
        }))
    }

    /// A link for the person who has the file.
    async fn asked_for_instead(
        &self,
        caller: &Caller,
        request: CreateRequest,
        why: &str,
    ) -> Result<Answer<ImportAnswer>> {
        let session = self.service.create(caller, request).await?;
        let link = self.service.session_answer(&session);
        let which = SessionRef::Id(session.id);
        let view = self.service.status(caller, which).await?;
        let mut status = self.service.status_answer(&view);
        status.next_action = format!("Nothing was taken in: {why}. {}", link.next_action);
        Ok(Answer(ImportAnswer {
            status,
            upload_url: Some(link.upload_url),
            instruction: Some(link.instruction),
        }))
    }
}
