//! The proxy: CONNECT tunnels and plain HTTP in absolute form, both under the same rules. A name is resolved once, each of
//! its addresses is judged, and only a judged address is dialled.

mod answer;
mod dial;
mod forward;
mod metrics;
mod relay;
mod resolve;
mod tunnel;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use posthouse_service::metrics::Metrics;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::metrics::ProxyMetrics;
pub use self::resolve::{FixedNames, Resolver};
use crate::rules::{Code, Rules};

/// A body that streams from an origin, or a short text of ours.
type Body = BoxBody<Bytes, hyper::Error>;

/// A request's head may be no larger.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Connections that are served at once, beyond the tunnels: they hold little, but not nothing.
const CONNECTIONS_MAX: usize = 16_384;

/// How a proxy behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where connections may go.
    pub rules: Rules,
    /// Who answers for names.
    pub resolver: Resolver,
    /// From a connection's start, or an answer's end, to a complete request head.
    pub head_timeout: Duration,
    /// Longest wait for a name server.
    pub dns_timeout: Duration,
    /// From a request to an open connection.
    pub connect_timeout: Duration,
    /// A tunnel in which nothing moves is closed after this.
    pub idle_timeout: Duration,
    /// Tunnels and forwarded requests at once.
    pub tunnels_max: usize,
    /// How long tunnels may go on after the proxy was told to stop.
    pub drain_timeout: Duration,
}

/// What every connection shares.
struct Shared {
    settings: Settings,
    own_port: u16,
    places: Arc<Semaphore>,
    metrics: ProxyMetrics,
    tasks: TaskTracker,
    /// Cancelled when the drain is over: what still runs then is cut.
    cut: CancellationToken,
}

/// Serves on `listener` until `shutdown`, then lets what is under way finish within the drain timeout.
///
/// # Errors
/// The listener has no address.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    metrics: &Metrics,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let drain_timeout = settings.drain_timeout;
    let shared = Arc::new(Shared {
        own_port: listener.local_addr()?.port(),
        places: Arc::new(Semaphore::new(settings.tunnels_max)),
        metrics: ProxyMetrics::new(metrics),
        tasks: TaskTracker::new(),
        cut: CancellationToken::new(),
        settings,
    });
    accept(&listener, &shared, &shutdown).await;
    drop(listener);
    shared.tasks.close();
    tracing::info!(open = shared.tasks.len(), "No more connections are taken; tunnels may end.");
    if tokio::time::timeout(drain_timeout, shared.tasks.wait()).await.is_err() {
        tracing::warn!(open = shared.tasks.len(), "The drain is over; open tunnels are cut.");
        shared.cut.cancel();
        shared.tasks.wait().await;
    }
    Ok(())
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, shutdown: &CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&connections).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (shared, shutdown) = (Arc::clone(shared), shutdown.clone());
                shared.tasks.clone().spawn(async move {
                    connection(stream, peer, shared, shutdown).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(error = %error, "A connection could not be taken.");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, shutdown: CancellationToken) {
    // Small writes go out at once: a tunnel's bytes are somebody's latency.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let for_requests = Arc::clone(&shared);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&for_requests);
        async move { Ok::<_, Infallible>(answer(request, &shared).await) }
    });
    let mut serving = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(shared.settings.head_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .half_close(false)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let result = tokio::select! {
        result = &mut serving => result,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                result = &mut serving => result,
                () = shared.cut.cancelled() => return,
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(peer = %peer, error = %error, "A client's connection ended badly.");
    }
}

async fn answer(request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return tunnel::open(request, shared).await;
    }
    if request.uri().scheme_str() == Some("http") {
        return forward::forward(request, shared).await;
    }
    // Origin-form would have to trust the Host header, and https cannot be forwarded in the clear.
    shared.metrics.count(Some(Code::BadTarget));
    if request.uri().scheme().is_none() && request.uri().path().starts_with('/') {
        return answer::refuse(answer::Refusal::NotAProxyRequest);
    }
    answer::refuse(answer::Refusal::Code(Code::BadTarget))
}
