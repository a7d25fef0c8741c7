//! Claims: who may send.

use std::collections::BTreeSet;

use askfile::{domain::session::LastError, store::StoreError};

use super::*;
use crate::harness::mins;

pub async fn claims_take_the_free_slots_and_then_there_is_none(bench: Bench) {
    let session = bench.session(3).await;
    for slot in 0..3 {
        assert_eq!(
            bench.try_claim(session).await.unwrap(),
            ClaimOutcome::Taken { slot, reserved: 0 }
        );
        bench.advance(secs(1));
    }
    let refused = bench.try_claim(session).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::AllTaken { free_in } if free_in == secs(27)),
        "{refused:?}"
    );
    let view = bench.view(session).await;
    assert_eq!(
        (view.session.state, view.tally.receiving),
        (State::Receiving, 3)
    );
}

pub async fn a_lease_that_is_over_frees_its_slot(bench: Bench) {
    let session = bench.session(1).await;
    bench.claim(session).await;
    bench.advance(LEASE - secs(1));
    assert!(bench.try_claim(session).await.is_err());
    assert_eq!(bench.state(session).await, State::Receiving);
    bench.advance(secs(1));
    assert_eq!(bench.state(session).await, State::Pending);
    assert_eq!(bench.view(session).await.tally.receiving, 0);
    bench.claim(session).await;
    assert_eq!(bench.state(session).await, State::Receiving);
}

pub async fn a_lost_claim_can_neither_beat_nor_commit(bench: Bench) {
    let to_time = bench.session(1).await;
    let silent = bench.claim(to_time).await;
    let to_another = bench.session(1).await;
    let replaced = bench.claim(to_another).await;
    let to_nobody = bench.session(1).await;
    let given_back = bench.claim(to_nobody).await;
    bench.store.release(given_back, None).await.unwrap();
    bench.advance(LEASE);
    bench.claim(to_another).await;
    for claim in [silent, replaced, given_back, ClaimId::random()] {
        let beat = bench.store.heartbeat(claim, LEASE, None).await;
        assert!(matches!(beat, Err(StoreError::ClaimGone)), "{beat:?}");
        let commit = bench.store.commit_upload(claim, media()).await;
        assert!(matches!(commit, Err(StoreError::ClaimGone)), "{commit:?}");
    }
    for session in [to_time, to_another, to_nobody] {
        assert_eq!(bench.view(session).await.media, []);
    }
}

pub async fn a_heartbeat_keeps_a_claim(bench: Bench) {
    let session = bench.session(1).await;
    let claim = bench.claim(session).await;
    for _ in 0..3 {
        bench.advance(LEASE - secs(1));
        bench.store.heartbeat(claim, LEASE, None).await.unwrap();
    }
    // The link's time is over by now; the claim is from before.
    bench.advance(LEASE - secs(1));
    assert_eq!(bench.state(session).await, State::Receiving);
    let stored = bench.store.commit_upload(claim, media()).await.unwrap();
    assert_eq!(stored.session.state, State::Completed);
}

pub async fn no_claim_lives_longer_than_two_hours(bench: Bench) {
    let session = bench.session(1).await;
    let claim = bench.claim(session).await;
    bench.advance(secs(20));
    let hours = SignedDuration::from_hours(3);
    bench.store.heartbeat(claim, hours, None).await.unwrap();
    bench.advance(mins(120) - secs(21));
    assert_eq!(bench.state(session).await, State::Receiving);
    bench.store.heartbeat(claim, LEASE, None).await.unwrap();
    bench.advance(secs(1));
    let beat = bench.store.heartbeat(claim, LEASE, None).await;
    assert!(matches!(beat, Err(StoreError::ClaimGone)), "{beat:?}");
    let commit = bench.store.commit_upload(claim, media()).await;
    assert!(matches!(commit, Err(StoreError::ClaimGone)), "{commit:?}");
}

pub async fn an_attempt_takes_over_its_own_claim(bench: Bench) {
    let session = bench.session(1).await;
    let dead = bench.claim_for(session, Some(attempt(1))).await;
    let other = bench
        .store
        .claim(bench.request(session, Some(attempt(2))))
        .await;
    assert!(
        matches!(other, Err(StoreError::AllTaken { .. })),
        "{other:?}"
    );
    let alive = bench.claim_for(session, Some(attempt(1))).await;
    let late = bench.store.commit_upload(dead, media()).await;
    assert!(matches!(late, Err(StoreError::ClaimGone)), "{late:?}");
    // Also when the link's time is over: the first one began before.
    let hour = mins(60);
    bench.store.heartbeat(alive, hour, None).await.unwrap();
    bench.advance(LIFE);
    let late = bench.claim_for(session, Some(attempt(1))).await;
    bench.store.commit_upload(late, media()).await.unwrap();
    assert_eq!(bench.view(session).await.media.len(), 1);
}

pub async fn an_attempt_that_was_stored_gets_its_media_again(bench: Bench) {
    let session = bench.session(2).await;
    let claim = bench.claim_for(session, Some(attempt(1))).await;
    let stored = bench.store.commit_upload(claim, media()).await.unwrap();
    let same = || bench.store.claim(bench.request(session, Some(attempt(1))));
    let again = ClaimOutcome::StoredBefore(Box::new(stored.media[0].clone()));
    assert_eq!(same().await.unwrap(), again);
    bench.store.done(session, somebody()).await.unwrap();
    bench.store.consume(session, on_post("7")).await.unwrap();
    bench.advance(mins(60));
    assert_eq!(
        same().await.unwrap(),
        again,
        "whatever became of the session"
    );
    assert_eq!(bench.view(session).await.media.len(), 1);
}

pub async fn of_fifty_claims_at_once_as_many_win_as_there_are_slots(bench: Bench) {
    let session = bench.session(3).await;
    let stores = [bench.store.clone(), bench.database.open().await];
    let claims: Vec<_> = (0..50)
        .map(|n| {
            let (store, request) = (stores[n % 2].clone(), bench.request(session, None));
            tokio::spawn(async move { store.claim(request).await })
        })
        .collect();
    let mut slots = BTreeSet::new();
    let mut refused = 0;
    for claim in claims {
        match claim.await.unwrap() {
            Ok(ClaimOutcome::Taken { slot, .. }) => {
                assert!(slots.insert(slot), "slot {slot} twice");
            }
            Err(StoreError::AllTaken { .. }) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((slots, refused), (BTreeSet::from([0, 1, 2]), 47));
}

pub async fn a_claim_that_is_given_back_says_why_and_leaves_the_link_as_it_was(bench: Bench) {
    let session = bench.session(2).await;
    let before = bench.view(session).await;
    let why = LastError {
        code: "SIZE_EXCEEDED".into(),
        message: "Too large.".into(),
    };
    let (one, two) = (bench.claim(session).await, bench.claim(session).await);
    bench.store.release(one, Some(why.clone())).await.unwrap();
    assert_eq!(
        bench.state(session).await,
        State::Receiving,
        "the other one lives"
    );
    bench.store.release(two, None).await.unwrap();
    bench.store.release(two, None).await.unwrap();
    let mut after = bench.view(session).await;
    assert_eq!(after.session.last_error.take(), Some(why));
    assert_eq!(after, before);
    bench.file(session).await;
    assert_eq!(
        bench.view(session).await.session.last_error,
        None,
        "overcome"
    );
}

pub async fn no_claim_is_taken_after_the_expiry_even_while_another_one_lives(bench: Bench) {
    let session = bench.session(2).await;
    let early = bench.claim_for(session, Some(attempt(1))).await;
    bench.advance(secs(20));
    bench.store.heartbeat(early, mins(30), None).await.unwrap();
    bench.advance(LIFE - secs(20));
    let late = bench.try_claim(session).await;
    assert!(late.is_err(), "the link's time is over: {late:?}");
    bench.store.commit_upload(early, media()).await.unwrap();
    assert_eq!(bench.state(session).await, State::Completed);
}
