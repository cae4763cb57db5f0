//! Dialling without an egress proxy: the same rules, applied in-process to every address at connect time, so that a name
//! which changes its answer between look-ups gains nothing.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
    time::{Duration, Instant},
    vec,
};

use hyper::Uri;
use hyper_util::client::legacy::connect::{HttpConnector, dns::Name};
use posthouse_egress::Rules;
use tokio::net::TcpStream;
use tower::Service;

use super::{CONNECT_TIMEOUT, error::ConnectError, notes::Notes};

/// Between two signs of life of a quiet connection.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Addresses that were judged, whatever the name.
#[derive(Clone)]
struct Judged(Vec<SocketAddr>);

impl Service<Name> for Judged {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(std::mem::take(&mut self.0).into_iter()))
    }
}

/// What dialling has in common: small writes go out at once, and a peer that is gone is noticed.
fn prepared<R>(mut connector: HttpConnector<R>) -> HttpConnector<R> {
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE));
    connector.set_keepalive_retries(Some(3));
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector
}

/// A connection to the destination. Literal addresses were judged with the URL.
pub(super) async fn dial(rules: &Rules, destination: &Uri, notes: &Notes) -> Result<TcpStream, ConnectError> {
    let host = destination.host().ok_or(ConnectError::Dns)?;
    let judged = if is_literal(host) { Vec::new() } else { resolve(rules, host, notes).await? };
    let began = Instant::now();
    let connected = prepared(HttpConnector::new_with_resolver(Judged(judged))).call(destination.clone()).await;
    let stream = connected.map_err(|_| ConnectError::Connect)?.into_inner();
    notes.write(|facts| {
        facts.connect = Some(began.elapsed());
        facts.address = stream.peer_addr().ok().map(|address| address.ip());
    });
    Ok(stream)
}

async fn resolve(rules: &Rules, host: &str, notes: &Notes) -> Result<Vec<SocketAddr>, ConnectError> {
    let began = Instant::now();
    // The connector fills in the URL's port, which was judged with the URL; rules for one port do not open a name.
    let found = tokio::net::lookup_host((host, 0)).await;
    notes.write(|facts| facts.dns = Some(began.elapsed()));
    let found: Vec<SocketAddr> = found.map_err(|_| ConnectError::Dns)?.collect();
    rules.judge_resolved(&found).map_err(|denial| ConnectError::Refused(denial.code.to_string()))
}

fn is_literal(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}
