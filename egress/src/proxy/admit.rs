//! From a request to an open connection: judged, resolved once, judged again by its addresses, and dialled. Every request
//! ends here in one decision, one count and one log line, whatever became of it.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpStream, UdpSocket},
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use super::{Shared, decision::Decision, dial::dial, meter::Metered};
use crate::rules::{Code, Host, Target};

/// What an admitted request holds: the connection to its origin, and one of the proxy's places.
pub(super) struct Admitted {
    pub(super) origin: Metered<TcpStream>,
    pub(super) place: OwnedSemaphorePermit,
}

/// Decides on a request. Without a target, because it could not be read, it is refused.
pub(super) async fn admit(target: Option<&Target>, client: SocketAddr, shared: &Shared) -> Result<Admitted, Code> {
    let mut decision = Decision::new(client, target);
    let result = match target {
        Some(target) => attempt(target, shared, &mut decision).await,
        None => Err(Code::BadTarget),
    };
    let code = result.as_ref().err().copied();
    shared.metrics.count(code);
    decision.log(code);
    result
}

async fn attempt(target: &Target, shared: &Shared, decision: &mut Decision<'_>) -> Result<Admitted, Code> {
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
    let began = Instant::now();
    let connected = dial(&judged, end).await;
    decision.connect = Some(began.elapsed());
    let (origin, address) = connected?;
    decision.addresses = vec![address];
    Ok(Admitted { origin: Metered::new(origin, shared.metrics.bytes.clone()), place })
}

/// Whether the address is one of this machine's and the port the proxy's own: a loop would eat every place.
async fn is_own(address: SocketAddr, own_ports: &[u16]) -> bool {
    // Only an own address can be bound.
    own_ports.contains(&address.port()) && UdpSocket::bind(SocketAddr::new(address.ip(), 0)).await.is_ok()
}
