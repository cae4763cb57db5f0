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
use hyper::{Uri, http::uri::Scheme};
pub use notes::{Facts, Notes};
use posthouse_egress::Rules;
use rustls::pki_types::ServerName;
use stream::Stream;
use tokio_rustls::TlsConnector;
use tower::Service;

/// From the request for a connection to the end of its handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How connections leave.
#[derive(Debug, Clone)]
pub enum Route {
    /// Through this proxy.
    Egress(Arc<egress::Egress>),
    /// Directly, judged by these rules at connect time.
    Direct(Arc<Rules>),
}

/// Makes connections. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    route: Route,
    tls: TlsConnector,
}

impl Connector {
    /// A connector that proves and believes in TLS as these settings say.
    pub fn new(route: Route, tls: Arc<rustls::ClientConfig>) -> Self {
        Self { route, tls: TlsConnector::from(tls) }
    }

    async fn connect(self, destination: Uri, notes: Notes) -> Result<Stream, ConnectError> {
        let is_tls = destination.scheme() == Some(&Scheme::HTTPS);
        let stream = match &self.route {
            Route::Egress(egress) if is_tls => egress.tunnel(&destination, &notes).await?,
            Route::Egress(egress) => return Ok(Stream::forwarded(egress.connect().await?, notes)),
            Route::Direct(rules) => dial::dial(rules, &destination, &notes).await?,
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
