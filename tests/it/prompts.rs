//! Prompts, which people pick in their client.

use serde_json::json;

use crate::harness::{
    Askfile,
    keys::{ALL, message},
};

#[tokio::test]
async fn a_person_has_the_model_ask_for_a_file() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("agent", ALL, &[]).await;
    let listed = askfile.rpc(Some(&key), "prompts/list", json!({})).await;
    let listed = message(&listed)["result"]["prompts"].take();
    assert_eq!(listed[0]["name"], "ask_for_file");
    assert_eq!(listed[0]["arguments"][0]["required"], true);
    let given =
        json!({ "name": "ask_for_file", "arguments": { "what": "the receipt of Tuesday." } });
    let got = askfile.rpc(Some(&key), "prompts/get", given).await;
    let said = &message(&got)["result"]["messages"][0];
    assert_eq!(said["role"], "user");
    let text = said["content"]["text"].as_str().unwrap();
    assert!(text.contains("carry: the receipt of Tuesday.\n"), "{text}");
    for tool in ["upload_create", "upload_status"] {
        assert!(text.contains(tool), "{text}");
    }
    for wrong in [
        json!({ "name": "ask_for_money" }),
        json!({ "name": "ask_for_file" }),
        json!({ "name": "ask_for_file", "arguments": { "what": " " } }),
        json!({ "name": "ask_for_file", "arguments": { "what": "..." } }),
        json!({ "name": "ask_for_file", "arguments": { "what": "x".repeat(501) } }),
        json!({ "name": "ask_for_file", "arguments": { "what": "it", "more": "x" } }),
    ] {
        let refused = askfile.rpc(Some(&key), "prompts/get", wrong.clone()).await;
        assert_eq!(message(&refused)["error"]["code"], -32602, "{wrong}");
    }
}

#[tokio::test]
async fn who_cannot_ask_for_files_is_shown_no_prompt_that_does() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("reader", "media:read", &[]).await;
    let listed = askfile.rpc(Some(&key), "prompts/list", json!({})).await;
    assert_eq!(message(&listed)["result"]["prompts"], json!([]));
    let given = json!({ "name": "ask_for_file", "arguments": { "what": "it" } });
    let refused = askfile.rpc(Some(&key), "prompts/get", given).await;
    assert_eq!(
        message(&refused)["error"]["data"]["code"],
        "TOOL_NOT_ENABLED"
    );
}
