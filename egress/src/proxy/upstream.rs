//! Another proxy through which all connections leave. It is asked for the judged address, never for a name, so that it has
//! nothing to resolve; it is the operator's choice and is not judged itself.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};
use url::Url;

use super::dial::dial;
use crate::{authorization::basic, rules::Code, sources::Sources};

/// An answer's head may be no larger.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Where the other proxy is, and what it wants to hear.
#[derive(Clone)]
pub struct Upstream {
    host: String,
    port: u16,
    authorization: Option<String>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl std::str::FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "a proxy is written http://host:port or http://user:password@host:port".to_string();
        let url: Url = text.parse().map_err(|_| form())?;
        let host = url.host_str().filter(|_| url.scheme() == "http").ok_or_else(form)?;
        let authorization = basic(&url);
        Ok(Self { host: host.into(), port: url.port().unwrap_or(80), authorization })
    }
}

impl Upstream {
    /// A connection through the other proxy to the first of these addresses that it can reach.
    pub(super) async fn connect(
        &self,
        addresses: &[SocketAddr],
        end: Instant,
        sources: &Sources,
    ) -> Result<(TcpStream, SocketAddr), Code> {
        let mut code = Code::ConnectFailure;
        let mut waiting = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        for address in addresses {
            let share = end.saturating_duration_since(Instant::now()) / waiting;
            waiting = waiting.saturating_sub(1).max(1);
            let end = Instant::now() + share;
            let own = self.reach(end, sources).await?;
            code = match timeout_at(end, self.ask(own, *address)).await {
                Ok(Ok(stream)) => return Ok((stream, *address)),
                Ok(Err(code)) => code,
                Err(_) => Code::ConnectTimeout,
            };
            if code == Code::UpstreamFailure {
                break;
            }
        }
        Err(code)
    }

    async fn reach(&self, end: Instant, sources: &Sources) -> Result<TcpStream, Code> {
        let found = timeout_at(end, lookup_host((self.host.trim_matches(['[', ']']), self.port))).await;
        let found: Vec<SocketAddr> = found.ok().and_then(Result::ok).ok_or(Code::UpstreamFailure)?.collect();
        dial(&found, end, sources).await.map(|(stream, _)| stream).map_err(|_| Code::UpstreamFailure)
    }

    async fn ask(&self, mut stream: TcpStream, address: SocketAddr) -> Result<TcpStream, Code> {
        let authorization = self.authorization.as_ref().map(|value| format!("Proxy-Authorization: {value}\r\n"));
        let request =
            format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n{}\r\n", authorization.unwrap_or_default());
        stream.write_all(request.as_bytes()).await.map_err(|_| Code::UpstreamFailure)?;
        let head = head(&mut stream).await.ok_or(Code::UpstreamFailure)?;
        match status(&head) {
            Some(200..=299) => Ok(stream),
            // Its own limits and credentials are not the destination's fault; anything else is what became of dialling.
            Some(407 | 429 | 503) | None => Err(Code::UpstreamFailure),
            Some(504) => Err(Code::ConnectTimeout),
            Some(_) => Err(Code::ConnectFailure),
        }
    }
}

/// Byte by byte, because what follows belongs to the destination.
async fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX {
            return None;
        }
        head.push(stream.read_u8().await.ok()?);
    }
    Some(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    #[test]
    fn a_proxy_is_read_with_its_credentials() {
        let upstream: Upstream = "http://us%40er:p%3Aw@proxy.example:3128".parse().unwrap();
        assert_eq!((upstream.host.as_str(), upstream.port), ("proxy.example", 3128));
        assert_eq!(upstream.authorization, Some(format!("Basic {}", BASE64_STANDARD.encode("us@er:p:w"))));
        assert!(!format!("{upstream:?}").contains("p:w"));
        assert!("https://proxy.example".parse::<Upstream>().is_err() && "proxy".parse::<Upstream>().is_err());
    }

    #[test]
    fn a_status_line_is_read_strictly() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\n\r\n"), Some(407));
        for line in [&b"HTTP/2 200\r\n"[..], b"", b"HTTP/1.1 2", b"HTTP/1.1 abc\r\n", b"200 OK\r\n"] {
            assert_eq!(status(line), None);
        }
    }
}
