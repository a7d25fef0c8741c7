//! Keys and workspaces: what changed, and who gets to see the log.

use super::*;

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
    askfile.workspace_called("Acme", "w-acme").await;
    let renamed = service.rename_workspace(&operator, "w-acme", Some("Acme & Co"), None);
    renamed.await.unwrap();
    let same = service.rename_workspace(&operator, "w-acme", Some("Acme & Co"), None);
    same.await.unwrap();
    for _ in 0..2 {
        let change = QuotaChange {
            stored_bytes: Some(OwnLimit::At(1_000)),
            ..QuotaChange::default()
        };
        let limited = service.set_quota(&operator, "w-acme", change);
        limited.await.unwrap();
    }
    let ana = askfile
        .person("Ana", &["w-acme"], Capabilities::AGENT)
        .await;
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
            "askfile keys workspace.limited",
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
    let stored = |of: &str| log[3].detail[of]["stored_bytes"].clone();
    assert_eq!(
        (stored("from"), stored("to")),
        (json!("default"), json!(1_000))
    );
    assert!(
        log[1..]
            .iter()
            .all(|of| of.workspace_id == Some(ana.workspaces[0]))
    );
}

#[tokio::test]
async fn the_log_of_a_workspace_is_for_those_who_administer_it() {
    let askfile = Askfile::start().await;
    askfile.workspace_called("Ours", "w-ours").await;
    askfile.workspace_called("Theirs", "w-theirs").await;
    let ours = askfile.person("Ana", &["w-ours"], Capabilities::ALL).await;
    let theirs = askfile
        .person("Bea", &["w-theirs"], Capabilities::ALL)
        .await;
    let both = askfile
        .person("Cem", &["w-ours", "w-theirs"], Capabilities::ALL)
        .await;
    let agent = askfile
        .person("Dan", &["w-ours"], Capabilities::AGENT)
        .await;
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
        assert!(
            matches!(refused, Err(Error::NoSuchWorkspace(_))),
            "{strange}"
        );
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
