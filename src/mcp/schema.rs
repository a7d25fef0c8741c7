//! Schemas as clients take them.

use std::{any::Any, sync::Arc};

use rmcp::{
    handler::server::tool::{schema_for_input, schema_for_output},
    model::JsonObject,
};
use schemars::JsonSchema;
use serde_json::{Value, json};

/// The schema of a tool's arguments.
pub(super) fn input<T: JsonSchema + Any>() -> Arc<JsonObject> {
    let schema = schema_for_input::<T>().expect("arguments are an object");
    Arc::new(without_nulls(&schema))
}

/// The schema of a tool that takes the arguments of `A` and those of `B`.
pub(super) fn input_both<A: JsonSchema + Any, B: JsonSchema + Any>() -> Arc<JsonObject> {
    let (mut both, b) = (input::<A>().as_ref().clone(), input::<B>());
    for part in ["properties", "$defs"] {
        let Some(Value::Object(of_b)) = b.get(part) else {
            continue;
        };
        let of_both = both.entry(part).or_insert_with(|| json!({}));
        if let Value::Object(of_both) = of_both {
            of_both.extend(of_b.clone());
        }
    }
    Arc::new(both)
}

/// The schema of a tool's answer. Only `ok` is required, and the failure object's fields are in it:
/// clients hold failures against it too.
pub(super) fn output<T: JsonSchema + Any>() -> Arc<JsonObject> {
    let schema = schema_for_output::<T>();
    let mut schema = without_nulls(&schema);
    schema.insert("required".into(), json!(["ok"]));
    let failure = json!({
        "ok": { "type": "boolean", "description": "Whether the call did what it was asked to." },
        "error_kind": {
            "type": "string",
            "description": "Of a failure: which of seven kinds.",
            "enum": ["validation_error", "not_found", "auth_failed", "not_enabled",
                     "network_error", "http_error", "server_error"],
        },
        "code": { "type": "string", "description": "Of a failure: its stable code." },
        "message": { "type": "string", "description": "Of a failure: what happened." },
        "hint": { "type": "string", "description": "Of a failure: what to do next." },
    });
    if let (Some(Value::Object(properties)), Value::Object(failure)) =
        (schema.get_mut("properties"), failure)
    {
        properties.extend(failure);
    }
    Arc::new(schema)
}

/// What is optional is left out and never null, so the schema does not offer null either.
fn without_nulls(schema: &JsonObject) -> JsonObject {
    let mut schema = Value::Object(schema.clone());
    strip(&mut schema);
    match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("default") == Some(&Value::Null) {
                object.remove("default");
            }
            // Not of JSON Schema: `uint32`, `double` and the like.
            if object.get("format").is_some_and(Value::is_string) {
                object.remove("format");
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type") != Some(&json!("null")));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
