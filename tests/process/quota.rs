//! Quotas, where many send at once and where the server dies.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    home::Home,
    server::Server,
    wire::{Connection, File},
};

const SIZE: usize = 100_000;
/// Room for ten files.
const ROOM: [(&str, &str); 1] = [("quota_stored", "1000000B")];
/// Workspaces whose count is not what there is.
const MISCOUNTED: &str = "workspace WHERE
    stored_bytes <> (SELECT coalesce(sum(size_bytes), 0) FROM media
        WHERE workspace_id = workspace.id AND scan_status <> 'blocked')
    OR in_flight_bytes <> (SELECT coalesce(sum(reserved), 0) FROM claim
        JOIN upload_session ON upload_session.id = session_id
        WHERE workspace_id = workspace.id AND slot IS NOT NULL)
    OR open_links <> (SELECT count(*) FROM upload_session
        WHERE workspace_id = workspace.id AND state IN ('pending', 'receiving', 'checking'))";

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_files_at_once_through_two_servers_as_many_are_stored_as_fit() {
    let home = Home::new().await;
    let servers = [
        Server::start(&home, &ROOM).await,
        Server::start(&home, &ROOM).await,
    ];
    let mut sending = JoinSet::new();
    for number in 0..50 {
        let link = servers[0].link(json!({})).await;
        let address = servers[number % 2].address();
        sending.spawn(async move {
            let file = File::pdf(number, SIZE);
            let mut connection = Connection::open(address).await.unwrap();
            let answer = connection.exchange(&file.put(&link.path)).await.unwrap();
            (answer.status, answer)
        });
    }
    let answers = sending.join_all().await;
    let stored = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(stored, 10);
    for (status, answer) in answers {
        assert!(
            status == 201 || answer.code() == "QUOTA_EXCEEDED",
            "{answer:?}"
        );
    }
    assert_eq!((home.rows("media"), home.rows(MISCOUNTED)), (10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_the_counts_right_and_the_room_free() {
    let home = Home::new().await;
    let settings = [ROOM.as_slice(), &[("idle_timeout", "1s")]].concat();
    let mut server = Server::start(&home, &settings).await;
    let mut begun = Vec::new();
    for number in 0..10 {
        let link = server.link(json!({})).await;
        let mut connection = Connection::open(server.address()).await.unwrap();
        let pieces = File::pdf(number, SIZE).put(&link.path);
        connection.send(&pieces[0]).await.unwrap();
        connection.send(&pieces[1]).await.unwrap();
        begun.push((connection, link));
    }
    server.crash();
    assert_eq!(home.rows(MISCOUNTED), 0);
    home.passes(Duration::from_secs(60));
    home.sweep();
    assert_eq!(home.rows(MISCOUNTED), 0);
    assert_eq!(home.rows("workspace WHERE in_flight_bytes <> 0"), 0);
    let server = Server::start(&home, &settings).await;
    for (number, (_, link)) in begun.iter().enumerate() {
        let answer = server.put_once_free(link, &File::pdf(number, SIZE)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    assert_eq!(home.rows(MISCOUNTED), 0);
}
