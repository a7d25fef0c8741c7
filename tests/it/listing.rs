//! `media_list`: the files of a workspace, a page at a time.

use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::Form,
    mins,
    web::{Link, post},
};

async fn send(askfile: &Askfile, link: &Link, name: &str, bytes: &[u8]) {
    let sent = askfile.send(post(link, Form::with(name, bytes))).await;
    sent.receipt();
    askfile.clock.advance(mins(1));
}

async fn names(askfile: &Askfile, wanted: Value) -> Vec<String> {
    let listed = askfile.call("media_list", wanted).await;
    let items = listed["items"].as_array();
    let items = items.unwrap_or_else(|| panic!("{listed}")).iter();
    items
        .map(|item| item["original_filename"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn files_are_listed_newest_first_with_all_that_is_known_of_them() {
    let askfile = Askfile::start().await;
    let asked = json!({ "metadata": { "labels": { "trip": "Oslo" } } });
    let link = askfile.ask(asked).await;
    send(&askfile, &link, "one.png", PNG).await;
    send(&askfile, &askfile.link().await, "two.txt", b"text").await;
    let listed = askfile.call("media_list", json!({})).await;
    assert_eq!(listed["items"][0]["original_filename"], "two.txt");
    let one = &listed["items"][1];
    let id = one["media_id"].as_str().unwrap();
    for (field, value) in [
        ("kind", json!("image")),
        ("upload_id", json!(link.upload_id)),
        ("labels", json!({ "trip": "Oslo" })),
        ("created_at", json!("2026-01-01T00:00:00Z")),
        ("upload_key", json!(format!("medias/{id}.png"))),
        ("purpose", json!("general")),
    ] {
        assert_eq!(one[field], value, "{field}");
    }
    assert!(one["handles"]["media"].as_str().unwrap().starts_with("md_"));
    assert_eq!(listed["next_cursor"], json!(null));
}

#[tokio::test]
async fn a_filter_narrows_the_list() {
    let askfile = Askfile::start().await;
    let labelled = json!({ "metadata": { "labels": { "trip": "Oslo", "by": "Ann" } } });
    let link = askfile.ask(labelled).await;
    send(&askfile, &link, "ÉTÉ.png", PNG).await;
    let link = askfile.link().await;
    send(&askfile, &link, "winter.txt", b"snow").await;
    for (wanted, found) in [
        (json!({ "kind": "image" }), vec!["ÉTÉ.png"]),
        (json!({ "mime_type": "image/*" }), vec!["ÉTÉ.png"]),
        (json!({ "mime_type": "text/plain" }), vec!["winter.txt"]),
        (json!({ "name_contains": "été" }), vec!["ÉTÉ.png"]),
        (json!({ "name_contains": "%" }), vec![]),
        (json!({ "labels": { "trip": "Oslo" } }), vec!["ÉTÉ.png"]),
        (json!({ "labels": { "trip": "Oslo", "by": "Bo" } }), vec![]),
        (
            json!({ "since": "2026-01-01T00:01:00Z" }),
            vec!["winter.txt"],
        ),
        (
            json!({ "since": "2026-01-01T01:00:00+01:00" }),
            vec!["winter.txt", "ÉTÉ.png"],
        ),
        (
            json!({ "kind": "image", "name_contains": "winter" }),
            vec![],
        ),
        (
            json!({ "workspace_id": link.workspace_id }),
            vec!["winter.txt", "ÉTÉ.png"],
        ),
    ] {
        assert_eq!(names(&askfile, wanted.clone()).await, found, "{wanted}");
    }
}

#[tokio::test]
async fn every_file_is_on_one_page_whatever_comes_in_between() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 7 })).await;
    for n in 0..5 {
        send(&askfile, &link, &format!("{n}.png"), PNG).await;
    }
    let mut seen = Vec::new();
    let mut wanted = json!({ "limit": 2 });
    loop {
        let page = askfile.call("media_list", wanted.clone()).await;
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["original_filename"].clone()));
        if page["next_cursor"].is_null() {
            break;
        }
        wanted["cursor"] = page["next_cursor"].clone();
        if seen.len() == 2 {
            send(&askfile, &link, "late.png", PNG).await;
        }
    }
    assert_eq!(
        seen,
        ["4.png", "3.png", "2.png", "1.png", "0.png"],
        "what comes later is on no later page"
    );
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_how() {
    let askfile = Askfile::start().await;
    for (wanted, told) in [
        (json!({ "limit": 0 }), "limit: 1 to 100"),
        (json!({ "limit": 101 }), "limit: 1 to 100"),
        (json!({ "cursor": "x" }), "next_cursor"),
        (json!({ "mime_type": "png" }), "image/*"),
        (json!({ "since": "yesterday" }), "2026-01-31T00:00:00Z"),
        (json!({ "kind": "picture" }), "kind"),
        (json!({ "name_contains": "x".repeat(201) }), "200"),
        (json!({ "name": "x" }), "name_contains"),
    ] {
        let refused = askfile.call("media_list", wanted.clone()).await;
        assert_eq!(refused["code"], "INVALID_ARGUMENT", "{wanted}");
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains(told), "{wanted}: {message}");
    }
    let elsewhere = json!({ "workspace_id": "w-00000" });
    let refused = askfile.call("media_list", elsewhere).await;
    assert_eq!(refused["code"], "NOT_FOUND");
}
