//! A tool's arguments, read so that a mistake in them is an answer which the model can read, and
//! not a protocol error.

use std::any::Any;

use rmcp::{
    ErrorData,
    handler::server::{common::FromContextPart, tool::ToolCallContext},
    model::JsonObject,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::schema;
use crate::{
    error::{Error, Result},
    store::SessionRef,
};

/// The arguments of a call, still to be read.
pub(super) struct Arguments(JsonObject);

impl<S> FromContextPart<ToolCallContext<'_, S>> for Arguments {
    fn from_context_part(call: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        Ok(Self(call.arguments.take().unwrap_or_default()))
    }
}

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that names the argument.
    pub(super) fn read<T: DeserializeOwned + JsonSchema + Any>(self) -> Result<T> {
        let names = schema::names::<T>();
        must_be_known(&self.0, &names)?;
        read(self.0)
    }

    /// Reads the arguments of a tool that takes those of `A` and those of `B`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that names the argument.
    pub(super) fn read_both<A, B>(self) -> Result<(A, B)>
    where
        A: DeserializeOwned + JsonSchema + Any,
        B: DeserializeOwned + JsonSchema + Any,
    {
        let (names_of_a, mut names) = (schema::names::<A>(), schema::names::<B>());
        names.extend(names_of_a.iter().cloned());
        must_be_known(&self.0, &names)?;
        let (a, b) = self
            .0
            .into_iter()
            .partition(|(name, _)| names_of_a.contains(name));
        Ok((read(a)?, read(b)?))
    }
}

/// # Errors
/// [`Error::InvalidArgument`] that names the first one that the tool does not take.
fn must_be_known(arguments: &JsonObject, names: &[String]) -> Result<()> {
    let Some(unknown) = arguments.keys().find(|name| !names.contains(name)) else {
        return Ok(());
    };
    let shown: String = unknown.chars().take(64).collect();
    let nearest = names
        .iter()
        .map(|name| (strsim::jaro_winkler(name, unknown), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    Err(Error::InvalidArgument(match nearest {
        Some((_, name)) => format!("There is no argument `{shown}`; did you mean `{name}`?"),
        None => format!(
            "There is no argument `{shown}`; there are {}.",
            names.join(", ")
        ),
    }))
}

fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let (path, why) = (error.path().to_string(), error.inner().to_string());
        Error::InvalidArgument(match path.as_str() {
            "." => format!("{why}."),
            path => format!("{path}: {why}."),
        })
    })
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
