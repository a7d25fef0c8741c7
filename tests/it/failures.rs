//! Every call to the store fails once, before or after it took effect: nothing is lost, nothing is
//! left, and a retry succeeds.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use askfile::{
    Error,
    config::Settings,
    domain::{
        attachment::Attachment,
        audit::Actor,
        ids::{AttemptId, ClaimId, MediaId, UploadId, WorkspaceId},
        media::{Media, object_key},
        session::{LastError, State, UploadSession},
    },
    intake::body::FileBody,
    link::KeyRing,
    objects::local::LocalDisk,
    service::{AskedLink, CreateRequest, Foundations, Incoming, LinkedSession, Received, Service},
    store::{
        Change, Check, ClaimOutcome, ClaimRequest, Due, Grant, LostClaim, MediaPage, MediaQuery,
        MediaRef, NewAttachment, NewMedia, NewSession, Passed, Result, SessionRef, SessionView,
        Stock, StoreError, UploadStore, Watching, sqlite::SqliteStore,
    },
};
use async_trait::async_trait;
use axum::body::Body;
use jiff::SignedDuration;
use tokio::sync::broadcast;

use crate::harness::{KEY, PNG, PUBLIC_URL, TestClock, mins, names_in};

/// When a call fails.
#[derive(Debug, Clone, Copy)]
enum When {
    /// Nothing was done.
    Before,
    /// It was done, and the answer was lost.
    After,
}

/// Fails its `n`th call after it was armed, counted from 0.
#[derive(Debug)]
struct FailNth {
    inner: Arc<SqliteStore>,
    left: AtomicUsize,
    when: When,
}

const NEVER: usize = usize::MAX;

impl FailNth {
    fn arm(&self, n: usize) {
        self.left.store(n, Ordering::SeqCst);
    }

    /// Whether the call that was to fail has come; it fails no more.
    fn disarm(&self) -> bool {
        self.left.swap(NEVER, Ordering::SeqCst) == NEVER
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let count = |left: usize| match left {
            NEVER | 0 => Some(NEVER),
            left => Some(left - 1),
        };
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count);
        let hit = left == Ok(0);
        let lost = || Err(StoreError::Database("injected".into()));
        match (hit, self.when) {
            (true, When::Before) => lost(),
            (true, When::After) => {
                let _ = work.await;
                lost()
            }
            (false, _) => work.await,
        }
    }
}

/// Passes each method on, through [`FailNth::call`].
macro_rules! pass_on {
    ($(fn $name:ident(&self $(, $argument:ident: $type:ty)*) -> $answer:ty;)+) => {
        #[async_trait]
        impl UploadStore for FailNth {
            $(async fn $name(&self $(, $argument: $type)*) -> Result<$answer> {
                self.call(self.inner.$name($($argument),*)).await
            })+

            fn changes(&self) -> broadcast::Receiver<Change> {
                self.inner.changes()
            }

            fn watch(&self) -> Watching {
                self.inner.watch()
            }
        }
    };
}

pass_on! {
    fn create(&self, new: NewSession) -> UploadSession;
    fn find(&self, which: SessionRef) -> Option<SessionView>;
    fn find_within(&self, workspaces: &[WorkspaceId], which: SessionRef) -> Option<SessionView>;
    fn open(&self, id: UploadId) -> ();
    fn claim(&self, request: ClaimRequest) -> ClaimOutcome;
    fn grant(&self, session: UploadId, media: MediaId) -> Option<Grant>;
    fn landings(&self, of: Option<UploadId>, after: Option<MediaId>, most: u32) -> Vec<Grant>;
    fn take_grant(&self, claim: ClaimId, lease: SignedDuration) -> ClaimId;
    fn heartbeat(&self, claim: ClaimId, lease: SignedDuration, media_key: Option<String>) -> ();
    fn reserve(&self, claim: ClaimId, bytes: u64) -> ();
    fn note_begun(&self, claim: ClaimId, begun: String) -> ();
    fn commit_upload(&self, claim: ClaimId, media: NewMedia) -> SessionView;
    fn take_checks(&self, most: u32, lease: SignedDuration) -> Vec<Check>;
    fn renew_check(&self, media: MediaId, turn: ClaimId, lease: SignedDuration) -> ();
    fn pass_check(&self, media: MediaId, turn: ClaimId, passed: Passed) -> SessionView;
    fn block(&self, media: MediaId, turn: ClaimId, why: LastError) -> ();
    fn release(&self, claim: ClaimId, why: Option<LastError>) -> ();
    fn done(&self, id: UploadId, by: Actor) -> State;
    fn decline(&self, id: UploadId, reason: Option<String>, by: Actor) -> ();
    fn cancel(&self, id: UploadId, by: Actor) -> ();
    fn consume(&self, id: UploadId, wanted: NewAttachment) -> Vec<Attachment>;
    fn attach(&self, workspace: WorkspaceId, media: MediaId, wanted: NewAttachment) -> Attachment;
    fn media(&self, workspaces: &[WorkspaceId], which: MediaRef) -> Option<Media>;
    fn list_media(&self, workspace: WorkspaceId, query: MediaQuery) -> MediaPage;
    fn delete_media(&self, workspace: WorkspaceId, media: MediaId, force: bool, by: Actor) -> ();
    fn retire_media(&self, most: u32) -> Vec<MediaId>;
    fn expire_sessions(&self, most: u32) -> Vec<(UploadId, State)>;
    fn take_lost_claims(&self, most: u32, lease: SignedDuration) -> Vec<LostClaim>;
    fn forget_claim(&self, claim: ClaimId) -> ();
    fn doom(&self, key: String, after: SignedDuration) -> ();
    fn take_doomed(&self, most: u32, lease: SignedDuration) -> Vec<String>;
    fn forget_doomed(&self, key: String) -> ();
    fn stock(&self, after: Option<MediaId>, most: u32) -> Vec<Stock>;
    fn is_owned(&self, key: &str) -> bool;
    fn forget_sessions(&self, most: u32) -> u32;
    fn due(&self) -> Due;
    fn ping(&self) -> ();
}

/// A service whose store fails once, and a link to it.
struct Failing {
    service: Service,
    store: Arc<FailNth>,
    clock: Arc<TestClock>,
    folder: tempfile::TempDir,
    session: UploadSession,
    url: String,
}

impl Failing {
    async fn start(when: When) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let inner = SqliteStore::open(&folder.path().join("askfile.db"), clock.clone()).unwrap();
        let left = AtomicUsize::new(NEVER);
        let inner = Arc::new(inner);
        let (identities, oauth, audit) = (inner.clone(), inner.clone(), inner.clone());
        let (requests, webhooks) = (inner.clone(), inner.clone());
        let (targets, declared) = (inner.clone(), inner.clone());
        let store = Arc::new(FailNth { inner, left, when });
        let foundations = Foundations {
            settings: Settings::in_folder(folder.path()),
            public_url: PUBLIC_URL.into(),
            store: store.clone(),
            identities,
            oauth,
            audit,
            requests,
            targets,
            declared,
            webhooks,
            objects: Arc::new(LocalDisk::open(folder.path()).unwrap()),
            clock: clock.clone(),
            keys: KeyRing::from_hex([KEY]).unwrap(),
        };
        let service = Service::start(foundations).await.unwrap();
        let caller = service.open_caller(None);
        let session = service.create(&caller, CreateRequest::default()).await;
        let session = session.unwrap();
        Self {
            url: service.link_url(&session),
            service,
            store,
            clock,
            folder,
            session,
        }
    }

    async fn link(&self) -> LinkedSession {
        let (path, query) = self.url.split_once('?').unwrap();
        let asked = AskedLink {
            token: path.rsplit_once('/').unwrap().1,
            query: Some(query),
            from: Ipv4Addr::LOCALHOST.into(),
            for_writing: true,
        };
        self.service.linked(asked).await.unwrap()
    }

    async fn receive(
        &self,
        link: &LinkedSession,
        file: &[u8],
        attempt: Option<AttemptId>,
    ) -> askfile::Result<Received> {
        let incoming = Incoming {
            mime_type: None,
            body: Ok(FileBody::raw(Body::from(file.to_vec()), None)),
            declared_bytes: None,
            attempt,
            from: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        self.service.receive(link, incoming).await
    }

    /// As a process leaves them that dies before its commit: published, and known by a claim alone.
    async fn leave_published_bytes(&self, link: &LinkedSession) {
        let (claim, media) = (ClaimId::random(), MediaId::new(self.service.now()));
        let request = ClaimRequest {
            session: link.view.session.id,
            claim,
            media,
            attempt: None,
            lease: mins(1),
            bytes: (0, 0),
            grant: None,
        };
        self.store.claim(request).await.unwrap();
        let key = format!("medias/{media}.png");
        let beat = self.store.heartbeat(claim, mins(1), Some(key.clone()));
        beat.await.unwrap();
        std::fs::write(self.folder.path().join(key), PNG).unwrap();
        std::fs::write(self.folder.path().join(format!("staging/{claim}")), PNG).unwrap();
    }

    async fn view(&self) -> SessionView {
        let found = self.store.find(SessionRef::Id(self.session.id)).await;
        found.unwrap().unwrap()
    }

    fn files(&self, folder: &str) -> Vec<String> {
        names_in(&self.folder.path().join(folder))
    }

    /// After all time is over, a check and a sweep, there is one file and what is known of it.
    async fn has_one_file_and_nothing_stray(&self, why: &str) {
        self.clock.advance(mins(180));
        self.service.check_due().await.unwrap();
        // Until the turn that was lost is over, its own bytes may still come.
        self.clock.advance(mins(5));
        self.service.sweep().await.unwrap();
        let view = self.view().await;
        assert_eq!(view.session.state, State::Completed, "{why}");
        let known: Vec<String> = view
            .media
            .iter()
            .map(|media| object_key(media.id, &media.stored.mime_type))
            .map(|key| key.trim_start_matches("medias/").to_owned())
            .collect();
        assert_eq!(known.len(), 1, "{why}: {view:?}");
        assert_eq!(
            (self.files("medias"), self.files("staging")),
            (known, vec![]),
            "{why}"
        );
        let media = "media WHERE scan_status <> 'blocked'";
        assert_eq!(table_size(self.folder.path(), media), 1, "{why}");
        for table in ["claim", "doomed"] {
            assert_eq!(table_size(self.folder.path(), table), 0, "{why}: {table}");
        }
    }
}

fn table_size(folder: &Path, table: &str) -> u32 {
    let db = rusqlite::Connection::open(folder.join("askfile.db")).unwrap();
    let count = format!("SELECT count(*) FROM {table}");
    db.query_row(&count, [], |row| row.get(0)).unwrap()
}

/// A file of which nothing has to be judged.
const TEXT: &[u8] = b"Words.";

/// Every call in turn, before and after.
fn every_failure() -> impl Iterator<Item = (usize, When)> {
    (0..).flat_map(|n| [(n, When::Before), (n, When::After)])
}

/// Sends `first` while a call fails, and then, after the lease, `second`, which is good.
async fn survives(first: &[u8], second: &[u8], attempt: Option<AttemptId>, calls: usize) {
    for (n, when) in every_failure() {
        let why = format!("call {n}, {when:?}");
        let failing = Failing::start(when).await;
        let link = failing.link().await;
        failing.store.arm(n);
        let sent = failing.receive(&link, first, attempt).await;
        if !failing.store.disarm() {
            assert_eq!(n, calls, "receiving is {calls} calls");
            return;
        }
        if let Ok(received) = sent {
            // Its verdict may have come without its answer.
            let mut media = failing.view().await.media.into_iter();
            assert!(media.all(|media| media.id == received.media.id), "{why}");
        }
        failing.clock.advance(mins(5));
        failing.service.check_due().await.unwrap();
        let link = failing.link().await;
        let retried = failing.receive(&link, second, attempt).await;
        let succeeded = match retried {
            Ok(received) => failing.view().await.media == [received.media],
            // The first had succeeded and its answer was lost.
            Err(Error::AlreadyUsed) => attempt.is_none() && first == second,
            Err(other) => panic!("{why}: {other:?}"),
        };
        assert!(succeeded, "{why}");
        failing.has_one_file_and_nothing_stray(&why).await;
    }
}

#[tokio::test]
async fn a_file_survives_any_one_failure_of_the_store() {
    survives(TEXT, TEXT, None, 3).await;
}

#[tokio::test]
async fn a_file_that_is_judged_survives_any_one_failure_of_the_store() {
    survives(PNG, PNG, None, 7).await;
}

#[tokio::test]
async fn an_image_that_is_refused_survives_any_one_failure_of_the_store() {
    survives(&PNG[..50], PNG, None, 8).await;
}

#[tokio::test]
async fn an_attempt_survives_any_one_failure_of_the_store() {
    let attempt = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    survives(TEXT, TEXT, Some(attempt), 3).await;
}

#[tokio::test]
async fn a_refusal_survives_any_one_failure_of_the_store() {
    // Refused by its head: a claim and its release.
    survives(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff", TEXT, None, 2).await;
    // Refused by its end, when it is staged already.
    survives(&[&[b'x'; 5_000][..], b"\0"].concat(), TEXT, None, 3).await;
}

#[tokio::test]
async fn a_retry_that_does_not_wait_for_the_sweep_leaves_nothing_either() {
    for (n, when) in every_failure() {
        let why = format!("call {n}, {when:?}");
        let failing = Failing::start(when).await;
        let link = failing.link().await;
        failing.store.arm(n);
        let attempt = "11111111-2222-4333-8444-555555555555".parse().unwrap();
        let _ = failing.receive(&link, PNG, Some(attempt)).await;
        if !failing.store.disarm() {
            return;
        }
        // The same attempt takes over its own claim at once.
        let retried = failing
            .receive(&failing.link().await, PNG, Some(attempt))
            .await;
        assert_eq!(
            failing.view().await.media,
            [retried.unwrap().media],
            "{why}"
        );
        failing.has_one_file_and_nothing_stray(&why).await;
    }
}

#[tokio::test]
async fn a_sweep_survives_any_one_failure_of_the_store() {
    for (n, when) in every_failure() {
        let why = format!("sweep call {n}, {when:?}");
        let failing = Failing::start(when).await;
        let link = failing.link().await;
        failing.leave_published_bytes(&link).await;
        failing.clock.advance(mins(60));
        failing.store.arm(n);
        let _ = failing.service.sweep().await;
        let failed = failing.store.disarm();
        failing.clock.advance(mins(2));
        failing.service.sweep().await.unwrap();
        assert_eq!(failing.view().await.session.state, State::Expired, "{why}");
        assert_eq!(
            (failing.files("medias"), failing.files("staging")),
            (vec![], vec![]),
            "{why}"
        );
        assert_eq!(table_size(failing.folder.path(), "claim"), 0, "{why}");
        if !failed {
            return;
        }
    }
}
