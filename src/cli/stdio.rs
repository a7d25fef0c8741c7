//! `askfile stdio`: MCP on standard input and output, and the page beside it. Standard output carries
//! the protocol and nothing else.

use std::{
    io,
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use rmcp::{
    ServiceExt,
    service::ServerInitializeError,
    transport::{StdioWriter, stdio_pipes},
};
use rustix::fs::{FileType, fstat};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::unix::pipe,
    time::{sleep, timeout},
};
use tokio_util::{either::Either, sync::CancellationToken};

use super::{
    host::{Beside, Offer, must_not_be_exposed, start_beside},
    stop::stop_token,
};
use crate::{
    config::Settings,
    mcp::{Line, Tools},
    service::Service,
};

/// Longest time that uploads have to finish when the program that started this one has gone.
const MOST_GRACE: Duration = Duration::from_secs(30);

/// Longest time that calls have to end at the end, and then that the client has to read the answers.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(super) async fn stdio(mut settings: Settings) -> Result<(), String> {
    must_not_be_exposed(&settings)?;
    settings.shutdown_grace = settings.shutdown_grace.min(MOST_GRACE);
    let stop = stop_token().map_err(|error| error.to_string())?;
    let Beside { service, mut page } =
        start_beside(settings, Offer::Everything, stop.clone()).await?;
    let mcp = speak(service.clone(), stop.clone());
    let mut mcp = std::pin::pin!(mcp);
    let spoken = tokio::select! {
        spoken = &mut mcp => spoken,
        // It is told to stop, or nobody could open a link.
        served = &mut page => {
            stop.cancel();
            service.close();
            return served.map_err(|error| error.to_string())?.and(mcp.await);
        }
    };
    stop.cancel();
    page.await.map_err(|error| error.to_string())?.and(spoken)
}

/// Speaks until the other side hangs up, or until told to stop; then calls that wait are answered.
async fn speak(service: Service, stop: CancellationToken) -> Result<(), String> {
    let line = Line::default();
    let (input, output) = standard_streams().map_err(|error| error.to_string())?;
    let input = Heard {
        input,
        over: line.hung_up.clone(),
    };
    let tools = Tools::on_line(service.clone(), line.clone());
    let session = tokio::select! {
        session = tools.serve((input, output)) => session,
        () = stop.cancelled() => return Ok(()),
    };
    let session = match session {
        Ok(session) => session,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let hang_up = session.cancellation_token();
    let last_words = async {
        tokio::select! {
            () = line.hung_up.cancelled() => {}
            () = stop.cancelled() => service.closing().await,
        }
        line.calls.close();
        // What calls have still to say to the client goes out as long as nobody has hung up.
        let _ = timeout(LAST_WORDS, line.calls.wait()).await;
        hang_up.cancel();
        // The protocol's machinery waits without end for a client that does not read its answers.
        sleep(LAST_WORDS).await;
    };
    tokio::select! {
        ended = session.waiting() => ended.map(drop).map_err(|error| error.to_string()),
        () = last_words => {
            tracing::warn!("stopped while the client had answers to read");
            Ok(())
        }
    }
}

/// Standard input and output.
///
/// The library reads pipes on Linux without a thread. Elsewhere nothing can call off a read, and the
/// runtime would wait for it at the end: so a thread reads that nobody waits for.
fn standard_streams() -> io::Result<(impl AsyncRead + Unpin, StdioWriter)> {
    let (input, output) = stdio_pipes();
    if cfg!(target_os = "linux") && is_pipe(io::stdin()) && is_pipe(io::stdout()) {
        return Ok((Either::Left(input), output));
    }
    let (input, mut read) = io::pipe()?;
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || io::copy(&mut io::stdin(), &mut read))?;
    let input = pipe::Receiver::from_owned_fd(input.into())?;
    Ok((Either::Right(input), output))
}

fn is_pipe(stream: impl AsFd) -> bool {
    fstat(stream).is_ok_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Fifo)
}

/// An input that tells when it is over.
struct Heard<R> {
    input: R,
    over: CancellationToken,
}

impl<R: AsyncRead + Unpin> AsyncRead for Heard<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let heard = self.get_mut();
        let room = buffer.remaining();
        let read = ready!(Pin::new(&mut heard.input).poll_read(context, buffer));
        if read.is_err() || (room > 0 && buffer.remaining() == room) {
            heard.over.cancel();
        }
        Poll::Ready(read)
    }
}
