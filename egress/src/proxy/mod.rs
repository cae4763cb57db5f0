//! The proxy: CONNECT tunnels and plain HTTP in absolute form, both under the same rules. A name is resolved once, each of
//! its addresses is judged, and only a judged address is dialled.

mod accept;
mod admit;
mod answer;
mod decision;
mod dial;
mod forward;
mod headers;
mod idle;
mod limits;
mod meter;
mod metrics;
mod relay;
mod resolve;
mod tls;
mod tunnel;
mod upstream;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use posthouse_service::metrics::Metrics;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{limits::Counts, metrics::ProxyMetrics};
pub use self::{
    resolve::{FixedNames, NameServers, Resolver},
    tls::{ClientTls, TlsFiles},
    upstream::Upstream,
};
pub use crate::sources::Sources;
use crate::{
    policy::PolicyStore,
    rules::{Rules, Target},
};

/// A body that streams from an origin, or a short text of ours.
type Body = BoxBody<Bytes, hyper::Error>;

/// How a proxy behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where connections may go, and whose.
    pub policy: Arc<PolicyStore>,
    /// Who answers for names.
    pub resolver: Resolver,
    /// From a connection's start, or an answer's end, to a complete request head.
    pub head_timeout: Duration,
    /// Longest wait for a name server.
    pub dns_timeout: Duration,
    /// From a request to an open connection, resolving included.
    pub connect_timeout: Duration,
    /// A connection to an origin in which nothing moves is closed after this.
    pub idle_timeout: Duration,
    /// Longest that a tunnel may be open.
    pub tunnel_lifetime: Option<Duration>,
    /// Most bytes, both ways together, that a tunnel may carry.
    pub tunnel_bytes_max: Option<u64>,
    /// Tunnels and forwarded requests at once.
    pub tunnels_max: usize,
    /// Of these, to one host and port.
    pub tunnels_per_destination_max: Option<usize>,
    /// Connections from one address, with its tunnels.
    pub connections_per_client_max: Option<usize>,
    /// Addresses that connections leave from.
    pub sources: Arc<Sources>,
    /// Another proxy that connections leave through.
    pub upstream: Option<Upstream>,
    /// TLS towards clients.
    pub tls: Option<ClientTls>,
    /// How long tunnels may go on after the proxy was told to stop.
    pub drain_timeout: Duration,
    /// Ports of this process besides the proxy's: nothing is sent there on this machine.
    pub own_ports: Vec<u16>,
}

impl Settings {
    /// The defaults of the flags, with these rules for every client.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            policy: Arc::new(PolicyStore::fixed(rules)),
            resolver: Resolver::System,
            head_timeout: Duration::from_secs(10),
            dns_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            tunnel_lifetime: None,
            tunnel_bytes_max: None,
            tunnels_max: 10_000,
            tunnels_per_destination_max: None,
            connections_per_client_max: None,
            sources: Arc::default(),
            upstream: None,
            tls: None,
            drain_timeout: Duration::from_secs(30),
            own_ports: Vec::new(),
        }
    }
}

/// What every connection shares.
struct Shared {
    settings: Settings,
    own_ports: Vec<u16>,
    places: Arc<Semaphore>,
    destinations: Arc<Counts<Target>>,
    clients: Arc<Counts<IpAddr>>,
    metrics: ProxyMetrics,
    idle: idle::IdleConnections,
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
    let own_ports = settings.own_ports.iter().copied().chain([listener.local_addr()?.port()]).collect();
    let shared = Arc::new(Shared {
        own_ports,
        places: Arc::new(Semaphore::new(settings.tunnels_max)),
        destinations: Counts::new(settings.tunnels_per_destination_max),
        clients: Counts::new(settings.connections_per_client_max),
        metrics: ProxyMetrics::new(metrics),
        idle: idle::IdleConnections::default(),
        tasks: TaskTracker::new(),
        cut: CancellationToken::new(),
        settings,
    });
    tokio::select! {
        () = accept::accept(&listener, &shared, &shutdown) => {}
        () = shared.idle.close_unused() => {}
        () = shared.settings.policy.follow(|is_good| shared.metrics.count_rules_reload(is_good)) => {}
        () = tls::follow(shared.settings.tls.as_ref(), |is_good| shared.metrics.count_tls_reload(is_good)) => {}
    }
    drop(listener);
    shared.tasks.close();
    shared.idle.clear();
    tracing::info!(open = shared.tasks.len(), "No more connections are taken; tunnels may end.");
    if tokio::time::timeout(drain_timeout, shared.tasks.wait()).await.is_err() {
        tracing::warn!(open = shared.tasks.len(), "The drain is over; open tunnels are cut.");
        shared.cut.cancel();
        shared.tasks.wait().await;
    }
    Ok(())
}
