//! `askfile serve` as a process of its own, and what an agent and a person ask of it.

use std::{
    fs::{self, File as Log},
    io,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    home::{Home, text},
    wire::{Answer, Connection, File, head},
};

/// How long anything may take that does not depend on the clock.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of a server's log a failed story shows.
const LINES_SHOWN: usize = 20;

/// A link that `upload_create` minted.
#[derive(Debug, Clone)]
pub struct Link {
    /// Path and query: these work at every server of the folder.
    pub path: String,
    pub token: String,
    pub upload_id: String,
}

/// Looks again and again until there is something to see.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A running server. It ends with this value.
pub struct Server {
    child: Child,
    log: PathBuf,
    address: Option<SocketAddr>,
}

impl Server {
    /// Starts one on a free port and waits until it serves.
    pub async fn start(home: &Home, settings: &[(&str, &str)]) -> Self {
        let mut server = Self::launch(home, settings);
        server.serves().await;
        server
    }

    /// Starts one; a free port and no rate limits, unless the settings say otherwise.
    pub fn launch(home: &Home, settings: &[(&str, &str)]) -> Self {
        let defaults = [
            ("listen", "127.0.0.1:0"),
            ("rate_limit_uploads_per_minute", "0"),
            ("rate_limit_wrong_per_minute", "0"),
            ("rate_limit_links_per_minute", "0"),
            ("rate_limit_tool_calls_per_minute", "0"),
        ];
        let log = home.next_log();
        let output = Log::create(&log).unwrap();
        let child = home
            .command("serve", &[&defaults, settings].concat())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self {
            child,
            log,
            address: None,
        }
    }

    /// Waits until it says where it serves.
    pub async fn serves(&mut self) {
        self.says("/mcp\n").await;
        let said = self.said();
        let line = said.lines().find(|line| line.trim().starts_with("MCP"));
        let url = line.and_then(|line| line.split("http://").nth(1)).unwrap();
        self.address = Some(url.trim_end_matches("/mcp").parse().unwrap());
    }

    pub fn address(&self) -> SocketAddr {
        self.address.expect("it serves")
    }

    /// All that it printed and logged.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has printed this.
    pub async fn says(&mut self, words: &str) {
        until(words, async || {
            let ended = self.child.try_wait().unwrap();
            let said = self.said();
            assert!(said.contains(words) || ended.is_none(), "it ended: {said}");
            said.contains(words).then_some(())
        })
        .await;
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops every one of its threads, and returns once they stand.
    pub async fn pause(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.child.id());
        let stands = |task: io::Result<fs::DirEntry>| {
            let stat = fs::read_to_string(task.unwrap().path().join("stat"));
            stat.is_ok_and(|stat| stat.rsplit(") ").next().unwrap().starts_with('T'))
        };
        until("all threads stand", async || {
            fs::read_dir(&tasks).unwrap().all(stands).then_some(())
        })
        .await;
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// `kill -9`
    pub fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the end", async || self.child.try_wait().unwrap()).await
    }

    /// A number of kilobytes in `/proc/…/status`.
    pub fn kilobytes(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        let number = line.split_ascii_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// How often its threads went to sleep so far: each time was woken for something.
    pub fn sleeps(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let sleeps = |task: io::Result<fs::DirEntry>| {
            let status = fs::read_to_string(task.unwrap().path().join("status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("voluntary"));
            line?.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
        };
        tasks.filter_map(sleeps).sum()
    }

    /// Calls a tool; gives its structured content.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.try_call(tool, arguments).await.unwrap();
        answer.json()["result"]["structuredContent"].clone()
    }

    pub async fn try_call(&self, tool: &str, arguments: Value) -> io::Result<Answer> {
        const ERA: &str = "2026-07-28";
        let call = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": tool, "arguments": arguments, "_meta": {
                "io.modelcontextprotocol/protocolVersion": ERA,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "story", "version": "1" },
            }},
        })
        .to_string();
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", ERA),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
            ("content-length", &call.len().to_string()),
        ];
        let request = [head("POST", "/mcp", &headers), call.into()];
        Connection::open(self.address())
            .await?
            .exchange(&request)
            .await
    }

    /// A new link; `arguments` as of `upload_create`.
    pub async fn link(&self, arguments: Value) -> Link {
        let made = self.call("upload_create", arguments).await;
        let url = text(&made, "upload_url");
        let path = url.find("/uploads/").map(|at| url[at..].to_owned());
        Link {
            path: path.unwrap(),
            token: text(&made, "token").to_owned(),
            upload_id: text(&made, "upload_id").to_owned(),
        }
    }

    pub async fn status(&self, upload_id: &str) -> Value {
        self.call("upload_status", json!({ "upload_id": upload_id }))
            .await
    }

    /// The media of a completed session; none while it is pending.
    pub async fn media_of(&self, upload_id: &str) -> Vec<Value> {
        let status = self.status(upload_id).await;
        let media = status["result"]["media"].as_array();
        media.cloned().unwrap_or_default()
    }

    /// Gets what is at a path, or at an address below `public_url`.
    pub async fn get(&self, url: &str) -> Answer {
        let path = url
            .split_once("://")
            .map_or(url, |(_, rest)| &rest[rest.find('/').unwrap()..]);
        let mut connection = Connection::open(self.address()).await.unwrap();
        connection
            .exchange(&[head("GET", path, &[])])
            .await
            .unwrap()
    }

    /// Sends a file by PUT, on a connection of its own.
    pub async fn put(&self, link: &Link, file: &File) -> io::Result<Answer> {
        let mut connection = Connection::open(self.address()).await?;
        connection.exchange(&file.put(&link.path)).await
    }

    /// Sends a file again and again while the link says that it is in use.
    pub async fn put_once_free(&self, link: &Link, file: &File) -> Answer {
        until("the link is free again", async || {
            let answer = self.put(link, file).await.unwrap();
            let in_use = answer.status == 409 && answer.code() == "IN_USE";
            (!in_use).then_some(answer)
        })
        .await
    }

    /// Begins a PUT, sends so many bytes of the file and waits until the first of them are staged.
    pub async fn begin_put(
        &self,
        home: &Home,
        link: &Link,
        file: &File,
        sent: usize,
    ) -> Connection {
        let mut connection = Connection::open(self.address()).await.unwrap();
        connection.send(&file.put(&link.path)[0]).await.unwrap();
        connection.send(&file.bytes()[..sent]).await.unwrap();
        until("bytes on the disk", async || {
            home.is_staging().then_some(())
        })
        .await;
        connection
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = self.said();
            let lines: Vec<_> = said.lines().collect();
            let last = lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n");
            eprintln!("--- {} ends with\n{last}", self.log.display());
        }
    }
}
