//! Connections to endpoints: through egress or directly under the same rules, in TLS where the URL says so, each with what is
//! known of how it came about.

mod dial;
pub mod egress;
mod error;
mod notes;
mod stream;
pub mod tls;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

pub use error::ConnectError;
use hyper::{Uri, header::HeaderValue, http::uri::Scheme};
pub use notes::{Facts, Notes};
use posthouse_egress::{
    Rules,
    client::{Exit, Exits, Hop},
};
use rustls::pki_types::ServerName;
use stream::Stream;
use tokio_rustls::TlsConnector;
use tower::Service;

/// From the request for a connection to the end of its handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How connections leave.
#[derive(Debug, Clone)]
pub enum Route {
    /// Through tunnels of whichever of these proxies works.
    Egress(Exits),
    /// To this proxy, which forwards requests in the clear.
    Forwarder(Arc<Exit>),
    /// Directly, judged by these rules at connect time.
    Direct(Arc<Rules>),
}

/// Makes connections. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    route: Route,
    tls: TlsConnector,
    /// The project that proxies are told.
    project: Option<HeaderValue>,
}

impl Connector {
    /// A connector that proves and believes in TLS as these settings say.
    pub fn new(route: Route, tls: Arc<rustls::ClientConfig>) -> Self {
        Self { route, tls: TlsConnector::from(tls), project: None }
    }

    /// The same for this project, which proxies are told.
    pub fn for_project(self, project: Option<HeaderValue>) -> Self {
        Self { project, ..self }
    }

    async fn connect(self, destination: Uri, notes: Notes) -> Result<Stream, ConnectError> {
        let is_tls = destination.scheme() == Some(&Scheme::HTTPS);
        let stream = match &self.route {
            Route::Egress(exits) => egress::tunnel(exits, &destination, self.project.as_ref(), &notes).await?,
            Route::Forwarder(exit) => return Ok(Stream::forwarded(exit.connect().await?, notes)),
            Route::Direct(rules) => Hop::Plain(dial::dial(rules, &destination, &notes).await?),
        };
        if !is_tls {
            return Ok(Stream::plain(stream, notes));
        }
        let host = destination.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|error| ConnectError::Tls(error.to_string()))?;
        let began = Instant::now();
        let stream = self.tls.connect(name, stream).await;
        notes.write(|facts| facts.tls = Some(began.elapsed()));
        Ok(Stream::tls(stream.map_err(|error| ConnectError::Tls(error.to_string()))?, notes))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        // Now, because the pool may finish a connection apart from its request.
        let (connector, notes) = (self.clone(), Notes::current());
        Box::pin(async move {
            let connecting = connector.connect(destination, notes);
            tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(ConnectError::Timeout))
        })
    }
}
