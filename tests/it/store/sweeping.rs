//! What time, crashes and closed browsers leave to be swept.

use super::*;
use crate::harness::mins;
use askfile::{
    domain::media::object_key,
    store::{MediaRef, StoreError},
};

pub async fn the_sweep_moves_the_sessions_whose_time_is_over(bench: Bench) {
    let empty = [bench.session(1).await, bench.session(1).await];
    let half = bench.session(2).await;
    bench.file(half).await;
    bench.advance(secs(1));
    let live = bench.session(1).await;
    bench.advance(LIFE - secs(1));
    let mut due = bench.store.due().await.unwrap().sessions;
    due.sort_unstable();
    let mut expected = vec![empty[0], empty[1], half];
    expected.sort_unstable();
    assert_eq!(due, expected);

    let first = bench.store.expire_sessions(2).await.unwrap();
    let second = bench.store.expire_sessions(2).await.unwrap();
    assert_eq!(
        (first.len(), second.len()),
        (2, 1),
        "as many as were asked for"
    );
    for (session, state) in first.into_iter().chain(second) {
        let expected = if session == half {
            State::Completed
        } else {
            State::Expired
        };
        assert_eq!(state, expected);
        assert_eq!(bench.state(session).await, expected);
    }
    assert_eq!(bench.store.expire_sessions(2).await.unwrap(), []);
    assert_eq!(bench.state(live).await, State::Pending);
}

pub async fn a_lost_claim_is_one_sweepers_until_it_is_forgotten(bench: Bench) {
    let session = bench.session(2).await;
    let (silent, busy) = (bench.claim(session).await, bench.claim(session).await);
    let key = "medias/x.png".to_owned();
    bench
        .store
        .heartbeat(silent, LEASE, Some(key.clone()))
        .await
        .unwrap();
    let take = || bench.store.take_lost_claims(9, mins(1));
    assert_eq!(take().await.unwrap(), []);
    bench.store.heartbeat(silent, LEASE, None).await.unwrap();
    bench.store.heartbeat(busy, mins(5), None).await.unwrap();
    bench.advance(LEASE);
    assert_eq!(bench.store.due().await.unwrap().claims, [silent]);

    let lost = take().await.unwrap();
    assert_eq!(
        (lost.len(), lost[0].id, lost[0].media_key.as_ref()),
        (1, silent, Some(&key))
    );
    assert_eq!(
        bench.view(session).await.tally.receiving,
        1,
        "its slot is free"
    );
    assert_eq!(take().await.unwrap(), [], "one sweeper's alone");
    bench.advance(mins(1));
    assert_eq!(
        take().await.unwrap(),
        lost,
        "again, as the sweeper may have died"
    );
    for _ in 0..2 {
        bench.store.forget_claim(silent).await.unwrap();
    }
    bench.advance(mins(2));
    assert_eq!(take().await.unwrap(), []);
    bench.store.commit_upload(busy, media()).await.unwrap();
    bench.advance(mins(60));
    assert_eq!(take().await.unwrap(), [], "a stored file is no lost claim");
}

pub async fn what_was_begun_for_a_claim_is_told_with_it_once_it_is_lost(bench: Bench) {
    let session = bench.session(2).await;
    let (silent, gone) = (bench.claim(session).await, bench.claim(session).await);
    let note = |claim| bench.store.note_begun(claim, "begun".into());
    note(silent).await.unwrap();
    bench.store.release(gone, None).await.unwrap();
    let late = note(gone).await;
    assert!(matches!(late, Err(StoreError::ClaimGone)), "{late:?}");
    bench.advance(LEASE);
    let lost = bench.store.take_lost_claims(9, mins(1)).await.unwrap();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].begun.as_deref(), Some("begun"));
}

pub async fn what_is_doomed_later_is_left_alone_until_then(bench: Bench) {
    bench.store.doom("key".into(), mins(5)).await.unwrap();
    let take = || bench.store.take_doomed(9, mins(1));
    bench.advance(mins(5) - secs(1));
    assert_eq!(take().await.unwrap(), [""; 0]);
    bench.advance(secs(1));
    assert_eq!(take().await.unwrap(), ["key"]);
}

pub async fn what_came_before_a_link_was_closed_is_deleted(bench: Bench) {
    let (cancelled, declined) = (bench.session(2).await, bench.session(2).await);
    let files = [bench.file(cancelled).await, bench.file(declined).await];
    bench.store.cancel(cancelled, somebody()).await.unwrap();
    bench
        .store
        .decline(declined, None, Actor::Link)
        .await
        .unwrap();
    for file in &files {
        let found = MediaRef::Id(file.id);
        let found = bench
            .store
            .media(&[bench.workspace.id], found)
            .await
            .unwrap();
        assert_eq!(found, None);
    }
    let mut keys = files.map(|file| object_key(file.id, "image/png")).to_vec();
    keys.sort_unstable();
    assert_eq!(bench.store.due().await.unwrap().doomed, keys);

    let take = || bench.store.take_doomed(9, mins(1));
    assert_eq!(take().await.unwrap(), keys);
    assert_eq!(take().await.unwrap(), [""; 0], "one sweeper's alone");
    bench.store.forget_doomed(keys[0].clone()).await.unwrap();
    bench.advance(mins(1));
    assert_eq!(
        take().await.unwrap(),
        keys[1..],
        "again, as the sweeper may have died"
    );
}

pub async fn a_session_is_forgotten_thirty_days_after_its_end(bench: Bench) {
    let completed = bench.completed().await;
    let file = bench.view(completed).await.media[0].clone();
    let open = bench.store.create(NewSession {
        expires_in: SignedDuration::from_hours(24 * 60),
        ..bench.new_session(1)
    });
    let open = open.await.unwrap().id;
    bench.advance(SignedDuration::from_hours(24 * 30) - secs(1));
    assert_eq!(bench.store.forget_sessions(9).await.unwrap(), 0);
    assert_eq!(bench.store.due().await.unwrap().old_sessions, []);
    bench.advance(secs(1));
    assert_eq!(bench.store.due().await.unwrap().old_sessions, [completed]);
    assert_eq!(bench.store.forget_sessions(9).await.unwrap(), 1);
    let gone = bench.store.find(SessionRef::Id(completed)).await.unwrap();
    assert_eq!(gone, None);
    assert_eq!(bench.state(open).await, State::Pending);
    let kept = MediaRef::Id(file.id);
    let kept = bench
        .store
        .media(&[bench.workspace.id], kept)
        .await
        .unwrap();
    assert_eq!(kept, Some(file), "files are kept until they are deleted");
}

pub async fn a_session_is_remembered_while_its_claims_have_left_bytes(bench: Bench) {
    let session = bench.session(1).await;
    let claim = bench.claim(session).await;
    bench.store.cancel(session, somebody()).await.unwrap();
    bench.advance(SignedDuration::from_hours(24 * 30));
    assert_eq!(bench.store.forget_sessions(9).await.unwrap(), 0);
    bench.store.forget_claim(claim).await.unwrap();
    assert_eq!(bench.store.forget_sessions(9).await.unwrap(), 1);
}
