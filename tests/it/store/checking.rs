//! The check of a file between its last byte and its verdict.

use askfile::{
    domain::{
        media::{Dimensions, object_key, staging_key},
        session::{LastError, Phase},
    },
    store::{MediaRef, NewCheck, Passed, StoreError},
};

use super::*;
use crate::harness::mins;

/// How long a turn is here.
const TURN: SignedDuration = SignedDuration::from_mins(3);

fn turn(number: u128) -> ClaimId {
    ClaimId(uuid::Uuid::from_u128(number))
}

fn why() -> LastError {
    LastError {
        code: "SCAN_BLOCKED".into(),
        message: "It is not clean.".into(),
    }
}

fn to_be_checked() -> NewMedia {
    NewMedia {
        scan_status: ScanStatus::Pending,
        check: Some(NewCheck {
            source_key: "staging/came".into(),
            turn: turn(1),
            lease: TURN,
        }),
        handles: vec![("media".into(), "md_1".into())],
        ..media()
    }
}

fn passed() -> Passed {
    let stored = Content {
        mime_type: "image/jpeg".into(),
        size_bytes: 5,
        sha256: [5; 32],
    };
    let dimensions = Dimensions {
        width: 3,
        height: 2,
    };
    Passed {
        stored,
        dimensions: Some(dimensions),
        scan_status: ScanStatus::Clean,
        remade_of: Some("staging/came".into()),
    }
}

impl Bench {
    /// A file whose bytes are durable and that is not judged.
    async fn unchecked(&self, session: UploadId) -> Media {
        let claim = self.claim(session).await;
        let view = self.store.commit_upload(claim, to_be_checked()).await;
        view.unwrap().media.pop().unwrap()
    }

    async fn media(&self, id: MediaId) -> Option<Media> {
        let found = self
            .store
            .media(&[self.workspace.id], MediaRef::Id(id))
            .await;
        found.unwrap()
    }

    async fn doomed(&self) -> Vec<String> {
        self.store.due().await.unwrap().doomed
    }
}

pub async fn a_file_completes_its_session_once_it_has_passed(bench: Bench) {
    let session = bench.session(1).await;
    let file = bench.unchecked(session).await;
    let view = bench.view(session).await;
    assert_eq!(view.session.state, State::Checking);
    assert_eq!(view.session.phase(), Some(Phase::Scanning));
    assert_eq!((view.tally.checking, view.tally.stored), (1, 0));
    let more = bench.try_claim(session).await;
    assert!(matches!(more, Err(StoreError::AllTaken { .. })), "{more:?}");
    let done = bench.store.done(session, somebody()).await;
    assert!(matches!(done, Err(StoreError::AllTaken { .. })), "{done:?}");
    bench.advance(LIFE);
    assert_eq!(
        bench.state(session).await,
        State::Checking,
        "its expiry waits"
    );

    let view = bench.store.pass_check(file.id, turn(1), passed()).await;
    assert_eq!(view.unwrap().session.state, State::Completed);
    let stored = bench.media(file.id).await.unwrap();
    assert_eq!(stored.stored, passed().stored);
    assert_eq!(stored.original, file.original, "what came is remembered");
    assert_eq!(stored.dimensions, passed().dimensions);
    assert_eq!(stored.scan_status, ScanStatus::Clean);
    assert_eq!(
        bench.doomed().await,
        ["staging/came"],
        "what it was made of"
    );
}

pub async fn a_blocked_file_gives_its_slot_back_and_says_why(bench: Bench) {
    let session = bench.session(1).await;
    let file = bench.unchecked(session).await;
    bench.store.block(file.id, turn(1), why()).await.unwrap();
    let view = bench.view(session).await;
    assert_eq!(view.session.state, State::Pending);
    assert_eq!(view.session.last_error, Some(why()));
    assert_eq!(view.media, [], "it is none of the session's files");
    assert_eq!(
        bench.media(file.id).await.unwrap().scan_status,
        ScanStatus::Blocked
    );
    let by_handle = MediaRef::Handle("md_1".into());
    let by_handle = bench.store.media(&[bench.workspace.id], by_handle).await;
    assert_eq!(by_handle.unwrap(), None);
    assert_eq!(bench.doomed().await, ["staging/came"]);
    bench.advance(TURN);
    let doomed = bench.doomed().await;
    assert!(
        doomed.contains(&staging_key(turn(1))),
        "what was made of it"
    );
    let session = bench.session(1).await;

    bench.file(session).await;
    let view = bench.view(session).await;
    assert_eq!(view.session.state, State::Completed);
    assert_eq!(view.session.last_error, None);
}

pub async fn a_file_that_is_blocked_after_the_expiry_leaves_ten_minutes(bench: Bench) {
    let session = bench.session(1).await;
    let claim = bench.claim(session).await;
    bench.store.heartbeat(claim, 2 * LIFE, None).await.unwrap();
    bench.advance(LIFE + secs(5));
    let view = bench.store.commit_upload(claim, to_be_checked()).await;
    let file = view.unwrap().media.pop().unwrap();
    bench.store.block(file.id, turn(1), why()).await.unwrap();
    bench.advance(mins(10) - secs(1));
    assert_eq!(bench.state(session).await, State::Pending);
    bench.advance(secs(1));
    assert_eq!(bench.state(session).await, State::Expired);
}

pub async fn a_turn_that_is_over_is_somebody_elses(bench: Bench) {
    let session = bench.session(1).await;
    let file = bench.unchecked(session).await;
    let take = || bench.store.take_checks(9, TURN);
    assert_eq!(take().await.unwrap(), []);
    bench.advance(TURN - secs(1));
    let renewed = bench.store.renew_check(file.id, turn(1), TURN).await;
    renewed.unwrap();
    bench.advance(TURN - secs(1));
    assert_eq!(take().await.unwrap(), []);
    bench.advance(secs(1));
    assert_eq!(bench.store.due().await.unwrap().checks, [file.id]);

    let mut taken = take().await.unwrap();
    assert_eq!(taken.len(), 1);
    let second = taken.remove(0);
    assert_eq!(
        (second.media.id, second.source_key.as_str(), second.tries),
        (file.id, "staging/came", 1)
    );
    assert_eq!(take().await.unwrap(), [], "one checker's alone");
    assert_eq!(bench.doomed().await, [""; 0], "it may still be making it");
    let late = [
        bench.store.renew_check(file.id, turn(1), TURN).await.err(),
        bench.store.block(file.id, turn(1), why()).await.err(),
        bench
            .store
            .pass_check(file.id, turn(1), passed())
            .await
            .err(),
    ];
    for error in late {
        assert!(matches!(error, Some(StoreError::ClaimGone)), "{error:?}");
    }
    let view = bench.store.pass_check(file.id, second.turn, passed()).await;
    assert_eq!(view.unwrap().session.state, State::Completed);
    bench.advance(TURN);
    let doomed = bench.doomed().await;
    assert!(
        doomed.contains(&staging_key(turn(1))),
        "what the first one was making"
    );
}

pub async fn a_link_that_is_closed_takes_the_file_with_it(bench: Bench) {
    for cancelled in [true, false] {
        let session = bench.session(1).await;
        let file = bench.unchecked(session).await;
        let closed = if cancelled {
            bench.store.cancel(session, somebody()).await
        } else {
            bench.store.decline(session, None, Actor::Link).await
        };
        closed.unwrap();
        assert_eq!(bench.media(file.id).await, None);
        let passed = bench.store.pass_check(file.id, turn(1), passed()).await;
        assert!(matches!(passed, Err(StoreError::ClaimGone)), "{passed:?}");
        // Whoever has the turn may be publishing just now.
        let published = object_key(file.id, "image/png");
        assert!(!bench.doomed().await.contains(&published));
        bench.advance(TURN);
        for key in [published, object_key(file.id, "image/jpeg")] {
            assert!(bench.doomed().await.contains(&key), "{key}");
        }
    }
}
