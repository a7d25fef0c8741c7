//! Webhooks of servers that die, and of several on one data folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    home::Home,
    server::{Link, Server, until},
    wire::File,
};

/// A back end that takes whatever is posted, and remembers it by its id.
#[derive(Clone, Default)]
struct Receiver {
    events: Arc<Mutex<BTreeMap<String, Value>>>,
    posts: Arc<Mutex<usize>>,
}

impl Receiver {
    /// Starts one that the servers of this home tell everything.
    async fn of(home: &Home) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = format!(
            "[webhook.shop]\nurl = 'http://{address}/'\ntimeout = '1s'\n\
             secrets = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'\n"
        );
        fs::write(home.data().with_file_name("askfile.toml"), settings).unwrap();
        let receiver = Self::default();
        let taking = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taking = taking.clone();
                // A server that dies cuts its connections.
                tokio::spawn(async move { taking.take(stream).await });
            }
        });
        receiver
    }

    async fn take(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut unread = Vec::new();
        loop {
            let head = loop {
                let end = unread.windows(4).position(|part| part == b"\r\n\r\n");
                if let Some(end) = end {
                    break String::from_utf8(unread.drain(..end + 4).collect()).unwrap();
                }
                if stream.read_buf(&mut unread).await? == 0 {
                    return Ok(());
                }
            };
            let header = |name: &str| {
                let mut lines = head.lines();
                let found = lines.find_map(|line| line.strip_prefix(name));
                found.unwrap().trim().to_owned()
            };
            let length: usize = header("content-length:").parse().unwrap();
            while unread.len() < length {
                if stream.read_buf(&mut unread).await? == 0 {
                    return Ok(());
                }
            }
            let body: Vec<u8> = unread.drain(..length).collect();
            let event = serde_json::from_slice(&body).unwrap();
            let before = self
                .events
                .lock()
                .unwrap()
                .insert(header("webhook-id:"), event);
            if let Some(before) = before {
                let now = &self.events.lock().unwrap()[&header("webhook-id:")];
                assert_eq!(before, *now, "an event is the same at every try");
            }
            *self.posts.lock().unwrap() += 1;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        }
    }

    /// The numbers of the events that came, by upload.
    fn numbers(&self) -> BTreeMap<String, BTreeSet<u64>> {
        let mut numbers: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for event in self.events.lock().unwrap().values() {
            let data = &event["data"];
            let upload = data["upload_id"].as_str().unwrap().to_owned();
            let is_new = numbers
                .entry(upload)
                .or_default()
                .insert(data["sequence"].as_u64().unwrap());
            assert!(is_new, "two events have one number: {event}");
        }
        numbers
    }
}

/// Uploads and attaches by each of these links at once, as far as it goes; gives those that were
/// answered for.
async fn use_up(server: &Server, links: Vec<Link>) -> Vec<String> {
    let uses = links.into_iter().enumerate().map(async |(number, link)| {
        let stored = server.put(&link, &File::pdf(number, 20_000)).await.ok()?;
        assert_eq!(stored.status, 201);
        let target = json!({
            "upload_token": link.token, "target_type": "post", "target_id": number.to_string(),
        });
        // Whether this one is answered does not matter.
        let _ = server.try_call("attach_media", target).await;
        Some(link.upload_id)
    });
    let answered: Vec<Option<String>> = join_all(uses).await;
    answered.into_iter().flatten().collect()
}

async fn links(server: &Server, count: usize) -> Vec<Link> {
    let mut links = Vec::with_capacity(count);
    for _ in 0..count {
        links.push(server.link(json!({})).await);
    }
    links
}

/// Kills servers wherever they are between commits and deliveries, again and again on one folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_loses_no_event() {
    let home = Home::alone().await;
    let receiver = Receiver::of(&home).await;
    let mut answered = BTreeSet::new();
    for round in 0..8 {
        let mut server = Server::start(&home, &[]).await;
        let links = links(&server, 16).await;
        let crash = async {
            tokio::time::sleep(Duration::from_millis(10) * 2_u32.pow(round) / 2).await;
            server.signal(Signal::KILL);
        };
        let (used, ()) = tokio::join!(use_up(&server, links), crash);
        answered.extend(used);
        server.crash();
    }
    let _server = Server::start(&home, &[]).await;
    until("all is delivered", async || {
        let waiting = home.rows("webhook WHERE state <> 'delivered'");
        (waiting == 0).then_some(())
    })
    .await;

    let numbers = receiver.numbers();
    assert_eq!(
        receiver.events.lock().unwrap().len(),
        home.rows("webhook") as usize
    );
    for upload in &answered {
        assert!(numbers.contains_key(upload), "{upload} was never told");
    }
    for (upload, numbers) in &numbers {
        let count = numbers.len() as u64;
        assert_eq!(*numbers, (1..=count).collect(), "{upload} has a gap");
    }
    let told = "audit WHERE action IN ('upload.completed', 'upload.consumed', 'media.attached')";
    assert_eq!(home.rows(told), home.rows("webhook"), "each line is told");
}

async fn dies_at(step: &str, posts: usize) {
    let home = Home::new().await;
    let receiver = Receiver::of(&home).await;
    let mut server = Server::start(&home, &[("stop_at", step)]).await;
    let link = server.link(json!({})).await;
    let answer = server.put(&link, &File::pdf(1, 20_000)).await.unwrap();
    assert_eq!(answer.status, 201);
    server.says(&format!("stopped at {step}")).await;
    server.crash();
    assert_eq!(*receiver.posts.lock().unwrap(), posts - 1);
    let _server = Server::start(&home, &[]).await;
    until("it is delivered", async || {
        (home.rows("webhook WHERE state = 'delivered'") == 1).then_some(())
    })
    .await;
    assert_eq!(*receiver.posts.lock().unwrap(), posts);
    assert_eq!(receiver.numbers()[&link.upload_id], [1].into());
}

#[tokio::test]
async fn a_crash_between_commit_and_delivery_only_delays_an_event() {
    dies_at("webhook-taken", 1).await;
}

#[tokio::test]
async fn a_crash_after_a_delivery_repeats_it_with_the_same_id() {
    dies_at("webhook-sent", 2).await;
}

#[tokio::test]
async fn of_two_servers_on_one_folder_one_delivers_each_event() {
    let home = Home::new().await;
    let receiver = Receiver::of(&home).await;
    let servers = [
        Server::start(&home, &[]).await,
        Server::start(&home, &[]).await,
    ];
    for server in &servers {
        let links = links(server, 20).await;
        assert_eq!(use_up(server, links).await.len(), 20);
    }
    until("all is delivered", async || {
        let waiting = home.rows("webhook WHERE state <> 'delivered'");
        (waiting == 0).then_some(())
    })
    .await;
    assert_eq!(home.rows("webhook"), 2 * 20 * 3);
    assert_eq!(*receiver.posts.lock().unwrap(), 2 * 20 * 3, "each once");
    assert_eq!(receiver.numbers().len(), 2 * 20);
}
