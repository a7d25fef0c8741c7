//! A kept-alive HTTP connection that costs next to nothing, and MCP calls over it.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next answer: its status and body.
    pub async fn answer(&mut self) -> (u16, Vec<u8>) {
        let head = self.take_until(b"\r\n\r\n").await;
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head[9..12].parse().unwrap();
        let mut lengths = head
            .lines()
            .filter_map(|line| line.strip_prefix("content-length: "));
        if let Some(length) = lengths.next() {
            return (status, self.take(length.parse().unwrap()).await);
        }
        let mut body = Vec::new();
        loop {
            let size = String::from_utf8(self.take_until(b"\r\n").await).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let chunk = self.take(size + 2).await;
            if size == 0 {
                return (status, body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    /// Calls a tool in the style of protocol version 2026-07-28.
    pub async fn call(&mut self, request: &[u8]) -> Vec<u8> {
        self.send(request).await;
        let (status, body) = self.answer().await;
        assert_eq!(status, 200);
        body
    }

    async fn take_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            let found = self.unread.windows(end.len()).position(|part| part == end);
            if let Some(at) = found {
                return self.unread.drain(..at + end.len()).collect();
            }
            self.more().await;
        }
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            self.more().await;
        }
        self.unread.drain(..length).collect()
    }

    async fn more(&mut self) {
        let read = self.stream.read_buf(&mut self.unread).await.unwrap();
        assert!(read > 0, "the server hung up");
    }
}

/// The bytes of a tool call.
pub fn call(host: &str, tool: &str, arguments: &Value) -> Vec<u8> {
    call_with("", host, tool, arguments)
}

/// The same, with more headers: whole lines.
pub fn call_with(headers: &str, host: &str, tool: &str, arguments: &Value) -> Vec<u8> {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": tool, "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
            },
        },
    })
    .to_string();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: tools/call\r\nmcp-name: {tool}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

/// What a tool answered with.
pub fn structured(body: &[u8]) -> Value {
    let text = std::str::from_utf8(body).unwrap();
    let message = text
        .lines()
        .map(|line| line.strip_prefix("data: ").unwrap_or(line))
        .find(|line| line.starts_with('{'))
        .unwrap();
    let message: Value = serde_json::from_str(message).unwrap();
    message["result"]["structuredContent"].clone()
}
