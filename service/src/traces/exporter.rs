//! How spans get to the collector: one request each time, on the runtime of the process, while the exporting thread waits.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, Uri, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::{ClientConfig, crypto::ring, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Handle,
};
use tokio_rustls::TlsConnector;

/// How long a batch may take to be taken.
const LIMIT: Duration = Duration::from_secs(10);
/// A collector's answer says nothing that would be longer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends batches.
#[derive(Clone)]
pub(super) struct Sending {
    runtime: Handle,
    tls: Option<TlsConnector>,
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Sending {
    /// To the collector at this URL, by TLS where it is `https`.
    pub(super) fn to(endpoint: &str) -> Result<Self, String> {
        let uri: Uri = endpoint.parse().map_err(|error| format!("{}: {error}", without_credentials(endpoint)))?;
        let tls = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => Some(tls()?),
            _ => return Err(format!("{}: an http or https URL is expected", without_credentials(endpoint))),
        };
        Ok(Self { runtime: Handle::current(), tls })
    }

    async fn exchange(self, request: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let uri = request.uri().clone();
        let host = uri.host().ok_or("the collector's URL has no host")?.trim_matches(['[', ']']).to_string();
        let port = uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        match self.tls {
            None => ask(stream, request).await,
            Some(tls) => ask(tls.connect(ServerName::try_from(host)?, stream).await?, request).await,
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Sending {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The thread that asks is not one of the runtime's, and a limit can be set on one of those alone.
        let sending = self.clone();
        self.runtime.spawn(async move { tokio::time::timeout(LIMIT, sending.exchange(request)).await }).await??
    }
}

async fn ask<S>(stream: S, request: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let (mut head, body) = request.into_parts();
    if let Some(authority) = head.uri.authority() {
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        head.headers.insert(HOST, host.parse()?);
    }
    head.uri = head.uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
    let response = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
    driving.abort();
    Ok(Response::from_parts(head, body))
}

fn tls() -> Result<TlsConnector, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(&provider)).map_err(|error| error.to_string())?;
    let settings = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(settings)))
}

/// The URL as it may be logged.
pub(super) fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or_default()),
        None => url.rsplit('@').next().unwrap_or_default().into(),
    }
}
