//! A scanner's word on a file: clamd, by its command `INSTREAM`.
//!
//! Only an exact `stream: OK` is clean. A scanner that is down, slow, cut off or says anything else
//! has not judged the file.

use std::{fmt, io, path::PathBuf, str::FromStr, time::Duration};

use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use crate::objects::Bytes;

/// Longest answer that is read, in bytes; clamd's own are a line.
const LONGEST_ANSWER: u64 = 4096;

/// Where a clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clamd {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host and a port.
    Tcp(String),
}

impl FromStr for Clamd {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text
            .strip_prefix("unix:")
            .or(text.starts_with('/').then_some(text))
        {
            return Ok(Self::Unix(path.into()));
        }
        let address = text.strip_prefix("tcp:").unwrap_or(text);
        match address.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(address.to_owned()))
            }
            _ => Err("is neither the path of a socket nor a host with a port"),
        }
    }
}

impl fmt::Display for Clamd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

/// What a scanner says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing found.
    Clean,
    /// Something found.
    Found,
    /// The file is larger than what the scanner looks at.
    TooLarge,
}

impl Clamd {
    /// What it says of these bytes, within this time from the connection to the answer.
    ///
    /// # Errors
    /// Where there is no verdict; the text is for the log.
    pub async fn scan(&self, bytes: Bytes, within: Duration) -> io::Result<Verdict> {
        let scanning = async {
            match self {
                Self::Unix(path) => ask(UnixStream::connect(path).await?, bytes).await,
                Self::Tcp(address) => ask(TcpStream::connect(address).await?, bytes).await,
            }
        };
        let answer = tokio::time::timeout(within, scanning)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "clamd took too long"))??;
        judge(&answer)
    }
}

/// Sends the bytes and reads the answer, which may come before the last of them.
async fn ask(clamd: impl AsyncRead + AsyncWrite + Unpin, bytes: Bytes) -> io::Result<Vec<u8>> {
    let (mut from, mut to) = tokio::io::split(clamd);
    let sent = send(&mut to, bytes).await;
    // One that has heard enough closes: then its answer is still there to be read.
    if let Err(Unsent::Source(error)) = sent {
        return Err(error);
    }
    let mut answer = Vec::new();
    (&mut from)
        .take(LONGEST_ANSWER)
        .read_to_end(&mut answer)
        .await
        .or_else(|error| if answer.is_empty() { Err(error) } else { Ok(0) })?;
    match (answer.is_empty(), sent) {
        (true, Err(Unsent::Clamd(error))) => Err(error),
        _ => Ok(answer),
    }
}

/// Why the bytes were not sent whole.
enum Unsent {
    /// The bytes could not be read.
    Source(io::Error),
    /// clamd took no more.
    Clamd(io::Error),
}

async fn send(to: &mut (impl AsyncWrite + Unpin), mut bytes: Bytes) -> Result<(), Unsent> {
    to.write_all(b"zINSTREAM\0").await.map_err(Unsent::Clamd)?;
    while let Some(piece) = bytes.next().await {
        let piece = piece.map_err(Unsent::Source)?;
        if piece.is_empty() {
            // A piece of no bytes would be the end.
            continue;
        }
        let length = u32::try_from(piece.len()).map_err(|_| {
            Unsent::Source(io::Error::other(
                "a piece is longer than clamd's format can say",
            ))
        })?;
        to.write_all(&length.to_be_bytes())
            .await
            .map_err(Unsent::Clamd)?;
        to.write_all(&piece).await.map_err(Unsent::Clamd)?;
    }
    to.write_all(&0_u32.to_be_bytes())
        .await
        .map_err(Unsent::Clamd)?;
    to.flush().await.map_err(Unsent::Clamd)
}

fn judge(answer: &[u8]) -> io::Result<Verdict> {
    let answer = answer.strip_suffix(b"\0").unwrap_or(answer);
    match std::str::from_utf8(answer) {
        Ok("stream: OK") => Ok(Verdict::Clean),
        Ok("INSTREAM size limit exceeded. ERROR") => Ok(Verdict::TooLarge),
        Ok(found) if is_exceeded_limit(found) => Ok(Verdict::TooLarge),
        Ok(found) if found.starts_with("stream: ") && found.ends_with(" FOUND") => {
            Ok(Verdict::Found)
        }
        Ok("") => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "clamd closed without an answer",
        )),
        _ => Err(io::Error::other(format!(
            "clamd answered {:?}",
            String::from_utf8_lossy(answer)
        ))),
    }
}

/// With `AlertExceedsMax`, clamd says so of what it looked at in part only.
fn is_exceeded_limit(answer: &str) -> bool {
    answer.starts_with("stream: Heuristics.Limits.Exceeded") && answer.ends_with(" FOUND")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exact_ok_is_clean() {
        let table: [(&[u8], Option<Verdict>); 10] = [
            (b"stream: OK\0", Some(Verdict::Clean)),
            (b"stream: OK", Some(Verdict::Clean)),
            (b"stream: OK \0", None),
            (b"stream: OKAY\0", None),
            (b"OK\0", None),
            (b"", None),
            (b"stream: Eicar FOUND\0", Some(Verdict::Found)),
            (
                b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0",
                Some(Verdict::TooLarge),
            ),
            (
                b"INSTREAM size limit exceeded. ERROR\0",
                Some(Verdict::TooLarge),
            ),
            (b"stream: Can't open file ERROR\0", None),
        ];
        for (answer, verdict) in table {
            let shown = String::from_utf8_lossy(answer).into_owned();
            assert_eq!(judge(answer).ok(), verdict, "{shown:?}");
        }
    }

    #[test]
    fn a_scanner_is_named_by_its_socket_or_its_port() {
        let unix = || Clamd::Unix("/run/clamav/clamd.ctl".into());
        let tcp = || Clamd::Tcp("localhost:3310".into());
        let table = [
            ("/run/clamav/clamd.ctl", Some(unix())),
            ("unix:/run/clamav/clamd.ctl", Some(unix())),
            ("localhost:3310", Some(tcp())),
            ("tcp:localhost:3310", Some(tcp())),
            ("localhost", None),
            ("localhost:port", None),
            (":3310", None),
        ];
        for (text, clamd) in table {
            assert_eq!(text.parse().ok(), clamd, "{text}");
        }
    }
}
