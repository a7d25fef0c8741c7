//! The tools as agents see them.

use std::{collections::BTreeSet, fs, path::Path};

use askfile::mcp::{self, Tools};
use rmcp::{
    ServerHandler, handler::server::router::tool::ToolRouter, tool, tool_handler, tool_router,
};
use serde_json::{Value, json};

use crate::harness::{Askfile, PNG, agent::Agent, names_in, web::Link};

async fn listed() -> Vec<Value> {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    let tools = agent.tools().await;
    tools
        .iter()
        .map(|tool| serde_json::to_value(tool).unwrap())
        .collect()
}

fn name(tool: &Value) -> &str {
    tool["name"].as_str().unwrap()
}

/// What agents see is reviewed as a diff of `tools/`. Rewrite it with `UPDATE=1 cargo test`.
#[tokio::test]
async fn the_tools_match_the_published_files() {
    for tool in listed().await {
        let path = Path::new("tools").join(format!("{}.json", name(&tool)));
        let now = serde_json::to_string_pretty(&tool).unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &now).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == now,
            "{} is not up to date:\n{now}",
            path.display()
        );
    }
}

#[tokio::test]
async fn every_published_file_belongs_to_a_tool() {
    let tools = listed().await;
    let names: BTreeSet<&str> = tools.iter().map(name).collect();
    let expected = [
        "attach_media",
        "media_delete",
        "media_get",
        "media_import",
        "media_list",
        "upload_cancel",
        "upload_create",
        "upload_request",
        "upload_status",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    for file in names_in(Path::new("tools")) {
        let (stem, extension) = file.split_once('.').unwrap();
        let is_other = ["server.md", "ask_for_file.md"].contains(&file.as_str());
        assert!(is_other || names.contains(stem), "{file}");
        assert!(["json", "md"].contains(&extension), "{file}");
    }
}

#[tokio::test]
async fn every_tool_says_what_a_client_wants_to_know() {
    for tool in listed().await {
        let name = name(&tool);
        let prose = fs::read_to_string(format!("tools/{name}.md")).unwrap();
        assert_eq!(tool["description"].as_str(), Some(prose.as_str()), "{name}");
        assert!(
            tool["title"].as_str().is_some_and(|title| title.len() > 5),
            "{name}"
        );
        for said in ["invoking", "invoked"] {
            let said = tool["_meta"][format!("openai/toolInvocation/{said}")].as_str();
            assert!((5..=64).contains(&said.unwrap().len()), "{name}");
        }
        let hints = &tool["annotations"];
        for hint in [
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        ] {
            assert!(hints[hint].is_boolean(), "{name}: {hint}");
        }
        let reads = hints["readOnlyHint"] == true;
        let tier = if reads { "read-only" } else { "write" };
        assert_eq!(tool["_meta"]["tier"], tier, "{name}");
        let tags = tool["_meta"]["tags"].as_array().unwrap();
        let tag = if reads { "read" } else { "write" };
        assert!(tags.contains(&json!(tag)), "{name}: {tags:?}");
    }
}

/// Every schema in a schema, itself included.
fn parts(schema: &Value) -> Vec<&Value> {
    let inner: Vec<&Value> = match schema {
        Value::Object(object) => object.values().flat_map(parts).collect(),
        Value::Array(items) => items.iter().flat_map(parts).collect(),
        _ => Vec::new(),
    };
    std::iter::once(schema).chain(inner).collect()
}

#[tokio::test]
async fn every_schema_is_one_that_clients_take() {
    for tool in listed().await {
        let name = name(&tool);
        let (input, output) = (&tool["inputSchema"], &tool["outputSchema"]);
        assert_eq!(
            output["required"],
            json!(["ok"]),
            "{name}: a failure is valid too"
        );
        for field in ["ok", "error_kind", "code", "message", "hint"] {
            assert!(
                output["properties"][field]["type"].is_string(),
                "{name}: {field}"
            );
        }
        assert_eq!(
            output["properties"]["error_kind"]["enum"]
                .as_array()
                .unwrap()
                .len(),
            7
        );
        assert_eq!(input["additionalProperties"], false, "{name}");
        for (argument, schema) in input["properties"].as_object().unwrap() {
            assert!(
                schema["description"].is_string(),
                "{name}: {argument} says what it is"
            );
        }
        for part in [input, output].into_iter().flat_map(parts) {
            let is_null = part == &json!("null");
            assert!(
                !is_null,
                "{name}: what is optional is left out and never null"
            );
        }
        for schema in [input, output] {
            assert_eq!(schema["type"], "object", "{name}");
        }
    }
}

#[tokio::test]
async fn what_tools_answer_is_what_their_schemas_say() {
    let askfile = Askfile::start().await;
    let tools = listed().await;
    let known = |tool: &str, answer: &Value| {
        let tool = tools.iter().find(|one| name(one) == tool).unwrap();
        let properties = tool["outputSchema"]["properties"].as_object().unwrap();
        for field in answer.as_object().unwrap().keys() {
            assert!(properties.contains_key(field), "{}: {field}", name(tool));
        }
    };
    let created = askfile.call("upload_create", json!({})).await;
    let link = Link::of(&created);
    let asked = askfile
        .call("upload_request", json!({ "prompt": "x" }))
        .await;
    let cancelled = askfile
        .call("upload_cancel", json!({ "token": asked["token"] }))
        .await;
    askfile.send(crate::harness::web::put(&link, "")).await;
    let refused = askfile.status(&link).await;
    askfile.put(&link, PNG).await;
    let completed = askfile.status(&link).await;
    let target = json!({ "upload_token": link.token, "target_type": "post", "target_id": "7" });
    let attached = askfile.call("attach_media", target).await;
    let failed = askfile.call("upload_status", json!({ "token": "x" })).await;
    let which = json!({ "media_id": attached["attachments"][0]["media_id"] });
    let listed = askfile.call("media_list", json!({})).await;
    let shown = askfile.call("media_get", which.clone()).await;
    let kept = askfile.call("media_delete", which).await;
    for (tool, answer) in [
        ("upload_create", &created),
        ("upload_request", &asked),
        ("upload_cancel", &cancelled),
        ("upload_status", &refused),
        ("upload_status", &completed),
        ("attach_media", &attached),
        ("media_list", &listed),
        ("media_get", &shown),
        ("media_delete", &kept),
        ("upload_status", &failed),
    ] {
        known(tool, answer);
    }
    let mut fields: Vec<&str> = failed
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["code", "error_kind", "hint", "message", "ok"]);
}

#[tokio::test]
async fn asking_and_requesting_each_say_when_to_use_which() {
    for tool in ["upload_create", "upload_request"] {
        let prose = fs::read_to_string(format!("tools/{tool}.md")).unwrap();
        for named in ["upload_create", "upload_request", "upload_status"] {
            assert!(prose.contains(named), "{tool}: {named}");
        }
    }
}

#[derive(Clone)]
struct Host {
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Host {
    #[tool(description = "A tool of the host's own.")]
    async fn ping(&self) -> String {
        "pong".into()
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Host {}

#[tokio::test]
async fn another_server_can_carry_our_tools() {
    let askfile = Askfile::start().await;
    let tools = Tools::new(askfile.service.clone());
    let tool_router = Host::tool_router() + mcp::routes(&tools);
    let agent = Agent::connect_to(Host { tool_router }, "Guest").await;
    let carried = agent.tools().await;
    let names: Vec<&str> = carried.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(
        names,
        [
            "attach_media",
            "media_delete",
            "media_get",
            "media_import",
            "media_list",
            "ping",
            "upload_cancel",
            "upload_create",
            "upload_request",
            "upload_status"
        ]
    );
    let carried: Vec<Value> = carried
        .iter()
        .filter(|tool| tool.name != "ping")
        .map(|tool| serde_json::to_value(tool).unwrap())
        .collect();
    assert_eq!(carried, listed().await, "as they are at home");

    let link = Link::of(&agent.call("upload_create", json!({})).await);
    let facts = crate::harness::web::get(&link.path());
    let facts = crate::harness::web::With::with(facts, "accept", "application/json");
    assert_eq!(askfile.send(facts).await.json()["asked_by"], "Guest");
    askfile.put(&link, PNG).await;
    let status = agent
        .call("upload_status", json!({ "token": link.token }))
        .await;
    assert_eq!(status["status"], "completed");
    let failed = agent.call("upload_status", json!({ "tokn": "x" })).await;
    assert_eq!(failed["code"], "INVALID_ARGUMENT");
}
