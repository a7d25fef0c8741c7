//! Grants: claims under which the bytes come later.

use askfile::{
    domain::transfer::Spec,
    store::{Grant, Landing, NewGrant, StoreError},
};

use super::*;
use crate::harness::mins;

/// The lease of every grant here.
const GRANTED: SignedDuration = SignedDuration::from_mins(16);
/// After that nothing lands any more.
const OVER: SignedDuration = SignedDuration::from_mins(135);
const KEY: &str = "landing/here";

impl Bench {
    /// Takes a claim that is a grant.
    async fn grant(&self, session: UploadId, landing: Option<&str>) -> Grant {
        let request = ClaimRequest {
            lease: GRANTED,
            grant: Some(NewGrant {
                spec: Spec {
                    filename: "a.png".into(),
                    mime_type: "image/png".into(),
                    size_bytes: 9,
                    description: Some("A note".into()),
                },
                landing: landing.map(|key| Landing {
                    key: key.into(),
                    over_in: OVER,
                }),
            }),
            ..self.request(session, Some(attempt(1)))
        };
        let media = request.media;
        self.store.claim(request).await.unwrap();
        self.granted(session, media).await.unwrap()
    }

    async fn granted(&self, session: UploadId, media: MediaId) -> Option<Grant> {
        self.store.grant(session, media).await.unwrap()
    }

    async fn landings(&self) -> Vec<Grant> {
        self.store.landings(None, None, 9).await.unwrap()
    }

    async fn deletable(&self) -> Vec<String> {
        self.store.due().await.unwrap().doomed
    }
}

pub async fn a_grant_is_found_until_it_is_over(bench: Bench) {
    let (session, other) = (bench.session(1).await, bench.session(1).await);
    let grant = bench.grant(session, Some(KEY)).await;
    assert_eq!(grant.spec.description.as_deref(), Some("A note"));
    assert_eq!((grant.session, grant.is_in_turn), (session, false));
    assert_eq!(bench.granted(other, grant.media).await, None);
    let the_one = std::slice::from_ref(&grant);
    assert_eq!(bench.landings().await, the_one);
    let of = |id| bench.store.landings(Some(id), None, 9);
    assert_eq!(of(session).await.unwrap(), the_one);
    assert_eq!(of(other).await.unwrap(), []);
    let after = bench.store.landings(None, Some(grant.media), 9).await;
    assert_eq!(after.unwrap(), []);
    assert!(bench.try_claim(session).await.is_err(), "it holds its slot");
    bench.advance(GRANTED - secs(1));
    assert_eq!(bench.state(session).await, State::Receiving);
    bench.advance(secs(1));
    assert_eq!(bench.granted(session, grant.media).await, None);
    assert_eq!(bench.landings().await, []);
    assert_eq!(bench.state(session).await, State::Pending);
}

pub async fn of_two_turns_at_once_one_is_taken(bench: Bench) {
    let session = bench.session(1).await;
    let grant = bench.grant(session, Some(KEY)).await;
    let take = || bench.store.take_grant(grant.claim, LEASE);
    let (one, two) = tokio::join!(take(), take());
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let now = bench.granted(session, grant.media).await.unwrap();
    assert!(now.is_in_turn);
    let again = bench.store.take_grant(now.claim, LEASE).await;
    assert!(matches!(again, Err(StoreError::ClaimGone)), "{again:?}");
    assert_eq!(bench.landings().await, [], "somebody sees to it");
}

pub async fn whoever_lost_a_turn_can_neither_beat_nor_commit(bench: Bench) {
    let session = bench.session(1).await;
    let grant = bench.grant(session, Some(KEY)).await;
    let first = bench.store.take_grant(grant.claim, LEASE).await.unwrap();
    bench.advance(LEASE - secs(1));
    bench.store.heartbeat(first, LEASE, None).await.unwrap();
    bench.advance(LEASE - secs(1));
    let early = bench.store.take_grant(first, LEASE).await;
    assert!(matches!(early, Err(StoreError::ClaimGone)), "{early:?}");
    bench.advance(secs(1));
    let second = bench.store.take_grant(first, LEASE).await.unwrap();
    for lost in [grant.claim, first] {
        let beat = bench.store.heartbeat(lost, LEASE, None).await;
        assert!(matches!(beat, Err(StoreError::ClaimGone)), "{beat:?}");
        let commit = bench.store.commit_upload(lost, media()).await;
        assert!(matches!(commit, Err(StoreError::ClaimGone)), "{commit:?}");
    }
    let stored = bench.store.commit_upload(second, media()).await.unwrap();
    assert_eq!(stored.media[0].id, grant.media, "the media that was named");
    assert_eq!(bench.granted(session, grant.media).await, None);
}

pub async fn what_landed_outlives_a_turn_that_was_lost(bench: Bench) {
    let session = bench.session(1).await;
    let grant = bench.grant(session, Some(KEY)).await;
    bench.advance(GRANTED - secs(1));
    let turn = bench.store.take_grant(grant.claim, LEASE).await.unwrap();
    bench.advance(LEASE);
    let landed = bench.landings().await;
    assert_eq!(landed.len(), 1, "it can be taken again");
    assert_eq!(landed[0].claim, turn);
    bench.store.take_grant(turn, LEASE).await.unwrap();
}

pub async fn a_grant_that_askfile_takes_in_itself_is_a_claim_like_any_other_then(bench: Bench) {
    let session = bench.session(1).await;
    let grant = bench.grant(session, None).await;
    assert_eq!(bench.landings().await, [], "nothing lands");
    let claim = bench.store.take_grant(grant.claim, LEASE).await.unwrap();
    assert_eq!(bench.granted(session, grant.media).await, None);
    let again = bench.store.take_grant(claim, LEASE).await;
    assert!(matches!(again, Err(StoreError::ClaimGone)), "{again:?}");
    bench.advance(LEASE - secs(1));
    bench.store.heartbeat(claim, LEASE, None).await.unwrap();
    bench.advance(LEASE);
    assert_eq!(bench.state(session).await, State::Pending, "it was silent");
}

pub async fn what_may_still_land_is_deleted_once_nothing_can_land_any_more(bench: Bench) {
    let [stored, cancelled, given_back] = [
        bench.session(1).await,
        bench.session(1).await,
        bench.session(1).await,
    ];
    let grant = bench.grant(stored, Some("landing/a")).await;
    let turn = bench.store.take_grant(grant.claim, LEASE).await.unwrap();
    bench.store.commit_upload(turn, media()).await.unwrap();
    bench.grant(cancelled, Some("landing/b")).await;
    bench.store.cancel(cancelled, somebody()).await.unwrap();
    let grant = bench.grant(given_back, Some("landing/c")).await;
    bench.store.release(grant.claim, None).await.unwrap();
    let lost = bench.store.take_lost_claims(9, mins(1)).await.unwrap();
    let landed: Vec<_> = lost.iter().map(|lost| lost.lands_at.as_deref()).collect();
    assert_eq!(landed, [Some("landing/b")], "the sweep looks there at once");

    bench.advance(OVER - secs(1));
    assert_eq!(bench.deletable().await, [""; 0]);
    for key in ["landing/a", "landing/b", "landing/c"] {
        assert!(bench.store.is_owned(key).await.unwrap(), "{key} is known");
    }
    bench.advance(secs(1));
    let mut deletable = bench.deletable().await;
    deletable.sort();
    assert_eq!(deletable, ["landing/a", "landing/b", "landing/c"]);
}

pub async fn what_a_lost_turn_copied_is_deleted(bench: Bench) {
    let (again, closed) = (bench.session(1).await, bench.session(1).await);
    let one = bench.grant(again, Some("landing/a")).await;
    let one = bench.store.take_grant(one.claim, LEASE).await.unwrap();
    let two = bench.grant(closed, Some("landing/b")).await;
    let two = bench.store.take_grant(two.claim, LEASE).await.unwrap();
    bench.store.cancel(closed, somebody()).await.unwrap();
    bench.advance(LEASE);
    bench.store.take_grant(one, LEASE).await.unwrap();
    assert_eq!(bench.deletable().await, [format!("staging/{two}")]);
    bench.advance(LEASE);
    let mut deletable = bench.deletable().await;
    deletable.sort();
    let mut copies = [format!("staging/{one}"), format!("staging/{two}")];
    copies.sort();
    assert_eq!(deletable, copies, "whoever had the turn may have been late");
}
