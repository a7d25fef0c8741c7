//! What back ends are to be told: whatever was noted is queued with it, and each is one sender's.

use askfile::{
    domain::webhook::{Webhook, WebhookState},
    store::{
        StoreError,
        webhooks::{Outcome, Replay, Subscriber, Tried},
    },
};

use super::*;

/// Queues everything for these; what is posted is the event and its number.
fn subscribe(bench: &Bench, endpoints: &[&str]) {
    let told = Action::ALL.iter().copied();
    let events: Vec<_> = told.filter(|action| action.told().is_some()).collect();
    let subscriber = |endpoint: &&str| Subscriber {
        endpoint: (*endpoint).into(),
        events: events.clone(),
        workspaces: None,
    };
    let subscribers = endpoints.iter().map(subscriber).collect();
    bench.store.subscribe(subscribers, |happened| {
        format!("{} {}", happened.event.as_str(), happened.sequence)
    });
}

async fn take(bench: &Bench, most: u32) -> Vec<Webhook> {
    let taken = bench.store.take_webhooks("shop", most, LEASE).await;
    taken.unwrap()
}

fn bodies(webhooks: &[Webhook]) -> Vec<&str> {
    webhooks.iter().map(|it| it.body.as_str()).collect()
}

async fn settle(bench: &Bench, webhook: &Webhook, outcome: Outcome) {
    let tried = Tried {
        id: webhook.id,
        tries: webhook.tries,
        outcome,
    };
    bench.store.settle(vec![tried]).await.unwrap();
}

fn failed(again_in: Option<SignedDuration>) -> Outcome {
    Outcome::Failed {
        problem: "answered 500".into(),
        again_in,
    }
}

pub async fn what_is_noted_is_queued_for_each_and_numbered(bench: Bench) {
    subscribe(&bench, &["shop", "bank"]);
    let session = bench.completed().await;
    bench.store.consume(session, on_post("7")).await.unwrap();
    let refused = bench.store.consume(session, on_post("8")).await;
    assert!(matches!(refused, Err(StoreError::AlreadyConsumed(_))));
    let refused = bench.store.cancel(session, somebody()).await;
    assert!(matches!(refused, Err(StoreError::Closed(_))));
    let other = bench.session(1).await;
    bench.store.cancel(other, somebody()).await.unwrap();
    let expected = [
        "upload.completed 1",
        "upload.consumed 2",
        "media.attached 3",
        "upload.cancelled 1",
    ];
    assert_eq!(bodies(&take(&bench, 9).await), expected);
    let for_bank = bench.store.take_webhooks("bank", 9, LEASE).await.unwrap();
    assert_eq!(bodies(&for_bank), expected, "numbered for each");
}

pub async fn a_webhook_is_one_senders_until_its_lease_is_over(bench: Bench) {
    subscribe(&bench, &["shop"]);
    for _ in 0..3 {
        bench.completed().await;
        bench.advance(secs(1));
    }
    let neighbour = bench.database.open().await;
    let first = take(&bench, 2).await;
    assert_eq!(first.len(), 2, "as many as were asked for");
    assert!(
        first[0].created_at < first[1].created_at,
        "the oldest first"
    );
    let rest = neighbour.take_webhooks("shop", 9, LEASE).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(take(&bench, 9).await, []);
    bench.advance(LEASE);
    let again = take(&bench, 9).await;
    assert_eq!(again.len(), 3);
    let (before, after) = (&first[0], &again[0]);
    assert_eq!(
        (before.id, &before.body),
        (after.id, &after.body),
        "the same"
    );
    assert_eq!((before.tries, after.tries), (1, 2));
}

pub async fn a_webhook_is_delivered_or_tried_again_or_given_up(bench: Bench) {
    subscribe(&bench, &["shop"]);
    for _ in 0..3 {
        bench.completed().await;
    }
    let taken = take(&bench, 9).await;
    settle(&bench, &taken[0], Outcome::Delivered).await;
    settle(&bench, &taken[1], failed(Some(secs(90)))).await;
    settle(&bench, &taken[2], failed(None)).await;
    bench.advance(secs(90) - secs(1));
    assert_eq!(take(&bench, 9).await, []);
    bench.advance(secs(1));
    let again = take(&bench, 9).await;
    assert_eq!((again.len(), again[0].id), (1, taken[1].id));
    let dead = bench.store.webhooks(true, 9).await.unwrap();
    assert_eq!((dead.len(), dead[0].id), (1, taken[2].id));
    assert_eq!(dead[0].problem.as_deref(), Some("answered 500"));
    let states = bench.store.webhooks(false, 9).await.unwrap();
    let states: Vec<_> = states.iter().rev().map(|it| it.state).collect();
    let [waiting, delivered, dead] = WebhookState::ALL;
    assert_eq!(states, [delivered, waiting, dead]);
}

pub async fn whoever_comes_late_changes_nothing_but_a_delivery(bench: Bench) {
    subscribe(&bench, &["shop"]);
    bench.completed().await;
    let [late] = &take(&bench, 1).await[..] else {
        panic!("one is due");
    };
    bench.advance(LEASE);
    take(&bench, 1).await;
    settle(&bench, late, failed(None)).await;
    let now = bench.store.webhooks(false, 1).await.unwrap();
    assert_eq!((now[0].state, now[0].tries), (WebhookState::Waiting, 2));
    settle(&bench, late, Outcome::Delivered).await;
    bench.advance(LEASE);
    assert_eq!(take(&bench, 1).await, []);
}

pub async fn what_ended_is_queued_again_when_asked_for(bench: Bench) {
    subscribe(&bench, &["shop"]);
    bench.completed().await;
    bench.advance(secs(60));
    bench.completed().await;
    let taken = take(&bench, 9).await;
    let since = taken[1].created_at;
    settle(&bench, &taken[0], Outcome::Delivered).await;
    settle(&bench, &taken[1], failed(None)).await;
    let replay = |dead_alone, since| bench.store.replay(Replay::Ended { dead_alone, since });
    assert_eq!(replay(true, Timestamp::MAX).await.unwrap(), 0);
    assert_eq!(replay(true, Timestamp::MIN).await.unwrap(), 1);
    let again = take(&bench, 9).await;
    assert_eq!((again[0].id, again[0].tries), (taken[1].id, 1), "as if new");
    settle(&bench, &again[0], Outcome::Delivered).await;
    assert_eq!(replay(false, since).await.unwrap(), 1);
    assert_eq!(replay(false, Timestamp::MIN).await.unwrap(), 1, "the other");
    assert_eq!(take(&bench, 9).await.len(), 2);
    let one = bench.store.replay(Replay::One(taken[0].id)).await;
    assert_eq!(one.unwrap(), 1);
}
