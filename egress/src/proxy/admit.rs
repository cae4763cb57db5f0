//! From a request to an open connection: judged, resolved once, judged again by its addresses, and dialled. Every request
//! ends here in one decision, one count and one log line, whatever became of it.

use std::{net::SocketAddr, sync::Arc};

use hyper::header::HeaderValue;
use tokio::{
    net::{TcpStream, UdpSocket},
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use super::{Shared, accept::Client, decision::Decision, dial::dial, idle::Open, limits::Held, meter::Metered};
use crate::{
    policy::Role,
    rules::{Code, Host, Target},
    sources::Sources,
};

/// A client with its request.
pub(super) struct Visit {
    pub(super) client: Client,
    /// The role of the client, or why it has none.
    pub(super) role: Result<Arc<Role>, Code>,
    /// For which project it asks.
    pub(super) project: Option<String>,
}

/// One of the proxy's places, and one of its destination's.
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_destination: Option<Held<Target>>,
}

/// What an admitted request holds: the connection to its origin, and its place.
pub(super) struct Admitted<C = Metered<TcpStream>> {
    pub(super) origin: C,
    pub(super) place: Place,
    /// Where its connections leave from.
    pub(super) sources: Arc<Sources>,
    /// What its client hears of the connection.
    pub(super) told: Option<HeaderValue>,
}

/// A connection of its own, or one that another request has left.
pub(super) enum Connected {
    New(Metered<TcpStream>, SocketAddr),
    Idle(Open),
}

/// Addresses that may be dialled until `end`.
struct Judged {
    addresses: Vec<SocketAddr>,
    sources: Arc<Sources>,
    place: Place,
    end: Instant,
}

/// Decides on a request that needs a connection of its own. Without a target, because it could not be read, it is refused.
pub(super) async fn admit(target: Option<&Target>, visit: &Visit, shared: &Shared) -> Result<Admitted, Code> {
    let mut decision = Decision::new(visit, target);
    let attempt = async {
        let judged = judge(target, visit, shared, &mut decision).await?;
        let (origin, _) = connect(&judged, shared, &mut decision).await?;
        let Judged { place, sources, .. } = judged;
        Ok(Admitted { origin, place, sources, told: decision.told() })
    };
    let result = attempt.await;
    conclude(&decision, result, shared)
}

/// Decides on a request that may go over a connection which another has left.
pub(super) async fn admit_shared(
    target: Option<&Target>,
    visit: &Visit,
    shared: &Shared,
) -> Result<Admitted<Connected>, Code> {
    let mut decision = Decision::new(visit, target);
    let attempt = async {
        let judged = judge(target, visit, shared, &mut decision).await?;
        let idle = target.and_then(|target| shared.idle.take(target, &judged.addresses, &judged.sources));
        let origin = if let Some(open) = idle {
            decision.addresses = vec![open.address];
            Connected::Idle(open)
        } else {
            let (origin, address) = connect(&judged, shared, &mut decision).await?;
            Connected::New(origin, address)
        };
        let Judged { place, sources, .. } = judged;
        Ok(Admitted { origin, place, sources, told: decision.told() })
    };
    let result = attempt.await;
    conclude(&decision, result, shared)
}

fn conclude<T>(decision: &Decision<'_>, result: Result<T, Code>, shared: &Shared) -> Result<T, Code> {
    let code = result.as_ref().err().copied();
    shared.metrics.count(code);
    if let Some(denial) = decision.reported.as_ref().filter(|_| code.is_none()) {
        shared.metrics.count_reported(denial.code);
    }
    decision.log(code);
    result
}

async fn judge(
    target: Option<&Target>,
    visit: &Visit,
    shared: &Shared,
    decision: &mut Decision<'_>,
) -> Result<Judged, Code> {
    let settings = &shared.settings;
    let role = visit.role.as_ref().map_err(|code| *code)?;
    let target = target.ok_or(Code::BadTarget)?;
    decision.reported = role.judge_target(target).map_err(|denial| decision.refused_by(&denial))?;
    let place = enter(target, shared)?;
    let end = Instant::now() + settings.connect_timeout;
    decision.addresses = match &target.host {
        Host::Address(address) => vec![SocketAddr::new(*address, target.port)],
        Host::Name(name) => {
            let began = Instant::now();
            let answer = settings.resolver.resolve(name, target.port);
            let answer = timeout_at(end.min(began + settings.dns_timeout), answer).await;
            decision.dns = Some(began.elapsed());
            answer.map_err(|_| Code::DnsTimeout)?.map_err(|_| Code::DnsFailure)?
        }
    };
    let (addresses, reported) =
        role.judge_addresses(&decision.addresses).map_err(|denial| decision.refused_by(&denial))?;
    if decision.reported.is_none() {
        decision.reported = reported;
    }
    for address in &addresses {
        if is_own(*address, &shared.own_ports).await {
            return Err(Code::SelfConnection);
        }
    }
    decision.rule = addresses.first().map(|address| role.permission(target, *address));
    let sources = Arc::clone(role.sources().unwrap_or(&settings.sources));
    Ok(Judged { addresses, sources, place, end })
}

fn enter(target: &Target, shared: &Shared) -> Result<Place, Code> {
    let of_all = Arc::clone(&shared.places).try_acquire_owned().map_err(|_| Code::TunnelLimit)?;
    let of_destination = shared.destinations.enter(target, 1).map_err(|_| Code::RateLimit)?;
    Ok(Place { _of_all: of_all, _of_destination: of_destination })
}

async fn connect(
    judged: &Judged,
    shared: &Shared,
    decision: &mut Decision<'_>,
) -> Result<(Metered<TcpStream>, SocketAddr), Code> {
    let began = Instant::now();
    let connected = reach(&judged.addresses, judged.end, &judged.sources, shared).await;
    decision.connect = Some(began.elapsed());
    let (origin, address) = connected?;
    if !judged.sources.is_any() {
        decision.source = origin.get_ref().local_addr().ok().map(|source| source.ip());
    }
    decision.addresses = vec![address];
    Ok((origin, address))
}

/// A connection to one of the judged addresses, directly or through the other proxy.
pub(super) async fn reach(
    judged: &[SocketAddr],
    end: Instant,
    sources: &Sources,
    shared: &Shared,
) -> Result<(Metered<TcpStream>, SocketAddr), Code> {
    let (origin, address) = match &shared.settings.upstream {
        None => dial(judged, end, sources).await?,
        Some(upstream) => upstream.connect(judged, end, sources).await?,
    };
    Ok((Metered::new(origin, shared.metrics.bytes.clone()), address))
}

/// Whether the address is one of this machine's and the port the proxy's own: a loop would eat every place.
async fn is_own(address: SocketAddr, own_ports: &[u16]) -> bool {
    // Only an own address can be bound.
    own_ports.contains(&address.port()) && UdpSocket::bind(SocketAddr::new(address.ip(), 0)).await.is_ok()
}
