//! Listing media, deleting them, and how long they are kept.

use std::collections::BTreeMap;

use askfile::{
    domain::{
        ids::WorkspaceId,
        media::{Filter, object_key},
    },
    store::{MediaPage, MediaQuery, MediaRef, StoreError},
};
use jiff::Timestamp;

use super::*;

impl Bench {
    async fn page(&self, filter: Filter, before: Option<MediaId>, most: usize) -> MediaPage {
        let query = MediaQuery {
            filter,
            before,
            most,
        };
        let page = self.store.list_media(self.workspace.id, query).await;
        page.unwrap()
    }

    /// A completed session of one file that is kept for so many seconds.
    async fn kept_for(&self, retain_seconds: Option<u64>) -> (UploadId, MediaId) {
        let session = self.store.create(NewSession {
            retain_seconds,
            ..self.new_session(1)
        });
        let session = session.await.unwrap().id;
        (session, self.file(session).await.id)
    }

    async fn delete(&self, media: MediaId, force: bool) -> Result<()> {
        let workspace = self.workspace.id;
        self.store
            .delete_media(workspace, media, force, somebody())
            .await
    }

    async fn is_there(&self, media: MediaId) -> bool {
        let within = [self.workspace.id];
        let found = self.store.media(&within, MediaRef::Id(media));
        found.await.unwrap().is_some()
    }
}

fn ids(page: &MediaPage) -> Vec<MediaId> {
    page.media.iter().map(|media| media.id).collect()
}

pub async fn a_page_is_newest_first_and_the_next_begins_where_it_ended(bench: Bench) {
    let mut files = Vec::new();
    for _ in 0..5 {
        files.push(bench.kept_for(None).await.1);
    }
    files.sort_unstable();
    files.reverse();
    let all = bench.page(Filter::default(), None, 5).await;
    assert_eq!((ids(&all), all.next), (files.clone(), None));
    let (mut before, mut seen) = (None, Vec::new());
    for size in [2, 2, 1] {
        let page = bench.page(Filter::default(), before, 2).await;
        assert_eq!(page.media.len(), size);
        seen.extend(ids(&page));
        before = page.next;
    }
    assert_eq!((seen, before), (files, None));
}

pub async fn a_filter_takes_what_it_says(bench: Bench) {
    let (session, file) = bench.kept_for(None).await;
    let stored = bench.view(session).await.media.remove(0);
    let label = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let filters: [(Filter, bool); 7] = [
        (
            Filter {
                since: Some(stored.created_at),
                ..Filter::default()
            },
            true,
        ),
        (
            Filter {
                since: Some(stored.created_at + secs(1)),
                ..Filter::default()
            },
            false,
        ),
        (
            Filter {
                since: Some(Timestamp::MIN),
                ..Filter::default()
            },
            true,
        ),
        (
            Filter {
                name_contains: Some("A.P".into()),
                ..Filter::default()
            },
            true,
        ),
        (
            Filter {
                labels: label,
                ..Filter::default()
            },
            false,
        ),
        (
            Filter {
                mime_type: Some("image/*".parse().unwrap()),
                ..Filter::default()
            },
            true,
        ),
        (
            Filter {
                mime_type: Some("image/gif".parse().unwrap()),
                ..Filter::default()
            },
            false,
        ),
    ];
    for (filter, takes) in filters {
        let page = bench.page(filter.clone(), None, 9).await;
        let expected = if takes { vec![file] } else { Vec::new() };
        assert_eq!(ids(&page), expected, "{filter:?}");
    }
}

pub async fn a_page_looks_at_a_bounded_number_of_media(bench: Bench) {
    let mut sessions = Vec::new();
    for _ in 0..42 {
        sessions.push(bench.session(50).await);
    }
    for session in &sessions {
        for _ in 0..50 {
            let claim = bench.claim(*session).await;
            bench.store.commit_upload(claim, media()).await.unwrap();
        }
    }
    let nothing = || Filter {
        name_contains: Some("nothing is called so".into()),
        ..Filter::default()
    };
    let first = bench.page(nothing(), None, 20).await;
    assert!(first.media.is_empty() && first.next.is_some());
    let last = bench.page(nothing(), first.next, 20).await;
    assert_eq!(last, MediaPage::default());
}

pub async fn what_another_workspace_has_is_neither_listed_nor_deleted(bench: Bench) {
    let (_, file) = bench.kept_for(None).await;
    let stranger = WorkspaceId::random();
    let query = MediaQuery {
        most: 9,
        ..MediaQuery::default()
    };
    let page = bench.store.list_media(stranger, query).await.unwrap();
    assert_eq!(page, MediaPage::default());
    let deleted = bench
        .store
        .delete_media(stranger, file, true, somebody())
        .await;
    assert!(matches!(deleted, Err(StoreError::NotFound)), "{deleted:?}");
    assert!(bench.is_there(file).await);
}

pub async fn what_is_attached_is_deleted_by_force_only(bench: Bench) {
    let (_, file) = bench.kept_for(None).await;
    for target in ["7", "8"] {
        let attached = bench
            .store
            .attach(bench.workspace.id, file, on_post(target));
        attached.await.unwrap();
    }
    let refused = bench.delete(file, false).await;
    let targets = vec![on_post("7").target, on_post("8").target];
    assert!(
        matches!(&refused, Err(StoreError::Attached(to)) if *to == targets),
        "{refused:?}"
    );
    assert!(bench.is_there(file).await);
    bench.delete(file, true).await.unwrap();
    assert!(!bench.is_there(file).await);
    let key = object_key(file, "image/png");
    assert_eq!(bench.store.due().await.unwrap().doomed, [key]);
    let late = bench.store.attach(bench.workspace.id, file, on_post("9"));
    assert!(matches!(late.await, Err(StoreError::NotFound)));
}

pub async fn a_completed_session_ends_with_its_last_file(bench: Bench) {
    let session = bench.session(2).await;
    let [first, last] = [bench.file(session).await, bench.file(session).await];
    bench.delete(first.id, false).await.unwrap();
    assert_eq!(bench.state(session).await, State::Completed);
    bench.delete(last.id, false).await.unwrap();
    let ended = bench.view(session).await.session;
    assert_eq!((ended.state, ended.media_gone), (State::Expired, true));
    let late = bench.store.consume(session, on_post("7")).await;
    assert!(matches!(late, Err(StoreError::Closed(State::Expired))));

    let (consumed, file) = bench.kept_for(None).await;
    bench.store.consume(consumed, on_post("7")).await.unwrap();
    bench.delete(file, true).await.unwrap();
    assert_eq!(bench.state(consumed).await, State::Consumed);
}

pub async fn an_open_session_keeps_its_files(bench: Bench) {
    let session = bench.store.create(NewSession {
        retain_seconds: Some(1),
        ..bench.new_session(2)
    });
    let session = session.await.unwrap().id;
    let file = bench.file(session).await.id;
    bench.advance(secs(2));
    let refused = bench.delete(file, true).await;
    assert!(matches!(refused, Err(StoreError::StillOpen)), "{refused:?}");
    assert_eq!(bench.store.retire_media(9).await.unwrap(), []);
    bench.store.done(session, somebody()).await.unwrap();
    assert_eq!(bench.store.due().await.unwrap().media, [file]);
    assert_eq!(bench.store.retire_media(9).await.unwrap(), [file]);
    assert_eq!(bench.state(session).await, State::Expired);
}

pub async fn what_is_kept_no_longer_is_deleted_unless_it_is_attached(bench: Bench) {
    let (session, short) = bench.kept_for(Some(10)).await;
    let (_, attached) = bench.kept_for(Some(10)).await;
    let (_, longer) = bench.kept_for(Some(11)).await;
    let (_, forever) = bench.kept_for(None).await;
    let attaching = bench
        .store
        .attach(bench.workspace.id, attached, on_post("7"));
    attaching.await.unwrap();
    bench.advance(secs(9));
    assert_eq!(bench.store.retire_media(9).await.unwrap(), []);
    bench.advance(secs(1));
    assert_eq!(bench.store.due().await.unwrap().media, [short]);
    assert_eq!(bench.store.retire_media(9).await.unwrap(), [short]);
    let ended = bench.view(session).await.session;
    assert_eq!((ended.state, ended.media_gone), (State::Expired, true));
    for kept in [attached, longer, forever] {
        assert!(bench.is_there(kept).await);
    }
    bench.advance(SignedDuration::from_hours(24 * 365));
    assert_eq!(bench.store.forget_sessions(9).await.unwrap(), 4);
    assert_eq!(
        bench.store.retire_media(9).await.unwrap(),
        [longer],
        "media outlive their sessions"
    );
}

pub async fn of_attaching_and_deleting_at_once_one_wins_whole(bench: Bench) {
    for _ in 0..30 {
        let (_, file) = bench.kept_for(Some(0)).await;
        let (store, workspace) = (bench.store.clone(), bench.workspace.id);
        let attaching =
            tokio::spawn(async move { store.attach(workspace, file, on_post("7")).await });
        let store = bench.store.clone();
        let deleting =
            tokio::spawn(
                async move { store.delete_media(workspace, file, false, somebody()).await },
            );
        let store = bench.store.clone();
        let sweeping = tokio::spawn(async move { store.retire_media(9).await.unwrap() });
        let (attached, deleted) = (attaching.await.unwrap(), deleting.await.unwrap());
        let swept = sweeping.await.unwrap();
        let is_gone = deleted.is_ok() || swept == [file];
        assert_eq!(
            attached.is_ok(),
            !is_gone,
            "{attached:?} {deleted:?} {swept:?}"
        );
        assert_eq!(bench.is_there(file).await, !is_gone);
    }
}
