//! Resources: a text, a picture, one that is watched, and one by a template.

use rmcp::model::{ReadResourceResponse, ReadResourceResult, Resource, ResourceTemplate};
use serde_json::{Value, json};

use crate::{server, tools::PNG};

pub const WATCHED: &str = "test://watched-resource";
const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";

pub fn all() -> Vec<Resource> {
    let all = [(TEXT, "text"), (BINARY, "binary"), (WATCHED, "watched")];
    let all = all.into_iter();
    all.map(|(uri, name)| server::read(json!({ "uri": uri, "name": name })))
        .collect()
}

pub fn template() -> ResourceTemplate {
    server::read(json!({ "uriTemplate": "test://template/{id}/data", "name": "template" }))
}

/// What a fixture holds; `None` for other resources.
pub fn read(uri: &str) -> Option<ReadResourceResponse> {
    let text = |mime_type: &str, text: &str| -> Value {
        json!({ "uri": uri, "mimeType": mime_type, "text": text })
    };
    let contents = match uri {
        TEXT => text(
            "text/plain",
            "This is the content of the static text resource.",
        ),
        BINARY => json!({ "uri": uri, "mimeType": "image/png", "blob": PNG }),
        WATCHED => text("text/plain", "It never changes."),
        _ => {
            let id = uri
                .strip_prefix("test://template/")?
                .strip_suffix("/data")?;
            let data = format!("Data for ID: {id}");
            let data = json!({ "id": id, "templateTest": true, "data": data });
            text("application/json", &data.to_string())
        }
    };
    let contents = json!({ "contents": [contents] });
    Some(server::complete::<ReadResourceResult>(contents).into())
}
