//! `askfile serve`: the page and MCP, until told to stop.

use std::{
    fs::{File, TryLockError},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::say;
use crate::{app, config::Settings, http, service::Service};

/// How often a process that waits for its turn tries to take over the address.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// How often it looks before it takes the address for another program's: of a process that was
/// killed, the system may give back the lock a moment before the address.
const LOOKS: u32 = 4;

pub(super) async fn serve(settings: Settings) -> Result<(), String> {
    must_not_be_exposed(&settings)?;
    app::make_folder(&settings.data_dir).map_err(|error| error.to_string())?;
    let stop = stop_signal().map_err(|error| error.to_string())?;
    let mut stop = std::pin::pin!(stop);
    let (listener, turn) = tokio::select! {
        bound = bind(settings.listen, &settings.data_dir) => bound?,
        () = &mut stop => return Ok(()),
    };
    let listen = listener.local_addr().map_err(|error| error.to_string())?;
    let public_url = settings
        .public_url
        .clone()
        .unwrap_or_else(|| http::serve::local_url(listen));
    let service = app::start(settings, public_url)
        .await
        .map_err(|error| error.to_string())?;
    say(&greeting(&service, listen));
    let sweeping = service.clone();
    tokio::spawn(async move { sweeping.keep_swept().await });
    let closing = service.clone();
    tokio::spawn(async move {
        closing.closing().await;
        // The listener is gone by now: the next in line may bind.
        drop(turn);
    });
    let router = http::router(&service, listen);
    http::serve::serve(listener, router, &service, stop)
        .await
        .map_err(|error| error.to_string())
}

/// # Errors
/// If everybody in the network would be taken for the owner.
fn must_not_be_exposed(settings: &Settings) -> Result<(), String> {
    if settings.listen.ip().is_loopback() {
        return Ok(());
    }
    if settings.i_know_this_is_open {
        tracing::warn!(
            "listening on {}: everybody who reaches it can act as the owner",
            settings.listen
        );
        return Ok(());
    }
    Err(format!(
        "listen is {}, which others can reach, and this askfile takes everybody for its owner. \
         Listen on 127.0.0.1, or say --i-know-this-is-open.",
        settings.listen
    ))
}

fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut told = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        told().await;
        // Who says it twice does not want to wait for uploads on their way.
        tokio::spawn(async move {
            told().await;
            std::process::exit(1);
        });
    })
}

/// Binds the address, and says so to others by a lock. Where another askfile on the same data folder
/// has it, waits for that one to end: its links are this one's links.
async fn bind(listen: SocketAddr, folder: &Path) -> Result<(TcpListener, Option<File>), String> {
    let cannot = |error: io::Error| format!("cannot listen on {listen}: {error}");
    if listen.port() == 0 {
        return Ok((http::serve::listen(listen).map_err(cannot)?, None));
    }
    let turn = take_turn(listen, folder).await?;
    for _ in 0..LOOKS {
        match http::serve::listen(listen) {
            Ok(listener) => return Ok((listener, Some(turn))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(cannot(error)),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
    Err(format!(
        "{listen} is taken by another program; choose another address with --listen 127.0.0.1:PORT"
    ))
}

/// Whoever serves this port for this data folder holds a lock on this file.
pub(super) fn lock_path(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!("listen-{port}.lock"))
}

/// The lock of those who serve this address for this data folder, once nobody else holds it.
async fn take_turn(listen: SocketAddr, folder: &Path) -> Result<File, String> {
    let path = lock_path(folder, listen.port());
    let cannot = |error: io::Error| format!("{}: {error}", path.display());
    let turn = File::create(&path).map_err(cannot)?;
    let mut is_told = false;
    loop {
        match turn.try_lock() {
            Ok(()) => return Ok(turn),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        if !is_told {
            is_told = true;
            say(&format!(
                "another askfile on this data folder serves {listen}; taking over when it ends"
            ));
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

fn greeting(service: &Service, listen: SocketAddr) -> String {
    let mcp = format!("{}/mcp", http::serve::local_url(listen));
    let first = format!(
        "askfile {} is ready\n\n  links    {}/uploads/…\n  data     {}\n",
        env!("CARGO_PKG_VERSION"),
        service.public_url(),
        service.settings().data_dir.display(),
    );
    if http::is_links_only(service.settings(), service.public_url()) {
        return format!(
            "{first}  MCP      closed, because public_url is not this machine and everybody would \
             be taken\n           for its owner; --i-know-this-is-open opens it\n"
        );
    }
    format!(
        "{first}  MCP      {mcp}\n\
         \nTry it with MCP Inspector:\n\
         \n  npx -y @modelcontextprotocol/inspector --cli {mcp} --method tools/call \\\n    \
         --tool-name upload_create --tool-arg prompt=\"A photo of the receipt, please\"\n"
    )
}
