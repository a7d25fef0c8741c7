//! What targets have, and in which order.

use askfile::{
    domain::{attachment::Attachment, ids::AttachmentId},
    store::{
        StoreError,
        targets::{AttachmentChange, TargetQuery},
    },
};
use futures_util::future::join_all;

use super::*;

impl Bench {
    /// A media on the post 7, with this place and room.
    async fn attached(&self, position: Option<u32>, room: Room) -> Result<Attachment> {
        let session = self.completed().await;
        let media = self.view(session).await.media[0].id;
        let wanted = NewAttachment {
            position,
            room,
            ..on_post("7")
        };
        self.store.attach(self.workspace.id, media, wanted).await
    }

    /// The names and places of what is on the post 7.
    async fn on_post_7(&self) -> Vec<(AttachmentId, u32)> {
        let query = TargetQuery {
            after: None,
            most: 100,
        };
        let target = on_post("7").target;
        let page = self.store.on_target(self.workspace.id, target, query).await;
        let items = page.unwrap().items.into_iter();
        items.map(|(one, _)| (one.id, one.position)).collect()
    }

    fn one(&self, id: AttachmentId) -> OneOfTarget {
        OneOfTarget {
            workspaces: vec![self.workspace.id],
            target: on_post("7").target,
            id,
        }
    }
}

pub async fn what_comes_to_a_place_that_is_taken_moves_the_rest_back(bench: Bench) {
    let at = async |position| bench.attached(position, Room::default()).await.unwrap().id;
    let (a, b) = (at(None).await, at(None).await);
    let c = at(Some(0)).await;
    assert_eq!(bench.on_post_7().await, [(c, 0), (a, 1), (b, 2)]);
    // A place that is free moves nobody.
    let d = at(Some(7)).await;
    assert_eq!(bench.on_post_7().await, [(c, 0), (a, 1), (b, 2), (d, 7)]);
}

pub async fn what_is_moved_stands_where_it_was_put(bench: Bench) {
    let mut ids = Vec::new();
    for position in [None, None, None, Some(9)] {
        let one = bench.attached(position, Room::default()).await.unwrap();
        ids.push(one.id);
    }
    let [a, b, c, d] = ids[..] else { panic!() };
    let place = async |id, position| {
        let change = AttachmentChange {
            position: Some(position),
            alt: None,
        };
        let moved = bench
            .store
            .change_attachment(bench.one(id), change, somebody());
        let moved = moved.await.unwrap().position;
        let all = bench.on_post_7().await;
        let places: Vec<u32> = all.iter().map(|(_, place)| *place).collect();
        assert_eq!(places, [0, 1, 2, 3]);
        assert_eq!(all[moved as usize].0, id);
        all.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(place(a, 2).await, [b, c, a, d]);
    assert_eq!(place(d, 3).await, [b, c, a, d]);
    assert_eq!(place(d, 0).await, [d, b, c, a]);
    assert_eq!(place(b, 1).await, [d, b, c, a]);
    assert_eq!(place(d, 99).await, [b, c, a, d]);
}

pub async fn a_target_never_has_more_than_it_may(bench: Bench) {
    let three = Room {
        most: Some(3),
        one_shot: false,
    };
    let tries = (0..10).map(|_| bench.attached(None, three));
    let won = join_all(tries).await;
    let refused =
        |one: &Result<_>| matches!(one, Err(StoreError::TargetFull(room)) if *room == three);
    assert_eq!(won.iter().filter(|one| one.is_ok()).count(), 3);
    assert_eq!(won.iter().filter(|one| refused(one)).count(), 7);
    assert_eq!(bench.on_post_7().await.len(), 3);
    // What is there takes no new place.
    let first = won.into_iter().find_map(Result::ok).unwrap();
    let again = NewAttachment {
        room: three,
        ..on_post("7")
    };
    let again = bench
        .store
        .attach(bench.workspace.id, first.media_id, again);
    assert_eq!(again.await.unwrap(), first);

    // Nothing of a session is attached where not all of it fits, and it is not used up.
    let session = bench.session(2).await;
    bench.file(session).await;
    bench.file(session).await;
    let once = |id: &str, most| NewAttachment {
        room: Room {
            most,
            one_shot: true,
        },
        ..on_post(id)
    };
    let refused = bench.store.consume(session, once("8", Some(1))).await;
    assert!(
        matches!(refused, Err(StoreError::TargetFull(_))),
        "{refused:?}"
    );
    assert_eq!(bench.state(session).await, State::Completed);
    let taken = bench.store.consume(session, once("8", None)).await.unwrap();
    assert_eq!(taken.len(), 2);
    let late = bench
        .store
        .attach(bench.workspace.id, first.media_id, once("8", None))
        .await;
    assert!(matches!(late, Err(StoreError::TargetFull(_))), "{late:?}");
    assert_eq!(
        bench.store.consume(session, once("8", None)).await.unwrap(),
        taken
    );
}

pub async fn of_two_orders_at_once_one_wins_whole(bench: Bench) {
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(bench.attached(None, Room::default()).await.unwrap().id);
    }
    let (forward, mut back) = (ids.clone(), ids);
    back.reverse();
    let order = |ids: &[AttachmentId]| {
        let target = on_post("7").target;
        bench
            .store
            .order(bench.workspace.id, target, ids.to_vec(), somebody())
    };
    for _ in 0..10 {
        let (one, other) = tokio::join!(order(&forward), order(&back));
        one.unwrap();
        other.unwrap();
        let stands: Vec<_> = bench.on_post_7().await;
        let places: Vec<u32> = stands.iter().map(|(_, place)| *place).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 5]);
        let stands: Vec<_> = stands.into_iter().map(|(id, _)| id).collect();
        assert!(stands == forward || stands == back, "{stands:?}");
    }
    for wrong in [
        &forward[1..],
        &[&forward[1..], &forward[1..2]].concat(),
        &[&forward[..], &forward[..1]].concat(),
    ] {
        let refused = order(wrong).await;
        assert!(
            matches!(refused, Err(StoreError::OtherAttachments)),
            "{refused:?}"
        );
    }
}

pub async fn the_time_that_a_media_is_kept_begins_anew_when_it_is_detached(bench: Bench) {
    let mut new = bench.new_session(1);
    new.retain_seconds = Some(100);
    let session = bench.store.create(new).await.unwrap().id;
    let media = bench.file(session).await.id;
    let of = bench.workspace.id;
    let mut attached = Vec::new();
    for post in ["7", "8"] {
        let one = bench.store.attach(of, media, on_post(post)).await.unwrap();
        attached.push(OneOfTarget {
            workspaces: vec![of],
            target: one.target,
            id: one.id,
        });
    }
    bench.advance(secs(1_000));
    let retire = || bench.store.retire_media(9);
    assert_eq!(retire().await.unwrap(), []);
    for one in attached {
        assert_eq!(retire().await.unwrap(), [], "it is still attached");
        let wrong = OneOfTarget {
            target: on_post("9").target,
            ..one.clone()
        };
        let refused = bench.store.detach(wrong, somebody()).await;
        assert!(matches!(refused, Err(StoreError::NotFound)), "{refused:?}");
        bench.store.detach(one.clone(), somebody()).await.unwrap();
        let again = bench.store.detach(one, somebody()).await;
        assert!(matches!(again, Err(StoreError::NotFound)), "{again:?}");
    }
    assert_eq!(bench.noted(Action::MediaDetached).await, 2);
    bench.advance(secs(99));
    assert_eq!(retire().await.unwrap(), []);
    bench.advance(secs(1));
    assert_eq!(retire().await.unwrap(), [media]);
}
