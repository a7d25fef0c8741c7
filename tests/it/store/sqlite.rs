//! SQLite, and what is promised of it alone.

use std::collections::BTreeSet;

use askfile::store::{MediaRef, StoreError};

use super::*;

/// A file in a temporary folder.
pub struct Sqlite {
    folder: TempDir,
    clock: Arc<TestClock>,
}

impl Sqlite {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: TestClock::new(),
        }
    }

    fn open_file(&self) -> Result<SqliteStore> {
        SqliteStore::open(&self.folder.path().join("askfile.db"), self.clock.clone())
    }
}

#[async_trait::async_trait]
impl Database for Sqlite {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.open_file().unwrap())
    }

    fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }
}

fn version(file: &Path, set: Option<i64>) -> i64 {
    let db = rusqlite::Connection::open(file).unwrap();
    if let Some(set) = set {
        db.pragma_update(None, "user_version", set).unwrap();
    }
    db.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let sqlite = Sqlite::new();
    drop(sqlite.open_file().unwrap());
    let file = sqlite.folder.path().join("askfile.db");
    let known = version(&file, None);
    version(&file, Some(known + 1));
    let refused = sqlite.open_file().unwrap_err();
    assert!(
        matches!(refused, StoreError::NewerSchema { .. }),
        "{refused:?}"
    );
    let told = refused.to_string();
    for part in ["newer askfile", &format!("version {}", known + 1)] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(version(&file, None), known + 1);
}

/// The schema before files were checked, with a completed session of one file that is attached.
const VERSION_1: &str = concat!(
    include_str!("../../../src/store/sqlite/0001_start.sql"),
    "INSERT INTO workspace VALUES (x'00000000000000000000000000000001', 'w-abc', 'W', 1, 0);
     INSERT INTO upload_session
        (id, token, workspace_id, asked_by, purpose, metadata, limits, max_files, state,
         created_at, expires_at, redeem_by, ended_at)
        VALUES (x'01', x'02', x'00000000000000000000000000000001', 'Claude', 'general',
         '{\"labels\":{\"a\":\"b\"}}', '{}', 1, 'completed', 0, 0, 0, 0);
     INSERT INTO media
        (id, workspace_id, session_id, slot, purpose, original_filename, mime_type, size_bytes,
         sha256, original_mime_type, original_size_bytes, original_sha256, scan_status, created_at)
        VALUES (x'00000000000070008000000000000003', x'00000000000000000000000000000001', \
         x'00000000000000000000000000000001', 0, 'general', 'a.pdf', 'application/pdf', 9, \
         zeroblob(32), 'application/pdf', 9, zeroblob(32), 'skipped', 0);
     UPDATE upload_session SET id = x'00000000000000000000000000000001';
     INSERT INTO handle VALUES ('md_1', 'media', x'00000000000070008000000000000003');
     INSERT INTO attachment VALUES (x'04', x'00000000000000000000000000000001',
         x'00000000000070008000000000000003', 'post', '7', NULL, 0, 0);
     PRAGMA user_version = 1;"
);

#[tokio::test]
async fn files_of_before_files_were_checked_are_kept_with_all_that_hangs_on_them() {
    let sqlite = Sqlite::new();
    let file = sqlite.folder.path().join("askfile.db");
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch(VERSION_1).unwrap();
    let store = sqlite.open().await;
    let workspace = store.default_workspace().await.unwrap();
    let by_handle = MediaRef::Handle("md_1".into());
    let media = store
        .media(&[workspace.id], by_handle)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(media.original_filename, "a.pdf");
    assert_eq!(media.slot, Some(0));
    assert_eq!(media.labels, [("a".to_owned(), "b".to_owned())].into());
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM attachment"), 1);
    assert_eq!(
        count("SELECT count(*) FROM media WHERE kind = 'document'"),
        1
    );
    let broken = count("SELECT count(*) FROM pragma_foreign_key_check");
    assert_eq!(broken, 0);
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let sqlite = Sqlite::new();
    let bench = Bench::on(sqlite).await;
    let session = bench.completed().await;
    let before = bench.view(session).await;
    let Bench {
        store, database, ..
    } = bench;
    drop(store);
    let found = database.open().await.find(SessionRef::Id(session)).await;
    assert_eq!(found.unwrap(), Some(before));
}

#[tokio::test]
async fn who_closes_last_leaves_all_in_one_file() {
    let sqlite = Sqlite::new();
    let (one, other) = (sqlite.open_file().unwrap(), sqlite.open_file().unwrap());
    let workspace = one.default_workspace().await.unwrap();
    other.ping().await.unwrap();
    let folder = sqlite.folder.path();
    let has_log = || folder.join("askfile.db-wal").exists();
    drop(one);
    assert!(has_log(), "the other one reads it still");
    drop(other);
    assert!(!has_log());
    let copy = folder.join("copy.db");
    std::fs::copy(folder.join("askfile.db"), &copy).unwrap();
    let copy = SqliteStore::open(&copy, sqlite.clock.clone()).unwrap();
    assert_eq!(copy.default_workspace().await.unwrap(), workspace);
}

#[tokio::test]
async fn the_default_workspace_has_its_alias_too() {
    let bench = Bench::on(Sqlite::new()).await;
    let Workspace { id, alias, .. } = &bench.workspace;
    for which in [
        id.to_string(),
        alias.to_string(),
        alias.to_string().to_uppercase(),
    ] {
        let found = bench.store.workspace(&which.parse().unwrap()).await;
        assert_eq!(found.unwrap().as_ref(), Some(&bench.workspace), "{which}");
    }
    let other = "w-00000".parse().unwrap();
    assert_eq!(bench.store.workspace(&other).await.unwrap(), None);
    bench.store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_processes_that_start_at_once_all_get_the_same_workspace() {
    for _ in 0..100 {
        let sqlite = Arc::new(Sqlite::new());
        let starting: Vec<_> = (0..4)
            .map(|_| {
                let sqlite = sqlite.clone();
                tokio::spawn(async move { sqlite.open().await.default_workspace().await })
            })
            .collect();
        let mut workspaces = BTreeSet::new();
        for started in starting {
            workspaces.insert(started.await.unwrap().unwrap().id);
        }
        assert_eq!(workspaces.len(), 1);
    }
}

#[tokio::test]
async fn what_was_attached_before_the_schema_knew_is_kept() {
    let sqlite = Sqlite::new();
    let db = rusqlite::Connection::open(sqlite.folder.path().join("askfile.db")).unwrap();
    for migration in [
        include_str!("../../../src/store/sqlite/0001_start.sql"),
        include_str!("../../../src/store/sqlite/0002_bytes.sql"),
    ] {
        db.execute_batch(migration).unwrap();
    }
    db.execute_batch(
        "PRAGMA user_version = 2;
         INSERT INTO workspace VALUES (zeroblob(16), 'w-abc', 'x', 1, 0);
         WITH one (id) AS (VALUES (x'01890000000070008000000000000001'),
                                  (x'01890000000070008000000000000002'))
         INSERT INTO media (id, workspace_id, session_id, slot, purpose, labels, original_filename,
             kind, mime_type, size_bytes, sha256, original_mime_type, original_size_bytes,
             original_sha256, scan_status, created_at, retain_until)
         SELECT id, zeroblob(16), id, 0, 'general', '{}', 'a.png', 'image', 'image/png', 9,
             zeroblob(32), 'image/png', 9, zeroblob(32), 'skipped', 0, 1 FROM one;
         INSERT INTO attachment VALUES (zeroblob(16), zeroblob(16),
             x'01890000000070008000000000000001', 'post', '7', NULL, 0, 0);",
    )
    .unwrap();
    drop(db);
    let store = sqlite.open().await;
    let retired = store.retire_media(9).await.unwrap();
    let names: Vec<String> = retired.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["01890000-0000-7000-8000-000000000002"]);
}
