//! Many who send to one link at the same time.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    home::{Home, text},
    server::Server,
    wire::{Connection, File},
};

const TWO_MEGABYTES: usize = 2_000_000;

/// So many forms at once on a link for so many files: as many are stored, and everybody else reads
/// a whole answer that says why not.
async fn race(senders: usize, files: usize) {
    let home = Home::alone().await;
    let server = Server::start(&home, &[]).await;
    let link = server.link(json!({ "max_files": files })).await;
    let (address, start) = (server.address(), Arc::new(Barrier::new(senders)));
    let mut sending = JoinSet::new();
    for number in 0..senders {
        let (path, start) = (link.path.clone(), Arc::clone(&start));
        sending.spawn(async move {
            let file = File::pdf(number, TWO_MEGABYTES);
            // All files are made before any connection: the server hangs up on one that is silent.
            start.wait().await;
            let mut connection = Connection::open(address).await?;
            start.wait().await;
            let answer = connection.exchange(&file.post(&path)).await?;
            Ok::<_, std::io::Error>((file, answer))
        });
    }
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let mut sent = Vec::new();
    for outcome in sending.join_all().await {
        let what = match outcome {
            Ok((file, answer)) if answer.status == 201 => {
                sent.push(file.sha256());
                "201".to_owned()
            }
            Ok((_, answer)) => match (answer.status, answer.code().as_str()) {
                (409, "IN_USE" | "ALREADY_USED") => "409".to_owned(),
                (status, code) => format!("{status} {code}"),
            },
            Err(error) => error.to_string(),
        };
        *tally.entry(what).or_default() += 1;
    }
    let wanted = [("201", files), ("409", senders - files)];
    assert_eq!(
        tally,
        wanted.map(|(what, count)| (what.into(), count)).into()
    );

    let status = server.status(&link.upload_id).await;
    assert_eq!(status["status"], "completed");
    let media = server.media_of(&link.upload_id).await;
    let mut told: Vec<_> = media.iter().map(|m| text(m, "sha256").to_owned()).collect();
    told.sort();
    sent.sort();
    assert_eq!(
        told, sent,
        "the media are those that were answered with 201"
    );
    assert_eq!(home.staged(), Vec::<String>::new(), "before any sweep");
    home.holds_only(&server, &[&link.upload_id]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_files_at_once_a_link_takes_one() {
    race(200, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_files_at_once_a_link_for_three_takes_three() {
    race(200, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_1000_files_at_once_a_link_takes_one() {
    race(1000, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_1000_files_at_once_a_link_for_three_takes_three() {
    race(1000, 3).await;
}
