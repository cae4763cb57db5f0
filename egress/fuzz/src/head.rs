//! The heads of requests: whatever is written, the proxy goes on, and connects to nothing but what it may.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use posthouse_egress::{
    Rules,
    proxy::{FixedNames, Resolver, Settings, serve},
};
use posthouse_service::metrics::Metrics;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Stands for the address that may be reached.
const ALLOWED: u8 = 1;
/// Stands for the one that may not.
const FORBIDDEN: u8 = 2;
/// Longer than a proxy takes to answer or to give up.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    runtime: Runtime,
    proxy: SocketAddr,
    allowed: SocketAddr,
    forbidden: SocketAddr,
    reached: Arc<AtomicU64>,
}

static WORLD: OnceLock<World> = OnceLock::new();

/// Writes the bytes to a proxy, as they are but for the two that stand for addresses, and ends.
///
/// # Panics
/// The proxy reached what it may not, hangs, or is gone.
pub fn head(bytes: &[u8]) {
    let world = WORLD.get_or_init(World::start);
    let written: Vec<u8> = bytes.iter().flat_map(|byte| world.meant(*byte)).collect();
    let answer = world.runtime.block_on(async { timeout(PATIENCE, world.ask(&written)).await });
    assert!(answer.is_ok(), "the proxy hangs");
    assert_eq!(world.reached.load(Ordering::SeqCst), 0, "it reached what it may not");
}

impl World {
    fn start() -> Self {
        // One thread, so that what an input does is seen by the fuzzer before the next one.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let reached = Arc::<AtomicU64>::default();
        let (proxy, allowed, forbidden) = runtime.block_on(async {
            // The fuzzer's main leaves it at what ends a process that writes to a closed connection. Once taken, it stays so.
            drop(signal(SignalKind::pipe()).expect("a signal can be taken"));
            let (allowed, forbidden) = (origin(Arc::default()).await, origin(Arc::clone(&reached)).await);
            let rule = format!("{}/32:{}", allowed.ip(), allowed.port()).parse().expect("an address is a rule");
            let settings = Settings {
                resolver: Resolver::Fixed(FixedNames::default()),
                head_timeout: Duration::from_millis(200),
                connect_timeout: Duration::from_secs(1),
                idle_timeout: Duration::from_secs(1),
                ..Settings::new(Rules::with_allowed(vec![rule]))
            };
            let listener = listen().await;
            let proxy = listener.local_addr().expect("a listener has an address");
            tokio::spawn(
                async move { serve(listener, settings, &Metrics::new("egress"), CancellationToken::new()).await },
            );
            (proxy, allowed, forbidden)
        });
        Self { runtime, proxy, allowed, forbidden, reached }
    }

    fn meant(&self, byte: u8) -> Vec<u8> {
        match byte {
            ALLOWED => self.allowed.to_string().into_bytes(),
            FORBIDDEN => self.forbidden.to_string().into_bytes(),
            byte => vec![byte],
        }
    }

    async fn ask(&self, bytes: &[u8]) {
        let mut stream = TcpStream::connect(self.proxy).await.expect("the proxy is there");
        // It may have answered and closed by now.
        let _sent = stream.write_all(bytes).await;
        let _ended = stream.shutdown().await;
        let mut answer = Vec::new();
        let _read = stream.read_to_end(&mut answer).await;
    }
}

/// A server that counts its connections and answers each.
async fn origin(reached: Arc<AtomicU64>) -> SocketAddr {
    let listener = listen().await;
    let address = listener.local_addr().expect("a listener has an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            reached.fetch_add(1, Ordering::SeqCst);
            let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        }
    });
    address
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_known_to_mislead_proxies_holds() {
        for head in [
            &b"CONNECT \x01 HTTP/1.1\r\nHost: \x02\r\n\r\n"[..],
            b"CONNECT \x02 HTTP/1.1\r\nHost: \x01\r\n\r\n",
            b"CONNECT \x01@\x02 HTTP/1.1\r\n\r\n",
            b"GET http://\x01#@\x02/ HTTP/1.1\r\nHost: \x02\r\nConnection: close\r\n\r\n",
            b"CONNECT \x01 HTTP/1.1\r\nContent-Length: 9\r\n\r\nCONNECT \x02 HTTP/1.1\r\n\r\n",
            b"\r\n\r\n\0\xff",
        ] {
            super::head(head);
        }
    }
}
