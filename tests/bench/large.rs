//! One large file against the disk and the hash alone, and many slow ones at once.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{median, server::Server, timed};

pub const GIB: u64 = 1024 * 1024 * 1024;
const ROUNDS: usize = 3;
const SLOW_AT_ONCE: usize = 64;
const SLOW_FOR: Duration = Duration::from_secs(15);
const START: &[u8] = b"%PDF-1.7\n\0";

pub fn make(path: &Path, bytes: u64) {
    let mut file = File::create(path).unwrap();
    file.write_all(START).unwrap();
    let random = File::open("/dev/urandom").unwrap();
    std::io::copy(&mut random.take(bytes - START.len() as u64), &mut file).unwrap();
    file.sync_all().unwrap();
}

pub async fn run() {
    let server = Server::start(&[("ASKFILE_MAX_FILE_SIZE", "4GB")]);
    let source = server.folder.path().join("source");
    make(&source, 2 * GIB);
    let copy = server.folder.path().join("copy");
    let [source, copy] = [&source, &copy].map(|path| path.to_str().unwrap());
    let (input, output) = (format!("if={source}"), format!("of={copy}"));
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let (paths, _) = server.links(1).await;
        let url = format!("http://{}{}", server.address, paths[0]);
        let upload = timed("curl", &["-sSf", "-H", "Expect:", "-T", source, &url]);
        let dd = timed("dd", &[&input, &output, "bs=1M", "conv=fdatasync"]);
        let hash = timed("openssl", &["dgst", "-sha256", source]);
        std::fs::remove_file(copy).unwrap();
        let medias = server.folder.path().join("medias");
        for stored in std::fs::read_dir(medias).unwrap() {
            std::fs::remove_file(stored.unwrap().path()).unwrap();
        }
        println!("  2 GiB: PUT {upload:.2} s, dd conv=fdatasync {dd:.2} s, sha256 {hash:.2} s");
        ratios.push(dd.max(hash) / upload);
    }
    println!(
        "PUT of 2 GiB / the slower of dd conv=fdatasync and openssl sha256: {:.2} (goal: 0.80)",
        median(ratios)
    );
    println!(
        "  resident memory at its highest: {:.0} MB (goal: below 32)",
        server.memory("VmHWM")
    );
}

pub async fn slow() {
    let server = Server::start(&[("ASKFILE_MAX_FILE_SIZE", "4GB")]);
    let (paths, _) = server.links(SLOW_AT_ONCE).await;
    let mut senders = JoinSet::new();
    for path in paths {
        let (mut client, host) = (server.client().await, server.address.clone());
        senders.spawn(async move {
            let head =
                format!("PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {GIB}\r\n\r\n");
            client.send(head.as_bytes()).await;
            client.send(START).await;
            let piece = vec![7; 64 * 1024];
            let began = Instant::now();
            while began.elapsed() < SLOW_FOR {
                client.send(&piece).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    }
    senders.join_all().await;
    println!(
        "{SLOW_AT_ONCE} uploads of 1 GiB at once, slow: resident memory at its highest {:.0} MB \
         (goal: below 64)",
        server.memory("VmHWM")
    );
}
