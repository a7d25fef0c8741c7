//! Quotas: a workspace uses no more than it may, and what it uses is counted right.

use askfile::{
    domain::{
        quota::{OwnLimit, OwnQuota, QuotaChange, Usage, UsedUp},
        session::LastError,
    },
    store::{NewCheck, Passed, StoreError},
};

use super::*;

impl Bench {
    async fn usage(&self) -> (u64, u64, u64) {
        let (usage, _) = self.store.usage(self.workspace.id).await.unwrap();
        let Usage {
            stored_bytes,
            in_flight_bytes,
            open_links,
        } = usage;
        (stored_bytes, in_flight_bytes, open_links)
    }

    async fn may(&self, stored: OwnLimit, in_flight: OwnLimit, links: OwnLimit) {
        let own = OwnQuota {
            stored_bytes: stored,
            in_flight_bytes: in_flight,
            open_links: links,
        };
        let id = self.workspace.id;
        // One after the other: none undoes another.
        for change in [
            QuotaChange {
                stored_bytes: Some(stored),
                ..QuotaChange::default()
            },
            QuotaChange {
                in_flight_bytes: Some(in_flight),
                open_links: Some(links),
                ..QuotaChange::default()
            },
        ] {
            self.store.set_quota(id, change, somebody()).await.unwrap();
        }
        assert_eq!(self.store.usage(id).await.unwrap().1, own);
    }

    async fn claim_of(&self, session: UploadId, reserved: u64) -> Result<ClaimId> {
        let request = ClaimRequest {
            bytes: (reserved, reserved),
            ..self.request(session, None)
        };
        let claim = request.claim;
        self.store.claim(request).await.map(|_| claim)
    }
}

fn of_size(size_bytes: u64) -> NewMedia {
    let content = Content {
        size_bytes,
        ..media().stored
    };
    NewMedia {
        stored: content.clone(),
        original: content,
        ..media()
    }
}

fn to_be_checked(turn: ClaimId) -> NewMedia {
    NewMedia {
        scan_status: ScanStatus::Pending,
        check: Some(NewCheck {
            source_key: "staging/x".into(),
            turn,
            lease: LEASE,
        }),
        ..of_size(20)
    }
}

fn is_over(result: &Result<impl std::fmt::Debug>, what: UsedUp) {
    assert!(
        matches!(result, Err(StoreError::OverQuota(over)) if *over == what),
        "{result:?}"
    );
}

const NONE: OwnLimit = OwnLimit::Unlimited;

pub async fn what_a_workspace_uses_is_counted(bench: Bench) {
    assert_eq!(bench.usage().await, (0, 0, 0));
    let (one, other) = (bench.session(1).await, bench.session(2).await);
    assert_eq!(bench.usage().await, (0, 0, 2));
    let claim = bench.claim_of(one, 30).await.unwrap();
    let lost = bench.claim_of(other, 5).await.unwrap();
    bench.store.reserve(claim, 40).await.unwrap();
    bench.store.reserve(claim, 10).await.unwrap();
    assert_eq!(bench.usage().await, (0, 45, 2), "room is never given back");
    bench.store.commit_upload(claim, of_size(20)).await.unwrap();
    assert_eq!(bench.usage().await, (20, 5, 1));
    bench.store.release(lost, None).await.unwrap();
    assert_eq!(bench.usage().await, (20, 0, 1));
    bench.claim_of(other, 7).await.unwrap();
    bench.store.cancel(other, somebody()).await.unwrap();
    assert_eq!(bench.usage().await, (20, 0, 0));
    let file = bench.view(one).await.media[0].id;
    let deleted = bench
        .store
        .delete_media(bench.workspace.id, file, false, somebody());
    deleted.await.unwrap();
    assert_eq!(bench.usage().await, (0, 0, 0));
}

pub async fn a_claim_that_falls_silent_reserves_nothing(bench: Bench) {
    let session = bench.session(1).await;
    bench.claim_of(session, 30).await.unwrap();
    bench.advance(LEASE);
    bench.store.take_lost_claims(9, LEASE).await.unwrap();
    assert_eq!(bench.usage().await, (0, 0, 1));
    bench.advance(LIFE);
    bench.store.expire_sessions(9).await.unwrap();
    assert_eq!(bench.usage().await, (0, 0, 0));
}

pub async fn a_blocked_file_takes_no_room(bench: Bench) {
    let turn = ClaimId::random();
    let checked = to_be_checked(turn);
    let session = bench.session(1).await;
    let claim = bench.claim_of(session, 20).await.unwrap();
    let view = bench.store.commit_upload(claim, checked).await.unwrap();
    assert_eq!(bench.usage().await, (20, 0, 1));
    let why = LastError {
        code: "SCAN_BLOCKED".into(),
        message: "no".into(),
    };
    let blocked = bench.store.block(view.media[0].id, turn, why);
    blocked.await.unwrap();
    assert_eq!(bench.usage().await, (0, 0, 1));
}

pub async fn a_picture_that_grows_must_fit_too(bench: Bench) {
    let turn = ClaimId::random();
    let checked = to_be_checked(turn);
    let session = bench.session(1).await;
    let claim = bench.claim_of(session, 20).await.unwrap();
    let view = bench.store.commit_upload(claim, checked).await.unwrap();
    let file = view.media[0].id;
    let passed = |size_bytes| Passed {
        stored: of_size(size_bytes).stored,
        dimensions: None,
        scan_status: ScanStatus::Skipped,
        remade_of: None,
    };
    bench.may(OwnLimit::At(30), NONE, NONE).await;
    let grown = bench.store.pass_check(file, turn, passed(31)).await;
    is_over(&grown, UsedUp::Stored);
    bench
        .store
        .pass_check(file, turn, passed(30))
        .await
        .unwrap();
    assert_eq!(bench.usage().await, (30, 0, 0));
}

pub async fn nothing_is_taken_beyond_a_quota(bench: Bench) {
    bench
        .may(OwnLimit::At(100), OwnLimit::At(50), OwnLimit::At(3))
        .await;
    let sessions = [
        bench.session(1).await,
        bench.session(1).await,
        bench.session(1).await,
    ];
    let fourth = bench.store.create(bench.new_session(1)).await;
    is_over(&fourth, UsedUp::Links);
    let claim = bench.claim_of(sessions[0], 50).await.unwrap();
    is_over(&bench.claim_of(sessions[1], 1).await, UsedUp::InFlight);
    bench.store.commit_upload(claim, of_size(50)).await.unwrap();
    bench.session(1).await;
    let claim = bench.claim_of(sessions[1], 30).await.unwrap();
    is_over(&bench.store.reserve(claim, 51).await, UsedUp::Stored);
    is_over(&bench.claim_of(sessions[2], 21).await, UsedUp::Stored);
    bench.store.reserve(claim, 50).await.unwrap();
    let lied = bench.store.commit_upload(claim, of_size(51)).await;
    is_over(&lied.map(|view| view.tally), UsedUp::Stored);
    bench.store.commit_upload(claim, of_size(50)).await.unwrap();
    assert_eq!(bench.usage().await, (100, 0, 2));
    bench
        .may(OwnLimit::Default, OwnLimit::Default, OwnLimit::Default)
        .await;
    bench
        .claim_of(sessions[2], u64::from(u32::MAX))
        .await
        .unwrap();
}

pub async fn room_is_made_for_what_is_likely_or_else_for_what_is_certain(bench: Bench) {
    bench.may(OwnLimit::At(100), NONE, NONE).await;
    for (bytes, reserved) in [((10, 60), Some(60)), ((10, 60), Some(10)), ((31, 60), None)] {
        let session = bench.session(1).await;
        let request = ClaimRequest {
            bytes,
            ..bench.request(session, None)
        };
        match (bench.store.claim(request).await, reserved) {
            (Ok(ClaimOutcome::Taken { reserved: made, .. }), Some(room)) => assert_eq!(made, room),
            (refused, None) => is_over(&refused, UsedUp::Stored),
            other => panic!("{other:?}"),
        }
    }
}

pub async fn of_fifty_files_at_once_no_more_is_stored_than_fits(bench: Bench) {
    bench.may(OwnLimit::At(95), NONE, NONE).await;
    let mut sending = Vec::new();
    for n in 0..50_u64 {
        let (store, request) = (
            bench.store.clone(),
            bench.request(bench.session(1).await, None),
        );
        sending.push(tokio::spawn(async move {
            // Half of them say how much will come, half find out on the way.
            let reserved = if n % 2 == 0 { 10 } else { 0 };
            let claim = request.claim;
            store
                .claim(ClaimRequest {
                    bytes: (reserved, reserved),
                    ..request
                })
                .await?;
            store.reserve(claim, 10).await?;
            store.commit_upload(claim, of_size(10)).await.map(drop)
        }));
    }
    let mut stored = 0;
    for one in sending {
        stored += u32::from(one.await.unwrap().is_ok());
    }
    assert!((1..=9).contains(&stored), "{stored}");
    assert_eq!(bench.usage().await.0, u64::from(stored) * 10);
}
