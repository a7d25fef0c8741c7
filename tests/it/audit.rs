//! The audit log: every change leaves its line, with who made it, and nothing that should be kept
//! from whoever reads it.

use std::time::Duration;

use askfile::{
    Error,
    domain::{
        api_key::Secret,
        attachment::Target,
        audit::{Entry, EntryId},
        caller::Caller,
        capability::{Capabilities, Capability},
        session::UploadSession,
    },
    service::{AttachRequest, CreateRequest, What, audit::AuditRequest, keys::KeyRequest},
    store::{MediaRef, SessionRef, audit::Start},
};
use axum::http::{Method, StatusCode};
use jiff::Timestamp;
use rusqlite::{Connection, types::ValueRef};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::Form,
    mins, secs,
    web::{Link, With, at, get, post, press, put, request},
};

impl Askfile {
    fn operator(&self) -> Caller {
        self.service.operator("askfile keys")
    }

    /// All lines that somebody gets to see, in pages.
    async fn log_of(&self, caller: &Caller, asked: AuditRequest) -> askfile::Result<Vec<Entry>> {
        let (mut lines, mut start) = (Vec::new(), Some(asked.start));
        while let Some(at) = start {
            let page = AuditRequest {
                start: at,
                ..asked.clone()
            };
            let page = self.service.audit(caller, page).await?;
            assert!(page.entries.len() <= 500, "{}", page.entries.len());
            lines.extend(page.entries);
            start = page.next;
        }
        Ok(lines)
    }

    async fn log(&self) -> Vec<Entry> {
        self.log_of(&self.operator(), everything()).await.unwrap()
    }

    /// The log from its second line on, which follows how the installation began: who, and what.
    async fn told(&self) -> Vec<String> {
        let log = self.log().await;
        assert_eq!(told(&log[0]), "system workspace.created");
        log[1..].iter().map(told).collect()
    }

    /// A key, and whoever comes with it.
    async fn key(&self, name: &str, workspaces: &[&str], capabilities: Capabilities) -> Caller {
        let (_, secret) = self.secret(name, workspaces, capabilities).await;
        self.service.identify(&secret).await.unwrap()
    }

    async fn secret(
        &self,
        name: &str,
        workspaces: &[&str],
        capabilities: Capabilities,
    ) -> (String, Secret) {
        let request = KeyRequest {
            name: name.into(),
            person: Some((name.into(), None)),
            workspaces: workspaces.iter().map(ToString::to_string).collect(),
            capabilities,
            expires_in: None,
        };
        let made = self.service.create_key(&self.operator(), request).await;
        let (key, secret) = made.unwrap();
        (key.id.to_string(), secret)
    }

    async fn workspace(&self, name: &str, alias: &str) {
        let operator = self.operator();
        let made = self.service.create_workspace(&operator, name, Some(alias));
        made.await.unwrap();
    }

    /// A link that somebody made.
    async fn link_of(&self, caller: &Caller, request: CreateRequest) -> Link {
        let session = self.service.create(caller, request).await.unwrap();
        let UploadSession { id, token, .. } = session;
        Link {
            upload_id: id.to_string(),
            token: token.to_string(),
            workspace_id: session.workspace_id.to_string(),
            query: self.service.link_query(&session).to_string(),
        }
    }

    fn database(&self) -> Connection {
        let folder = &self.service.settings().data_dir;
        Connection::open(folder.join("askfile.db")).unwrap()
    }
}

fn everything() -> AuditRequest {
    AuditRequest {
        workspace: None,
        start: Start::At(Timestamp::MIN),
        until: None,
        action: None,
        actor: None,
    }
}

/// Who, and what.
fn told(entry: &Entry) -> String {
    let who = entry.actor.name().unwrap_or(entry.actor.kind());
    format!("{who} {}", entry.action.as_str())
}

fn by_token(link: &Link) -> SessionRef {
    SessionRef::Token(link.token.parse().unwrap())
}

async fn attach(askfile: &Askfile, caller: &Caller, what: What) {
    let request = AttachRequest {
        what,
        target: Target {
            kind: "post".into(),
            id: "7".into(),
        },
        alt: None,
        position: None,
    };
    askfile.service.attach(caller, request).await.unwrap();
}

#[tokio::test]
async fn every_step_of_a_file_is_noted_with_who_took_it() {
    let askfile = Askfile::start().await;
    let ana = askfile.key("Ana", &[], Capabilities::AGENT).await;
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
        .map(|of| (told(of), of.subject.as_str(), of.detail.clone()))
        .collect();
    let line = |what: &str, subject, detail| (what.to_owned(), subject, detail);
    assert_eq!(
        log,
        [
            line("Ana upload.created", upload, created),
            line("link upload.opened", upload, json!({})),
            line("link media.uploaded", media, uploaded),
            line("link upload.completed", upload, json!({})),
            line("Ana upload.consumed", upload, json!({})),
            line("Ana media.attached", media, target),
            line("Ana media.read", media, json!({ "what": "link" })),
            line("link media.downloaded", media, json!({ "what": "file" })),
            line("Ana media.deleted", media, deleted),
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
            let closed = match who {
                "link" => askfile.send(press(&link.below("/decline"))).await.json(),
                _ => {
                    let which = json!({ "token": link.token });
                    askfile.call("upload_cancel", which).await
                }
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
async fn what_a_key_may_do_is_told_as_it_was_and_as_it_is() {
    let askfile = Askfile::start().await;
    let operator = askfile.operator();
    let (_, secret) = askfile.secret("Ana", &[], Capabilities::AGENT).await;
    let ana = askfile.service.identify(&secret).await.unwrap();
    let allow = |change: fn(Capabilities) -> Capabilities| {
        askfile.service.allow_key(&operator, "Ana", change)
    };
    allow(|all| all.without(Capability::AssetUpload))
        .await
        .unwrap();
    allow(|same| same).await.unwrap();
    allow(|all| all.with(Capability::AssetUpload))
        .await
        .unwrap();
    let service = &askfile.service;
    let rotated = service.rotate_key(&operator, "Ana", Duration::from_secs(60));
    rotated.await.unwrap();
    askfile.link_of(&ana, CreateRequest::default()).await;
    service.revoke_key(&operator, "Ana").await.unwrap();

    let log = askfile.log().await;
    assert_eq!(
        askfile.told().await,
        [
            "askfile keys key.created",
            "askfile keys key.denied",
            "askfile keys key.allowed",
            "askfile keys key.rotated",
            "Ana upload.created",
            "askfile keys key.revoked",
            "askfile keys upload.cancelled",
        ]
    );
    let all = ["asset:upload", "media:read", "media:attach", "media:delete"];
    let principal = ana.principal.id.to_string();
    let made = json!({
        "name": "Ana", "principal_id": principal, "capabilities": all, "expires_at": null,
    });
    assert_eq!(log[1].detail, made);
    let denied = json!({ "name": "Ana", "from": all, "to": &all[1..] });
    assert_eq!(log[2].detail, denied);
    let allowed = json!({ "name": "Ana", "from": &all[1..], "to": all });
    assert_eq!(log[3].detail, allowed);
    assert_eq!(log[4].detail["overlap_seconds"], 60);
}

#[tokio::test]
async fn a_workspace_is_told_by_what_it_was_called_and_is_called() {
    let askfile = Askfile::start().await;
    let (service, operator) = (&askfile.service, askfile.operator());
    askfile.workspace("Acme", "w-acme").await;
    let renamed = service.rename_workspace(&operator, "w-acme", Some("Acme & Co"), None);
    renamed.await.unwrap();
    let same = service.rename_workspace(&operator, "w-acme", Some("Acme & Co"), None);
    same.await.unwrap();
    let ana = askfile.key("Ana", &["w-acme"], Capabilities::AGENT).await;
    askfile.link_of(&ana, CreateRequest::default()).await;
    for is_archived in [true, true, false] {
        let archived = service.archive_workspace(&operator, "w-acme", is_archived);
        archived.await.unwrap();
    }
    assert_eq!(
        askfile.told().await,
        [
            "askfile keys workspace.created",
            "askfile keys workspace.renamed",
            "askfile keys key.created",
            "Ana upload.created",
            "askfile keys workspace.archived",
            "askfile keys upload.cancelled",
            "askfile keys workspace.reopened",
        ]
    );
    let log = askfile.log().await;
    let before = json!({ "name": "Acme", "alias": "w-acme" });
    let after = json!({ "name": "Acme & Co", "alias": "w-acme" });
    assert_eq!(log[1].detail, before);
    assert_eq!(log[2].detail, json!({ "from": before, "to": after }));
    assert!(
        log[1..]
            .iter()
            .all(|of| of.workspace_id == Some(ana.workspaces[0]))
    );
}

#[tokio::test]
async fn a_file_that_goes_out_is_noted_from_its_first_byte_and_once() {
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
        get(at(file)).with("range", "bytes=9-"),
        get(at(file)).with("range", "bytes=9999-"),
        get(at(file)).with("if-none-match", &etag),
        get(&format!("{}0", at(file))),
    ] {
        askfile.send(unnoted).await;
    }
    assert_eq!(askfile.told().await.last().unwrap(), "Claude media.read");
    for (asked, what) in [
        (get(at(file)), "file"),
        (get(at(file)).with("range", "bytes=0-3"), "file"),
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

#[tokio::test]
async fn a_change_that_fails_leaves_no_line() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    askfile.put(&link, b"text").await;
    let before = askfile.log().await;
    let database = askfile.database();
    let consume = json!({ "upload_token": link.token, "target_type": "post", "target_id": "7" });
    // The last of what consuming does.
    database
        .execute_batch(
            "CREATE TRIGGER breaks AFTER UPDATE OF is_attached ON media
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .unwrap();
    let refused = askfile.call("attach_media", consume.clone()).await;
    assert_eq!(refused["code"], "INTERNAL");
    let unknown = json!({ "media_id": "01890000-0000-7000-8000-000000000000" });
    assert_eq!(askfile.call("media_delete", unknown).await["ok"], false);
    let again = askfile.call("upload_cancel", json!({ "token": link.token }));
    assert_eq!(again.await["ok"], false);
    assert_eq!(askfile.log().await, before);
    database.execute_batch("DROP TRIGGER breaks").unwrap();
    assert_eq!(askfile.call("attach_media", consume).await["ok"], true);
    assert_eq!(askfile.log().await.len(), before.len() + 2);
}

#[tokio::test]
async fn what_cannot_be_noted_is_not_done_but_a_file_goes_out() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    let media = askfile.put(&link, b"text").await["media_id"].take();
    let shown = askfile
        .call("media_get", json!({ "media_id": media }))
        .await;
    let database = askfile.database();
    database
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON audit
             BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .unwrap();
    let deleted = askfile.call("media_delete", json!({ "media_id": media }));
    assert_eq!(deleted.await["code"], "INTERNAL");
    let file = askfile.fetch(shown["download_url"].as_str().unwrap()).await;
    assert_eq!(
        (file.status, &file.body[..]),
        (StatusCode::OK, &b"text"[..])
    );
    database.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(askfile.told().await.last().unwrap(), "Claude media.read");
}

#[tokio::test]
async fn a_line_is_neither_changed_nor_replaced_nor_deleted() {
    let askfile = Askfile::start().await;
    askfile.link().await;
    let before = askfile.log().await;
    let database = askfile.database();
    for statement in [
        "UPDATE audit SET actor_name = 'Bea'",
        "UPDATE audit SET id = id + 100 WHERE id = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE id = 1",
        "INSERT OR REPLACE INTO audit SELECT 1, 0, NULL, 'link', NULL, NULL, NULL, 'x', 'y', '{}'",
        "INSERT INTO audit SELECT * FROM audit WHERE id = 1 ON CONFLICT DO UPDATE SET at = 0",
    ] {
        let refused = database.execute(statement, []).unwrap_err().to_string();
        assert!(refused.contains("only added to"), "{statement}: {refused}");
    }
    assert_eq!(askfile.log().await, before);
}

#[tokio::test]
async fn the_log_of_a_workspace_is_for_those_who_administer_it() {
    let askfile = Askfile::start().await;
    askfile.workspace("Ours", "w-ours").await;
    askfile.workspace("Theirs", "w-theirs").await;
    let ours = askfile.key("Ana", &["w-ours"], Capabilities::ALL).await;
    let theirs = askfile.key("Bea", &["w-theirs"], Capabilities::ALL).await;
    let both = askfile
        .key("Cem", &["w-ours", "w-theirs"], Capabilities::ALL)
        .await;
    let agent = askfile.key("Dan", &["w-ours"], Capabilities::AGENT).await;
    askfile.link_of(&ours, CreateRequest::default()).await;
    askfile.link_of(&theirs, CreateRequest::default()).await;

    let in_workspace = |name: &str| AuditRequest {
        workspace: Some(name.into()),
        ..everything()
    };
    let seen = askfile.log_of(&theirs, everything()).await.unwrap();
    assert_eq!(
        seen.iter().map(told).collect::<Vec<_>>(),
        [
            "askfile keys workspace.created",
            "askfile keys key.created",
            "askfile keys key.created",
            "Bea upload.created",
        ],
        "her own key, and the one that opens both"
    );
    let named = askfile.log_of(&theirs, in_workspace("w-theirs")).await;
    assert_eq!(named.unwrap(), seen);
    for strange in ["w-ours", "w-nobody", &ours.workspaces[0].to_string(), "?"] {
        let refused = askfile.log_of(&theirs, in_workspace(strange)).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{strange}");
    }
    // What is added later is looked for in another order, and is no less another's.
    let added = AuditRequest {
        start: Start::Added(EntryId(0)),
        ..everything()
    };
    assert_eq!(askfile.log_of(&theirs, added).await.unwrap(), seen);
    let refused = askfile.log_of(&agent, everything()).await;
    assert!(matches!(refused, Err(Error::PermissionDenied(_))));
    let refused = askfile.log_of(&both, everything()).await.unwrap_err();
    assert!(refused.to_string().contains("name one of"), "{refused}");
    let ours = askfile.log_of(&both, in_workspace("w-ours")).await.unwrap();
    assert!(
        ours.iter()
            .all(|of| of.workspace_id == Some(agent.workspaces[0]))
    );
    assert_eq!(told(ours.last().unwrap()), "Ana upload.created");
}

#[tokio::test]
async fn the_log_is_asked_by_time_actor_and_action() {
    let askfile = Askfile::start().await;
    let ana = askfile.key("Ana", &[], Capabilities::AGENT).await;
    let began = askfile.service.now();
    askfile.clock.advance(secs(1));
    let link = askfile.link_of(&ana, CreateRequest::default()).await;
    askfile.clock.advance(secs(1));
    askfile.put(&link, b"text").await;
    let (created, uploaded, completed) = (
        "Ana upload.created",
        "link media.uploaded",
        "link upload.completed",
    );
    let from = |seconds| Start::At(began + secs(seconds));
    let until = |seconds| Some(began + secs(seconds));
    let asked = everything;
    let principal = ana.principal.id.to_string();
    let key = ana.credential.unwrap().api_key.to_string();
    for (asked, expected) in [
        (
            AuditRequest {
                start: from(1),
                ..asked()
            },
            &[created, uploaded, completed][..],
        ),
        (
            AuditRequest {
                start: from(1),
                until: until(2),
                ..asked()
            },
            &[created],
        ),
        (
            AuditRequest {
                start: from(2),
                ..asked()
            },
            &[uploaded, completed],
        ),
        (
            AuditRequest {
                start: from(3),
                ..asked()
            },
            &[],
        ),
        (
            AuditRequest {
                action: Some("upload.*".into()),
                ..asked()
            },
            &[created, completed],
        ),
        (
            AuditRequest {
                action: Some("media.uploaded".into()),
                ..asked()
            },
            &[uploaded],
        ),
        (
            AuditRequest {
                actor: Some("link".into()),
                ..asked()
            },
            &[uploaded, completed],
        ),
        (
            AuditRequest {
                actor: Some("Ana".into()),
                ..asked()
            },
            &[created],
        ),
        (
            AuditRequest {
                actor: Some(principal),
                ..asked()
            },
            &[created],
        ),
        (
            AuditRequest {
                actor: Some(key),
                ..asked()
            },
            &[created],
        ),
        (
            AuditRequest {
                actor: Some("An".into()),
                ..asked()
            },
            &[],
        ),
    ] {
        let lines = askfile.log_of(&askfile.operator(), asked.clone()).await;
        let lines: Vec<_> = lines.unwrap().iter().map(told).collect();
        assert_eq!(lines, expected, "{asked:?}");
    }
    let wrong = AuditRequest {
        action: Some("uploads".into()),
        ..asked()
    };
    let refused = askfile
        .log_of(&askfile.operator(), wrong)
        .await
        .unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.contains("`uploads`") && refused.contains("upload.created"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_long_log_comes_whole_and_in_order_a_page_at_a_time() {
    let askfile = Askfile::start().await;
    let many = 5_000;
    askfile.sql(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < CAST(?1 AS INTEGER))
         INSERT INTO audit (at, workspace_id, actor_kind, action, subject, detail)
         SELECT -n / 3, (SELECT id FROM workspace), 'link', 'upload.opened', n, '{}' FROM n",
        &many.to_string(),
    );
    let log = askfile.log().await;
    assert_eq!(log.len(), many + 1);
    assert!(log.is_sorted_by_key(|line| (line.at, line.id)));
    let home = askfile.link().await.workspace_id;
    let of_home = AuditRequest {
        workspace: Some(home),
        ..everything()
    };
    let of_home = askfile.log_of(&askfile.operator(), of_home).await.unwrap();
    assert_eq!(of_home[..many + 1], log);

    // A filter that takes nothing looks at a bounded number of lines at a time.
    let nothing = AuditRequest {
        actor: Some("nobody".into()),
        ..everything()
    };
    let page = askfile
        .service
        .audit(&askfile.operator(), nothing.clone())
        .await;
    let page = page.unwrap();
    assert!(page.entries.is_empty() && page.next.is_some());
    let nothing = askfile.log_of(&askfile.operator(), nothing).await;
    assert_eq!(nothing.unwrap(), []);
}

#[tokio::test]
async fn who_follows_the_log_misses_nothing_whichever_process_and_clock_it_comes_from() {
    let askfile = Askfile::start().await;
    let neighbour = askfile.neighbour().await;
    let operator = askfile.operator();
    askfile.link().await;
    let first = askfile
        .service
        .audit(&operator, everything())
        .await
        .unwrap();
    assert_eq!(first.newest, first.entries.last().unwrap().id);
    askfile.clock.advance(-mins(60));
    neighbour.link().await;
    askfile.clock.advance(mins(120));
    askfile.link().await;
    let added = AuditRequest {
        start: Start::Added(first.newest),
        ..everything()
    };
    let added = askfile.service.audit(&operator, added).await.unwrap();
    assert_eq!(added.entries.len(), 2);
    let nothing = AuditRequest {
        start: Start::Added(added.newest),
        ..everything()
    };
    let nothing = askfile.service.audit(&operator, nothing).await.unwrap();
    assert_eq!((nothing.entries.len(), nothing.newest), (0, added.newest));
}
