//! As little HTTP/1.1 as a load tool needs: bodies with a length, connections that stay. What it costs is not to count.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 64 << 20;

/// A message that came in: its first line's target or status, and its body.
pub struct Message {
    /// The second word of the first line: a request's path, an answer's status.
    pub second: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A connection with what was read ahead.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// A connection that was accepted or made.
    pub fn new(stream: TcpStream) -> Self {
        // Without it small messages wait for each other; where it is refused they only wait.
        drop(stream.set_nodelay(true));
        Self { stream, read: Vec::with_capacity(4_096) }
    }

    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self::new(TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?))
    }

    /// Writes bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.context("write")
    }

    /// The next message; `None` when the peer has closed the connection between two.
    pub async fn next(&mut self) -> Result<Option<Message>> {
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if self.read.len() > HEAD_BYTES_MAX {
                bail!("a head of more than {HEAD_BYTES_MAX} bytes");
            }
            if self.stream.read_buf(&mut self.read).await.context("read")? == 0 {
                if self.read.is_empty() {
                    return Ok(None);
                }
                bail!("the connection broke off");
            }
        };
        let text = String::from_utf8_lossy(self.read.get(..head).unwrap_or_default()).into_owned();
        let length = length(&text)?;
        while self.read.len() < head + length {
            if self.stream.read_buf(&mut self.read).await.context("read")? == 0 {
                bail!("the connection broke off within a body");
            }
        }
        let body = self.read.get(head..head + length).unwrap_or_default().to_vec();
        self.read.drain(..head + length);
        let second = text.split_whitespace().nth(1).unwrap_or_default().to_string();
        Ok(Some(Message { second, body }))
    }

    /// Sends a request and gives the status of its answer.
    pub async fn call(&mut self, request: &[u8]) -> Result<u16> {
        self.write(request).await?;
        let answer = self.next().await?.context("the connection was closed instead of an answer")?;
        answer.second.parse().context("no status")
    }
}

fn length(head: &str) -> Result<usize> {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value.trim())
    });
    let length = value.map_or(Ok(0), str::parse).context("content-length")?;
    if length > BODY_BYTES_MAX {
        bail!("a body of {length} bytes");
    }
    Ok(length)
}
