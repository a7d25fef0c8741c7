//! HTTP by hand: a client that sends what it is told to, when it is told to, and reads whole answers.

use std::{io, net::SocketAddr, sync::LazyLock, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// How long an answer may take, a wait of half a minute included.
const PATIENCE: Duration = Duration::from_secs(40);

/// What every file of a test ends with: bytes that no server could guess.
static NOISE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(3 << 20).flatten().collect()
});

/// A file of an allowed type, unlike every other one of another number.
#[derive(Debug, Clone)]
pub struct File {
    parts: [Bytes; 2],
}

impl File {
    /// A PDF, by its first bytes, of this size.
    pub fn pdf(number: usize, size: usize) -> Self {
        Self::starting(format!("%PDF-1.7\n%{number:08}\0"), size)
    }

    /// A file with this head, of this size.
    pub fn starting(head: impl Into<Bytes>, size: usize) -> Self {
        let head = head.into();
        let noise = NOISE.slice(..size - head.len());
        Self {
            parts: [head, noise],
        }
    }

    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    pub fn bytes(&self) -> Bytes {
        self.parts.concat().into()
    }

    pub fn sha256(&self) -> String {
        sha256(&self.bytes())
    }

    /// A PUT of this file, in pieces that share their memory with others.
    pub fn put(&self, path: &str) -> Vec<Bytes> {
        let head = head("PUT", path, &[("content-length", &self.len().to_string())]);
        [[head].as_slice(), &self.parts].concat()
    }

    /// The form that a page sends with this file in it.
    pub fn post(&self, path: &str) -> Vec<Bytes> {
        let start = Bytes::from_static(
            b"--between\r\ncontent-disposition: form-data; name=\"media\"; filename=\"a.pdf\"\r\n\
              content-type: application/pdf\r\n\r\n",
        );
        let end = Bytes::from_static(b"\r\n--between--\r\n");
        let length = (start.len() + self.len() + end.len()).to_string();
        let headers = [
            ("content-type", "multipart/form-data; boundary=between"),
            ("content-length", length.as_str()),
        ];
        let [first, rest] = self.parts.clone();
        vec![head("POST", path, &headers), start, first, rest, end]
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    askfile::link::hex(&Sha256::digest(bytes))
}

/// A request up to its body.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Bytes {
    let mut lines = vec![
        format!("{method} {path} HTTP/1.1"),
        "host: localhost".to_owned(),
    ];
    lines.extend(
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}")),
    );
    (lines.join("\r\n") + "\r\n\r\n").into()
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Each as it stands there: `Name: value`.
    headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The JSON of the body, or of the last event in it.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        let mut events = text.lines().rev().filter_map(|l| l.strip_prefix("data: "));
        let json = events.find(|data| data.starts_with('{')).unwrap_or(&text);
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The code of a failure.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn header<'a>(headers: &'a [String], name: &str) -> Option<&'a str> {
    let mut headers = headers.iter().filter_map(|line| line.split_once(": "));
    let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

/// One connection.
pub struct Connection {
    reading: OwnedReadHalf,
    writing: OwnedWriteHalf,
    unread: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (reading, writing) = stream.into_split();
        Ok(Self {
            reading,
            writing,
            unread: Vec::new(),
        })
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writing.write_all(bytes).await
    }

    /// Sends all of a request before it reads a byte, as simple clients do.
    pub async fn send_then_read(&mut self, request: &[Bytes]) -> io::Result<Answer> {
        for piece in request {
            self.send(piece).await?;
        }
        self.answer().await
    }

    /// Sends a request and reads its answer meanwhile, as curl and browsers do. What becomes of the
    /// sending does not matter once the answer is there.
    pub async fn exchange(&mut self, request: &[Bytes]) -> io::Result<Answer> {
        let (reading, unread) = (&mut self.reading, &mut self.unread);
        let writing = &mut self.writing;
        let sending = async {
            for piece in request {
                if writing.write_all(piece).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = read_answer(reading, unread) => answer,
            () = sending => unreachable!("it never ends"),
        }
    }

    pub async fn answer(&mut self) -> io::Result<Answer> {
        read_answer(&mut self.reading, &mut self.unread).await
    }
}

async fn read_answer(reading: &mut OwnedReadHalf, unread: &mut Vec<u8>) -> io::Result<Answer> {
    timeout(PATIENCE, read(reading, unread)).await?
}

async fn read(reading: &mut OwnedReadHalf, unread: &mut Vec<u8>) -> io::Result<Answer> {
    let mut bytes = Unread { reading, unread };
    loop {
        let mut lines = Vec::new();
        loop {
            match bytes.line().await? {
                line if line.is_empty() => break,
                line => lines.push(line),
            }
        }
        let status = lines
            .first()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .ok_or_else(|| io::Error::other(format!("not an answer: {lines:?}")))?;
        let body = match (
            header(&lines, "content-length"),
            header(&lines, "transfer-encoding"),
        ) {
            _ if status < 200 => continue,
            (Some(length), _) => bytes.take(length.parse().unwrap()).await?,
            (None, Some("chunked")) => bytes.chunks().await?,
            (None, _) => Vec::new(),
        };
        return Ok(Answer {
            status,
            headers: lines,
            body,
        });
    }
}

/// What came and was not read yet.
struct Unread<'a> {
    reading: &'a mut OwnedReadHalf,
    unread: &'a mut Vec<u8>,
}

impl Unread<'_> {
    async fn more(&mut self) -> io::Result<()> {
        match self.reading.read_buf(self.unread).await? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("ended after {:?}", String::from_utf8_lossy(self.unread)),
            )),
            _ => Ok(()),
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line = self.unread.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(io::Error::other);
            }
            self.more().await?;
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            self.more().await?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line().await?;
            let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
            body.extend(self.take(size).await?);
            self.line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}
