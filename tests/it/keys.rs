//! Mode `keys`: a key opens what it was made for, as long as it lives, and nothing else does.

use std::time::Duration;

use askfile::{Error, domain::capability::Capability};
use axum::http::header;
use serde_json::json;

use crate::harness::{
    Askfile, PNG,
    body::Feed,
    keys::{ALL, mcp, message},
    secs,
    web::{Link, With, put},
};

#[tokio::test]
async fn nobody_comes_in_without_a_key() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("laptop", ALL, &[]).await;
    let ended = askfile.key_for("old", ALL, &[], Some(Duration::from_secs(60)));
    let ended = ended.await;
    askfile.clock.advance(secs(60));
    let revoked = askfile.key("lost", ALL, &[]).await;
    let operator = askfile.service.operator("a test");
    askfile.service.revoke_key(&operator, "lost").await.unwrap();

    let list = async |key: Option<&str>| askfile.rpc(key, "tools/list", json!({})).await;
    assert_eq!(list(Some(&key)).await.status, 200);
    let none = list(None).await;
    none.is(401, "UNAUTHENTICATED", "no key");
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"askfile\"");
    assert_eq!(none.json()["error_kind"], "auth_failed");
    let longer = format!("{key}x");
    let unknown = list(Some("askfile_x")).await;
    unknown.is(401, "UNAUTHENTICATED", "unknown");
    for key in [&ended, &revoked, &longer, "a b", &key.to_uppercase()] {
        let answer = list(Some(key)).await;
        assert_eq!(answer.body, unknown.body, "all are answered alike: {key}");
        assert_eq!(answer.status, 401);
    }
}

#[tokio::test]
async fn a_key_is_shown_in_one_way() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("laptop", ALL, &[]).await;
    let with = |value: String| mcp(None, "tools/list", json!({})).with("authorization", &value);
    for good in [format!("Bearer {key}"), format!("bearer {key}")] {
        assert_eq!(askfile.send(with(good.clone())).await.status, 200, "{good}");
    }
    for bad in [
        key.clone(),
        format!("Basic {key}"),
        format!("Bearer{key}"),
        "Bearer ".into(),
        "Bearer".into(),
    ] {
        assert_eq!(askfile.send(with(bad.clone())).await.status, 401, "{bad}");
    }
    let twice = with(format!("Bearer {key}")).with("authorization", &format!("Bearer {key}"));
    assert_eq!(askfile.send(twice).await.status, 401, "which one?");
    let mut in_query = mcp(None, "tools/list", json!({}));
    *in_query.uri_mut() = format!("/mcp?access_token={key}").parse().unwrap();
    assert_eq!(askfile.send(in_query).await.status, 401);
}

#[tokio::test]
async fn a_key_is_kept_by_its_hash_alone() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("laptop", ALL, &[]).await;
    askfile.tools_of(&key).await;
    for file in ["askfile.db", "askfile.db-wal"] {
        let bytes = askfile.raw(file);
        let found = bytes.windows(key.len()).any(|part| part == key.as_bytes());
        assert!(!found, "{file}");
    }
    let operator = askfile.service.operator("a test");
    let kept = askfile.service.keys(&operator).await.unwrap().remove(0);
    assert!(key.starts_with(&kept.prefix) && kept.prefix.len() < 20);
}

#[tokio::test]
async fn what_a_key_is_not_allowed_is_not_there() {
    let askfile = Askfile::with_keys().await;
    let all = [
        "attach_media",
        "media_delete",
        "media_get",
        "media_list",
        "media_import",
        "upload_cancel",
        "upload_create",
        "upload_request",
        "upload_status",
    ];
    for (allow, hidden) in [
        (ALL, &[][..]),
        ("media:read, media:attach, media:delete", &all[4..8]),
        ("asset:upload, media:attach, media:delete", &all[2..4]),
        ("asset:upload, media:read, media:delete", &all[..1]),
        ("asset:upload, media:read, media:attach", &all[1..2]),
        ("", &all[..8]),
        ("admin", &all[..8]),
    ] {
        let key = askfile.key(&format!("may {allow}"), allow, &[]).await;
        let mut listed = askfile.tools_of(&key).await;
        listed.sort_unstable();
        let mut expected: Vec<_> = all.iter().filter(|tool| !hidden.contains(tool)).collect();
        expected.sort_unstable();
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{allow}");
        for tool in hidden {
            let refused = askfile.call_with(&key, tool, json!({})).await;
            let (code, kind) = if tool.starts_with("upload") || *tool == "media_import" {
                ("TOOL_NOT_ENABLED", "not_enabled")
            } else {
                ("PERMISSION_DENIED", "auth_failed")
            };
            assert_eq!(refused["code"], code, "{allow}: {tool}");
            assert_eq!(refused["error_kind"], kind, "{allow}: {tool}");
        }
        let status = json!({ "token": "11111111-2222-4333-8444-555555555555" });
        let status = askfile.call_with(&key, "upload_status", status).await;
        assert_eq!(status["code"], "NOT_FOUND", "{allow}");
    }
    let refused = askfile.key("nothing", "", &[]).await;
    let refused = askfile
        .call_with(&refused, "upload_create", json!({}))
        .await;
    assert_eq!(
        refused["hint"],
        "Hosted upload is not available here; use a local file path if you have one."
    );
}

#[tokio::test]
async fn without_a_key_the_settings_say_what_callers_may() {
    let askfile = Askfile::start_with(|settings| {
        settings.capabilities = "media:read".parse().unwrap();
    });
    let askfile = askfile.await;
    let refused = askfile.call("upload_create", json!({})).await;
    assert_eq!(refused["code"], "TOOL_NOT_ENABLED");
    let refused = askfile
        .call("media_delete", json!({ "media_id": "x" }))
        .await;
    assert_eq!(refused["code"], "PERMISSION_DENIED");
    assert_eq!(askfile.call("media_list", json!({})).await["ok"], true);
}

#[tokio::test]
async fn what_a_key_may_changes_with_its_next_request() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("laptop", "media:read", &[]).await;
    let neighbour = askfile.neighbour().await;
    let operator = neighbour.service.operator("a test");
    let (upload, create) = (Capability::AssetUpload, "upload_create");
    for (is_on, code) in [(true, json!(null)), (false, json!("TOOL_NOT_ENABLED"))] {
        let switched = neighbour.service.allow_key(&operator, "laptop", |before| {
            if is_on {
                before.with(upload)
            } else {
                before.without(upload)
            }
        });
        switched.await.unwrap();
        let answer = askfile.call_with(&key, create, json!({})).await;
        assert_eq!(answer["code"], code);
        let listed = askfile.tools_of(&key).await;
        assert_eq!(listed.contains(&create.to_owned()), is_on);
    }
}

#[tokio::test]
async fn only_an_administrator_says_what_keys_may() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    askfile.key("agent", ALL, &["st-one"]).await;
    askfile
        .key("both", ALL, &["st-one", &askfile.home().await])
        .await;
    let agent = askfile.caller("plain", ALL, &["st-one"]).await;
    let admin = askfile.caller("admin", "admin", &["st-one"]).await;
    let service = &askfile.service;
    let allow = |caller, name| service.allow_key(caller, name, |before| before);
    let refused = allow(&agent, "agent").await;
    assert!(matches!(refused, Err(Error::PermissionDenied(_))));
    allow(&admin, "agent").await.unwrap();
    for other in ["both", "nobody"] {
        let refused = allow(&admin, other).await.unwrap_err();
        assert_eq!(refused.row().code, "NOT_FOUND", "{other}");
        assert!(refused.row().hint.starts_with("Create it first"));
    }
    service.revoke_key(&admin, "agent").await.unwrap();
    let refused = allow(&admin, "agent").await;
    assert!(matches!(refused, Err(Error::NoSuchKey)), "it is revoked");
    let refused = service.create_workspace(&admin, "Mine", None).await;
    assert!(matches!(refused, Err(Error::PermissionDenied(_))));
    let home = askfile.home().await;
    let refused = service
        .rename_workspace(&admin, &home, Some("x"), None)
        .await;
    assert!(matches!(refused, Err(Error::NoSuchWorkspace(_))));
    let seen = service.workspaces(&admin).await.unwrap();
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn a_key_of_several_workspaces_says_which() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    askfile.workspace("st-two").await;
    let key = askfile.key("both", ALL, &["st-one", "st-two"]).await;
    let refused = askfile.call_with(&key, "upload_create", json!({})).await;
    assert_eq!(
        refused["message"],
        "workspace_id: name one of st-one, st-two."
    );
    let named = json!({ "workspace_id": "st-two" });
    let made = askfile
        .call_with(&key, "upload_create", named.clone())
        .await;
    let link = Link::of(&made);
    askfile.put(&link, PNG).await;
    let listed = askfile.call_with(&key, "media_list", named).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let other = json!({ "workspace_id": "st-one" });
    let listed = askfile.call_with(&key, "media_list", other).await;
    assert_eq!(listed["items"], json!([]));
    let one = askfile.key("one", ALL, &["st-one"]).await;
    for named in ["st-two", "st-nono"] {
        let named = json!({ "workspace_id": named });
        let refused = askfile.call_with(&one, "upload_create", named).await;
        assert_eq!(refused["code"], "NOT_FOUND");
    }
}

#[tokio::test]
async fn the_page_names_the_person_whose_agent_asks() {
    let askfile = Askfile::with_keys().await;
    let operator = askfile.service.operator("a test");
    let request = askfile::service::keys::KeyRequest {
        name: "laptop".into(),
        person: Some(("Ana".into(), Some("Ana@Example.com".into()))),
        workspaces: Vec::new(),
        capabilities: ALL.parse().unwrap(),
        expires_in: None,
    };
    let made = askfile.service.create_key(&operator, request.clone()).await;
    let (key, secret) = made.unwrap();
    let made = askfile.call_with(secret.reveal(), "upload_create", json!({}));
    let link = Link::of(&made.await);
    let page = askfile.send(crate::harness::web::get(&link.path())).await;
    assert!(page.html().contains("Ana’s agent"));
    let again = askfile::service::keys::KeyRequest {
        name: "phone".into(),
        ..request
    };
    let (second, _) = askfile.service.create_key(&operator, again).await.unwrap();
    assert_eq!(second.principal.id, key.principal.id, "one person");
    assert_eq!(key.principal.email.as_deref(), Some("ana@example.com"));
}

#[tokio::test]
async fn what_somebody_asked_for_is_found_again() {
    let askfile = Askfile::with_keys().await;
    let (ana, bea) = (
        askfile.key("ana", ALL, &[]).await,
        askfile.key("bea", ALL, &[]).await,
    );
    let made = askfile.call_with(&ana, "upload_create", json!({})).await;
    askfile.put(&Link::of(&made), PNG).await;
    for (key, mine) in [(&ana, 1), (&bea, 0)] {
        let listed = json!({ "created_by": "me" });
        let listed = askfile.call_with(key, "media_list", listed).await;
        assert_eq!(listed["items"].as_array().unwrap().len(), mine);
        let all = askfile.call_with(key, "media_list", json!({})).await;
        assert_eq!(all["items"].as_array().unwrap().len(), 1);
    }
    let refused = json!({ "created_by": "ana" });
    let refused = askfile.call_with(&ana, "media_list", refused).await;
    assert_eq!(refused["code"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_key_that_is_revoked_ends_its_waits_and_closes_its_links() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("laptop", ALL, &[]).await;
    let made = askfile.call_with(&key, "upload_create", json!({})).await;
    let link = Link::of(&made);
    let (feed, body) = Feed::new();
    feed.send(PNG);
    let sending = tokio::spawn(askfile.open(put(&link, body)));
    let receiving = json!({ "token": link.token });
    while askfile
        .call_with(&key, "upload_status", receiving.clone())
        .await["phase"]
        != "receiving"
    {
        tokio::task::yield_now().await;
    }
    let wait = json!({ "token": link.token, "wait_seconds": 45 });
    let waiting = askfile.call_with(&key, "upload_status", wait);
    let revoking = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let operator = askfile.service.operator("a test");
        askfile.service.revoke_key(&operator, "laptop").await
    };
    let began = std::time::Instant::now();
    let (waited, revoked) = tokio::join!(waiting, revoking);
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "it is told at once"
    );
    assert_eq!(waited["code"], "UNAUTHENTICATED", "{waited}");
    assert_eq!(revoked.unwrap().1, 1, "one link was open");
    drop(feed);
    assert_eq!(sending.await.unwrap().status(), 409);
    assert_eq!((askfile.stored(), askfile.staged()), (vec![], vec![]));
    let refused = askfile.rpc(Some(&key), "tools/list", json!({})).await;
    assert_eq!(refused.status, 401);
}

#[tokio::test]
async fn while_a_key_is_replaced_both_secrets_open() {
    let askfile = Askfile::with_keys().await;
    let old = askfile.key("laptop", ALL, &[]).await;
    let made = askfile.call_with(&old, "upload_create", json!({})).await;
    let operator = askfile.service.operator("a test");
    let rotated = askfile
        .service
        .rotate_key(&operator, "laptop", Duration::from_secs(60));
    let (_, new) = rotated.await.unwrap();
    let mine = json!({ "token": made["token"] });
    for key in [&old, new.reveal()] {
        let status = askfile.call_with(key, "upload_status", mine.clone()).await;
        assert_eq!(status["ok"], true);
    }
    askfile.clock.advance(secs(60));
    let refused = askfile.rpc(Some(&old), "tools/list", json!({})).await;
    assert_eq!(refused.status, 401);
    let status = askfile.call_with(new.reveal(), "upload_status", mine).await;
    assert_eq!(status["status"], "pending", "its links stay");
}

#[tokio::test]
async fn an_archived_workspace_is_closed_to_everybody() {
    let askfile = Askfile::with_keys().await;
    askfile.workspace("st-one").await;
    let key = askfile.key("laptop", ALL, &["st-one"]).await;
    let made = askfile.call_with(&key, "upload_create", json!({})).await;
    let stored = askfile.put(&Link::of(&made), PNG).await;
    let made = askfile.call_with(&key, "upload_create", json!({})).await;
    let operator = askfile.service.operator("a test");
    let (service, which) = (&askfile.service, json!({ "media_id": stored["media_id"] }));
    let wait = json!({ "token": made["token"], "wait_seconds": 45 });
    let waiting = askfile.call_with(&key, "upload_status", wait);
    let archiving = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        service.archive_workspace(&operator, "st-one", true).await
    };
    let (waited, archived) = tokio::join!(waiting, archiving);
    assert_eq!(waited["code"], "NOT_FOUND", "{waited}");
    assert_eq!(archived.unwrap().1, 1);
    let refused = askfile.send(put(&Link::of(&made), PNG)).await;
    refused.is(409, "CANCELLED", "its links are closed");
    let refused = askfile.call_with(&key, "upload_create", json!({})).await;
    assert_eq!(refused["code"], "PERMISSION_DENIED");
    let refused = askfile.call_with(&key, "media_get", which.clone()).await;
    assert_eq!(refused["code"], "NOT_FOUND");
    let taken_up = service.archive_workspace(&operator, "st-one", false).await;
    taken_up.unwrap();
    let found = askfile.call_with(&key, "media_get", which).await;
    assert_eq!(found["ok"], true, "its files have stayed");
    let home = askfile.home().await;
    let refused = service.archive_workspace(&operator, &home, true).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn a_cursor_leads_nowhere_but_into_ones_own_workspace() {
    let askfile = Askfile::with_keys().await;
    let mut lists = Vec::new();
    for alias in ["st-one", "st-two"] {
        askfile.workspace(alias).await;
        let key = askfile.key(alias, ALL, &[alias]).await;
        for _ in 0..3 {
            let made = askfile.call_with(&key, "upload_create", json!({})).await;
            askfile.put(&Link::of(&made), PNG).await;
        }
        let all = askfile.call_with(&key, "media_list", json!({})).await;
        let first = json!({ "limit": 1 });
        let first = askfile.call_with(&key, "media_list", first).await;
        lists.push((key, all["items"].clone(), first["next_cursor"].clone()));
    }
    for ((key, mine, _), (_, _, cursor)) in [(&lists[0], &lists[1]), (&lists[1], &lists[0])] {
        assert!(cursor.is_string());
        let listed = json!({ "cursor": cursor });
        let listed = askfile.call_with(key, "media_list", listed).await;
        let mine = mine.as_array().unwrap();
        for item in listed["items"].as_array().into_iter().flatten() {
            assert!(mine.contains(item), "{item}");
        }
    }
}

#[tokio::test]
async fn it_is_known_to_the_minute_when_a_key_was_used() {
    let askfile = Askfile::with_keys().await;
    let key = askfile.key("laptop", ALL, &[]).await;
    let operator = askfile.service.operator("a test");
    let used = || async {
        // It is noted beside the request.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let keys = askfile.service.keys(&operator).await.unwrap();
        keys[0].last_used_at
    };
    assert_eq!(used().await, None);
    askfile.tools_of(&key).await;
    let first = used().await.unwrap();
    askfile.clock.advance(secs(59));
    askfile.tools_of(&key).await;
    assert_eq!(used().await, Some(first));
    askfile.clock.advance(secs(1));
    askfile.tools_of(&key).await;
    assert_eq!(used().await, Some(first + secs(60)));
}

#[tokio::test]
async fn with_keys_a_public_name_may_lead_to_the_tools() {
    let askfile = Askfile::start_with(|settings| {
        settings.auth = askfile::config::Auth::KEYS;
        settings.public_url = Some("https://files.example.com".into());
    });
    let askfile = askfile.await;
    let key = askfile.key("laptop", ALL, &[]).await;
    let list = |host: &str| {
        let mut list = mcp(Some(&key), "tools/list", json!({}));
        let host = host.parse().unwrap();
        list.headers_mut().insert(header::HOST, host);
        list.with("x-forwarded-for", "192.0.2.7")
    };
    let answer = askfile.send(list("files.example.com")).await;
    assert!(message(&answer)["result"]["tools"].is_array());
    let strange = askfile.send(list("evil.example")).await;
    strange.is(403, "PERMISSION_DENIED", "a name that is not ours");
    for origin in ["https://evil.example", "null"] {
        let foreign = list("files.example.com").with("origin", origin);
        let foreign = askfile.send(foreign).await;
        foreign.is(403, "PERMISSION_DENIED", origin);
    }
    let own = list("files.example.com").with("origin", "https://files.example.com");
    assert_eq!(askfile.send(own).await.status, 200);
    let cross = list("files.example.com").with("sec-fetch-site", "cross-site");
    askfile
        .send(cross)
        .await
        .is(403, "PERMISSION_DENIED", "another page's");
}
