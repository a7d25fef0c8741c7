//! Files and sessions as resources: `askfile://{workspace uuid}/media/{media_id}` and
//! `askfile://{workspace uuid}/uploads/{upload_id}`. Files are offered where a tool speaks of them; who
//! wants all of them pages through `media_list`. A session's address is made of what `upload_create`
//! answers; to offer it there would cost tokens in every chat, and what subscribes is no model.

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::TryStreamExt;
use rmcp::{
    ErrorData, RoleServer,
    model::{
        ContentBlock, ProtocolVersion, ReadResourceResult, Resource, ResourceContents,
        ResourceTemplate,
    },
    service::RequestContext,
};

use crate::{
    config::units::size_text,
    domain::{
        caller::Caller,
        capability::Capability,
        ids::{MediaId, UploadId, WorkspaceId},
        media::Media,
        resource::ResourceUri,
        session::State,
    },
    error::{Error, Result},
    service::Service,
    store::{MediaRef, SessionRef, SessionView},
};

/// Largest file that is read as a resource: it is in memory as a whole, and larger ones are of no
/// use in a conversation.
const MOST_READ: u64 = 8 << 20;
const JSON: &str = "application/json";
const UNKNOWN: &str =
    "Take the address from upload_status or media_list: what was deleted is gone.";

pub(super) fn templates() -> Vec<ResourceTemplate> {
    let media = ResourceTemplate::new("askfile://{workspace_id}/media/{media_id}", "media")
        .with_title("An uploaded file")
        .with_description("The file's bytes; media_get tells its facts.");
    let upload = ResourceTemplate::new("askfile://{workspace_id}/uploads/{upload_id}", "upload")
        .with_title("How an upload stands")
        .with_description("What upload_status tells of it. Subscribe to hear of each change.")
        .with_mime_type(JSON);
    vec![media, upload]
}

/// The files of a completed session, for clients that know of such links and callers that may read them.
pub(super) fn links(
    context: &RequestContext<RoleServer>,
    caller: &Caller,
    view: &SessionView,
) -> Vec<ContentBlock> {
    let peer = context.peer.peer_info();
    let is_old = peer.is_some_and(|of| of.protocol_version < ProtocolVersion::V_2025_06_18);
    let has_result = matches!(view.session.state, State::Completed | State::Consumed);
    if is_old || !has_result || !caller.capabilities.has(Capability::MediaRead) {
        return Vec::new();
    }
    let media = view.media.iter();
    media
        .map(|media| ContentBlock::resource_link(resource(media)))
        .collect()
}

fn resource(media: &Media) -> Resource {
    let uri = ResourceUri::Media(media.workspace_id, media.id);
    Resource::new(uri.to_string(), media.file_name())
        .with_mime_type(media.stored.mime_type.as_str())
        .with_size(media.stored.size_bytes)
}

/// # Errors
/// [`Error::NotFound`] for what the caller's workspace does not have, and for what is no such
/// address; [`Error::InvalidArgument`] for what is too large; [`Error::ScanPending`],
/// [`Error::ScanBlocked`].
pub(super) async fn read(
    service: &Service,
    caller: &Caller,
    uri: &str,
) -> Result<ReadResourceResult> {
    let contents = match ResourceUri::read(uri).ok_or(Error::NotFound)? {
        ResourceUri::Upload(workspace, id) => upload(service, caller, workspace, id, uri).await?,
        ResourceUri::Media(workspace, id) => file(service, caller, workspace, id, uri).await?,
    };
    Ok(ReadResourceResult::new(vec![contents]))
}

/// How a session stands, as `upload_status` tells it.
async fn upload(
    service: &Service,
    caller: &Caller,
    workspace: WorkspaceId,
    id: UploadId,
    uri: &str,
) -> Result<ResourceContents> {
    let view = service.status(caller, SessionRef::Id(id)).await?;
    if view.session.workspace_id != workspace {
        return Err(Error::NotFound);
    }
    if view.session.state == State::Completed {
        // What is suggested may have addresses in it.
        service.settled().await?;
    }
    let text = serde_json::to_string(&service.status_for(caller, &view));
    let text = text.map_err(Error::internal)?;
    Ok(ResourceContents::text(text, uri).with_mime_type(JSON))
}

/// A file's bytes.
async fn file(
    service: &Service,
    caller: &Caller,
    workspace: WorkspaceId,
    id: MediaId,
    uri: &str,
) -> Result<ResourceContents> {
    let media = service.media(caller, MediaRef::Id(id)).await?;
    if media.workspace_id != workspace {
        return Err(Error::NotFound);
    }
    let size = media.stored.size_bytes;
    if size > MOST_READ {
        return Err(Error::InvalidArgument(format!(
            "This file has {}, and at most {} are read as a resource: call media_get and fetch its \
             download_url.",
            size_text(size),
            size_text(MOST_READ),
        )));
    }
    let pieces = service.bytes(&media, 0..size, &caller.actor()).await?;
    let bytes: Vec<u8> = pieces
        .try_fold(Vec::new(), async |mut all, piece| {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
        .map_err(Error::internal)?;
    let mime_type = media.stored.mime_type.as_str();
    let is_text = mime_type.starts_with("text/") || mime_type == JSON;
    let contents = match String::from_utf8(bytes) {
        Ok(text) if is_text => ResourceContents::text(text, uri),
        Ok(text) => ResourceContents::blob(BASE64_STANDARD.encode(text), uri),
        Err(other) => ResourceContents::blob(BASE64_STANDARD.encode(other.as_bytes()), uri),
    };
    Ok(contents.with_mime_type(mime_type))
}

/// A failure in the terms of the protocol, with the failure object beside it.
pub(super) fn failure(error: &Error, uri: &str) -> ErrorData {
    error.log();
    let (message, mut data) = (error.to_string(), error.body());
    data["uri"] = uri.into();
    match error {
        Error::NotFound => {
            data["hint"] = UNKNOWN.into();
            ErrorData::resource_not_found(message, Some(data))
        }
        Error::Internal(_) => ErrorData::internal_error(message, Some(data)),
        _ => ErrorData::invalid_params(message, Some(data)),
    }
}
