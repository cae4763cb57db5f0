//! The way through an egress proxy: tunnels for `https`, and connections to the proxy itself for `http`. The proxy tells its
//! workers where a tunnel leads; a refusal tells its code alone.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1,
    header::{HOST, HeaderMap, HeaderValue, PROXY_AUTHORIZATION},
};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use tokio::net::TcpStream;
use tower::Service as _;
use url::Url;

use super::{
    dial,
    error::ConnectError,
    notes::{Facts, Notes},
};
use crate::delivery::userinfo::{basic, credentials};

/// The code of a refusal; egress strips it from the answers of endpoints.
const ERROR: &str = "x-egress-error";
/// Where a connection leads, and what making it took; stripped from the answers of endpoints as well.
const CONNECTION: &str = "x-egress-connection";

/// Until a proxy that does not answer counts as away. Shorter than most endpoints are waited for, so that it is not taken
/// for theirs.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);

/// A proxy.
#[derive(Debug, Clone)]
pub struct Egress {
    uri: Uri,
    /// For a proxy that wants to know who asks.
    pub authorization: Option<HeaderValue>,
    connector: HttpConnector,
}

impl Egress {
    /// The proxy at this URL; `None` where it is not an `http` one.
    pub fn at(url: &Url) -> Option<Self> {
        let authorization = credentials(url).map(|(user, password)| {
            let mut value = HeaderValue::try_from(basic(&user, &password)).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        let authority = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
        let uri = Uri::builder().scheme("http").authority(authority).path_and_query("/").build().ok()?;
        let mut connector = dial::prepared(HttpConnector::new());
        connector.set_connect_timeout(Some(PROXY_TIMEOUT));
        (url.scheme() == "http").then_some(Self { uri, authorization: authorization.flatten(), connector })
    }

    /// A connection to the proxy.
    ///
    /// # Errors
    /// It is away.
    pub async fn connect(&self) -> Result<TcpStream, ConnectError> {
        let connected = self.connector.clone().call(self.uri.clone()).await;
        Ok(connected.map_err(|error| ConnectError::EgressUnavailable(last_cause(&error)))?.into_inner())
    }

    /// A tunnel to the destination's host, and what the proxy tells of it.
    ///
    /// # Errors
    /// The proxy refuses, cannot connect, or is away.
    pub async fn tunnel(&self, destination: &Uri, notes: &Notes) -> Result<TcpStream, ConnectError> {
        let authority = destination.host().map(|host| format!("{host}:{}", destination.port_u16().unwrap_or(443)));
        let asked = authority.and_then(|authority| {
            let mut request = Request::connect(&authority).header(HOST, &authority).body(Empty::<Bytes>::new()).ok()?;
            if let Some(authorization) = &self.authorization {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
            }
            Some(request)
        });
        let asked = asked.ok_or(ConnectError::Connect)?;
        let away = |error: hyper::Error| ConnectError::EgressUnavailable(last_cause(&error));
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.connect().await?)).await.map_err(away)?;
        let mut driving = std::pin::pin!(connection.without_shutdown());
        let mut answered = std::pin::pin!(sender.send_request(asked));
        let (answer, parts) = tokio::select! {
            answer = &mut answered => (answer.map_err(away)?, None),
            parts = &mut driving => (answered.await.map_err(away)?, Some(parts.map_err(away)?)),
        };
        if answer.status() != StatusCode::OK {
            return Err(ConnectError::of_egress(answer.status().as_u16(), text(answer.headers(), ERROR)));
        }
        let facts = facts(answer.headers());
        notes.write(|own| *own = facts.unwrap_or_default());
        let parts = match parts {
            Some(parts) => parts,
            None => driving.await.map_err(away)?,
        };
        // A TLS server waits for its client.
        if parts.read_buf.is_empty() { Ok(parts.io.into_inner()) } else { Err(ConnectError::Connect) }
    }
}

/// What egress says instead of the endpoint of a request in the clear.
pub fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<ConnectError> {
    Some(ConnectError::of_egress(status.as_u16(), Some(text(headers, ERROR)?)))
}

/// What egress tells of the connection that an answer came by.
pub fn facts(headers: &HeaderMap) -> Option<Facts> {
    text(headers, CONNECTION).map(Facts::of_egress)
}

/// Removes what egress has said: it is no part of the endpoint's answer.
pub fn strip(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
