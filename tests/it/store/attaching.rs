//! Attaching media, and finding them.

use askfile::{
    domain::ids::WorkspaceId,
    store::{MediaRef, StoreError},
};

use super::*;

pub async fn a_session_is_consumed_once(bench: Bench) {
    let session = bench.session(2).await;
    let files = [bench.file(session).await, bench.file(session).await];
    let wanted = NewAttachment {
        alt: Some("a view".into()),
        ..on_post("7")
    };
    let attached = bench.store.consume(session, wanted.clone()).await.unwrap();
    let media: Vec<MediaId> = attached.iter().map(|one| one.media_id).collect();
    assert_eq!(media, files.map(|file| file.id), "in slot order");
    let positions: Vec<u32> = attached.iter().map(|one| one.position).collect();
    assert_eq!(
        (positions, attached[1].alt.as_deref()),
        (vec![0, 1], Some("a view"))
    );
    let view = bench.view(session).await;
    assert_eq!(
        (view.session.state, view.session.consumed_by),
        (State::Consumed, Some(wanted.target.clone()))
    );

    assert_eq!(
        bench.store.consume(session, wanted).await.unwrap(),
        attached
    );
    let elsewhere = bench.store.consume(session, on_post("8")).await;
    assert!(
        matches!(&elsewhere, Err(StoreError::AlreadyConsumed(by)) if by.id == "7"),
        "{elsewhere:?}"
    );
}

pub async fn only_a_completed_session_is_consumed(bench: Bench) {
    let session = bench.session(2).await;
    bench.file(session).await;
    let early = bench.store.consume(session, on_post("7")).await;
    assert!(matches!(early, Err(StoreError::NotReady)), "{early:?}");
    bench.claim(session).await;
    let early = bench.store.consume(session, on_post("7")).await;
    assert!(matches!(early, Err(StoreError::NotReady)), "{early:?}");
    bench.store.cancel(session, somebody()).await.unwrap();
    let late = bench.store.consume(session, on_post("7")).await;
    assert!(
        matches!(late, Err(StoreError::Closed(State::Cancelled))),
        "{late:?}"
    );
    let lapsed = bench.session(1).await;
    bench.advance(LIFE);
    let late = bench.store.consume(lapsed, on_post("7")).await;
    assert!(
        matches!(late, Err(StoreError::Closed(State::Expired))),
        "{late:?}"
    );
}

pub async fn attaching_again_gives_the_same_answer(bench: Bench) {
    let session = bench.completed().await;
    let media = bench.view(session).await.media[0].id;
    let attach = |id: &str| bench.store.attach(bench.workspace.id, media, on_post(id));
    let first = attach("7").await.unwrap();
    assert_eq!(attach("7").await.unwrap(), first);
    let other = attach("8").await.unwrap();
    assert_eq!((other.media_id, other.id == first.id), (media, false));
    assert_eq!(
        bench.state(session).await,
        State::Completed,
        "a media never consumes"
    );
    let consumed = bench.store.consume(session, on_post("7")).await.unwrap();
    assert_eq!(consumed, [first]);
}

pub async fn files_without_a_position_go_to_the_end(bench: Bench) {
    let sessions = [
        bench.completed().await,
        bench.completed().await,
        bench.completed().await,
    ];
    let mut positions = Vec::new();
    for (session, position) in sessions.into_iter().zip([None, Some(5), None]) {
        let wanted = NewAttachment {
            position,
            ..on_post("7")
        };
        let attached = bench.store.consume(session, wanted).await.unwrap();
        positions.push(attached[0].position);
    }
    assert_eq!(positions, [0, 5, 6]);
}

pub async fn what_another_workspace_has_is_unknown(bench: Bench) {
    let session = bench.completed().await;
    let media = bench.view(session).await.media[0].id;
    let stranger = WorkspaceId::random();
    let found = bench.store.media(&[stranger], MediaRef::Id(media)).await;
    assert_eq!(found.unwrap(), None);
    let attached = bench.store.attach(stranger, media, on_post("7")).await;
    assert!(
        matches!(attached, Err(StoreError::NotFound)),
        "{attached:?}"
    );
    let found = bench
        .store
        .media(&[bench.workspace.id], MediaRef::Id(media))
        .await;
    assert_eq!(found.unwrap().unwrap().id, media);
}

pub async fn a_media_is_found_by_its_handles(bench: Bench) {
    let session = bench.session(1).await;
    let claim = bench.claim(session).await;
    let handles = vec![("p".into(), "p_1".into()), ("s".into(), "s_1".into())];
    let stored = bench
        .store
        .commit_upload(claim, NewMedia { handles, ..media() });
    let stored = stored.await.unwrap().media.remove(0);
    for (workspace, handle, known) in [
        (bench.workspace.id, "p_1", true),
        (bench.workspace.id, "s_1", true),
        (bench.workspace.id, "p", false),
        (bench.workspace.id, "p_2", false),
        (WorkspaceId::random(), "p_1", false),
    ] {
        let found = bench
            .store
            .media(&[workspace], MediaRef::Handle(handle.into()))
            .await;
        assert_eq!(found.unwrap(), known.then(|| stored.clone()), "{handle}");
    }
}
