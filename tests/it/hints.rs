//! What an agent is told to do next is something that it can do, and that helps.

use askfile::{
    config::Auth,
    domain::{
        attachment::{Room, TargetType},
        purpose::{Purpose, Suggestion},
    },
};
use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    keys::{ALL, mcp},
    secs,
    web::{Link, at, get, press, put, request},
};

const NOWHERE: &str = "11111111-2222-4333-8444-555555555555";

/// What is told of this failure.
fn hint<'a>(answer: &'a Value, code: &str) -> &'a str {
    assert_eq!(answer["code"], code, "{answer}");
    answer["hint"].as_str().unwrap()
}

async fn stored(askfile: &Askfile) -> (Link, String) {
    let link = askfile.link().await;
    let receipt = askfile.put(&link, PNG).await;
    (link, receipt["media_id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn who_names_no_file_is_not_sent_to_the_person() {
    let askfile = Askfile::start().await;
    let (link, media) = stored(&askfile).await;
    let post = json!({ "target_type": "post", "target_id": "7" });
    for named in [NOWHERE, &link.token, "md_x", ""] {
        for tool in ["media_get", "media_delete", "attach_media"] {
            let mut arguments = json!({ "media_id": named });
            if tool == "attach_media" {
                arguments["target_type"] = post["target_type"].clone();
                arguments["target_id"] = post["target_id"].clone();
            }
            let answer = askfile.call(tool, arguments).await;
            let hint = hint(&answer, "NOT_FOUND");
            assert!(
                hint.contains("media_list") && !hint.contains("upload_create"),
                "{tool}: {hint}"
            );
        }
    }
    let key = json!({ "upload_key": "medias/x.png", "target_type": "post", "target_id": "7" });
    let answer = askfile.call("attach_media", key).await;
    assert!(hint(&answer, "NOT_FOUND").contains("media_list"));
    let token = json!({ "upload_token": NOWHERE, "target_type": "post", "target_id": "7" });
    let answer = askfile.call("attach_media", token).await;
    assert!(hint(&answer, "NOT_FOUND").contains("upload_create"));
    let agent = askfile.agent("Claude").await;
    let uri = format!("askfile://{NOWHERE}/media/{media}");
    let hint = agent.read(&uri).await.unwrap_err().data.unwrap()["hint"].take();
    assert!(hint.as_str().unwrap().contains("media_list"), "{hint}");
}

#[tokio::test]
async fn who_names_no_workspace_is_told_so() {
    let askfile = Askfile::start().await;
    for (tool, mut arguments) in [
        ("upload_create", json!({})),
        ("upload_request", json!({ "prompt": "a photo" })),
        ("media_list", json!({})),
        ("media_import", json!({ "data": "eA==" })),
        ("media_import", json!({ "url": "sandbox:/x.png" })),
    ] {
        for named in [NOWHERE, "w-nope"] {
            arguments["workspace_id"] = json!(named);
            let answer = askfile.call(tool, arguments.clone()).await;
            let hint = hint(&answer, "NOT_FOUND");
            assert!(hint.starts_with("Leave workspace_id out"), "{tool}: {hint}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_closed_needs_no_new_link() {
    let askfile = Askfile::start().await;
    let close = async |link: &Link| {
        let which = json!({ "token": link.token });
        askfile.call("upload_cancel", which).await
    };
    let (brought, _) = stored(&askfile).await;
    assert!(hint(&close(&brought).await, "ALREADY_USED").contains("media_delete"));
    let declined = askfile.link().await;
    askfile.send(press(&declined.below("/decline"))).await;
    assert!(hint(&close(&declined).await, "DECLINED").starts_with("There is nothing to close"));
    let lapsed = askfile.link().await;
    askfile.clock.advance(secs(900));
    assert!(hint(&close(&lapsed).await, "LINK_EXPIRED").starts_with("There is nothing to close"));
}

#[tokio::test]
async fn an_agent_is_told_that_closing_deletes_what_has_come() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 3 })).await;
    askfile.put(&link, PNG).await;
    let closed = askfile.call("upload_cancel", json!({ "token": link.token }));
    let next = closed.await["next_action"].take();
    assert!(
        next.as_str()
            .unwrap()
            .contains("what had come by it is deleted"),
        "{next}"
    );
    let listed = askfile.call("media_list", json!({})).await;
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn what_a_target_refuses_is_not_said_of_the_link() {
    let askfile = Askfile::start_with(|settings| {
        let kind = |name: &str, accepts: &[&str], most| TargetType {
            name: name.into(),
            accepts: accepts.iter().map(|text| text.parse().unwrap()).collect(),
            room: Room {
                most,
                one_shot: false,
            },
        };
        settings.target_types = vec![
            kind("post", &["video/mp4"], None),
            kind("avatar", &[], Some(1)),
        ];
    })
    .await;
    let (_, media) = stored(&askfile).await;
    let attach = async |media: &str, kind: &str| {
        let what = json!({ "media_id": media, "target_type": kind, "target_id": "7" });
        askfile.call("attach_media", what).await
    };
    let refused = attach(&media, "post").await;
    assert!(!hint(&refused, "MIME_NOT_ALLOWED").contains("link still works"));
    assert_eq!(attach(&media, "avatar").await["ok"], true);
    let (_, other) = stored(&askfile).await;
    let full = attach(&other, "avatar").await;
    assert!(hint(&full, "CONFLICT").starts_with("Nothing was attached"));
    let kept = askfile.call("media_delete", json!({ "media_id": media }));
    assert!(hint(&kept.await, "CONFLICT").contains("force: true"));
}

#[tokio::test]
async fn of_deleted_files_no_link_is_said_to_have_expired() {
    let askfile = Askfile::start().await;
    let post = |link: &Link| json!({ "upload_token": link.token, "target_type": "post", "target_id": "7" });
    let (unused, deleted) = stored(&askfile).await;
    let (attached, forced) = stored(&askfile).await;
    assert_eq!(
        askfile.call("attach_media", post(&attached)).await["ok"],
        true
    );
    for media in [deleted, forced] {
        let delete = json!({ "media_id": media, "force": true });
        assert_eq!(askfile.call("media_delete", delete).await["ok"], true);
    }
    for link in [&unused, &attached] {
        let next = askfile.status(link).await["next_action"].take();
        assert!(
            next.as_str().unwrap().starts_with("The files were deleted"),
            "{next}"
        );
        let token = json!({ "token": link.token });
        for (tool, arguments) in [("attach_media", post(link)), ("upload_request", token)] {
            let answer = askfile.call(tool, arguments).await;
            assert!(
                hint(&answer, "NOT_FOUND").starts_with("Ask for them again"),
                "{tool}"
            );
            assert_eq!(answer["message"], "The files of this upload were deleted.");
        }
    }
}

#[tokio::test]
async fn who_has_an_old_address_of_a_file_asks_for_a_fresh_one() {
    let askfile = Askfile::start().await;
    let (_, media) = stored(&askfile).await;
    let wanted = json!({ "media_id": media, "expires_in_seconds": 1 });
    let shown = askfile.call("media_get", wanted).await;
    for name in ["download_url", "preview_url"] {
        let url = shown[name].as_str().unwrap();
        let altered = format!("{url}x");
        let refused = askfile.fetch(&altered).await.json();
        assert!(
            hint(&refused, "LINK_INVALID").contains("media_get"),
            "{name}"
        );
    }
    askfile.clock.advance(secs(2));
    let old = askfile.fetch(shown["download_url"].as_str().unwrap()).await;
    assert!(hint(&old.json(), "LINK_EXPIRED").contains("media_get"));
    let which = json!({ "media_id": media });
    let fresh = askfile.call("media_get", which.clone()).await["download_url"].take();
    askfile.call("media_delete", which).await;
    let gone = askfile.fetch(fresh.as_str().unwrap()).await;
    assert!(hint(&gone.json(), "NOT_FOUND").starts_with("The file was deleted"));
}

#[tokio::test]
async fn several_files_can_be_ended_by_who_sends_them_with_a_shell() {
    let askfile = Askfile::start().await;
    let session = askfile
        .call("upload_create", json!({ "max_files": 3 }))
        .await;
    let link = Link::of(&session);
    let note = session["agent_note"].as_str().unwrap();
    let curl = format!(
        "curl -X POST \"{}{}\"",
        askfile.service.public_url(),
        link.below("/done")
    );
    assert!(note.ends_with(&curl), "{note}");
    askfile.put(&link, PNG).await;
    let next = askfile.status(&link).await["next_action"].take();
    assert!(next.as_str().unwrap().contains(&curl), "{next}");
    // As curl sends it: without a body, and without anything that says so.
    let done = askfile.send(press(&link.below("/done"))).await;
    assert_eq!(done.status, StatusCode::OK);
    let over = askfile
        .call("upload_request", json!({ "token": link.token }))
        .await;
    assert_eq!(over["outcome"], "uploaded");
    assert!(
        over["agent_note"]
            .as_str()
            .unwrap()
            .contains("no file any more"),
        "{over}"
    );
}

#[tokio::test]
async fn who_goes_on_waiting_is_told_what_has_come_and_what_went_wrong() {
    let askfile = Askfile::start().await;
    let wait = async |link: &Link| {
        let arguments = json!({ "token": link.token, "timeout": 0.01 });
        askfile.call("upload_request", arguments).await
    };
    let several = askfile.ask(json!({ "max_files": 3 })).await;
    askfile.put(&several, PNG).await;
    let next = wait(&several).await["next_action"].take();
    assert!(
        next.as_str().unwrap().starts_with("1 of at most 3 files"),
        "{next}"
    );

    let link = askfile.link().await;
    let refused = askfile.send(put(&link, &PNG[..60])).await;
    let failure = refused.json();
    assert!(
        hint(&failure, "MALFORMED_BODY").contains("good copy"),
        "{failure}"
    );
    let answer = wait(&link).await;
    assert_eq!(answer["last_error"]["code"], "MALFORMED_BODY", "{answer}");
    let agent = askfile.agent("Claude").await;
    let create = json!({ "wait": true, "timeout": 1 });
    let failing = async {
        let said = agent.progress().await;
        let url = said
            .split_whitespace()
            .find(|word| word.contains("/uploads/"));
        let body = Body::from(&PNG[..60]);
        let put = request(Method::PUT, at(url.unwrap())).body(body);
        askfile.send(put.unwrap()).await
    };
    let (answer, failed) = tokio::join!(agent.call("upload_create", create), failing);
    assert_eq!(failed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["last_error"]["code"], "MALFORMED_BODY", "{answer}");
}

#[tokio::test]
async fn what_is_not_taken_in_can_be_had_in_another_way() {
    let askfile = Askfile::start_with(|settings| settings.quota_stored = Some(0)).await;
    let data = json!({ "data": "eA==", "file_name": "x.txt" });
    let full = askfile.call("media_import", data).await;
    assert!(hint(&full, "QUOTA_EXCEEDED").contains("media_delete"));
    let url = json!({ "url": "https://files.example.com/a.png" });
    let closed = askfile.call("media_import", url).await;
    assert!(hint(&closed, "PERMISSION_DENIED").contains("upload_create"));
    let nameless = json!({ "file": { "mime_type": "image/png" } });
    let answer = askfile.call("media_import", nameless).await;
    assert_eq!(answer["message"], "file: it has no download_url.");
}

#[tokio::test]
async fn a_link_that_was_opened_is_not_to_be_relayed_again() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    askfile.send(get(&link.path())).await;
    let next = askfile.status(&link).await["next_action"].take();
    assert!(
        next.as_str().unwrap().starts_with("The link was opened"),
        "{next}"
    );
}

#[tokio::test]
async fn a_blank_prompt_is_none() {
    let askfile = Askfile::start().await;
    for blank in ["", " \n "] {
        let session = askfile
            .call("upload_create", json!({ "prompt": blank }))
            .await;
        let instruction = session["instruction"].as_str().unwrap();
        assert!(
            instruction.starts_with("Please send the file.\n"),
            "{instruction}"
        );
    }
}

#[tokio::test]
async fn only_calls_that_the_caller_may_make_are_suggested() {
    let askfile = Askfile::with_keys().await;
    let suggested = async |key: &str, link: &Link| {
        let which = json!({ "token": link.token });
        askfile.call_with(key, "upload_status", which).await
    };
    let all = askfile.key("all", ALL, &[]).await;
    let link = Link::of(&askfile.call_with(&all, "upload_create", json!({})).await);
    askfile.put(&link, PNG).await;
    let answer = suggested(&all, &link).await;
    assert!(
        answer["suggestions"][0]
            .as_str()
            .unwrap()
            .starts_with("attach_media(")
    );
    let asks = askfile.key("asks", "asset:upload", &[]).await;
    let answer = suggested(&asks, &link).await;
    assert_eq!(answer.get("suggestions"), None);
    assert_eq!(
        answer["next_action"],
        "The file is there: use result.handles."
    );
    let import = json!({ "data": "eA==", "file_name": "x.txt" });
    let imported = askfile.call_with(&asks, "media_import", import).await;
    assert_eq!(
        (&imported["status"], imported.get("suggestions")),
        (&json!("completed"), None)
    );
    let linked = async |key: &str| {
        let call = json!({ "name": "upload_status", "arguments": { "token": link.token } });
        let answer = askfile.rpc(Some(key), "tools/call", call).await;
        String::from_utf8_lossy(&answer.body).contains("resource_link")
    };
    assert!(linked(&all).await && !linked(&asks).await);
}

#[tokio::test]
async fn the_one_target_that_a_file_can_go_on_is_suggested() {
    let askfile = Askfile::start_with(|settings| {
        settings.purposes.push(Purpose {
            name: "invoices".into(),
            target_types: vec!["invoice".into()],
            suggestions: vec![Suggestion {
                call: "attach_media(upload_token=\"{upload_token}\", target_type=…)".into(),
                several_images: None,
            }],
            ..settings.purposes[0].clone()
        });
    })
    .await;
    let link = askfile.ask(json!({ "purpose": "invoices" })).await;
    askfile.put(&link, PNG).await;
    let suggestions = askfile.status(&link).await["suggestions"].take();
    let call = suggestions[0].as_str().unwrap();
    assert!(call.contains("target_type=\"invoice\""), "{call}");
}

#[tokio::test]
async fn where_people_sign_in_nobody_is_sent_for_a_key() {
    let builtin = Auth {
        keys: false,
        builtin: true,
        ..Auth::KEYS
    };
    let askfile = Askfile::start_with(|settings| settings.auth = builtin).await;
    let answer = askfile.send(mcp(None, "tools/list", json!({}))).await;
    answer.is(401, "UNAUTHENTICATED", "nobody has signed in");
    let answer = answer.json();
    assert!(
        hint(&answer, "UNAUTHENTICATED").contains("sign in"),
        "{answer}"
    );
}
