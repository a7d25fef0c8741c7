//! How sessions end.

use askfile::store::StoreError;

use super::*;
use crate::harness::mins;

pub async fn a_session_completes_when_its_slots_are_full(bench: Bench) {
    let session = bench.session(2).await;
    bench.file(session).await;
    let view = bench.view(session).await;
    assert_eq!((view.session.state, view.tally.stored), (State::Pending, 1));
    assert_eq!(view.session.ended_at, None);
    bench.file(session).await;
    let view = bench.view(session).await;
    assert_eq!(
        (view.session.state, view.tally.stored),
        (State::Completed, 2)
    );
    let slots: Vec<u32> = view.media.iter().filter_map(|media| media.slot).collect();
    assert_eq!(slots, [0, 1]);
    assert!(view.session.ended_at.is_some());
    let refused = bench.try_claim(session).await;
    assert!(
        matches!(refused, Err(StoreError::Closed(State::Completed))),
        "{refused:?}"
    );
}

pub async fn done_completes_with_what_is_there(bench: Bench) {
    let session = bench.session(3).await;
    let refused = bench.store.done(session, somebody()).await;
    assert!(
        matches!(refused, Err(StoreError::Illegal(_))),
        "without a file: {refused:?}"
    );
    bench.file(session).await;
    let claim = bench.claim(session).await;
    let refused = bench.store.done(session, somebody()).await;
    assert!(
        matches!(refused, Err(StoreError::AllTaken { .. })),
        "{refused:?}"
    );
    bench.store.release(claim, None).await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            bench.store.done(session, somebody()).await.unwrap(),
            State::Completed
        );
    }
    assert_eq!(bench.view(session).await.media.len(), 1);
    let refused = bench.try_claim(session).await;
    assert!(
        matches!(refused, Err(StoreError::Closed(State::Completed))),
        "{refused:?}"
    );
}

pub async fn cancelling_takes_the_claims_away(bench: Bench) {
    let session = bench.session(2).await;
    bench.file(session).await;
    let claim = bench.claim(session).await;
    for _ in 0..2 {
        bench.store.cancel(session, somebody()).await.unwrap();
    }
    lost_to(&bench, session, claim, State::Cancelled).await;
}

pub async fn declining_takes_the_claims_away_and_keeps_the_first_reason(bench: Bench) {
    let session = bench.session(2).await;
    let claim = bench.claim(session).await;
    for reason in ["no", "never"] {
        let declined = bench
            .store
            .decline(session, Some(reason.into()), Actor::Link)
            .await;
        declined.unwrap();
    }
    lost_to(&bench, session, claim, State::Declined).await;
    let reason = bench.view(session).await.session.decline_reason;
    assert_eq!(reason.as_deref(), Some("no"));
}

async fn lost_to(bench: &Bench, session: UploadId, claim: ClaimId, state: State) {
    assert_eq!(bench.state(session).await, state);
    let beat = bench.store.heartbeat(claim, LEASE, None).await;
    assert!(matches!(beat, Err(StoreError::ClaimGone)), "{beat:?}");
    let commit = bench.store.commit_upload(claim, media()).await;
    assert!(matches!(commit, Err(StoreError::ClaimGone)), "{commit:?}");
    let next = bench.try_claim(session).await;
    assert!(
        matches!(next, Err(StoreError::Closed(why)) if why == state),
        "{next:?}"
    );
    let lost = bench.store.take_lost_claims(9, mins(1)).await.unwrap();
    let lost: Vec<ClaimId> = lost.iter().map(|lost| lost.id).collect();
    assert_eq!(lost, [claim], "what it staged is the sweep's");
    bench.store.release(claim, None).await.unwrap();
    assert_eq!(
        bench.state(session).await,
        state,
        "a late writer changes nothing"
    );
}

pub async fn a_session_that_has_ended_stays_as_it_is(bench: Bench) {
    let completed = bench.completed().await;
    let consumed = bench.completed().await;
    bench.store.consume(consumed, on_post("7")).await.unwrap();
    let cancelled = bench.session(1).await;
    bench.store.cancel(cancelled, somebody()).await.unwrap();
    let declined = bench.session(1).await;
    bench
        .store
        .decline(declined, None, Actor::Link)
        .await
        .unwrap();
    let expired = bench.session(1).await;
    bench.advance(LIFE);
    let ended = [
        (completed, State::Completed),
        (consumed, State::Consumed),
        (cancelled, State::Cancelled),
        (declined, State::Declined),
        (expired, State::Expired),
    ];
    for (session, state) in ended {
        let before = bench.view(session).await;
        assert_eq!(before.session.state, state);
        let closed =
            |done: &Result<()>| matches!(done, Err(StoreError::Closed(why)) if *why == state);
        let cancel = bench.store.cancel(session, somebody()).await;
        assert!(
            closed(&cancel) || cancel.is_ok() && state == State::Cancelled,
            "{cancel:?}"
        );
        let decline = bench
            .store
            .decline(session, Some("late".into()), Actor::Link)
            .await;
        assert!(
            closed(&decline) || decline.is_ok() && state == State::Declined,
            "{decline:?}"
        );
        let done = bench.store.done(session, somebody()).await.map(drop);
        assert!(
            closed(&done) || done.is_ok() && state == State::Completed,
            "{done:?}"
        );
        assert!(closed(&bench.try_claim(session).await.map(drop)));
        bench.store.expire_sessions(9).await.unwrap();
        assert_eq!(bench.view(session).await.session.state, state);
    }
    let unknown = UploadId::new(bench.workspace.created_at);
    let cancel = bench.store.cancel(unknown, somebody()).await;
    assert!(matches!(cancel, Err(StoreError::NotFound)), "{cancel:?}");
}

pub async fn at_its_expiry_a_session_completes_with_what_is_there(bench: Bench) {
    let session = bench.session(3).await;
    bench.file(session).await;
    bench.advance(LIFE - secs(1));
    assert_eq!(bench.state(session).await, State::Pending);
    bench.advance(secs(1));
    assert_eq!(bench.state(session).await, State::Completed);
    let attached = bench.store.consume(session, on_post("7")).await.unwrap();
    assert_eq!(attached.len(), 1);
}

pub async fn a_body_that_fails_after_the_expiry_leaves_ten_minutes(bench: Bench) {
    let session = bench.session(1).await;
    bench.advance(LIFE - secs(1));
    let claim = bench.claim(session).await;
    bench.advance(secs(5));
    bench.store.release(claim, None).await.unwrap();
    bench.advance(mins(10) - secs(1));
    assert_eq!(bench.state(session).await, State::Pending);
    let claim = bench.claim(session).await;
    bench.store.release(claim, None).await.unwrap();
    bench.advance(secs(1));
    assert_eq!(bench.state(session).await, State::Expired);
    assert!(bench.try_claim(session).await.is_err());
}

pub async fn a_body_that_falls_silent_over_the_expiry_leaves_ten_minutes(bench: Bench) {
    let [read, written] = [bench.session(1).await, bench.session(1).await];
    bench.advance(LIFE - secs(1));
    for session in [read, written] {
        bench.claim(session).await;
    }
    // The ten minutes begin when the lease is over, whenever somebody looks.
    bench.advance(LEASE + mins(10) - secs(1));
    assert_eq!(bench.state(read).await, State::Pending);
    bench.claim(written).await;
    bench.advance(secs(1));
    assert_eq!(bench.state(read).await, State::Expired);
    assert_eq!(bench.state(written).await, State::Receiving);
}

pub async fn the_ten_minutes_are_kept_beside_a_file_that_arrives(bench: Bench) {
    let session = bench.session(2).await;
    bench.advance(LIFE - secs(1));
    bench.claim(session).await;
    let arriving = bench.claim(session).await;
    bench
        .store
        .heartbeat(arriving, mins(5), None)
        .await
        .unwrap();
    bench.advance(LEASE);
    let lost = bench.store.take_lost_claims(9, mins(1)).await.unwrap();
    assert_eq!(lost.len(), 1);
    let stored = bench.store.commit_upload(arriving, media()).await;
    stored.unwrap();
    bench.advance(mins(10) - secs(1));
    assert_eq!(bench.state(session).await, State::Pending);
    bench.advance(secs(1));
    assert_eq!(bench.state(session).await, State::Completed);
}

pub async fn ten_minutes_are_left_for_a_body_of_before_the_expiry_only(bench: Bench) {
    let session = bench.session(1).await;
    bench.advance(LIFE - secs(1));
    let early = bench.claim(session).await;
    bench.advance(secs(1));
    bench.store.release(early, None).await.unwrap();
    // This one began after the expiry and fails after the ten minutes.
    bench.advance(mins(10) - secs(1));
    let late = bench.claim(session).await;
    bench.advance(secs(2));
    bench.store.release(late, None).await.unwrap();
    assert_eq!(bench.state(session).await, State::Expired);
    // Where a body fails before the expiry, there is nothing to make up for.
    let session = bench.session(1).await;
    let claim = bench.claim(session).await;
    bench.store.release(claim, None).await.unwrap();
    bench.advance(LIFE);
    assert_eq!(bench.state(session).await, State::Expired);
}
