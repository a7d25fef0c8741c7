//! Which files are to be listed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    domain::{media::Filter, mime::Kind},
    error::{Error, Result},
    service::media::ListRequest,
};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ListArguments {
    /// The workspace, by its id or alias. Leave it out for your own.
    workspace_id: Option<String>,
    /// Only files of this type, such as `image/png`, or `image/*`.
    mime_type: Option<String>,
    /// Only files of this kind.
    kind: Option<Kind>,
    /// Only files whose name has these characters in it, in capitals or not.
    #[schemars(length(max = 200))]
    name_contains: Option<String>,
    /// Only files that came then or later, such as `2026-01-31T00:00:00Z`.
    since: Option<String>,
    /// Only files that this principal asked for, by its id; `me`: those that you asked for.
    created_by: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// At most so many files; 20 if not said.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

/// Labels, in JSON.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Labels {
    /// Only files of uploads that have all these labels.
    pub labels: BTreeMap<String, String>,
}

/// Labels, in an address.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LabelPairs {
    /// Only what has this label, as `key=value`. Give it several times for several labels.
    #[schemars(length(max = 32))]
    label: Vec<String>,
}

impl ListArguments {
    /// What they ask for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that names the argument.
    pub(crate) fn read(self, labels: BTreeMap<String, String>) -> Result<ListRequest> {
        let pattern = |text: String| {
            let read = text.parse();
            read.map_err(|_| invalid("mime_type: a type such as image/png, or image/*."))
        };
        let instant = |text: String| {
            let read = text.parse::<Timestamp>();
            read.map_err(|_| invalid("since: a time with its zone, such as 2026-01-31T00:00:00Z."))
        };
        Ok(ListRequest {
            workspace_id: self.workspace_id,
            filter: Filter {
                mime_type: self.mime_type.map(pattern).transpose()?,
                kind: self.kind,
                name_contains: self.name_contains,
                labels,
                since: self.since.map(instant).transpose()?,
                created_by: None,
            },
            created_by: self.created_by,
            cursor: self.cursor,
            limit: self.limit,
        })
    }
}

impl LabelPairs {
    /// Each by its key.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no pair.
    pub(crate) fn read(self) -> Result<BTreeMap<String, String>> {
        let pairs = self.label.iter().map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        });
        let read: Option<_> = pairs.collect();
        read.ok_or_else(|| invalid("label: a key, `=` and a value, such as label=case=7."))
    }
}

fn invalid(why: &str) -> Error {
    Error::InvalidArgument(why.to_owned())
}
