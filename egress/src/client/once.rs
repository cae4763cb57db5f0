//! One request over a connection of its own, for those who send few. What they send is small, and they keep nothing open.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http1,
    header::{HOST, HeaderValue, PROXY_AUTHORIZATION},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use url::Url;

use super::{
    ERROR,
    error::{ClientError, ExitError},
    exits::Exits,
    tls::to_destinations,
};
use crate::rules::Target;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// There is no way through the proxies, or they refuse.
    #[error(transparent)]
    Exit(#[from] ExitError),
    /// The URL is none that can be asked.
    #[error("the URL cannot be requested")]
    Url,
    /// TLS cannot be set up here.
    #[error(transparent)]
    Setup(#[from] ClientError),
    /// The destination fails in TLS.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// The destination does not speak HTTP, or broke off.
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
}

impl Exits {
    /// Sends the request to this URL, for this project, and gives the head of the answer.
    ///
    /// # Errors
    /// See [`OnceError`].
    pub async fn send_once(
        &self,
        url: &Url,
        mut request: Request<Full<Bytes>>,
        project: impl std::fmt::Display,
    ) -> Result<Response<Incoming>, OnceError> {
        let target = Target::from_url(url).map_err(|_| OnceError::Url)?;
        let project = self.project(project);
        let uri: Uri = url.as_str().parse().map_err(|_| OnceError::Url)?;
        let host = match url.port() {
            Some(_) => target.to_string(),
            None => target.host.to_string(),
        };
        request.headers_mut().insert(HOST, HeaderValue::try_from(host).map_err(|_| OnceError::Url)?);
        if url.scheme() == "http" {
            *request.uri_mut() = uri;
            request.headers_mut().extend(project);
            return self.forward_once(&request).await;
        }
        *request.uri_mut() = uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
        let tunnel = self.tunnel(&target.to_string(), project.as_ref().map(|(_, value)| value)).await?;
        let name = target.host.to_string().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|_| OnceError::Url)?;
        let stream = TlsConnector::from(to_destinations()?).connect(name, tunnel.stream).await;
        exchange(stream.map_err(|error| OnceError::Tls(error.to_string()))?, request).await
    }

    /// In absolute form, through the first proxy that carries it out.
    async fn forward_once(&self, request: &Request<Full<Bytes>>) -> Result<Response<Incoming>, OnceError> {
        let mut last = ExitError::Away("there is none".into());
        for exit in self.in_turn().into_iter().filter_map(|at| self.all().get(at)) {
            let stream = match exit.connect().await {
                Ok(stream) => stream,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let mut asked = request.clone();
            asked.headers_mut().extend(exit.authorization().map(|value| (PROXY_AUTHORIZATION, value.clone())));
            let answer = exchange(stream, asked).await?;
            if !answer.headers().contains_key(ERROR) {
                return Ok(answer);
            }
            last = ExitError::answered(answer.status().as_u16(), answer.headers());
            if !last.is_proxys_own() {
                break;
            }
        }
        Err(last.into())
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, OnceError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Until its body is read or dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "A connection ended badly.");
        }
    });
    Ok(sender.send_request(request).await?)
}
