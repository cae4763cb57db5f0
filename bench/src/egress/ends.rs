//! Both ends of a tunnel, and the plain relay between them.

use std::{io::Write as _, net::SocketAddr};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional_with_sizes},
    net::{TcpListener, TcpStream},
};

/// As much as the proxy reads at once.
const RELAY_BUFFER_BYTES: usize = 32 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;
const CONCURRENCY: usize = 64;
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Takes all file handles that the system gives this process; how many that are.
pub fn take_handles() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where more are not given, those that there are have to do.
    let handles = match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.current,
        Err(_) => getrlimit(Resource::Nofile).current,
    };
    handles.map_or(usize::MAX, |handles| usize::try_from(handles).unwrap_or(usize::MAX))
}

/// How to get to an origin.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    Egress { proxy: SocketAddr, to: SocketAddr },
    Relay(SocketAddr),
}

impl Way {
    pub async fn open(&self) -> Result<Tunnel> {
        let (Self::Egress { proxy: address, .. } | Self::Relay(address)) = self;
        let mut stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        if let Self::Egress { to, .. } = self {
            stream.write_all(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n").as_bytes()).await?;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut bytes = [0; 1_024];
                let read = stream.read(&mut bytes).await.context("the proxy's answer")?;
                ensure!(read > 0 && head.len() < HEAD_BYTES_MAX, "the proxy gave no answer");
                head.extend(bytes.iter().take(read));
            }
            if !head.starts_with(b"HTTP/1.1 200 ") {
                bail!("the proxy answered {}", String::from_utf8_lossy(&head));
            }
        }
        Ok(Tunnel(stream))
    }
}

/// An open way to an origin.
pub struct Tunnel(TcpStream);

impl Tunnel {
    /// One byte there and back.
    pub async fn ask(mut self) -> Result<Self> {
        self.0.write_all(b"?").await?;
        self.0.read_u8().await.context("the origin's answer")?;
        Ok(self)
    }

    /// So many bytes there, and waits until the origin has them all.
    pub async fn send(mut self, bytes: u64) -> Result<()> {
        let chunk = vec![b'x'; CHUNK_BYTES];
        let mut left = bytes;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            self.0.write_all(chunk.get(..now).unwrap_or_default()).await?;
            left -= now as u64;
        }
        self.0.shutdown().await?;
        self.0.read_u8().await.context("the first byte back")?;
        let arrived = self.0.read_u64().await.context("the origin's count")?;
        ensure!(arrived == bytes, "{arrived} of {bytes} bytes arrived");
        Ok(())
    }
}

/// Says where it listens, and serves each connection.
pub async fn origin() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
    say(&listener.local_addr()?.to_string())?;
    loop {
        let (mut stream, _) = listener.accept().await.context("accept")?;
        tokio::spawn(async move { answer(&mut stream).await });
    }
}

async fn answer(stream: &mut TcpStream) -> Result<()> {
    let mut bytes = Vec::new();
    let mut count: u64 = 0;
    loop {
        // An idle connection holds no buffer.
        stream.readable().await?;
        bytes.resize(CHUNK_BYTES, 0);
        let read = match stream.try_read(&mut bytes) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                bytes = Vec::new();
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if count == 0 {
            stream.write_all(b"!").await?;
        }
        count += read as u64;
    }
    stream.write_all(&count.to_be_bytes()).await?;
    stream.shutdown().await.context("end")
}

pub async fn relay(to: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
    say(&listener.local_addr()?.to_string())?;
    loop {
        let (mut client, _) = listener.accept().await.context("accept")?;
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            let mut origin = TcpStream::connect(to).await?;
            origin.set_nodelay(true)?;
            copy_bidirectional_with_sizes(&mut client, &mut origin, RELAY_BUFFER_BYTES, RELAY_BUFFER_BYTES).await
        });
    }
}

/// Holds tunnels until a line comes in, and then says how many of them are alive.
pub async fn hold(way: &Way, count: usize) -> Result<()> {
    let opened = stream::iter(0..count).map(|_| async { way.open().await?.ask().await });
    let tunnels: Vec<Tunnel> = opened.buffer_unordered(CONCURRENCY).try_collect().await?;
    say(&tunnels.len().to_string())?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
        .await?
        .context("the word to go on")?;
    // The first byte was answered; the end is answered with the count of bytes.
    let asked = stream::iter(tunnels).map(|mut tunnel| async move {
        tunnel.0.shutdown().await?;
        anyhow::Ok(tunnel.0.read_u64().await? == 1)
    });
    let alive = asked.buffer_unordered(CONCURRENCY).filter(|alive| futures::future::ready(matches!(alive, Ok(true))));
    say(&alive.count().await.to_string())
}

fn say(line: &str) -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "{line}").and_then(|()| output.flush()).context("say it")
}
