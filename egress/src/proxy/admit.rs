//! From a request to an open connection: judged, resolved once, judged again by its addresses, and dialled. Every request
//! ends here in one decision, one count and one log line, whatever became of it.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpStream, UdpSocket},
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use super::{Shared, decision::Decision, dial::dial, idle::Open, meter::Metered};
use crate::rules::{Code, Host, Target};

/// What an admitted request holds: the connection to its origin, and one of the proxy's places.
pub(super) struct Admitted<C = Metered<TcpStream>> {
    pub(super) origin: C,
    pub(super) place: OwnedSemaphorePermit,
}

/// A connection of its own, or one that another request has left.
pub(super) enum Connected {
    New(Metered<TcpStream>, SocketAddr),
    Idle(Open),
}

/// Decides on a request that needs a connection of its own. Without a target, because it could not be read, it is refused.
pub(super) async fn admit(target: Option<&Target>, client: SocketAddr, shared: &Shared) -> Result<Admitted, Code> {
    let mut decision = Decision::new(client, target);
    let attempt = async {
        let (judged, place, end) = judge(target.ok_or(Code::BadTarget)?, shared, &mut decision).await?;
        let (origin, _) = connect(&judged, end, shared, &mut decision).await?;
        Ok(Admitted { origin, place })
    };
    let result = attempt.await;
    conclude(&decision, result, shared)
}

/// Decides on a request that may go over a connection which another has left.
pub(super) async fn admit_shared(
    target: Option<&Target>,
    client: SocketAddr,
    shared: &Shared,
) -> Result<Admitted<Connected>, Code> {
    let mut decision = Decision::new(client, target);
    let attempt = async {
        let target = target.ok_or(Code::BadTarget)?;
        let (judged, place, end) = judge(target, shared, &mut decision).await?;
        if let Some(open) = shared.idle.take(target, &judged) {
            decision.addresses = vec![open.address];
            return Ok(Admitted { origin: Connected::Idle(open), place });
        }
        let (origin, address) = connect(&judged, end, shared, &mut decision).await?;
        Ok(Admitted { origin: Connected::New(origin, address), place })
    };
    let result = attempt.await;
    conclude(&decision, result, shared)
}

fn conclude<T>(decision: &Decision<'_>, result: Result<T, Code>, shared: &Shared) -> Result<T, Code> {
    let code = result.as_ref().err().copied();
    shared.metrics.count(code);
    decision.log(code);
    result
}

/// The addresses that may be dialled until the instant, and a place.
async fn judge(
    target: &Target,
    shared: &Shared,
    decision: &mut Decision<'_>,
) -> Result<(Vec<SocketAddr>, OwnedSemaphorePermit, Instant), Code> {
    let settings = &shared.settings;
    settings.rules.judge_target(target).map_err(|denial| denial.code)?;
    let place = Arc::clone(&shared.places).try_acquire_owned().map_err(|_| Code::TunnelLimit)?;
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
    let judged = settings.rules.judge_addresses(&decision.addresses).map_err(|denial| denial.code)?;
    for address in &judged {
        if is_own(*address, &shared.own_ports).await {
            return Err(Code::SelfConnection);
        }
    }
    Ok((judged, place, end))
}

async fn connect(
    judged: &[SocketAddr],
    end: Instant,
    shared: &Shared,
    decision: &mut Decision<'_>,
) -> Result<(Metered<TcpStream>, SocketAddr), Code> {
    let began = Instant::now();
    let connected = dial(judged, end).await;
    decision.connect = Some(began.elapsed());
    let (origin, address) = connected?;
    decision.addresses = vec![address];
    Ok((Metered::new(origin, shared.metrics.bytes.clone()), address))
}

/// Whether the address is one of this machine's and the port the proxy's own: a loop would eat every place.
async fn is_own(address: SocketAddr, own_ports: &[u16]) -> bool {
    // Only an own address can be bound.
    own_ports.contains(&address.port()) && UdpSocket::bind(SocketAddr::new(address.ip(), 0)).await.is_ok()
}
