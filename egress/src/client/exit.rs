//! One proxy: connections to it, tunnels through it, and whether it is used.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1,
    header::{HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION},
};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::pki_types::ServerName;
use tokio::{sync::watch, time::timeout};
use tokio_rustls::TlsConnector;
use tower::Service as _;
use url::Url;

use super::{
    error::{ClientError, ExitError},
    exits::PROJECT_HEADER,
    hop::Hop,
    metrics::{ExitMetrics, InstanceMetrics},
};
use crate::authorization::basic;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
/// Until a proxy that does not answer counts as away. Shorter than most endpoints are waited for, so that it is not taken
/// for theirs.
const ALONE_TIMEOUT: Duration = Duration::from_secs(5);
/// The same where there is another one to go to.
const ONE_OF_MANY_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two signs of life of a quiet connection.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A proxy.
pub struct Exit {
    name: String,
    uri: Uri,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    authorization: Option<HeaderValue>,
    connector: HttpConnector,
    timeout: Duration,
    is_up: watch::Sender<bool>,
    metrics: InstanceMetrics,
}

impl std::fmt::Debug for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exit").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a proxy is told of a tunnel beside its destination.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// For which project it is.
    pub project: Option<&'a HeaderValue>,
    /// The span that it belongs to, as W3C Trace Context writes it.
    pub trace_parent: Option<&'a HeaderValue>,
}

impl<'a> From<Option<&'a HeaderValue>> for Told<'a> {
    fn from(project: Option<&'a HeaderValue>) -> Self {
        Self { project, trace_parent: None }
    }
}

/// A connection to the destination, and what the proxy tells of it.
#[derive(Debug)]
pub struct Tunnel {
    /// The connection.
    pub stream: Hop,
    /// The headers of the proxy's answer.
    pub headers: HeaderMap,
}

impl Exit {
    pub(super) fn new(
        url: &Url,
        tls: Option<&Arc<rustls::ClientConfig>>,
        is_alone: bool,
        metrics: &ExitMetrics,
    ) -> Result<Self, ClientError> {
        let wrong = || ClientError::url(url);
        let host = url.host_str().ok_or_else(wrong)?;
        let name = format!("{host}:{}", url.port_or_known_default().ok_or_else(wrong)?);
        let tls = match (url.scheme(), tls) {
            ("http", _) => None,
            ("https", Some(config)) => {
                let host = host.trim_matches(['[', ']']).to_owned();
                Some((TlsConnector::from(Arc::clone(config)), ServerName::try_from(host).map_err(|_| wrong())?))
            }
            _ => return Err(wrong()),
        };
        let uri = Uri::builder().scheme("http").authority(name.as_str()).path_and_query("/").build();
        let timeout = if is_alone { ALONE_TIMEOUT } else { ONE_OF_MANY_TIMEOUT };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_keepalive_interval(Some(KEEPALIVE));
        connector.set_keepalive_retries(Some(3));
        connector.set_connect_timeout(Some(timeout));
        let metrics = metrics.of(&name);
        metrics.up.set(1);
        Ok(Self {
            uri: uri.map_err(|_| wrong())?,
            authorization: basic(url).and_then(|value| {
                let mut value = HeaderValue::try_from(value).ok()?;
                value.set_sensitive(true);
                Some(value)
            }),
            name,
            tls,
            connector,
            timeout,
            // Until it has failed.
            is_up: watch::Sender::new(true),
            metrics,
        })
    }

    /// `host:port`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For a proxy that wants to know who asks.
    #[must_use]
    pub const fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Whether it is used.
    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.is_up.borrow()
    }

    /// A connection to the proxy.
    ///
    /// # Errors
    /// It is away, and will not be used before it answers.
    pub async fn connect(&self) -> Result<Hop, ExitError> {
        let connected = self.reach().await;
        match &connected {
            Ok(_) => {
                self.metrics.connections.inc();
            }
            Err(error) => self.fail(error),
        }
        connected
    }

    /// A tunnel to `host:port`, for this project.
    ///
    /// # Errors
    /// The proxy refuses, cannot connect, or is away.
    pub async fn tunnel(&self, authority: &str, told: impl Into<Told<'_>>) -> Result<Tunnel, ExitError> {
        let told = told.into();
        let stream = self.connect().await?;
        let answered = tokio::select! {
            answered = self.ask(stream, authority, told) => answered,
            // It was well when it was asked, and is not any more.
            () = self.gone() => Err(ExitError::Away("it does not answer".into())),
        };
        if let Err(error @ ExitError::Away(_)) = &answered {
            self.fail(error);
        }
        answered
    }

    async fn ask(&self, stream: Hop, authority: &str, told: Told<'_>) -> Result<Tunnel, ExitError> {
        let mut asked = Request::connect(authority)
            .header(HOST, authority)
            .body(Empty::<Bytes>::new())
            .map_err(|_| ExitError::Answered { status: 400, code: Some("bad_target".into()) })?;
        asked.headers_mut().extend(self.authorization.clone().map(|value| (PROXY_AUTHORIZATION, value)));
        asked.headers_mut().extend(told.project.cloned().map(|value| (PROJECT_HEADER, value)));
        asked.headers_mut().extend(told.trace_parent.cloned().map(|value| (TRACE_PARENT, value)));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(away)?;
        let mut driving = std::pin::pin!(connection.without_shutdown());
        let mut answered = std::pin::pin!(sender.send_request(asked));
        let (answer, parts) = tokio::select! {
            answer = &mut answered => (answer.map_err(away)?, None),
            parts = &mut driving => (answered.await.map_err(away)?, Some(parts.map_err(away)?)),
        };
        if answer.status() != StatusCode::OK {
            return Err(ExitError::answered(answer.status().as_u16(), answer.headers()));
        }
        let headers = answer.into_parts().0.headers;
        let parts = match parts {
            Some(parts) => parts,
            None => driving.await.map_err(away)?,
        };
        // A TLS server waits for its client.
        if !parts.read_buf.is_empty() {
            return Err(ExitError::NoTunnel);
        }
        Ok(Tunnel { stream: parts.io.into_inner(), headers })
    }

    /// What the proxy answers to this request about itself, within `limit`.
    pub(crate) async fn status_of(&self, path: &str, limit: Duration) -> Result<u16, ExitError> {
        let asking = async {
            let stream = self.reach().await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(away)?;
            let request = Request::get(path).header(HOST, &self.name).body(Empty::<Bytes>::new());
            let request = request.map_err(|error| ExitError::Away(error.to_string()))?;
            let mut driving = std::pin::pin!(connection);
            let mut answered = std::pin::pin!(sender.send_request(request));
            let answer = tokio::select! {
                answer = &mut answered => answer,
                _ended = &mut driving => answered.await,
            };
            Ok(answer.map_err(away)?.status().as_u16())
        };
        timeout(limit, asking).await.unwrap_or_else(|_| Err(ExitError::Away("it does not answer".into())))
    }

    async fn reach(&self) -> Result<Hop, ExitError> {
        let connected = self.connector.clone().call(self.uri.clone()).await;
        let stream = connected.map_err(|error| ExitError::Away(last_cause(&error)))?.into_inner();
        let Some((tls, name)) = &self.tls else { return Ok(Hop::Plain(stream)) };
        let shaken = timeout(self.timeout, tls.connect(name.clone(), stream)).await;
        let stream = shaken.map_err(|_| ExitError::Away("its TLS handshake takes too long".into()))?;
        let stream = stream.map_err(|error| ExitError::Away(format!("TLS: {error}")))?;
        Ok(Hop::Tls(Box::new(stream)))
    }

    /// Ends when it is found to be away.
    async fn gone(&self) {
        let mut is_up = self.is_up.subscribe();
        // Whoever uses one that was away already waits for its answer.
        is_up.borrow_and_update();
        loop {
            if is_up.changed().await.is_err() {
                return std::future::pending().await;
            }
            if !*is_up.borrow_and_update() {
                return;
            }
        }
    }

    /// Takes it out.
    pub(super) fn fail(&self, error: &ExitError) {
        self.metrics.failures.inc();
        if self.set_up(false) {
            tracing::warn!(egress.instance = self.name, error = %error, "An egress proxy is away and is passed over.");
        }
    }

    /// Counts a failure that does not take it out.
    pub(super) fn count_failure(&self) {
        self.metrics.failures.inc();
    }

    /// Takes it in again.
    pub(super) fn recover(&self) {
        if self.set_up(true) {
            tracing::info!(egress.instance = self.name, "An egress proxy answers and is used again.");
        }
    }

    fn set_up(&self, is_up: bool) -> bool {
        let has_changed = self.is_up.send_if_modified(|own| std::mem::replace(own, is_up) != is_up);
        self.metrics.up.set(i64::from(is_up));
        has_changed
    }
}

fn away(error: hyper::Error) -> ExitError {
    ExitError::Away(last_cause(&error))
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
