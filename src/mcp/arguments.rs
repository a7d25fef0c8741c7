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
        let mut arguments = call.arguments.take().unwrap_or_default();
        // What some hosts send for an argument that is left out.
        arguments.retain(|_, value| !value.is_null());
        arguments.values_mut().for_each(make_whole);
        Ok(Self(arguments))
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

/// JSON knows no integers: 3.0 is one, whoever wrote it.
fn make_whole(value: &mut Value) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, not negative, and below 2^53"
    )]
    if let Some(number) = value.as_f64()
        && value.is_f64()
        && number.fract() == 0.0
        && (0.0..9e15).contains(&number)
    {
        *value = Value::from(number as u64);
    }
}

fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let (path, why) = (
            error.path().to_string(),
            plainly(&error.inner().to_string()),
        );
        Error::InvalidArgument(match path.as_str() {
            "." => format!("{why}."),
            path => format!("{path}: {why}."),
        })
    })
}

/// A deserialiser's message without the names of Rust's types.
fn plainly(why: &str) -> String {
    why.replace("expected u32", "expected a whole number")
        .replace("expected u64", "expected a whole number")
        .replace("expected f64", "expected a number")
        .replace("expected a sequence", "expected a list")
        .replace("invalid type: map", "invalid type: object")
        .replace("expected a map", "expected an object")
        .replace("expected struct MetadataArguments", "expected an object")
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
