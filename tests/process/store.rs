//! An S3-compatible store of one story's own, and what lies in it.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{
    home::Home,
    server::{Server, until},
    wire::{Answer, Connection, sha256},
};

const KEY: &str = "abababababababababababababababababababababababababababababababab";
pub const BUCKET: &str = "files";
pub const SECRET: &str = "a secret of the store";

/// The settings of a data folder whose files are in the bucket, which is reached at `address`.
pub fn settings_at(address: SocketAddr) -> Vec<(&'static str, String)> {
    vec![
        ("objects", format!("s3://{BUCKET}/some/prefix")),
        ("s3_endpoint", format!("http://{address}")),
        ("AWS_ACCESS_KEY_ID", "story".into()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
        ("link_keys", KEY.into()),
    ]
}

/// A running s3s-fs: each bucket is a folder. It ends with this value.
pub struct Store {
    child: Child,
    folder: TempDir,
    pub address: SocketAddr,
}

impl Store {
    /// Starts one with one bucket.
    pub async fn start() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let program = target.join("test-tools/cargo/bin/s3s-fs");
        assert!(program.exists(), "s3s-fs is missing: tests/run installs it");
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--access-key", "story", "--secret-key", SECRET])
            .arg(folder.path())
            .env("RUST_LOG", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("the store answers", async || {
            TcpStream::connect(address).await.ok().map(drop)
        })
        .await;
        Self {
            child,
            folder,
            address,
        }
    }

    /// A data folder whose files are in the bucket.
    pub async fn home(&self) -> Home {
        Home::new().await.having(settings_at(self.address))
    }

    /// The SHA-256 of each object in the bucket, by its key below the prefix.
    pub fn objects(&self) -> BTreeMap<String, String> {
        let root = self.folder.path().join(BUCKET).join("some/prefix");
        let mut objects = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
                    objects.insert(key.to_owned(), sha256(&fs::read(&path).unwrap()));
                }
            }
        }
        objects
    }

    /// Gets what a signed address leads to.
    pub async fn get(&self, url: &str) -> Answer {
        self.ask("GET", url, &[], Bytes::new()).await
    }

    /// Sends a request to a signed address.
    pub async fn ask(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Answer {
        let origin = format!("http://{}", self.address);
        let path = url.strip_prefix(&origin).unwrap_or_else(|| panic!("{url}"));
        let host = self.address;
        let mut lines = vec![format!("{method} {path} HTTP/1.1"), format!("host: {host}")];
        lines.extend(
            headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        let head = lines.join("\r\n") + "\r\n\r\n";
        let mut connection = Connection::open(self.address).await.unwrap();
        connection.exchange(&[head.into(), body]).await.unwrap()
    }

    /// The file of an object.
    pub fn file(&self, key: &str) -> PathBuf {
        self.folder
            .path()
            .join(BUCKET)
            .join("some/prefix")
            .join(key)
    }

    /// What there is of uploads that were neither completed nor aborted.
    pub fn in_progress(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let is_upload = |path: &PathBuf| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(".upload")
        };
        paths.filter(is_upload).collect()
    }

    /// The bucket holds the files of these sessions, whole, and nothing else.
    pub async fn holds_only(&self, server: &Server, upload_ids: &[&str]) {
        let mut told = BTreeMap::new();
        for id in upload_ids {
            for media in server.media_of(id).await {
                let text = |key: &str| media[key].as_str().unwrap().to_owned();
                let extension = match text("mime_type").as_str() {
                    "application/pdf" => "pdf",
                    "video/mp4" => "mp4",
                    "image/jpeg" => "jpg",
                    other => panic!("{other}"),
                };
                let key = format!("medias/{}.{extension}", text("media_id"));
                told.insert(key, text("sha256"));
            }
        }
        assert_eq!(self.objects(), told, "the objects are those of the media");
        assert_eq!(
            self.in_progress(),
            Vec::<PathBuf>::new(),
            "nothing is in progress"
        );
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
