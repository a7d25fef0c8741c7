//! A tool's arguments. A mistake in them is an answer which the model can read, and not a protocol
//! error.

use rmcp::{
    ErrorData,
    handler::server::{common::FromContextPart, tool::ToolCallContext},
};

pub(super) use crate::arguments::Arguments;
use crate::{
    error::{Error, Result},
    store::SessionRef,
};

impl<S> FromContextPart<ToolCallContext<'_, S>> for Arguments {
    fn from_context_part(call: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        Ok(Self::new(call.arguments.take().unwrap_or_default()))
    }
}

/// The session that a call names by exactly one of its names.
///
/// # Errors
/// [`Error::InvalidArgument`] unless one of the two is given; [`Error::NotFound`] for what cannot
/// be a name: it is answered as one that is unknown.
pub(super) fn session_ref(token: Option<&str>, upload_id: Option<&str>) -> Result<SessionRef> {
    match (token, upload_id) {
        (Some(token), None) => token.parse().map(SessionRef::Token),
        (None, Some(id)) => id.parse().map(SessionRef::Id).map_err(|_| Error::NotFound),
        _ => Err(Error::InvalidArgument(
            "Give exactly one of token and upload_id.".into(),
        )),
    }
}
