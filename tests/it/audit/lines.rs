//! A line and its change are one, for good.

use super::*;

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
