//! Making sessions and finding them.

use askfile::domain::session::Phase;

use super::*;

pub async fn a_session_is_found_by_its_id_and_by_its_token(bench: Bench) {
    let new = bench.new_session(2);
    let (id, token) = (new.id, new.token);
    for which in [SessionRef::Id(id), SessionRef::Token(token)] {
        assert_eq!(bench.store.find(which).await.unwrap(), None);
    }
    let made = bench.store.create(new).await.unwrap();
    bench.session(1).await;
    for which in [SessionRef::Id(id), SessionRef::Token(token)] {
        let view = bench.store.find(which).await.unwrap().unwrap();
        assert_eq!(view.session, made);
        assert_eq!(
            (view.media.len(), view.tally.slots, view.tally.taken()),
            (0, 2, 0)
        );
    }
    assert_eq!(
        (made.state, made.redeem_by),
        (State::Pending, made.expires_at)
    );
    assert_eq!(made.expires_at.duration_since(made.created_at), LIFE);
}

pub async fn a_link_lapses_to_the_second_without_a_sweep(bench: Bench) {
    bench.advance(SignedDuration::from_millis(250));
    let session = bench.session(1).await;
    let made = bench.view(session).await.session;
    let life = made.expires_at.duration_since(made.created_at);
    assert_eq!(
        life,
        SignedDuration::from_millis(60_750),
        "up to the next whole second"
    );

    bench.advance(SignedDuration::from_millis(60_749));
    assert_eq!(bench.state(session).await, State::Pending);
    bench.advance(SignedDuration::from_millis(1));
    assert_eq!(bench.state(session).await, State::Expired);
    let refused = bench.try_claim(session).await.unwrap_err();
    assert_eq!(refused.to_string(), "the session is expired");
}

pub async fn the_page_is_opened_once(bench: Bench) {
    let session = bench.session(1).await;
    let before = bench.view(session).await.session;
    assert_eq!(
        (before.phase(), before.opened_at),
        (Some(Phase::Waiting), None)
    );
    bench.store.open(session).await.unwrap();
    let opened = bench.view(session).await.session;
    assert_eq!(opened.phase(), Some(Phase::Opened));
    bench.advance(secs(5));
    bench.store.open(session).await.unwrap();
    assert_eq!(
        bench.view(session).await.session.opened_at,
        opened.opened_at
    );
    assert_eq!(bench.noted(Action::UploadOpened).await, 1);
}

pub async fn what_was_put_in_comes_out(bench: Bench) {
    let new = NewSession {
        prompt: Some("Which one?\nThis 'one'; DROP TABLE media".into()),
        metadata: Metadata {
            name: Some("n".into()),
            external_id: Some("x".into()),
            labels: [("k".into(), "v".into())].into(),
        },
        retain_seconds: Some(90),
        ..bench.new_session(3)
    };
    let made = bench.store.create(new.clone()).await.unwrap();
    assert_eq!((&made.prompt, &made.metadata), (&new.prompt, &new.metadata));
    assert_eq!((&made.limits, made.retain_seconds), (&new.limits, Some(90)));

    let claim = bench.claim_for(made.id, Some(attempt(1))).await;
    let put = NewMedia {
        original_filename: "été\u{1f4f7}.png".into(),
        description: Some("a\nb".into()),
        original: Content {
            mime_type: "image/heic".into(),
            size_bytes: 5_000_000_000,
            sha256: [8; 32],
        },
        handles: vec![("a".into(), "a_1".into()), ("b".into(), "b_1".into())],
        ..media()
    };
    let stored = bench.store.commit_upload(claim, put.clone()).await.unwrap();
    let within = [bench.workspace.id];
    let got = bench
        .store
        .media(&within, askfile::store::MediaRef::Id(stored.media[0].id));
    let got = got.await.unwrap().unwrap();
    assert_eq!(stored.media[0], got);
    assert_eq!(
        (&got.original_filename, &got.description),
        (&put.original_filename, &put.description)
    );
    assert_eq!(
        (&got.stored, &got.original, &got.handles),
        (&put.stored, &put.original, &put.handles)
    );
    assert_eq!(
        (got.upload_id, got.slot, got.attempt),
        (made.id, Some(0), Some(attempt(1)))
    );
    assert_eq!(
        got.retain_until.unwrap().duration_since(got.created_at),
        secs(90)
    );
}
