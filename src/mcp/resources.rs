//! Files as resources: `askfile://{workspace uuid}/media/{media_id}`. They are offered where a tool
//! speaks of them; who wants all of them pages through `media_list`.

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
        media::{Media, media_of_uri, resource_uri},
        session::State,
    },
    error::{Error, Result},
    service::Service,
    store::{MediaRef, SessionView},
};

/// Largest file that is read as a resource: it is in memory as a whole, and larger ones are of no
/// use in a conversation.
const MOST_READ: u64 = 8 << 20;

pub(super) fn template() -> ResourceTemplate {
    ResourceTemplate::new("askfile://{workspace_id}/media/{media_id}", "media")
        .with_title("An uploaded file")
        .with_description("The file's bytes; media_get tells its facts.")
}

/// The files of a completed session, for clients that know of such links.
pub(super) fn links(context: &RequestContext<RoleServer>, view: &SessionView) -> Vec<ContentBlock> {
    let peer = context.peer.peer_info();
    let is_old = peer.is_some_and(|of| of.protocol_version < ProtocolVersion::V_2025_06_18);
    let has_result = matches!(view.session.state, State::Completed | State::Consumed);
    if is_old || !has_result {
        return Vec::new();
    }
    let media = view.media.iter();
    media
        .map(|media| ContentBlock::resource_link(resource(media)))
        .collect()
}

fn resource(media: &Media) -> Resource {
    let uri = resource_uri(media.workspace_id, media.id);
    Resource::new(uri, media.file_name())
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
    let (workspace, id) = media_of_uri(uri).ok_or(Error::NotFound)?;
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
    let is_text = mime_type.starts_with("text/") || mime_type == "application/json";
    let contents = match String::from_utf8(bytes) {
        Ok(text) if is_text => ResourceContents::text(text, uri),
        Ok(text) => ResourceContents::blob(BASE64_STANDARD.encode(text), uri),
        Err(other) => ResourceContents::blob(BASE64_STANDARD.encode(other.as_bytes()), uri),
    };
    let contents = contents.with_mime_type(mime_type);
    Ok(ReadResourceResult::new(vec![contents]))
}

/// A failure in the terms of the protocol, with the failure object beside it.
pub(super) fn failure(error: &Error, uri: &str) -> ErrorData {
    error.log();
    let (message, mut data) = (error.to_string(), error.body());
    data["uri"] = uri.into();
    match error {
        Error::NotFound => ErrorData::resource_not_found(message, Some(data)),
        Error::Internal(_) => ErrorData::internal_error(message, Some(data)),
        _ => ErrorData::invalid_params(message, Some(data)),
    }
}
