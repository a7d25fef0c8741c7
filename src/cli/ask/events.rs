//! How many bytes have come: the page's events, as its own script follows them. They are for the eyes
//! alone; what becomes of the session is asked of the service.

use std::time::Duration;

use serde::Deserialize;
use tokio::{sync::watch, time::sleep};

/// How long it takes to try again where the stream has ended.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest event that is read, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// What has come so far of the files on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Arrived {
    pub received_bytes: u64,
    /// What will have come in the end, where the sender said so.
    pub size_bytes: Option<u64>,
}

/// Follows the events of a link for as long as the result is held.
pub(super) fn follow(link: &str) -> watch::Receiver<Arrived> {
    let events = link.replacen('?', "/events?", 1);
    let (sender, arrived) = watch::channel(Arrived::default());
    tokio::spawn(async move {
        while !sender.is_closed() {
            if let Err(error) = read(&events, &sender).await {
                // The error would name the link.
                tracing::debug!(cause = %error.without_url(), "the events of the page ended");
            }
            sleep(AGAIN).await;
        }
    });
    arrived
}

async fn read(events: &str, sender: &watch::Sender<Arrived>) -> reqwest::Result<()> {
    // A proxy has no business with the link.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut response = client.get(events).send().await?.error_for_status()?;
    let mut unread = Vec::new();
    while let Some(piece) = response.chunk().await? {
        unread.extend_from_slice(&piece);
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            let data = line.strip_prefix(b"data:");
            if let Some(arrived) = data.and_then(|data| serde_json::from_slice(data).ok()) {
                sender.send_replace(arrived);
            }
        }
        if sender.is_closed() || unread.len() > MOST_BYTES {
            break;
        }
    }
    Ok(())
}
