//! Asking for parts of the log.

use super::*;

#[tokio::test]
async fn the_log_is_asked_by_time_actor_and_action() {
    let askfile = Askfile::start().await;
    let ana = askfile.person("Ana", &[], Capabilities::AGENT).await;
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
    let at = |seconds| began + secs(seconds);
    let asked = |change: &dyn Fn(&mut AuditRequest)| {
        let mut asked = everything();
        change(&mut asked);
        asked
    };
    let action = |action: &str| asked(&|of| of.action = Some(action.into()));
    let actor = |actor: &str| asked(&|of| of.actor = Some(actor.into()));
    let since = |seconds| asked(&|of| of.start = Start::At(at(seconds)));
    let principal = ana.principal.id.to_string();
    let key = ana.credential.unwrap().api_key.unwrap().to_string();
    for (asked, expected) in [
        (since(1), &[created, uploaded, completed][..]),
        (since(2), &[uploaded, completed]),
        (since(3), &[]),
        (
            AuditRequest {
                until: Some(at(2)),
                ..since(1)
            },
            &[created],
        ),
        (action("upload.*"), &[created, completed]),
        (action("media.uploaded"), &[uploaded]),
        (actor("link"), &[uploaded, completed]),
        (actor("Ana"), &[created]),
        (actor(&principal), &[created]),
        (actor(&key), &[created]),
        (actor("An"), &[]),
    ] {
        let lines = askfile.log_of(&askfile.operator(), asked.clone()).await;
        let lines: Vec<_> = lines.unwrap().iter().map(told).collect();
        assert_eq!(lines, expected, "{asked:?}");
    }
    let refused = askfile.log_of(&askfile.operator(), action("uploads")).await;
    let refused = refused.unwrap_err().to_string();
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
    assert_eq!(of_home[..=many], log);

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
    let early = AuditRequest {
        start: Start::Added(first.newest),
        until: Some(askfile.service.now()),
        ..everything()
    };
    let early = askfile.service.audit(&operator, early).await.unwrap();
    assert_eq!(early.entries, added.entries[..1]);
    let nothing = AuditRequest {
        start: Start::Added(added.newest),
        ..everything()
    };
    let nothing = askfile.service.audit(&operator, nothing).await.unwrap();
    assert_eq!((nothing.entries.len(), nothing.newest), (0, added.newest));
}
