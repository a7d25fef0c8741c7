//! A data folder of one story's own, and what lies in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{server::Server, wire::sha256};

/// Stories about time share the machine with each other, but not with those that use all of it.
static MACHINE: RwLock<()> = RwLock::const_new(());

enum Turn {
    Shared(#[expect(dead_code, reason = "held")] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code, reason = "held")] RwLockWriteGuard<'static, ()>),
}

/// A folder that servers share.
pub struct Home {
    folder: TempDir,
    servers: AtomicU32,
    /// Of every command.
    settings: Vec<(&'static str, String)>,
    _turn: Turn,
}

impl Home {
    pub async fn new() -> Self {
        Self::with(Turn::Shared(MACHINE.read().await))
    }

    /// While this one lives, no other story runs.
    pub async fn alone() -> Self {
        Self::with(Turn::Alone(MACHINE.write().await))
    }

    fn with(turn: Turn) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            servers: AtomicU32::new(0),
            settings: Vec::new(),
            _turn: turn,
        }
    }

    /// The same with these settings for every command.
    pub fn having(mut self, settings: Vec<(&'static str, String)>) -> Self {
        self.settings.extend(settings);
        self
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A place for what a further server prints.
    pub fn next_log(&self) -> PathBuf {
        let number = self.servers.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(format!("server-{number}.log"))
    }

    /// A command of the binary, with these settings and no others.
    pub fn command(&self, subcommand: &str, settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_askfile"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("ASKFILE_") || text.starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .arg(subcommand)
            .current_dir(self.folder.path())
            .env("ASKFILE_DATA_DIR", self.data());
        let of_home = self.settings.iter();
        let of_home = of_home.map(|(key, value)| (*key, value.as_str()));
        for (key, value) in of_home.chain(settings.iter().copied()) {
            match key {
                "stop_at" => command.env("TEST_STOP_AT", value),
                key if key.starts_with("AWS_") => command.env(key, value),
                key => command.env(format!("ASKFILE_{}", key.to_uppercase()), value),
            };
        }
        command
    }

    /// `askfile sweep`
    pub fn sweep(&self) {
        self.run("sweep", &[]);
    }

    /// A command that succeeds; gives what it prints.
    pub fn run(&self, subcommand: &str, arguments: &[&str]) -> String {
        let ran = self.command(subcommand, &[]).args(arguments).output();
        let ran = ran.unwrap();
        let (said, told) = (ran.stderr, ran.stdout);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&said));
        String::from_utf8(told).unwrap()
    }

    /// The names of what is staged.
    pub fn staged(&self) -> Vec<String> {
        names(&self.data().join("staging"))
    }

    /// Whether bytes of a file have reached the disk that is not stored yet.
    pub fn is_staging(&self) -> bool {
        let staging = self.data().join("staging");
        let length = |name: String| fs::metadata(staging.join(name)).map_or(0, |file| file.len());
        self.staged().into_iter().any(|name| length(name) > 0)
    }

    /// The SHA-256 of each stored file, by its name.
    pub fn stored(&self) -> BTreeMap<String, String> {
        let medias = self.data().join("medias");
        let digest = |name: &String| sha256(&fs::read(medias.join(name)).unwrap());
        names(&medias)
            .into_iter()
            .map(|name| (name.clone(), digest(&name)))
            .collect()
    }

    /// How many rows a table has.
    pub fn rows(&self, table: &str) -> u32 {
        let database = self.data().join("askfile.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(database, flags).unwrap();
        let count = format!("SELECT count(*) FROM {table}");
        database.query_row(&count, [], |row| row.get(0)).unwrap()
    }

    /// So much time passes for claims, and for what is nobody's.
    pub fn passes(&self, time: Duration) {
        let database = Connection::open(self.data().join("askfile.db")).unwrap();
        database.busy_timeout(Duration::from_secs(5)).unwrap();
        let micros = time.as_micros();
        let statements = format!(
            "UPDATE claim SET lease_until = lease_until - {micros}; \
             UPDATE doomed SET due_at = due_at - {micros};"
        );
        database.execute_batch(&statements).unwrap();
    }

    /// Whether somebody is in the middle of writing to the database.
    pub fn is_locked(&self) -> bool {
        let database = Connection::open(self.data().join("askfile.db")).unwrap();
        database.busy_timeout(Duration::ZERO).unwrap();
        database.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err()
    }

    /// Once swept, the folder holds the files of these sessions, whole, and nothing else; there are
    /// so many media as files, and no claims.
    pub async fn holds_only(&self, server: &Server, upload_ids: &[&str]) {
        self.sweep();
        let mut told = BTreeMap::new();
        for id in upload_ids {
            for media in server.media_of(id).await {
                let text = |key: &str| media[key].as_str().unwrap().to_owned();
                told.insert(format!("{}.pdf", text("media_id")), text("sha256"));
            }
        }
        assert_eq!(
            self.stored(),
            told,
            "the stored files are those of the media"
        );
        assert_eq!(self.staged(), Vec::<String>::new(), "nothing is staged");
        let rows = (self.rows("media") as usize, self.rows("claim"));
        assert_eq!(rows, (told.len(), 0), "rows of media and claims");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// What an answer says under `key`, as text.
pub fn text<'a>(answer: &'a Value, key: &str) -> &'a str {
    let value = answer[key].as_str();
    value.unwrap_or_else(|| panic!("no {key} in {answer}"))
}
