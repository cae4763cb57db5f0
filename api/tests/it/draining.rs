//! An instance that is told to stop answers everybody who has asked it something, and says that the next request is to go
//! elsewhere.

use std::{net::SocketAddr, time::Duration};

use posthouse_api::drain::{self, Drain};
use posthouse_service::probes::Checks;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::harness::{Api, until};

/// A connection of HTTP/1.1, which its client keeps as long as it may.
struct Kept(BufReader<TcpStream>);

/// A status, and whether it is the last answer on this connection.
type Seen = (u16, bool);

impl Kept {
    async fn open(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn get(&mut self, path: &str) -> Seen {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: api\r\n\r\n")).await;
        self.answer().await
    }

    /// Reads one answer to its end.
    async fn answer(&mut self) -> Seen {
        let (mut lines, mut line) = (Vec::new(), String::new());
        while self.0.read_line(&mut line).await.unwrap() > 0 && !line.trim().is_empty() {
            lines.push(std::mem::take(&mut line).trim().to_ascii_lowercase());
        }
        let status = lines.first().expect("it is answered").split(' ').nth(1).unwrap().parse().unwrap();
        let header = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).await.unwrap();
        (status, header("connection") == Some("close"))
    }

    /// Waits until the other side has closed it.
    async fn closed(mut self) {
        let mut rest = Vec::new();
        // An end that is not orderly is one as well.
        self.0.read_to_end(&mut rest).await.unwrap_or_default();
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    }
}

#[tokio::test]
async fn nothing_is_left_without_an_answer_when_an_instance_stops() {
    let api = Api::start().await;
    let (shutdown, closing) = (CancellationToken::new(), CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain { closing: closing.clone(), timeout: Duration::from_secs(300) };
    let serving = tokio::spawn(drain::serve(listener, api.another_with(Checks::new().until(shutdown.clone())), drain));

    let (mut used, mut idle, mut busy) =
        (Kept::open(address).await, Kept::open(address).await, Kept::open(address).await);
    for kept in [&mut used, &mut idle] {
        assert_eq!(kept.get("/readyz").await, (200, false));
    }
    let body = r#"{"name": "a", "url": "https://example.com/a"}"#;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        api.path("endpoints"),
        api.key,
        body.len()
    );
    busy.send(&head).await;
    assert_eq!(busy.answer().await.0, 100, "its handler waits for the body");

    shutdown.cancel();
    assert_eq!(used.get("/healthz").await, (200, true), "it is answered, and told to come no more");
    used.closed().await;
    for (path, status) in [("/readyz", 503), ("/nowhere", 404)] {
        let mut new = Kept::open(address).await;
        assert_eq!(new.get(path).await, (status, true), "{path}: who does not know yet is answered as well");
        new.closed().await;
    }

    closing.cancel();
    idle.closed().await;
    until("a closed door", async || TcpStream::connect(address).await.is_err()).await;
    busy.send(body).await;
    assert_eq!(busy.answer().await, (201, true), "what was under way is finished");
    busy.closed().await;
    serving.await.unwrap().unwrap();
    api.close().await;
}
