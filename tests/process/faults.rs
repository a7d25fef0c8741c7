//! A way to the store on which things go wrong.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The store answers with this status line and code.
    Answers(&'static str, &'static str),
    /// The store is silent for so long, then does its work.
    Dawdles(Duration),
    /// The connection breaks in the middle of the request.
    Breaks,
}

/// Whether it is this request that goes wrong, by its first line.
pub type Which = fn(&str) -> bool;

/// Of such requests, so many go wrong.
#[derive(Debug, Clone, Copy)]
struct Plan {
    which: Which,
    fault: Fault,
    left: usize,
}

/// Passes requests on to the store, one a connection. It ends with this value.
pub struct Faults {
    pub address: SocketAddr,
    plan: Arc<Mutex<Option<Plan>>>,
    serving: JoinHandle<()>,
}

impl Faults {
    pub async fn before(store: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&plan);
        let serving = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                // Whoever hangs up has seen enough.
                tokio::spawn(pass_on(client, store, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            plan,
            serving,
        }
    }

    /// The next `count` such requests go wrong.
    pub fn plan(&self, which: Which, fault: Fault, count: usize) {
        let left = count;
        *self.plan.lock().unwrap() = Some(Plan { which, fault, left });
    }

    /// All is well again.
    pub fn end(&self) {
        *self.plan.lock().unwrap() = None;
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn fault_of(plan: &Mutex<Option<Plan>>, line: &str) -> Option<Fault> {
    let mut plan = plan.lock().unwrap();
    let plan = plan.as_mut().filter(|plan| plan.left > 0)?;
    (plan.which)(line).then(|| {
        plan.left -= 1;
        plan.fault
    })
}

async fn pass_on(
    mut client: TcpStream,
    store: SocketAddr,
    plan: Arc<Mutex<Option<Plan>>>,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let end = loop {
        if let Some(at) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let length = lines
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let fault = fault_of(&plan, &line);
    if let Some(Fault::Breaks) = fault {
        let half = end + 4 + length / 2;
        while request.len() < half && client.read_buf(&mut request).await? > 0 {}
        return Ok(());
    }
    while request.len() < end + 4 + length && client.read_buf(&mut request).await? > 0 {}
    match fault {
        Some(Fault::Answers(status, code)) => {
            let body = format!("<Error><Code>{code}</Code></Error>");
            let answer = format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            return client.write_all(answer.as_bytes()).await;
        }
        Some(Fault::Dawdles(pause)) => tokio::time::sleep(pause).await,
        _ => {}
    }
    let mut store = TcpStream::connect(store).await?;
    store.write_all(head.as_bytes()).await?;
    store.write_all(b"\r\nconnection: close").await?;
    store.write_all(&request[end..]).await?;
    tokio::io::copy(&mut store, &mut client).await?;
    Ok(())
}
