//! What callers give in JSON, to tools and to routes: read so that a mistake in it is a sentence that
//! names what is wrong.

mod attach;
mod link;
mod media;
mod upload;

use std::{any::Any, fmt, marker::PhantomData};

use rmcp::{handler::server::tool::schema_for_input, model::JsonObject};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(crate) use self::{
    attach::AttachArguments,
    link::LinkArguments,
    media::{LabelPairs, Labels, ListArguments},
    upload::{DeclareArguments, UploadsArguments},
};
use crate::{
    error::{Error, Result},
    store::SessionRef,
};

/// The session that a call names by exactly one of its names.
///
/// # Errors
/// [`Error::InvalidArgument`] unless one of the two is given; [`Error::NotFound`] for what cannot
/// be a name: it is answered as one that is unknown.
pub(crate) fn session_ref(token: Option<&str>, upload_id: Option<&str>) -> Result<SessionRef> {
    match (token, upload_id) {
        (Some(token), None) => token.parse().map(SessionRef::Token),
        (None, Some(id)) => id.parse().map(SessionRef::Id).map_err(|_| Error::NotFound),
        _ => Err(Error::InvalidArgument(
            "Give exactly one of token and upload_id.".into(),
        )),
    }
}

/// Arguments, still to be read.
#[derive(Debug)]
pub(crate) struct Arguments(JsonObject);

impl Arguments {
    pub(crate) fn new(mut arguments: JsonObject) -> Self {
        // What some send for an argument that is left out.
        arguments.retain(|_, value| !value.is_null());
        arguments.values_mut().for_each(make_whole);
        Self(arguments)
    }

    /// SHA-256 of what was given, to know the same call by.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(Value::Object(self.0.clone()).to_string()).into()
    }

    /// Reads them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that names the argument.
    pub(crate) fn read<T: DeserializeOwned + JsonSchema + Any>(self) -> Result<T> {
        let names = names::<T>();
        must_be_known(&self.0, &names)?;
        read(self.0)
    }

    /// Reads those of `A` and those of `B`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that names the argument.
    pub(crate) fn read_both<A, B>(self) -> Result<(A, B)>
    where
        A: DeserializeOwned + JsonSchema + Any,
        B: DeserializeOwned + JsonSchema + Any,
    {
        let (names_of_a, mut names) = (names::<A>(), names::<B>());
        names.extend(names_of_a.iter().cloned());
        must_be_known(&self.0, &names)?;
        let (a, b) = self
            .0
            .into_iter()
            .partition(|(name, _)| names_of_a.contains(name));
        Ok((read(a)?, read(b)?))
    }
}

/// What there is to be given, by name, each with its schema. It is remembered by type.
pub(crate) fn properties<T: JsonSchema + Any>() -> JsonObject {
    let schema = schema_for_input::<T>().expect("arguments are an object");
    match schema.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => JsonObject::new(),
    }
}

fn names<T: JsonSchema + Any>() -> Vec<String> {
    properties::<T>()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

/// # Errors
/// [`Error::InvalidArgument`] that names the first one that is not taken.
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
    let there_is = match (nearest, names) {
        (Some((_, name)), _) => format!("did you mean `{name}`?"),
        (None, []) => "nothing is taken here.".to_owned(),
        (None, _) => format!("there are {}.", names.join(", ")),
    };
    Err(Error::InvalidArgument(format!(
        "{shown}: there is no such argument; {there_is}"
    )))
}

/// JSON knows no integers: 3.0 is one, whoever wrote it.
fn make_whole(value: &mut Value) {
    match value {
        Value::Object(object) => object.values_mut().for_each(make_whole),
        Value::Array(list) => list.iter_mut().for_each(make_whole),
        _ => {}
    }
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
        let within = if path == "." { "" } else { path.as_str() };
        if let Some(name) = missing(&why) {
            let dot = if within.is_empty() { "" } else { "." };
            return Error::InvalidArgument(format!("{within}{dot}{name}: this must be given."));
        }
        Error::InvalidArgument(if within.is_empty() {
            format!("{why}.")
        } else {
            format!("{within}: {why}.")
        })
    })
}

/// For a part that is an object: what serde derives takes a list too, of its values in their order.
pub(crate) fn object<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Object(PhantomData))
}

/// The same for a part that must be there.
pub(crate) fn given<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    object(deserializer)?.ok_or_else(|| D::Error::custom("invalid type: null, expected an object"))
}

/// The name of what is not there, in a deserialiser's message.
fn missing(why: &str) -> Option<&str> {
    why.strip_prefix("missing field `")?.strip_suffix('`')
}

/// A deserialiser's message without the names of Rust's types.
fn plainly(why: &str) -> String {
    const COUNT: &str = "expected a whole number, 0 or more";
    why.replace("expected u32", COUNT)
        .replace("expected usize", COUNT)
        .replace("expected u64", COUNT)
        .replace("invalid type: sequence", "invalid type: list")
        .replace("invalid type: floating point", "invalid type: number")
        .replace("unknown variant", "there is no")
        .replace("expected f64", "expected a number")
        .replace("expected a sequence", "expected a list")
        .replace("invalid type: map", "invalid type: object")
        .replace("expected a map", "expected an object")
}
