//! Serving on a listener until told to stop, and then ending well.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, extract::ConnectInfo};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tower::ServiceExt as _;

use super::linger::{Lingering, Noted};
use crate::service::Service;

/// A client that does not send a whole head within this time is hung up on; one that keeps a
/// connection without using it too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How many connections may wait to be accepted; the system may allow fewer. Where more come at once
/// than this, Linux answers them with cookies, and then resets some that have already sent a request.
const BACKLOG: u32 = 4096;

/// Binds an address and listens there.
///
/// # Errors
/// If the address is taken, or not this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A server that starts again does not wait for the last connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The address by which this machine reaches itself.
#[must_use]
pub fn local_url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

/// Serves until `stop` resolves. Then no claims are taken and waits end at once; bodies on their way
/// get as long as the settings say.
///
/// # Errors
/// If the listener's own address cannot be read.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    service: &Service,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, from)) => connect(stream, from, &router, &connections),
            Err(error) => {
                // Out of file handles, for example: others must end before more can begin.
                tracing::warn!(cause = %error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    service.close();
    tracing::info!("stopping: waiting for uploads on their way");
    let grace = service.settings().shutdown_grace;
    if tokio::time::timeout(grace, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("stopped while uploads were on their way");
    }
    Ok(())
}

fn connect(stream: TcpStream, from: SocketAddr, router: &Router, connections: &GracefulShutdown) {
    // Without this, the second small packet of an answer waits 40 ms for the first one's receipt.
    let _ = stream.set_nodelay(true);
    let stream = Lingering::new(stream);
    let has_unread = stream.has_unread();
    let app =
        router
            .clone()
            .map_request(move |mut request: http::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(ConnectInfo(from));
                request.map(|body| axum::body::Body::new(Noted::new(body, Arc::clone(&has_unread))))
            });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(cause = %error, "a connection ended early");
        }
    });
}
