//! Serving on a listener until told to stop, and then ending well.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use futures_util::future::join_all;
use http::HeaderValue;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
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
    serve_all(vec![(listener, router)], service, stop).await
}

/// The same on several listeners, each with a router of its own.
///
/// # Errors
/// As for [`serve`].
pub async fn serve_all(
    doors: Vec<(TcpListener, Router)>,
    service: &Service,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let connections = GracefulShutdown::new();
    {
        let accepting = doors
            .iter()
            .map(|(listener, router)| accept(listener, router, &connections));
        tokio::select! {
            _ = join_all(accepting) => {}
            () = stop => {}
        }
    }
    drop(doors);
    service.close();
    tracing::info!("stopping: waiting for uploads on their way");
    let grace = service.settings().shutdown_grace;
    if tokio::time::timeout(grace, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("stopped while uploads were on their way");
    }
    service.webhooks_arrived().await;
    Ok(())
}

/// Copies what a request's head has of the connection's buffer: while any of it is in use, all of the
/// buffer is, and a new one is made for what comes next.
fn set_apart<B>(request: &mut http::Request<B>) {
    for value in request.headers_mut().values_mut() {
        if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
    }
    if let Ok(copy) = request.uri().to_string().parse() {
        *request.uri_mut() = copy;
    }
}

/// Takes connections for as long as it is polled.
async fn accept(listener: &TcpListener, router: &Router, connections: &GracefulShutdown) -> ! {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => connect(stream, from, router, connections),
            Err(error) => {
                // Out of file handles, for example: others must end before more can begin.
                tracing::warn!(cause = %error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn connect(stream: TcpStream, from: SocketAddr, router: &Router, connections: &GracefulShutdown) {
    // Without this, the second small packet of an answer waits 40 ms for the first one's receipt.
    let _ = stream.set_nodelay(true);
    let stream = Lingering::new(stream);
    let (unread, router) = (stream.unread(), router.clone());
    let app = service_fn(move |mut request: http::Request<Incoming>| {
        let (unread, router) = (Arc::clone(&unread), router.clone());
        async move {
            set_apart(&mut request);
            request.extensions_mut().insert(ConnectInfo(from));
            let request = request.map(|body| Body::new(Noted::new(body, Arc::clone(&unread))));
            let mut answer = router.oneshot(request).await?;
            unread.settle(&mut answer).await;
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), app);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(cause = %error, "a connection ended early");
        }
    });
}
