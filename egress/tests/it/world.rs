//! A proxy of its own for each test, an origin behind it, and a client that writes bytes.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use posthouse_egress::{
    policy::{Base, PolicyStore},
    proxy::{FixedNames, Resolver, Settings, serve},
    rules::{AddressRule, Rules},
};
use posthouse_service::metrics::Metrics;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Proxy {
    pub address: SocketAddr,
    pub metrics: Metrics,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

/// Settings with short limits, that let connections out to these addresses on this machine.
pub fn settings(allow: &[SocketAddr]) -> Settings {
    Settings {
        resolver: Resolver::Fixed(FixedNames::default()),
        head_timeout: Duration::from_millis(500),
        dns_timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_secs(2),
        tunnels_max: 100,
        drain_timeout: Duration::from_millis(300),
        ..Settings::new(Rules::with_allowed(permissions(allow)))
    }
}

/// A permission for each address and its port.
pub fn permissions(allow: &[SocketAddr]) -> Vec<AddressRule> {
    let rule = |address: &SocketAddr| match address {
        SocketAddr::V4(v4) => format!("{}/32:{}", v4.ip(), v4.port()),
        SocketAddr::V6(v6) => format!("[{}/128]:{}", v6.ip(), v6.port()),
    };
    allow.iter().map(|address| rule(address).parse().unwrap()).collect()
}

/// One set of rules for every client.
pub fn policy(rules: Rules) -> Arc<PolicyStore> {
    Arc::new(PolicyStore::fixed(rules))
}

/// As editors and configuration tools do: the new file takes the old one's place.
pub fn write(path: &Path, text: &str) {
    let next = path.with_extension("next");
    std::fs::File::create(&next).unwrap().write_all(text.as_bytes()).unwrap();
    std::fs::rename(next, path).unwrap();
}

/// Settings with the rules of a file that holds this.
pub fn with_file(path: &Path, text: &str) -> Settings {
    write(path, text);
    let policy = Arc::new(PolicyStore::read(Base::default(), Some(path.into())).unwrap());
    Settings { policy, ..settings(&[]) }
}

impl Proxy {
    pub async fn start(settings: Settings) -> Self {
        Self::start_at("127.0.0.1:0", settings).await
    }

    pub async fn start_at(listen: &str, settings: Settings) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let (address, metrics, stop) =
            (listener.local_addr().unwrap(), Metrics::new("egress"), CancellationToken::new());
        let (for_proxy, shutdown) = (metrics.clone(), stop.clone());
        let serving = tokio::spawn(async move { serve(listener, settings, &for_proxy, shutdown).await });
        Self { address, metrics, stop, serving }
    }

    /// Sends these bytes, and returns everything that comes back until the connection closes.
    pub async fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Opens a tunnel; the answer's head has been read.
    pub async fn tunnel(&self, target: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(connect_to(target).as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{target}: {head}");
        stream
    }

    /// Whether there is a tunnel to a server that says back what it hears.
    pub async fn reaches(&self, target: &str) -> bool {
        reaches(self.address, target).await
    }

    /// Asks for a tunnel that is refused: the status and the code.
    pub async fn refused(&self, target: &str) -> (u16, String) {
        let answer = self.exchange(&connect_to(target)).await;
        (status(&answer), header(&answer, "x-egress-error").unwrap_or_else(|| panic!("{target}: {answer}")))
    }

    pub async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap().unwrap();
    }
}

/// Waits until this is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Whether the proxy at this address opens a tunnel to a server that says back what it hears.
pub async fn reaches(proxy: SocketAddr, target: &str) -> bool {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    let _sent = stream.write_all(format!("{}x", connect_to(target)).as_bytes()).await;
    let _ended = stream.shutdown().await;
    let answer = read_all(&mut stream).await;
    answer.starts_with("HTTP/1.1 200") && answer.ends_with('x')
}

pub fn connect_to(target: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
}

pub async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after an answer is an end too.
    let _end = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

pub fn header(answer: &str, name: &str) -> Option<String> {
    let line = answer.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// A server that answers every connection's first request with the same bytes and notes what it read.
pub struct Origin {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    clients: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Origin {
    pub async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let noted = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    let head = read_request(&mut stream).await;
                    noted.lock().unwrap().push(head);
                    let _sent = stream.write_all(answer.as_bytes()).await;
                    let _closed = stream.shutdown().await;
                });
            }
        });
        Self { address, requests, clients: Arc::default() }
    }

    /// Answers this many requests on each connection, and then closes it; each answer says which connection it came by.
    pub async fn keeping(requests_per_connection: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let noted = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                connection += 1;
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    for _ in 0..requests_per_connection {
                        let request = read_request(&mut stream).await;
                        if request.is_empty() {
                            return;
                        }
                        noted.lock().unwrap().push(request);
                        let body = connection.to_string();
                        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Self { address, requests, clients: Arc::default() }
    }

    /// Says back what it hears.
    pub async fn echo() -> Self {
        Self::echo_at("127.0.0.1:0").await
    }

    /// The same at this address.
    pub async fn echo_at(listen: &str) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let (address, clients) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<SocketAddr>>>::default());
        let noted = Arc::clone(&clients);
        tokio::spawn(async move {
            while let Ok((mut stream, client)) = listener.accept().await {
                noted.lock().unwrap().push(client);
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _copied = tokio::io::copy(&mut from, &mut to).await;
                    let _closed = to.shutdown().await;
                });
            }
        });
        Self { address, requests: Arc::default(), clients }
    }

    /// Where its connections came from.
    pub fn clients(&self) -> Vec<SocketAddr> {
        self.clients.lock().unwrap().clone()
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return text,
            Ok(read) => bytes.extend(chunk.iter().take(read)),
        }
    }
}
