//! `Askfile`: the real service on a temporary folder, with time under our thumb. Tools are called
//! through a real MCP session, the person's side through the real router.

pub mod agent;
pub mod body;
pub mod events;
pub mod everybody;
pub mod keys;
pub mod legacy;
pub mod listening;
pub mod rest;
pub mod shower;
pub mod web;

use std::{
    fs,
    sync::{Arc, Mutex},
};

use askfile::{app, clock::Clock, config::Settings, http, service::Service};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::{agent::Agent, web::Link};

/// Where people reach the page.
pub const PUBLIC_URL: &str = "http://127.0.0.1:8787";
/// The key that links are signed with.
pub const KEY: &str = "abababababababababababababababababababababababababababababababab";
/// A picture of one pixel.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\
    \x1f\x15\xc4\x89\0\0\0\rIDAT\x78\xda\x63\x64\x60\xf8\x5f\x0f\0\x02\x87\x01\x80\xeb\x47\xba\
    \x92\0\0\0\0IEND\xae\x42\x60\x82";

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    /// At the start of 2026.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())))
    }

    pub fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Seconds, for the clock.
pub fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Minutes, for the clock.
pub fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// The whole of askfile, in this process.
pub struct Askfile {
    pub clock: Arc<TestClock>,
    pub service: Service,
    router: axum::Router,
    agent: Agent,
    folder: Arc<TempDir>,
}

impl Askfile {
    /// With the embedded defaults.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With other settings.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::in_folder(folder.path());
        settings.link_keys = vec![KEY.into()];
        // The clock stands still, and stories are long.
        settings.rate_limit_wrong_per_minute = 0;
        settings.rate_limit_links_per_minute = 0;
        settings.rate_limit_tool_calls_per_minute = 0;
        change(&mut settings);
        Self::start_in(Arc::new(folder), TestClock::new(), settings).await
    }

    /// As another process on the same folder.
    pub async fn neighbour(&self) -> Self {
        self.neighbour_with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn neighbour_with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.service.settings().clone();
        change(&mut settings);
        Self::start_in(self.folder.clone(), self.clock.clone(), settings).await
    }

    async fn start_in(folder: Arc<TempDir>, clock: Arc<TestClock>, settings: Settings) -> Self {
        let listen = settings.listen;
        let public_url = settings.public_url.clone();
        let public_url = public_url.unwrap_or_else(|| PUBLIC_URL.into());
        let service = app::start_at(settings, public_url, clock.clone());
        let service = service.await.unwrap();
        Self {
            router: http::router(&service, listen),
            agent: Agent::connect(service.clone(), "Claude").await,
            clock,
            service,
            folder,
        }
    }

    /// Another agent, that calls itself `name`.
    pub async fn agent(&self, name: &str) -> Agent {
        Agent::connect(self.service.clone(), name).await
    }

    /// Calls a tool; gives its structured content, be it an answer or a failure.
    pub async fn call(&self, tool: &'static str, arguments: Value) -> Value {
        self.agent.call(tool, arguments).await
    }

    /// The next thing that a waiting call says.
    pub async fn agent_says(&self) -> String {
        self.agent.progress().await
    }

    /// Asks for a file.
    pub async fn ask(&self, arguments: Value) -> Link {
        let answer = self.call("upload_create", arguments).await;
        assert_eq!(answer["ok"], true, "{answer}");
        Link::of(&answer)
    }

    /// A link that takes one file of any type.
    pub async fn link(&self) -> Link {
        self.ask(json!({})).await
    }

    /// How a session stands.
    pub async fn status(&self, link: &Link) -> Value {
        self.call("upload_status", json!({ "token": link.token }))
            .await
    }

    /// Looks until the session is in this phase.
    pub async fn until_phase(&self, link: &Link, phase: &str) {
        let looking = async {
            while self.status(link).await["phase"] != phase {
                tokio::task::yield_now().await;
            }
        };
        let patience = std::time::Duration::from_secs(20);
        let seen = tokio::time::timeout(patience, looking).await;
        seen.unwrap_or_else(|_| panic!("the phase is never {phase}"));
    }

    /// The names of what is in `medias/`, sorted.
    pub fn stored(&self) -> Vec<String> {
        self.list("medias")
    }

    /// The names of what is in `staging/`, sorted.
    pub fn staged(&self) -> Vec<String> {
        self.list("staging")
    }

    /// The bytes of a file in the data folder; none, if it is not there.
    pub fn raw(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap_or_default()
    }

    /// The bytes of a file in `medias/`.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join("medias").join(name)).unwrap()
    }

    /// Brings the database into a state that takes long to come by.
    pub fn sql(&self, statement: &str, value: &str) {
        let db = rusqlite::Connection::open(self.folder.path().join("askfile.db")).unwrap();
        db.pragma_update(None, "foreign_keys", "off").unwrap();
        db.execute(statement, [value]).unwrap();
    }

    /// The one number that a query finds.
    pub fn count(&self, query: &str) -> i64 {
        let db = rusqlite::Connection::open(self.folder.path().join("askfile.db")).unwrap();
        db.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// What each workspace uses is what there is.
    pub fn usage_is_counted_right(&self, why: &str) {
        const COUNTED: &str = "SELECT stored_bytes, in_flight_bytes, open_links FROM workspace";
        const THERE: &str = "SELECT
            (SELECT coalesce(sum(size_bytes), 0) FROM media
                WHERE workspace_id = workspace.id AND scan_status <> 'blocked'),
            (SELECT coalesce(sum(reserved), 0) FROM claim
                JOIN upload_session ON upload_session.id = session_id
                WHERE workspace_id = workspace.id AND slot IS NOT NULL),
            (SELECT count(*) FROM upload_session
                WHERE workspace_id = workspace.id
                    AND state IN ('pending', 'receiving', 'checking'))
            FROM workspace";
        let db = rusqlite::Connection::open(self.folder.path().join("askfile.db")).unwrap();
        let read = |sql: &str| -> Vec<(i64, i64, i64)> {
            let mut query = db.prepare(sql).unwrap();
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            rows.unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(read(COUNTED), read(THERE), "{why}: what is used");
    }

    /// Nothing was stored, and the link is as good as new.
    pub async fn is_as_before(&self, link: &Link, why: &str) {
        assert_eq!(self.stored(), [""; 0], "{why}");
        assert_eq!(self.staged(), [""; 0], "{why}");
        let status = self.status(link).await;
        assert_eq!(status["status"], "pending", "{why}: {status}");
        assert_ne!(status["phase"], "receiving", "{why}: {status}");
    }

    /// The link takes a file as if nothing had happened.
    pub async fn is_untouched(&self, link: &Link) {
        let status = self.status(link).await;
        assert_eq!(
            (&status["status"], &status["last_error"]),
            (&json!("pending"), &json!(null))
        );
    }

    fn list(&self, folder: &str) -> Vec<String> {
        names_in(&self.folder.path().join(folder))
    }
}

/// The names of what is in a folder, sorted.
pub fn names_in(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
