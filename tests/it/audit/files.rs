//! Links and files: every step, and nothing secret.

use super::*;

#[tokio::test]
async fn every_step_of_a_file_is_noted_with_who_took_it() {
    let askfile = Askfile::start().await;
    let ana = askfile.person("Ana", &[], Capabilities::AGENT).await;
    let link = askfile.link_of(&ana, CreateRequest::default()).await;
    for _ in 0..2 {
        askfile.send(get(&link.path())).await;
    }
    let media = askfile.put(&link, b"text").await["media_id"].take();
    let media = media.as_str().unwrap();
    for _ in 0..2 {
        attach(&askfile, &ana, What::Session(by_token(&link))).await;
    }
    let shown = askfile
        .service
        .show_media(&ana, MediaRef::named(media), None);
    let shown = shown.await.unwrap();
    askfile.fetch(&shown.download_url).await;
    let deleted = askfile
        .service
        .delete_media(&ana, MediaRef::named(media), true);
    deleted.await.unwrap();

    let upload = link.upload_id.as_str();
    let created = json!({ "purpose": "general", "max_files": 1 });
    let uploaded = json!({ "upload_id": upload, "mime_type": "text/plain", "size_bytes": 4 });
    let target = json!({ "target_type": "post", "target_id": "7" });
    let deleted = json!({ "upload_id": upload, "force": true });
    let log = askfile.log().await;
    let log: Vec<_> = log[2..]
        .iter()
        .map(|of| (super::told(of), of.subject.as_str(), of.detail.clone()))
        .collect();
    let told = |what: &str, subject, detail| (what.to_owned(), subject, detail);
    assert_eq!(
        log,
        [
            told("Ana upload.created", upload, created),
            told("link upload.opened", upload, json!({})),
            told("link media.uploaded", media, uploaded),
            told("link upload.completed", upload, json!({})),
            told("Ana upload.consumed", upload, json!({})),
            told("Ana media.attached", media, target),
            told("Ana media.read", media, json!({ "what": "link" })),
            told("link media.downloaded", media, json!({ "what": "file" })),
            told("Ana media.deleted", media, deleted),
        ]
    );
}

#[tokio::test]
async fn an_actor_is_known_by_principal_name_and_key() {
    let askfile = Askfile::start().await;
    let (key, secret) = askfile.secret("Ana", &[], Capabilities::AGENT).await;
    let ana = askfile.service.identify(&secret).await.unwrap();
    askfile.link_of(&ana, CreateRequest::default()).await;
    askfile.link().await;
    let log = askfile.log().await;
    let [.., by_ana, by_agent] = &log[..] else {
        panic!("{log:?}");
    };
    assert_eq!(by_ana.actor.kind(), "user");
    assert_eq!(by_ana.actor.principal(), Some(ana.principal.id));
    assert_eq!(by_ana.actor.api_key().unwrap().to_string(), key);
    assert_eq!(by_ana.workspace_id, Some(ana.workspaces[0]));
    assert_eq!(by_ana.at, askfile.service.now());
    assert_eq!(
        (by_agent.actor.kind(), by_agent.actor.name()),
        ("system", Some("Claude")),
        "without a key, an agent has the name that it says"
    );
    assert_eq!(by_agent.actor.api_key(), None);
}

#[tokio::test]
async fn a_program_that_comes_over_http_is_known_by_its_key() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("laptop", ALL, &[]).await;
    let made = askfile.call_with(&key, "upload_create", json!({})).await;
    let last = askfile.log().await.pop().unwrap();
    assert_eq!(told(&last), "laptop upload.created");
    assert_eq!(last.subject, made["upload_id"].as_str().unwrap());
    assert_eq!(last.actor.kind(), "api_key");
    assert!(last.actor.api_key().is_some());
}

#[tokio::test]
async fn what_time_brings_is_askfiles_own_doing() {
    let askfile = Askfile::start_with(|settings| {
        settings.purposes[0].retain_seconds = Some(3_600);
    })
    .await;
    let lapsed = askfile.link().await;
    let half_full = askfile.ask(json!({ "max_files": 2 })).await;
    askfile.put(&half_full, b"text").await;
    askfile.clock.advance(mins(20));
    askfile.service.sweep().await.unwrap();
    askfile.clock.advance(mins(60));
    askfile.service.sweep().await.unwrap();
    let log = askfile.log().await;
    let ends: Vec<_> = log[4..]
        .iter()
        .map(|of| {
            (
                told(of),
                of.subject.clone(),
                of.detail["expired_because"].clone(),
            )
        })
        .collect();
    let line = |what: &str, subject: &str, why: Value| (what.to_owned(), subject.to_owned(), why);
    let media = &log[3].subject;
    assert_eq!(
        ends,
        [
            line("system upload.expired", &lapsed.upload_id, json!("link")),
            line("system upload.completed", &half_full.upload_id, json!(null)),
            line("system media.retired", media, json!(null)),
            line(
                "system upload.expired",
                &half_full.upload_id,
                json!("retention")
            ),
        ]
    );
}

#[tokio::test]
async fn a_file_that_does_not_pass_its_check_is_noted_and_once() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let damaged = &PNG[..PNG.len() - 30];
    let refused = askfile.send(put(&link, damaged)).await;
    assert_ne!(refused.status, StatusCode::CREATED, "{refused:?}");
    let blocked = askfile.log().await.pop().unwrap();
    assert_eq!(told(&blocked), "system media.blocked");
    assert_eq!(blocked.detail["upload_id"], link.upload_id.as_str());
    assert_eq!(blocked.detail["code"], refused.failure().1.as_str());
    askfile.clock.advance(mins(31 * 24 * 60));
    assert_eq!(askfile.service.sweep().await.unwrap().retired_media, 1);
    let told = askfile.told().await;
    let deleted = told.iter().filter(|line| line.contains(" media."));
    assert_eq!(deleted.count(), 2, "{told:?}");
}

#[tokio::test]
async fn whoever_closes_a_link_is_named_and_what_had_come_is_told_as_deleted() {
    let askfile = Askfile::start().await;
    for who in ["link", "Claude"] {
        let link = askfile.ask(json!({ "max_files": 2 })).await;
        let media = askfile.put(&link, b"text").await["media_id"].take();
        for _ in 0..2 {
            let closed = if who == "link" {
                askfile.send(press(&link.below("/decline"))).await.json()
            } else {
                let which = json!({ "token": link.token });
                askfile.call("upload_cancel", which).await
            };
            assert_ne!(closed["ok"], false, "{closed}");
        }
        let log = askfile.log().await;
        let end = match who {
            "link" => "upload.declined",
            _ => "upload.cancelled",
        };
        let last: Vec<_> = log[log.len() - 3..].iter().map(told).collect();
        let expected = [
            "link media.uploaded".to_owned(),
            format!("{who} media.deleted"),
            format!("{who} {end}"),
        ];
        assert_eq!(last, expected);
        assert_eq!(log[log.len() - 2].subject, media.as_str().unwrap());
    }
}

#[tokio::test]
async fn a_link_of_several_files_is_completed_by_who_said_so() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    askfile.put(&link, b"text").await;
    askfile.send(press(&link.below("/done"))).await;
    let other = askfile.ask(json!({ "max_files": 2 })).await;
    askfile.put(&other, b"text").await;
    let agent = askfile.service.open_caller(Some("Claude"));
    let done = askfile.service.complete(&agent, by_token(&other)).await;
    done.unwrap();
    let told = askfile.told().await;
    assert_eq!(told[2], "link upload.completed");
    assert_eq!(told[5], "Claude upload.completed");
}

#[tokio::test]
async fn a_picture_is_completed_by_who_sent_it_although_it_is_checked_in_between() {
    let askfile = Askfile::start().await;
    askfile.put(&askfile.link().await, PNG).await;
    assert_eq!(
        askfile.told().await[1..],
        ["link media.uploaded", "link upload.completed"]
    );
}

#[tokio::test]
async fn a_file_that_goes_out_is_noted_and_a_part_of_it_too() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let sent = askfile.send(post(&link, Form::with("a.png", PNG))).await;
    let media = sent.receipt()["media_id"].take();
    let shown = askfile
        .call("media_get", json!({ "media_id": media }))
        .await;
    let [file, preview] = ["download_url", "preview_url"].map(|name| shown[name].as_str().unwrap());
    let etag = format!("\"{}\"", shown["sha256"].as_str().unwrap());
    let head = request(Method::HEAD, at(file)).body(axum::body::Body::empty());
    for unnoted in [
        head.unwrap(),
        get(at(file)).with("range", "bytes=9999-"),
        get(at(file)).with("if-none-match", &etag),
        get(&format!("{}0", at(file))),
    ] {
        askfile.send(unnoted).await;
    }
    assert_eq!(askfile.told().await.last().unwrap(), "Claude media.read");
    for (asked, what) in [
        (get(at(file)), "file"),
        (get(at(file)).with("range", "bytes=9-"), "file"),
        (get(at(preview)), "preview"),
    ] {
        let before = askfile.log().await.len();
        askfile.send(asked).await;
        let log = askfile.log().await;
        assert_eq!(log.len(), before + 1, "{what}");
        assert_eq!(told(&log[before]), "link media.downloaded");
        assert_eq!(log[before].detail["what"], what);
    }
    let uri = format!(
        "askfile://{}/media/{}",
        link.workspace_id,
        media.as_str().unwrap()
    );
    askfile.agent("Inspector").await.read(&uri).await.unwrap();
    assert_eq!(askfile.told().await.last().unwrap(), "Inspector media.read");
}

#[tokio::test]
async fn nothing_that_is_secret_or_personal_is_in_any_line() {
    let askfile = Askfile::start().await;
    let (_, secret) = askfile.secret("Ana", &[], Capabilities::AGENT).await;
    let ana = askfile.service.identify(&secret).await.unwrap();
    let asked = |max_files| CreateRequest {
        prompt: Some("Your tax return please".into()),
        max_files: Some(max_files),
        metadata: serde_json::from_value(json!({
            "name": "Tax of Bea", "external_id": "case-4711", "labels": { "who": "Bea-label" },
        }))
        .unwrap(),
        ..CreateRequest::default()
    };
    let link = askfile.link_of(&ana, asked(1)).await;
    askfile.send(get(&link.path())).await;
    let form = Form::default().text("description", "Of my daughter");
    let form = form.file("media", "bea-tax-2025.txt", b"Income: none");
    let sent = askfile.send(post(&link, form)).await.receipt();
    let media = sent["media_id"].as_str().unwrap();
    let shown = askfile
        .service
        .show_media(&ana, MediaRef::named(media), None);
    let shown = shown.await.unwrap();
    askfile.fetch(&shown.download_url).await;
    attach(&askfile, &ana, What::Session(by_token(&link))).await;
    let declined = askfile.link_of(&ana, asked(2)).await;
    let because = press(&declined.below("/decline")).with("content-type", "application/json");
    let because = because.map(|_| axum::body::Body::from(r#"{"reason":"Too private"}"#));
    assert_eq!(askfile.send(because).await.status, StatusCode::OK);
    let deleted = askfile
        .service
        .delete_media(&ana, MediaRef::named(media), true);
    deleted.await.unwrap();
    let operator = askfile.operator();
    let hour = Duration::from_secs(3_600);
    let rotated = askfile.service.rotate_key(&operator, "Ana", hour).await;
    let (key, other_secret) = rotated.unwrap();
    askfile.service.revoke_key(&operator, "Ana").await.unwrap();

    let signature = |query: &str| query.rsplit_once("signature=").unwrap().1.to_owned();
    let secrets = [
        link.token.clone(),
        link.token.replace('-', ""),
        signature(&link.query),
        signature(&shown.download_url),
        declined.token.clone(),
        secret.reveal()[8..].to_owned(),
        other_secret.reveal()[8..].to_owned(),
        key.prefix[8..].to_owned(),
        secret.prefix()[8..].to_owned(),
        "bea-tax".into(),
        "Your tax".into(),
        "Tax of Bea".into(),
        "case-4711".into(),
        "Bea-label".into(),
        "daughter".into(),
        "Income".into(),
        "Too private".into(),
        shown.media.handles[0].1.clone(),
    ];
    let db = askfile.database();
    let mut lines = db.prepare("SELECT * FROM audit").unwrap();
    let columns = lines.column_count();
    let mut rows = lines.query([]).unwrap();
    let mut seen = 0;
    while let Some(row) = rows.next().unwrap() {
        seen += 1;
        for column in 0..columns {
            let text = match row.get_ref(column).unwrap() {
                ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                ValueRef::Blob(blob) => askfile::link::hex(blob),
                other => format!("{other:?}"),
            };
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "{secret}: {text}");
            }
        }
    }
    assert!(seen > 10, "{seen} lines");
}
