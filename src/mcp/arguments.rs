//! A tool's arguments. A mistake in them is an answer which the model can read, and not a protocol
//! error.

use rmcp::{
    ErrorData,
    handler::server::{common::FromContextPart, tool::ToolCallContext},
};

pub(super) use crate::arguments::{Arguments, session_ref};
use crate::error::Result;

impl<S> FromContextPart<ToolCallContext<'_, S>> for Arguments {
    fn from_context_part(call: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        Ok(Self::new(call.arguments.take().unwrap_or_default()))
    }
}
