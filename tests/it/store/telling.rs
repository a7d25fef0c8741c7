//! What a store tells to who listens, here and in other processes.

use std::time::Duration;

use askfile::store::Change;
use tokio::{sync::broadcast::Receiver, time::timeout};

use super::*;

/// Whether this session is told of. What is told is there before the method returns.
fn told(changes: &mut Receiver<Change>, session: UploadId) -> bool {
    let told = std::iter::from_fn(|| changes.try_recv().ok());
    told.collect::<Vec<_>>().contains(&Change::Session(session))
}

pub async fn whatever_moves_a_session_is_told(bench: Bench) {
    let mut changes = bench.store.changes();
    let (one, two) = (bench.session(2).await, bench.session(2).await);
    let store = &bench.store;
    store.open(one).await.unwrap();
    assert!(told(&mut changes, one), "open");
    let claim = bench.claim(one).await;
    assert!(told(&mut changes, one), "claim");
    store.release(claim, None).await.unwrap();
    assert!(told(&mut changes, one), "release");
    let claim = bench.claim(one).await;
    told(&mut changes, one);
    store.commit_upload(claim, media()).await.unwrap();
    assert!(told(&mut changes, one), "commit");
    store.done(one, somebody()).await.unwrap();
    assert!(told(&mut changes, one), "done");
    store.consume(one, on_post("7")).await.unwrap();
    assert!(told(&mut changes, one), "consume");
    store.decline(two, None, Actor::Link).await.unwrap();
    assert!(told(&mut changes, two), "decline");
    let [three, four] = [bench.session(1).await, bench.session(1).await];
    store.cancel(three, somebody()).await.unwrap();
    assert!(told(&mut changes, three), "cancel");
    bench.advance(LIFE);
    store.expire_sessions(9).await.unwrap();
    assert!(told(&mut changes, four), "expire");
}

pub async fn what_another_process_did_is_told_within_a_second(bench: Bench) {
    let other = bench.database.open().await;
    let (mut here, mut there) = (bench.store.changes(), other.changes());
    let _watching = (bench.store.watch(), other.watch());
    for _ in 0..3 {
        let new = bench.new_session(1);
        let id = new.id;
        other.create(new).await.unwrap();
        other.open(id).await.unwrap();
        let heard = timeout(Duration::from_secs(1), here.recv()).await;
        assert_eq!(heard.unwrap().unwrap(), Change::Elsewhere);
        assert_eq!(bench.state(id).await, State::Pending);
    }
    let own: Vec<_> = std::iter::from_fn(|| there.try_recv().ok()).collect();
    assert!(
        !own.contains(&Change::Elsewhere),
        "its own doing is not another's: {own:?}"
    );
}
