//! An endpoint that answers from a script and keeps what it got.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

#[derive(Debug, Clone)]
pub struct Received {
    /// Request line and headers, as they came.
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let is_named = |line: &&str| line.split_once(':').is_some_and(|(own, _)| own.eq_ignore_ascii_case(name));
        self.head.lines().find(is_named)?.split_once(':').map(|(_, value)| value.trim())
    }
}

pub struct Receiver {
    pub address: SocketAddr,
    script: Arc<Mutex<VecDeque<String>>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Answers 200 when the script is at its end.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = Self { address, script: Arc::default(), received: Arc::default() };
        let (script, received) = (Arc::clone(&receiver.script), Arc::clone(&receiver.received));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&script), Arc::clone(&received)));
            }
        });
        receiver
    }

    /// Adds answers to the script: a status line's end with headers and body, or "" for a connection that just closes.
    pub fn then(&self, answers: &[&str]) {
        self.script.lock().unwrap().extend(answers.iter().map(ToString::to_string));
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?x=1", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

/// An answer of this status with this body.
pub fn plain(status: &str, body: &str) -> String {
    format!("{status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

async fn answer(mut stream: TcpStream, script: Arc<Mutex<VecDeque<String>>>, received: Arc<Mutex<Vec<Received>>>) {
    while let Some(request) = read_request(&mut stream).await {
        received.lock().unwrap().push(request);
        let next = script.lock().unwrap().pop_front().unwrap_or_else(|| plain("200 OK", "thanks"));
        if next.is_empty() || stream.write_all(format!("HTTP/1.1 {next}").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 8_192]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let (head, body) = bytes.split_at(end + 4);
            let request = Received { head: String::from_utf8_lossy(head).into_owned(), body: body.to_vec() };
            let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
            if request.body.len() >= length {
                return Some(request);
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend(chunk.iter().take(read)),
        }
    }
}
