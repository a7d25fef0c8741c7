//! `media_import`: what the client forwards, what is at an address, and what is in the call itself.

use std::net::TcpListener;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    keys::message,
    web::{Link, get, put},
};

async fn import(askfile: &Askfile, arguments: Value) -> Value {
    askfile.call("media_import", arguments).await
}

#[tokio::test]
async fn what_is_in_the_call_is_taken_in_as_any_file() {
    let askfile = Askfile::start().await;
    let data = BASE64_STANDARD.encode(PNG);
    for data in [
        data.clone(),
        data.trim_end_matches('=').to_owned(),
        format!("data:image/png;base64,{data}"),
        format!("{}\n{}", &data[..40], &data[40..]),
        data.replace('+', "-").replace('/', "_"),
    ] {
        let answer = import(&askfile, json!({ "data": data, "file_name": "a.txt" })).await;
        assert_eq!(answer["status"], "completed", "{answer}");
        let media = &answer["result"]["media"][0];
        assert_eq!(media["mime_type"], "image/png", "by its content");
        assert_eq!(media["original_filename"], "a.txt");
        assert!(answer["suggestions"][0].is_string() && answer["upload_url"].is_null());
    }
    // Some clients fill in every argument, and some models write it as an address.
    for more in [
        json!({ "data": data, "url": " ", "file": {}, "purpose": "", "workspace_id": "" }),
        json!({ "data": data, "file": "", "file_name": null }),
        json!({ "data": data, "file": { "download_url": "", "file_id": null } }),
        json!({ "url": format!("data:image/png;base64,{data}"), "data": "" }),
    ] {
        let answer = import(&askfile, more).await;
        assert_eq!(answer["status"], "completed", "{answer}");
    }
    let stored = askfile.stored();
    assert_eq!(stored.len(), 9);
    for (wrong, code) in [
        (json!({ "data": "!" }), "INVALID_ARGUMENT"),
        (json!({ "data": "A".repeat(10_001) }), "INVALID_ARGUMENT"),
        (json!({ "data": "" }), "FILE_MISSING"),
        (
            json!({ "data": data, "purpose": "bananas" }),
            "INVALID_ARGUMENT",
        ),
        (
            json!({ "data": BASE64_STANDARD.encode("MZ\x00\x01"), "purpose": "post_media" }),
            "MIME_NOT_ALLOWED",
        ),
        (json!({}), "INVALID_ARGUMENT"),
        (
            json!({ "data": data, "url": "https://example.com/a" }),
            "INVALID_ARGUMENT",
        ),
        (
            json!({ "file": {}, "url": "", "file_name": "a" }),
            "INVALID_ARGUMENT",
        ),
        (json!({ "file": 7 }), "INVALID_ARGUMENT"),
    ] {
        let refused = import(&askfile, wrong.clone()).await;
        assert_eq!(refused["code"], code, "{wrong}: {refused}");
    }
    assert_eq!(askfile.stored(), stored, "what is refused leaves nothing");
    assert_eq!(askfile.staged(), [""; 0]);
    let open =
        "SELECT count(*) FROM upload_session WHERE state IN ('pending', 'receiving', 'checking')";
    assert_eq!(askfile.count(open), 0);
}

#[tokio::test]
async fn what_only_the_chat_can_reach_is_answered_with_a_link() {
    let askfile = Askfile::start().await;
    for place in [
        json!({ "file": "chat_upload://image_0" }),
        json!({ "file": { "download_url": "sandbox:/mnt/data/a.png", "file_id": "x" } }),
        json!({ "url": "/mnt/data/a.png" }),
        json!({ "url": "file:///home/ana/a.png" }),
        json!({ "url": "attachment:0" }),
        json!({ "file": { "file_id": "file-abc" } }),
        json!({ "file": { "download_url": "http://files.example.com/a.png", "file_id": "f" } }),
        json!({ "url": format!("/{}.pdf", "a".repeat(3_000)) }),
        json!({ "file": { "download_url": "https://files.example.com/a.png?x", "file_id": "f" } }),
    ] {
        let answer = import(&askfile, place.clone()).await;
        assert_eq!(
            (&answer["ok"], &answer["status"]),
            (&json!(true), &json!("pending")),
            "{place}"
        );
        let action = answer["next_action"].as_str().unwrap();
        assert!(action.starts_with("Nothing was taken in"), "{action}");
        let url = answer["upload_url"].as_str().unwrap();
        let instruction = answer["instruction"].as_str().unwrap();
        assert!(instruction.contains(url));
        let is_named = place.to_string().contains("a.png");
        assert_eq!(
            instruction.contains("this: a.png"),
            is_named,
            "{instruction}"
        );
        let (base, query) = url.split_once('?').unwrap();
        let link = Link {
            upload_id: String::new(),
            token: base.rsplit_once('/').unwrap().1.to_owned(),
            workspace_id: String::new(),
            query: query.to_owned(),
        };
        assert_eq!(askfile.send(get(&link.path())).await.status, 200);
        assert_eq!(askfile.send(put(&link, PNG)).await.status, 201);
    }
}

#[tokio::test]
async fn nothing_is_fetched_but_from_hosts_that_the_operator_names() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let closed = Askfile::start().await;
    let open = Askfile::start_with(|settings| {
        settings.import_hosts = ["*"].map(|any| any.parse().unwrap()).into();
    });
    let open = open.await;
    for (askfile, code) in [(&closed, "PERMISSION_DENIED"), (&open, "UNAVAILABLE")] {
        for host in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0",
            "2130706433",
        ] {
            let url = format!("https://{host}:{port}/a.png?signature=s3cret");
            let refused = import(askfile, json!({ "url": url })).await;
            assert_eq!(refused["code"], code, "{host}: {refused}");
            assert!(!refused.to_string().contains("s3cret"), "{refused}");
            let file = json!({ "download_url": url, "file_id": "f" });
            let answer = import(askfile, json!({ "file": file })).await;
            // The person can send what the server does not fetch.
            let is_asked = answer["upload_url"].is_string();
            assert!(is_asked && code == "PERMISSION_DENIED" || answer["code"] == code);
            assert!(!answer.to_string().contains("s3cret"), "{answer}");
        }
    }
    for wrong in [
        format!("http://localhost:{port}/a.png"),
        format!(" HTTP://localhost:{port}/a.png"),
        format!("https://ana@localhost:{port}/a.png"),
        format!("https://:word@localhost:{port}/a.png"),
        " ".into(),
        "https://".into(),
        format!("https://localhost:{port}/{}", "a".repeat(8_000)),
    ] {
        let refused = import(&open, json!({ "url": wrong })).await;
        assert_eq!(refused["code"], "INVALID_ARGUMENT", "{wrong}: {refused}");
    }
    assert!(listener.accept().is_err(), "nobody came");
    assert_eq!(open.stored(), [""; 0]);
}

#[tokio::test]
async fn a_client_that_forwards_files_finds_where_to_put_them() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("agent", "asset:upload", &[]).await;
    let listed = askfile.rpc(Some(&key), "tools/list", json!({})).await;
    let tools = message(&listed)["result"]["tools"].take();
    let tools = tools.as_array().unwrap();
    let tool = tools
        .iter()
        .find(|tool| tool["name"] == "media_import")
        .unwrap();
    assert_eq!(tool["_meta"]["openai/fileParams"], json!(["file"]));
    let file = &tool["inputSchema"]["properties"]["file"];
    assert_eq!(file["type"], "object", "just what ChatGPT takes: {file}");
    let mut fields: Vec<&String> = file["properties"].as_object().unwrap().keys().collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["download_url", "file_id", "file_name", "mime_type"]
    );
    assert_eq!(file["required"], json!(["download_url", "file_id"]));
    for field in fields {
        assert_eq!(file["properties"][field]["type"], "string", "{file}");
    }
}
