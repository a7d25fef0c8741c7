//! What a tool takes, and how it says what it does not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Askfile, PNG, PUBLIC_URL};

fn text(characters: usize) -> String {
    "ä".repeat(characters)
}

fn labels(count: usize, key: usize, value: usize) -> Value {
    let label = |n: usize| (format!("{n:0>key$}"), text(value));
    json!({ "labels": (0..count).map(label).collect::<BTreeMap<_, _>>() })
}

/// A refusal of an argument; gives what it says.
#[track_caller]
fn refusal(answer: &Value, why: &str) -> String {
    assert_eq!(answer["code"], "INVALID_ARGUMENT", "{why}: {answer}");
    assert_eq!(answer["error_kind"], "validation_error");
    answer["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_unknown_argument_is_refused_by_name() {
    let askfile = Askfile::start().await;
    #[rustfmt::skip]
    let table = [
        ("upload_create",  json!({ "promt": "x" }),       "promt: there is no such argument; did you mean `prompt`?"),
        ("upload_create",  json!({ "size": 7 }),          "size: there is no such argument; there are "),
        ("upload_create",  json!({ "token": "x" }),       "token: there is no such argument"),
        ("upload_create",  json!({ "metadata": { "nam": "x" } }), "metadata.nam: unknown field `nam`"),
        ("upload_status",  json!({ "wait_second": 5 }),   "wait_second: there is no such argument; did you mean `wait_seconds`?"),
        ("upload_request", json!({ "wait": true }),       "wait: there is no such argument"),
        ("upload_request", json!({ "expires": 900 }),     "expires: there is no such argument; did you mean `expires_in_seconds`?"),
        ("upload_cancel",  json!({ "upload-id": "x" }),   "upload-id: there is no such argument; did you mean `upload_id`?"),
        ("attach_media",   json!({ "target": "post" }),   "target: there is no such argument"),
        ("attach_media",   json!({ "upload_token": "x", "UPLOAD_ID": "x" }), "UPLOAD_ID: there is no such argument"),
    ];
    for (tool, arguments, says) in table {
        let message = refusal(&askfile.call(tool, arguments).await, says);
        assert!(message.contains(says), "{says}: {message}");
    }
}

#[tokio::test]
async fn each_argument_of_asking_has_its_bounds() {
    let askfile = Askfile::start().await;
    let cap: u64 = 50 << 20;
    let metadata =
        |name: &str, characters: usize| json!({ "metadata": { name: text(characters) } });
    #[rustfmt::skip]
    let table = [
        // argument             within                                   beyond                                     says
        (json!({ "prompt": text(1000) }),                json!({ "prompt": text(1001) }),               "prompt: at most 1000 characters"),
        (json!({ "max_size_bytes": 1 }),                 json!({ "max_size_bytes": 0 }),                "max_size_bytes: between 1 and 52428800"),
        (json!({ "max_size_bytes": cap }),               json!({ "max_size_bytes": cap + 1 }),          "max_size_bytes: between 1 and 52428800"),
        (json!({ "max_files": 1 }),                      json!({ "max_files": 0 }),                     "max_files: between 1 and 50"),
        (json!({ "max_files": 50 }),                     json!({ "max_files": 51 }),                    "max_files: between 1 and 50"),
        (json!({ "max_files": 2 }),                      json!({ "max_files": -2 }),                    "max_files: invalid value: integer `-2`, expected a whole number, 0 or more."),
        (json!({ "max_files": 3 }),                      json!({ "max_files": "three" }),               "max_files: "),
        (json!({ "expires_in_seconds": 60 }),            json!({ "expires_in_seconds": 59 }),           "expires_in_seconds: between 60 and 86400"),
        (json!({ "expires_in_seconds": 86_400 }),        json!({ "expires_in_seconds": 86_401 }),       "expires_in_seconds: between 60 and 86400"),
        (json!({ "timeout": 0.001 }),                    json!({ "timeout": 0 }),                       "timeout: more than 0"),
        (json!({ "timeout": 3_600 }),                    json!({ "timeout": 3_600.5 }),                 "timeout: more than 0 and at most 3,600"),
        (json!({ "timeout": 1.5 }),                      json!({ "timeout": -1 }),                      "timeout: more than 0"),
        (json!({ "allowed_mime_types": ["image/*"] }),   json!({ "allowed_mime_types": [] }),           "allowed_mime_types: at least one"),
        (json!({ "allowed_mime_types": ["IMAGE/PNG"] }), json!({ "allowed_mime_types": ["png"] }),      "allowed_mime_types: `png`"),
        (json!({ "allowed_mime_types": ["*/*"] }),       json!({ "allowed_mime_types": ["image/svg+xml"] }), "allowed_mime_types: `image/svg+xml`"),
        (json!({ "purpose": "both" }),                   json!({ "purpose": "neither" }),               "purpose: there is no `neither`; there are general, "),
        (json!({ "purpose": "person_source", "allowed_mime_types": ["image/png"] }),
         json!({ "purpose": "person_source", "allowed_mime_types": ["application/pdf"] }),              "for the purpose `person_source`"),
        (metadata("name", 200),                          metadata("name", 201),                         "metadata.name: at most 200"),
        (metadata("external_id", 200),                   metadata("external_id", 201),                  "metadata.external_id: at most 200"),
        (json!({ "metadata": labels(32, 64, 256) }),     json!({ "metadata": labels(33, 64, 256) }),    "metadata.labels: at most 32"),
        (json!({ "metadata": labels(1, 64, 1) }),        json!({ "metadata": labels(1, 65, 1) }),       "metadata.labels (a key): at most 64"),
        (json!({ "metadata": labels(1, 1, 256) }),       json!({ "metadata": labels(1, 1, 257) }),      "metadata.labels (a value): at most 256"),
    ];
    for (within, beyond, says) in table {
        let taken = askfile.call("upload_create", within.clone()).await;
        assert_eq!(taken["ok"], true, "{within}: {taken}");
        for tool in ["upload_create", "upload_request"] {
            let mut beyond = beyond.clone();
            if tool == "upload_request" && beyond.get("prompt").is_none() {
                beyond["prompt"] = json!("x");
            }
            let message = refusal(&askfile.call(tool, beyond).await, says);
            assert!(message.contains(says), "{says}: {message}");
        }
    }
}

#[tokio::test]
async fn each_argument_of_status_and_request_has_its_bounds() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let (token, id) = (&link.token, &link.upload_id);
    #[rustfmt::skip]
    let table = [
        ("upload_status",  json!({}),                                  "exactly one of token and upload_id"),
        ("upload_status",  json!({ "token": token, "upload_id": id }), "exactly one of token and upload_id"),
        ("upload_status",  json!({ "token": 7 }),                      "token: "),
        ("upload_status",  json!({ "token": token, "wait_seconds": -0.1 }),    "wait_seconds: between 0 and 3,600"),
        ("upload_status",  json!({ "token": token, "wait_seconds": 3_600.1 }), "wait_seconds: between 0 and 3,600"),
        ("upload_status",  json!({ "token": token, "wait_seconds": "5" }),     "wait_seconds: "),
        ("upload_cancel",  json!({}),                                  "exactly one of token and upload_id"),
        ("upload_cancel",  json!({ "token": token, "upload_id": id }), "exactly one of token and upload_id"),
        ("upload_request", json!({}),                                  "prompt: say which file"),
        ("upload_request", json!({ "prompt": " \n" }),                 "prompt: say which file"),
        ("upload_request", json!({ "token": token, "prompt": "x" }),   "token: give it alone"),
        ("upload_request", json!({ "token": token, "timeout": 0 }),    "timeout: more than 0"),
    ];
    for (tool, arguments, says) in table {
        let message = refusal(&askfile.call(tool, arguments).await, says);
        assert!(message.contains(says), "{says}: {message}");
    }
}

#[tokio::test]
async fn each_argument_of_attaching_has_its_bounds() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let media = askfile.put(&link, PNG).await["media_id"].clone();
    let attach = |name: &'static str, value: Value| {
        let mut arguments = json!({ "target_type": "post", "target_id": "7", "media_id": media });
        arguments[name] = value;
        askfile.call("attach_media", arguments)
    };
    #[rustfmt::skip]
    let table = [
        ("target_type", json!("a".repeat(64)), json!("a".repeat(65)), "target_type: 1 to 64"),
        ("target_type", json!("a_b-0"),        json!("Post"),         "target_type: 1 to 64"),
        ("target_type", json!("x"),            json!(""),             "target_type: 1 to 64"),
        ("target_type", json!("y"),            json!("a b"),          "target_type: 1 to 64"),
        ("target_type", json!("z"),            json!("ä"),            "target_type: 1 to 64"),
        ("target_id",   json!(text(200)),      json!(text(201)),      "target_id: 1 to 200"),
        ("target_id",   json!(" "),            json!(""),             "target_id: 1 to 200"),
        ("alt",         json!(text(2000)),     json!(text(2001)),     "alt: at most 2,000"),
        ("position",    json!(0),              json!(-1),             "position: invalid value: integer `-1`, expected a whole number, 0 or more."),
        ("position",    json!(9),              json!(1.5),            "position: invalid type: number `1.5`, expected a whole number"),
        ("position",    json!(1_000_000),      json!(1_000_001),      "position: at most 1,000,000"),
    ];
    for (name, within, beyond, says) in table {
        let taken = attach(name, within.clone()).await;
        assert_eq!(taken["ok"], true, "{name} {within}: {taken}");
        let message = refusal(&attach(name, beyond).await, says);
        assert!(message.contains(says), "{says}: {message}");
    }
    let target = json!({ "target_type": "post", "target_id": "7" });
    let two = json!({ "target_type": "post", "target_id": "7", "upload_token": link.token, "upload_id": link.upload_id });
    for arguments in [target, two] {
        let message = refusal(&askfile.call("attach_media", arguments).await, "which");
        assert!(
            message.contains("exactly one of upload_token, upload_id, media_id and upload_key")
        );
    }
    let missing = askfile
        .call("attach_media", json!({ "target_id": "7", "media_id": "x" }))
        .await;
    assert!(refusal(&missing, "missing").contains("target_type"));
}

#[tokio::test]
async fn whatever_names_no_session_is_answered_alike() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let first = askfile.call("upload_status", json!({ "token": "x" })).await;
    assert_eq!(
        (&first["code"], &first["error_kind"]),
        (&json!("NOT_FOUND"), &json!("not_found"))
    );
    let hint = first["hint"].as_str().unwrap().to_lowercase();
    assert!(
        hint.contains("mint a new link with upload_create; do not fall back to a local path"),
        "{hint}"
    );
    let to_close = askfile.call("upload_cancel", json!({ "token": "x" })).await;
    assert_eq!(to_close["code"], "NOT_FOUND");
    assert!(!to_close["hint"].as_str().unwrap().contains("Mint"));
    for which in [
        json!({ "token": "11111111-2222-4333-8444-555555555555" }),
        json!({ "token": "" }),
        json!({ "token": link.upload_id }),
        json!({ "token": link.token.replace('-', "") }),
        json!({ "upload_id": link.token }),
        json!({ "upload_id": "upl_01KDVDNA000000000000000000" }),
        json!({ "upload_id": link.upload_id.trim_start_matches("upl_") }),
    ] {
        for (tool, first) in [("upload_status", &first), ("upload_cancel", &to_close)] {
            let answer = askfile.call(tool, which.clone()).await;
            assert_eq!(&answer, first, "{tool} {which}");
        }
    }
}

#[tokio::test]
async fn a_workspace_is_named_by_its_id_or_its_alias() {
    let askfile = Askfile::start().await;
    let operator = askfile.service.operator("a test");
    let own = askfile
        .service
        .workspaces(&operator)
        .await
        .unwrap()
        .remove(0);
    for named in [
        own.id.to_string(),
        own.alias.to_string(),
        own.alias.to_string().to_uppercase(),
    ] {
        let created = askfile
            .call("upload_create", json!({ "workspace_id": named }))
            .await;
        assert_eq!(
            created["workspace_id"],
            own.id.to_string(),
            "{named}: {created}"
        );
    }
    for unknown in [
        "11111111-2222-4333-8444-555555555555",
        "w-00000",
        "mine",
        "",
    ] {
        let refused = askfile
            .call("upload_create", json!({ "workspace_id": unknown }))
            .await;
        assert_eq!(refused["code"], "NOT_FOUND", "{unknown}");
    }
}

#[tokio::test]
async fn what_is_asked_for_is_what_the_link_takes() {
    let askfile = Askfile::start().await;
    let asked = json!({
        "allowed_mime_types": ["image/png", "image/jpeg"], "max_size_bytes": 7_000, "max_files": 3,
        "expires_in_seconds": 120, "prompt": "x",
    });
    let created = askfile.call("upload_create", asked).await;
    assert_eq!(
        created["limits"],
        json!({
            "allowed_mime_types": ["image/png", "image/jpeg"], "field_name": "media", "max_files": 3,
            "max_size_bytes": 7_000, "max_size_bytes_by_kind": { "image": 7_000 },
        })
    );
    assert_eq!(
        (&created["created_at"], &created["expires_at"]),
        (
            &json!("2026-01-01T00:00:00Z"),
            &json!("2026-01-01T00:02:00Z")
        )
    );
    let url = created["upload_url"].as_str().unwrap();
    assert!(url.starts_with(PUBLIC_URL), "{url}");
    assert_eq!(
        created["curl"],
        format!("curl -X POST \"{url}\" -F \"media=@FILE\"")
    );
}
