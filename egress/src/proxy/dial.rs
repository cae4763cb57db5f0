//! From a target to an open connection, and the one log line that says how it was decided.

use std::net::SocketAddr;

use tokio::{
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout_at},
};

use super::Shared;
use crate::rules::{Code, Host, Target};

/// Opens a connection to the target, or says why not.
pub(super) async fn dial(target: &Target, shared: &Shared) -> Result<TcpStream, Code> {
    let began = Instant::now();
    let mut resolved = began;
    let result = attempt(target, shared, &mut resolved).await;
    let code = result.as_ref().err().copied();
    shared.metrics.count(code);
    let host = match &target.host {
        Host::Name(name) => name.clone(),
        Host::Address(address) => address.to_string(),
    };
    tracing::info!(
        decision = if code.is_none() { "allow" } else { "deny" },
        code = code.map(Code::as_str),
        host,
        port = target.port,
        address = result.as_ref().ok().and_then(|stream| stream.peer_addr().ok()).map(|address| address.to_string()),
        dns_ms = (resolved - began).as_millis(),
        connect_ms = resolved.elapsed().as_millis(),
        "egress.decision"
    );
    result
}

async fn attempt(target: &Target, shared: &Shared, resolved: &mut Instant) -> Result<TcpStream, Code> {
    let settings = &shared.settings;
    settings.rules.judge_target(target).map_err(|denial| denial.code)?;
    let end = Instant::now() + settings.connect_timeout;
    let addresses = match &target.host {
        Host::Address(address) => vec![SocketAddr::new(*address, target.port)],
        Host::Name(name) => {
            let answer = timeout_at(
                end.min(Instant::now() + settings.dns_timeout),
                settings.resolver.resolve(name, target.port),
            )
            .await;
            answer.map_err(|_| Code::DnsTimeout)?.map_err(|_| Code::DnsFailure)?
        }
    };
    *resolved = Instant::now();
    let judged = settings.rules.judge_addresses(&addresses).map_err(|denial| denial.code)?;
    for address in &judged {
        if is_own(*address, shared.own_port).await {
            return Err(Code::SelfConnection);
        }
    }
    connect(&judged, end).await
}

/// The first judged address that answers. Each gets its share of the time, so that a dead one does not use it all up.
async fn connect(addresses: &[SocketAddr], end: Instant) -> Result<TcpStream, Code> {
    let mut code = Code::ConnectFailure;
    for (index, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(1);
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) if stream.set_nodelay(true).is_ok() => return Ok(stream),
            Ok(_) => code = Code::ConnectFailure,
            Err(_) => code = Code::ConnectTimeout,
        }
    }
    Err(code)
}

/// Whether the address is one of this machine's and the port is the proxy's own: a loop would eat every place.
async fn is_own(address: SocketAddr, own_port: u16) -> bool {
    // Only an own address can be bound.
    address.port() == own_port && UdpSocket::bind(SocketAddr::new(address.ip(), 0)).await.is_ok()
}
