//! Tools that want more before they are done, as since 2026-07-28: what is wanted goes out as the answer,
//! and the client calls again with it (SEP-2322).

use std::sync::LazyLock;

use askfile::link::KeyRing;
use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolRequestParams, CallToolResponse, InputRequiredResult},
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::{server::read, tools::text};

pub const NAMES: [&str; 8] = [
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
];

/// How a round ends.
enum Round {
    Done(String),
    /// This is wanted, and this is to come back with it.
    Wanted(Value, Option<&'static str>),
}

/// What a fixture answers; `None` for other tools.
pub fn call(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Option<Result<CallToolResponse, ErrorData>> {
    let state = match request.request_state.as_deref().map(open) {
        Some(None) => {
            return Some(Err(ErrorData::invalid_params(
                "Not our requestState.",
                None,
            )));
        }
        opened => opened.flatten(),
    };
    Some(Ok(match round(request, state.as_deref(), context)? {
        Round::Done(words) => text(words),
        Round::Wanted(requests, state) => {
            let mut result = json!({ "resultType": "input_required", "inputRequests": requests });
            if let Some(state) = state {
                result["requestState"] = json!(seal(state));
            }
            read::<InputRequiredResult>(result).into()
        }
    }))
}

fn round(
    request: &CallToolRequestParams,
    state: Option<&str>,
    context: &RequestContext<RoleServer>,
) -> Option<Round> {
    let said = |key: &str, pointer: &str| {
        let all = request.input_responses.as_ref()?;
        all.get(key)?.pointer(pointer).cloned()
    };
    let name = || elicit("What is your name?", "name", "string");
    let greeting = || sample("Generate a greeting");
    let confirm = || json!({ "confirm": elicit("Please confirm", "ok", "boolean") });
    Some(match request.name.strip_prefix("test_")? {
        "input_required_result_elicitation" => match said("user_name", "/content/name") {
            Some(Value::String(name)) => Round::Done(format!("Hello, {name}!")),
            _ => Round::Wanted(json!({ "user_name": name() }), None),
        },
        "input_required_result_sampling" => {
            let question = sample("What is the capital of France?");
            said("capital_question", "/content/text").map_or_else(
                || Round::Wanted(json!({ "capital_question": question }), None),
                |words| Round::Done(words.to_string()),
            )
        }
        "input_required_result_list_roots" => said("client_roots", "/roots").map_or_else(
            || Round::Wanted(json!({ "client_roots": roots() }), None),
            |roots| Round::Done(roots.to_string()),
        ),
        "input_required_result_request_state" | "input_required_result_tampered_state" => {
            match (state, said("confirm", "/content/ok")) {
                (Some("confirm"), Some(_)) => Round::Done("state-ok".into()),
                _ => Round::Wanted(confirm(), Some("confirm")),
            }
        }
        "input_required_result_multiple_inputs" => {
            let (name, greeting, roots) = (name(), greeting(), roots());
            let all = json!({ "user_name": name, "greeting": greeting, "client_roots": roots });
            match (state, said("user_name", "/content/name")) {
                (Some("all"), Some(name)) => Round::Done(name.to_string()),
                _ => Round::Wanted(all, Some("all")),
            }
        }
        "input_required_result_multi_round" => {
            let name = elicit("Step 1: What is your name?", "name", "string");
            let colour = elicit("Step 2: What is your favorite color?", "color", "string");
            match state {
                Some("two") if said("step2", "/content/color").is_some() => {
                    Round::Done("Both steps are done.".into())
                }
                Some("one") if said("step1", "/content/name").is_some() => {
                    Round::Wanted(json!({ "step2": colour }), Some("two"))
                }
                _ => Round::Wanted(json!({ "step1": name }), Some("one")),
            }
        }
        "input_required_result_capabilities" => {
            let able = context.client_capabilities().unwrap_or_default();
            let mut all = json!({});
            if able.elicitation.is_some() {
                all["user_name"] = name();
            }
            if able.sampling.is_some() {
                all["greeting"] = greeting();
            }
            Round::Wanted(all, Some("able"))
        }
        "streaming_elicitation" => Round::Wanted(confirm(), None),
        _ => return None,
    })
}

pub fn elicit(message: &str, field: &str, of: &str) -> Value {
    let schema = json!({
        "type": "object", "properties": { field: { "type": of } }, "required": [field],
    });
    let params = json!({ "message": message, "requestedSchema": schema });
    json!({ "method": "elicitation/create", "params": params })
}

fn sample(words: &str) -> Value {
    let message = json!({ "role": "user", "content": { "type": "text", "text": words } });
    let params = json!({ "messages": [message], "maxTokens": 100 });
    json!({ "method": "sampling/createMessage", "params": params })
}

fn roots() -> Value {
    json!({ "method": "roots/list", "params": {} })
}

/// What a client carries for us must come back as it went.
static KEYS: LazyLock<KeyRing> =
    LazyLock::new(|| KeyRing::from_hex([KeyRing::new_key_hex().as_str()]).unwrap());

fn seal(state: &str) -> String {
    format!("{state}.{}", KEYS.sign(state))
}

fn open(sealed: &str) -> Option<String> {
    let (state, signature) = sealed.split_once('.')?;
    let is_ours = KEYS.verify(state, signature);
    is_ours.then(|| state.to_owned())
}
