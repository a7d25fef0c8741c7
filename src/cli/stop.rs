//! Being told to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell calls a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Resolves when the process is told to stop; when told again, it stops at once.
///
/// # Errors
/// As the system has them.
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
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
            std::process::exit(INTERRUPTED);
        });
    })
}

/// The same, for all who want to know.
///
/// # Errors
/// As the system has them.
pub(super) fn stop_token() -> io::Result<CancellationToken> {
    let (signal, token) = (stop_signal()?, CancellationToken::new());
    let told = token.clone();
    tokio::spawn(async move {
        signal.await;
        told.cancel();
    });
    Ok(token)
}
