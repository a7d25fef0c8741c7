//! Prompts: what people pick in their client, so that the model asks for a file well.

use rmcp::{
    ErrorData,
    model::{
        GetPromptRequestParams, GetPromptResult, ListPromptsResult, Prompt, PromptArgument,
        PromptMessage, Role,
    },
};
use serde_json::Value;

const ASK_FOR_FILE: &str = "ask_for_file";
const TEXT: &str = include_str!("../../tools/ask_for_file.md");
/// The one argument.
const WHAT: &str = "what";
/// Longest of it, in characters.
const MOST_WHAT: usize = 500;

/// Those that there are.
pub(super) fn list() -> ListPromptsResult {
    let what = PromptArgument::new(WHAT)
        .with_title("Which file")
        .with_description("Such as: the receipt of Tuesday")
        .with_required(true);
    let description = "Has the model ask you for a file by a link, and go on once it is there.";
    let prompt = Prompt::new(ASK_FOR_FILE, Some(description), Some(vec![what]));
    ListPromptsResult::with_all_items(vec![prompt.with_title("Send a file")])
}

/// The words that one stands for.
///
/// # Errors
/// Invalid parameters.
pub(super) fn get(asked: &GetPromptRequestParams) -> Result<GetPromptResult, ErrorData> {
    let wrong = |why: &str| ErrorData::invalid_params(why.to_owned(), None);
    if asked.name != ASK_FOR_FILE {
        return Err(wrong("There is no such prompt; there is ask_for_file."));
    }
    let arguments = asked.arguments.iter().flatten();
    let mut what = "";
    for (name, value) in arguments {
        match value {
            Value::String(text) if name == WHAT => what = text.trim().trim_end_matches('.'),
            _ => return Err(wrong("ask_for_file takes one text: what.")),
        }
    }
    if what.is_empty() || what.chars().count() > MOST_WHAT {
        return Err(wrong("what: 1 to 500 characters that say which file."));
    }
    let text = TEXT.replace("{what}", what);
    let message = PromptMessage::new_text(Role::User, text.trim());
    Ok(GetPromptResult::new(vec![message]))
}
