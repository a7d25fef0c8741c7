//! Tools that answer with one of each kind, and tools that ask the client while they run.

use std::time::Duration;

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientResult, CustomNotification,
        CustomRequest, ProgressNotificationParam, ServerNotification, ServerRequest, Tool,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::{
    inputs,
    server::{complete, read},
};

/// A picture of one pixel.
pub const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// A sound without any length.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";
/// Tools without arguments, beside those of `inputs`.
const PLAIN: [&str; 14] = [
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_error_handling",
    "test_tool_with_logging",
    "test_tool_with_progress",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_missing_capability",
    "test_logging_tool",
    "test_streaming_elicitation",
    "test_trigger_tool_change",
];

pub fn all() -> Vec<Tool> {
    let tool = |name: &str, schema: Value| -> Tool {
        read(json!({ "name": name, "description": "A fixture.", "inputSchema": schema }))
    };
    let one = |name: &str| json!({ "type": "object", "properties": { name: { "type": "string" } }, "required": [name] });
    let mut header = one("region");
    header["properties"]["region"]["x-mcp-header"] = json!("Region");
    let mut tools: Vec<Tool> = PLAIN
        .into_iter()
        .chain(inputs::NAMES)
        .map(|name| tool(name, json!({ "type": "object", "properties": {} })))
        .collect();
    tools.push(tool("test_sampling", one("prompt")));
    tools.push(tool("test_elicitation", one("message")));
    tools.push(tool("test_custom_header", header));
    tools.push(tool("json_schema_2020_12_tool", schema_2020_12()));
    tools
}

pub fn text(text: impl Into<String>) -> CallToolResponse {
    let text: String = text.into();
    content(&json!([{ "type": "text", "text": text }]))
}

fn content(content: &Value) -> CallToolResponse {
    complete::<CallToolResult>(json!({ "content": content })).into()
}

/// What a fixture answers; `None` for other tools.
pub async fn call(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Option<Result<CallToolResponse, ErrorData>> {
    let resource = |name: &str, mime_type: &str, text: &str| {
        let uri = format!("test://{name}");
        json!({ "type": "resource", "resource": { "uri": uri, "mimeType": mime_type, "text": text } })
    };
    let image = json!({ "type": "image", "data": PNG, "mimeType": "image/png" });
    let given = |name: &str| {
        let arguments = request.arguments.as_ref();
        arguments.and_then(|all| all.get(name)).cloned()
    };
    Some(Ok(match request.name.as_ref() {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => content(&json!([image])),
        "test_audio_content" => {
            content(&json!([{ "type": "audio", "data": WAV, "mimeType": "audio/wav" }]))
        }
        "test_embedded_resource" => {
            let words = "This is an embedded resource content.";
            content(&json!([resource("embedded-resource", "text/plain", words)]))
        }
        "test_multiple_content_types" => {
            let data = r#"{"test":"data","value":123}"#;
            let data = resource("mixed-content-resource", "application/json", data);
            let words = json!({ "type": "text", "text": "Multiple content types test:" });
            content(&json!([words, image, data]))
        }
        "test_error_handling" => {
            let words = "This tool intentionally returns an error for testing";
            let words = json!([{ "type": "text", "text": words }]);
            complete::<CallToolResult>(json!({ "content": words, "isError": true })).into()
        }
        "test_tool_with_logging" => {
            for words in ["started", "processing data", "completed"] {
                let words = format!("Tool execution {words}");
                log(context, &words).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            text("Logged.")
        }
        "test_tool_with_progress" => {
            progress(context).await;
            text("Progressed.")
        }
        "test_logging_tool" | "test_custom_header" | "json_schema_2020_12_tool" => text("Done."),
        "test_missing_capability" => {
            let able = context.client_capabilities();
            if able.is_none_or(|able| able.sampling.is_none()) {
                let sampling = read(json!({ "sampling": {} }));
                return Some(Err(ErrorData::missing_required_client_capability(sampling)));
            }
            text("The client samples.")
        }
        "test_sampling" => {
            let words = json!({ "type": "text", "text": given("prompt") });
            let messages = json!([{ "role": "user", "content": words }]);
            let params = json!({ "messages": messages, "maxTokens": 100 });
            return Some(ask(context, "sampling/createMessage", params).await);
        }
        "test_elicitation" => {
            let text = json!({ "type": "string" });
            let fields = json!({ "username": text, "email": text });
            return Some(elicit(context, given("message"), fields).await);
        }
        "test_elicitation_sep1034_defaults" => {
            return Some(elicit(context, None, defaults()).await);
        }
        "test_elicitation_sep1330_enums" => return Some(elicit(context, None, enums()).await),
        _ => return None,
    }))
}

async fn log(context: &RequestContext<RoleServer>, words: &str) {
    let params = json!({ "level": "info", "data": words });
    let message = CustomNotification::new("notifications/message", Some(params));
    let message = ServerNotification::CustomNotification(message);
    let _ = context.peer.send_notification(message).await;
}

async fn progress(context: &RequestContext<RoleServer>) {
    for percent in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let param = ProgressNotificationParam::new(token, percent).with_total(100.0);
            let _ = context.peer.notify_progress(param).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn elicit(
    context: &RequestContext<RoleServer>,
    message: Option<Value>,
    fields: Value,
) -> Result<CallToolResponse, ErrorData> {
    let message = message.unwrap_or(json!("Please fill it in."));
    let schema = json!({ "type": "object", "properties": fields });
    let params = json!({ "message": message, "requestedSchema": schema });
    ask(context, "elicitation/create", params).await
}

/// Asks the client, as it is done before 2026-07-28, and answers with what it says.
async fn ask(
    context: &RequestContext<RoleServer>,
    method: &str,
    params: Value,
) -> Result<CallToolResponse, ErrorData> {
    let request = ServerRequest::CustomRequest(CustomRequest::new(method, Some(params)));
    let said = context.peer.send_request(request).await;
    let said = said.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    Ok(text(match said {
        ClientResult::CreateMessageResult(said) => format!("LLM response: {said:?}"),
        ClientResult::ElicitResult(said) => {
            let said = json!(said);
            format!("action={}, content={}", said["action"], said["content"])
        }
        other => format!("{other:?}"),
    }))
}

/// Fields with values that are there before anybody fills them in (SEP-1034).
fn defaults() -> Value {
    json!({
        "name": { "type": "string", "default": "John Doe" },
        "age": { "type": "integer", "default": 30 },
        "score": { "type": "number", "default": 95.5 },
        "status": {
            "type": "string", "enum": ["active", "inactive", "pending"], "default": "active",
        },
        "verified": { "type": "boolean", "default": true },
    })
}

/// A choice in each form that there is (SEP-1330).
fn enums() -> Value {
    let titled = json!([
        { "const": "value1", "title": "First Option" },
        { "const": "value2", "title": "Second Option" },
        { "const": "value3", "title": "Third Option" },
    ]);
    let options = json!(["option1", "option2", "option3"]);
    json!({
        "untitledSingle": { "type": "string", "enum": options },
        "titledSingle": { "type": "string", "oneOf": titled },
        "legacyEnum": {
            "type": "string", "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
        "titledMulti": { "type": "array", "items": { "anyOf": titled } },
    })
}

/// A schema with what the newest JSON Schema has.
fn schema_2020_12() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": { "address": {
            "$anchor": "addressDef", "type": "object",
            "properties": { "street": text, "city": text },
        } },
        "properties": {
            "name": text,
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": text, "email": text,
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": {
            "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"],
        },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}
