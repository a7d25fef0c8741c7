//! Prompts, with and without arguments.

use rmcp::model::{
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, InputRequiredResult, Prompt,
};
use serde_json::{Value, json};

use crate::{
    inputs,
    server::{complete, read},
    tools::PNG,
};

pub fn all() -> Vec<Prompt> {
    let all: [(&str, &[&str]); 5] = [
        ("test_simple_prompt", &[]),
        ("test_prompt_with_arguments", &["arg1", "arg2"]),
        ("test_prompt_with_embedded_resource", &["resourceUri"]),
        ("test_prompt_with_image", &[]),
        ("test_input_required_result_prompt", &[]),
    ];
    let prompt = |(name, takes): (&str, &[&str])| {
        let argument = |name: &&str| json!({ "name": name, "required": true });
        let takes: Vec<Value> = takes.iter().map(argument).collect();
        read(json!({ "name": name, "description": "A fixture.", "arguments": takes }))
    };
    all.into_iter().map(prompt).collect()
}

/// What a fixture answers; `None` for other prompts.
pub fn get(asked: &GetPromptRequestParams) -> Option<GetPromptResponse> {
    let given = |name: &str| {
        let arguments = asked.arguments.as_ref();
        let value = arguments.and_then(|all| all.get(name)?.as_str());
        value.unwrap_or_default().to_owned()
    };
    let words = |text: &str| json!({ "type": "text", "text": text });
    let contents = match asked.name.as_str() {
        "test_simple_prompt" => json!([words("This is a simple prompt for testing.")]),
        "test_prompt_with_arguments" => {
            let (one, two) = (given("arg1"), given("arg2"));
            let text = format!("Prompt with arguments: arg1='{one}', arg2='{two}'");
            json!([words(&text)])
        }
        "test_prompt_with_embedded_resource" => {
            let resource = json!({
                "uri": given("resourceUri"), "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            });
            let resource = json!({ "type": "resource", "resource": resource });
            json!([
                resource,
                words("Please process the embedded resource above.")
            ])
        }
        "test_prompt_with_image" => {
            let image = json!({ "type": "image", "data": PNG, "mimeType": "image/png" });
            json!([image, words("Please analyze the image above.")])
        }
        "test_input_required_result_prompt" => {
            let said = asked.input_responses.as_ref();
            match said.and_then(|all| all.get("user_context")?.pointer("/content/context")) {
                Some(context) => json!([words(&context.to_string())]),
                None => return Some(context_wanted().into()),
            }
        }
        _ => return None,
    };
    let contents = contents.as_array()?.iter();
    let messages: Vec<Value> = contents
        .map(|content| json!({ "role": "user", "content": content }))
        .collect();
    Some(complete::<GetPromptResult>(json!({ "messages": messages })).into())
}

fn context_wanted() -> InputRequiredResult {
    let wanted = inputs::elicit("What context should the prompt use?", "context", "string");
    read(json!({ "resultType": "input_required", "inputRequests": { "user_context": wanted } }))
}
