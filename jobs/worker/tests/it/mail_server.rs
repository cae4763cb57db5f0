//! A mail server: takes everything, over TLS and after a sign-in where it is told to ask for them.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// What it asks for.
#[derive(Clone, Default)]
pub struct Demands {
    /// STARTTLS before anything else, with this.
    pub tls: Option<TlsAcceptor>,
    /// A sign-in with these words, as AUTH PLAIN has them in base64.
    pub credentials: Option<String>,
}

/// A server that runs as long as the test.
pub struct MailServer {
    pub port: u16,
    kept: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub async fn start(demands: Demands) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, kept) = (listener.local_addr().unwrap().port(), Arc::default());
        let mails = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, demands.clone(), Arc::clone(&mails)));
            }
        });
        Self { port, kept }
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The lines of each mail's envelope and text, as they came.
    pub fn mails(&self) -> Vec<String> {
        self.kept.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, demands: Demands, kept: Arc<Mutex<Vec<String>>>) {
    let Some(acceptor) = demands.tls.clone() else {
        converse(stream, &demands, true, &kept).await;
        return;
    };
    if let Some(stream) = converse(stream, &demands, false, &kept).await
        && let Ok(stream) = acceptor.accept(stream).await
    {
        converse(stream, &demands, true, &kept).await;
    }
}

/// Talks until the client has said goodbye, or wants TLS: then answers the stream.
async fn converse<S>(stream: S, demands: &Demands, is_private: bool, kept: &Mutex<Vec<String>>) -> Option<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    if !is_private || demands.tls.is_none() {
        stream.write_all(b"220 mail.example.com ESMTP\r\n").await.ok()?;
    }
    let (mut mail, mut is_text, mut is_known) = (String::new(), false, demands.credentials.is_none());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end_matches(['\r', '\n']);
        mail.push_str(line);
        mail.push('\n');
        let reply = match (is_text, line.get(..4).unwrap_or(line)) {
            (true, ".") => {
                kept.lock().unwrap().push(std::mem::take(&mut mail));
                is_text = false;
                "250 2.0.0 Ok"
            }
            (true, _) => continue,
            (false, "EHLO") if !is_private => "250-mail.example.com\r\n250 STARTTLS",
            (false, "EHLO") if demands.credentials.is_some() => "250-mail.example.com\r\n250 AUTH PLAIN",
            (false, "EHLO") => "250 mail.example.com",
            (false, "STAR") if !is_private => {
                stream.write_all(b"220 Go on\r\n").await.ok()?;
                return Some(stream.into_inner());
            }
            (false, "AUTH") => {
                is_known = demands.credentials.as_deref() == line.strip_prefix("AUTH PLAIN ");
                // What was said until now is no part of the mail.
                mail.clear();
                if is_known { "235 2.7.0 Welcome" } else { "535 5.7.8 Who are you?" }
            }
            (false, "QUIT") => {
                stream.write_all(b"221 Bye\r\n").await.ok()?;
                return None;
            }
            (false, _) if !is_private || !is_known => "530 Not like this",
            (false, "DATA") => {
                is_text = true;
                "354 Go on"
            }
            (false, _) => "250 Ok",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
    }
}
