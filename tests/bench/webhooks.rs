//! Webhooks that are queued, to a receiver that is fast; and uploads beside them.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{median, server::Server, small};

const QUEUED: usize = 10_000;
const FILES: usize = 3_000;
const ROUNDS: usize = 3;
/// How often it is looked how far the receiver is.
const LOOK: Duration = Duration::from_millis(2);

pub async fn run() {
    let (address, got) = receiver().await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("askfile.toml");
    let settings = format!(
        "[webhook.bench]\nurl = 'http://{address}/'\n\
         secrets = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'\n"
    );
    fs::write(&config, settings).unwrap();
    let config = config.to_str().unwrap();
    let server = Server::start(&[("ASKFILE_LINK_TTL", "1h"), ("ASKFILE_CONFIG", config)]);
    let (one, _) = server.links(1).await;
    small::send(&server, one).await;
    until(&got, 1).await;

    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        rates.push(delivered(&server, &got).await);
    }
    let rate = median(rates);
    println!("{QUEUED} queued webhooks: {rate:.0} a second (goal: 1,000)");

    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let (alone, _) = server.links(FILES).await;
        let (beside, _) = server.links(FILES).await;
        let alone = small::send(&server, alone).await;
        settled(&got).await;
        queue(&server);
        let (beside, delivered) = tokio::join!(small::send(&server, beside), arrives(&got));
        println!(
            "  uploads: {alone:.0} a second, beside queued webhooks {beside:.0} ({delivered:.0} \
             webhooks a second)"
        );
        settled(&got).await;
        ratios.push(beside / alone);
    }
    let slower = 100.0 * (1.0 - median(ratios));
    println!("uploads beside them are slower by {slower:.0} % (goal: at most 10 %)");
}

/// Queues webhooks, and gives how many a second arrive from the first on.
async fn delivered(server: &Server, got: &AtomicUsize) -> f64 {
    queue(server);
    let before = got.load(Ordering::Relaxed);
    let rate = arrives(got).await;
    settled(got).await;
    assert_eq!(got.load(Ordering::Relaxed), before + QUEUED, "each once");
    rate
}

/// How many a second arrive, of as many as are queued.
async fn arrives(got: &AtomicUsize) -> f64 {
    let before = got.load(Ordering::Relaxed);
    until(got, before + 1).await;
    let began = Instant::now();
    until(got, before + QUEUED).await;
    (QUEUED - 1) as f64 / began.elapsed().as_secs_f64()
}

/// Queues as many as are real, in no time.
fn queue(server: &Server) {
    let db = rusqlite::Connection::open(server.folder.path().join("askfile.db")).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    let queued = db.execute(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)
         INSERT INTO webhook (id, endpoint, session_id, event, body, created_at, due_at)
         SELECT randomblob(16), endpoint, session_id, event, body, created_at, created_at
             FROM number, (SELECT * FROM webhook LIMIT 1)",
        [QUEUED],
    );
    assert_eq!(queued.unwrap(), QUEUED);
}

/// Waits until the receiver got so many.
async fn until(got: &AtomicUsize, count: usize) {
    while got.load(Ordering::Relaxed) < count {
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until nothing has come for a second.
async fn settled(got: &AtomicUsize) {
    loop {
        let before = got.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        if got.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

/// Takes whatever is posted, and counts it; a body ends where it says so.
async fn receiver() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let got = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&got);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take(stream, Arc::clone(&counting)));
        }
    });
    (address, got)
}

async fn take(mut stream: TcpStream, got: Arc<AtomicUsize>) {
    stream.set_nodelay(true).unwrap();
    let mut unread = Vec::new();
    loop {
        let end = unread.windows(4).position(|part| part == b"\r\n\r\n");
        let Some(end) = end.filter(|end| unread.len() >= end + 4 + length(&unread[..*end])) else {
            match stream.read_buf(&mut unread).await {
                Ok(1..) => continue,
                _ => return,
            }
        };
        let length = length(&unread[..end]);
        unread.drain(..end + 4 + length);
        got.fetch_add(1, Ordering::Relaxed);
        if stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .is_err()
        {
            return;
        }
    }
}

fn length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    length.unwrap().parse().unwrap()
}
