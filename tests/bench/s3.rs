//! One large file to an S3-compatible store: through askfile, and straight to it by the same library.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::FileExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use object_store::{
    PutPayload,
    aws::{AmazonS3, AmazonS3Builder},
    multipart::MultipartStore,
};
use tempfile::TempDir;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{large::make, median, server::Server, timed};

const GIB: u64 = 1 << 30;
const PART: usize = 8 << 20;
const AT_ONCE: usize = 4;
const ROUNDS: usize = 3;
const KEY: &str = "abababababababababababababababababababababababababababababababab";

/// A running s3s-fs, a release build of it.
struct Store {
    process: Child,
    folder: TempDir,
    endpoint: String,
}

impl Store {
    fn start() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let program = target.join("bench-tools/bin/s3s-fs");
        assert!(
            program.exists(),
            "s3s-fs is missing: tests/bench/run installs it"
        );
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port().to_string();
        drop(free);
        let process = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port])
            .args(["--access-key", "bench", "--secret-key", "bench"])
            .arg(folder.path())
            .env("RUST_LOG", "off")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs(1));
        Self {
            process,
            folder,
            endpoint: format!("http://127.0.0.1:{port}"),
        }
    }

    /// What came is deleted, so that the disk does not fill up.
    fn clear(&self) {
        let files = self.folder.path().join("files");
        fs::remove_dir_all(&files).unwrap();
        fs::create_dir(&files).unwrap();
    }

    fn client(&self) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_bucket_name("files")
            .with_access_key_id("bench")
            .with_secret_access_key("bench")
            .build()
            .unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Seconds that the library takes for the file, with as many parts at once as askfile has.
async fn straight(store: &AmazonS3, source: &Path) -> f64 {
    let began = Instant::now();
    let file = Arc::new(File::open(source).unwrap());
    let size = usize::try_from(file.metadata().unwrap().len()).unwrap();
    let path = object_store::path::Path::from("straight");
    let id = store.create_multipart(&path).await.unwrap();
    let (slots, mut sending) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for (index, at) in (0..size).step_by(PART).enumerate() {
        let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
        let (store, file, path, id) = (store.clone(), Arc::clone(&file), path.clone(), id.clone());
        sending.spawn(async move {
            let mut bytes = vec![0; PART.min(size - at)];
            file.read_exact_at(&mut bytes, at as u64).unwrap();
            let part = store
                .put_part(&path, &id, index, PutPayload::from(bytes))
                .await;
            drop(slot);
            (index, part.unwrap())
        });
    }
    let mut parts = sending.join_all().await;
    parts.sort_by_key(|(index, _)| *index);
    let parts = parts.into_iter().map(|(_, part)| part).collect();
    store.complete_multipart(&path, &id, parts).await.unwrap();
    began.elapsed().as_secs_f64()
}

pub async fn run() {
    let store = Store::start();
    let server = Server::start(&[
        ("ASKFILE_OBJECTS", "s3://files"),
        ("ASKFILE_S3_ENDPOINT", &store.endpoint),
        ("ASKFILE_LINK_KEYS", KEY),
        ("ASKFILE_MAX_FILE_SIZE", "4GB"),
        ("AWS_ACCESS_KEY_ID", "bench"),
        ("AWS_SECRET_ACCESS_KEY", "bench"),
    ]);
    let source = server.folder.path().join("source");
    make(&source, GIB);
    let client = store.client();
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let (paths, _) = server.links(1).await;
        let url = format!("http://{}{}", server.address, paths[0]);
        let file = source.to_str().unwrap();
        let through = timed("curl", &["-sSf", "-H", "Expect:", "-T", file, &url]);
        store.clear();
        let straight = straight(&client, &source).await;
        store.clear();
        println!("  1 GiB: through askfile {through:.2} s, straight to the store {straight:.2} s");
        ratios.push(straight / through);
    }
    println!(
        "1 GiB straight to the store / through askfile: {:.2} (goal: 0.80)",
        median(ratios)
    );
    println!(
        "  resident memory at its highest: {:.0} MB (goal: below 64)",
        server.memory("VmHWM")
    );
}
