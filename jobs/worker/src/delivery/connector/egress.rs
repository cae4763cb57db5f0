//! The way through egress proxies: tunnels for `https`, and connections to a proxy itself for `http`. A proxy tells its
//! workers where a tunnel leads; a refusal tells its code alone.

use hyper::{
    StatusCode, Uri,
    header::{HeaderMap, HeaderValue},
};
use posthouse_egress::client::{ERROR, ExitError, Exits, Hop, Told};

use super::{
    error::ConnectError,
    notes::{Facts, Notes},
};

/// Where a connection leads, and what making it took; egress strips it from the answers of endpoints, as it does its codes.
const CONNECTION: &str = "x-egress-connection";

/// A tunnel to the destination's host, for this project, and what the proxy tells of it.
///
/// # Errors
/// The proxy refuses, cannot connect, or all of them are away.
pub async fn tunnel(
    exits: &Exits,
    destination: &Uri,
    project: Option<&HeaderValue>,
    notes: &Notes,
) -> Result<Hop, ConnectError> {
    let host = destination.host().ok_or(ConnectError::Connect)?;
    let authority = format!("{host}:{}", destination.port_u16().unwrap_or(443));
    let told = Told { project, trace_parent: notes.span() };
    let tunnel = exits.tunnel(&authority, told).await?;
    notes.write(|own| *own = facts(&tunnel.headers).unwrap_or_default());
    Ok(tunnel.stream)
}

/// What egress says instead of the endpoint of a request in the clear.
pub fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<ConnectError> {
    headers.contains_key(ERROR).then(|| ExitError::answered(status.as_u16(), headers).into())
}

/// What egress tells of the connection that an answer came by.
pub fn facts(headers: &HeaderMap) -> Option<Facts> {
    headers.get(CONNECTION)?.to_str().ok().map(Facts::of_egress)
}

/// Removes what egress has said: it is no part of the endpoint's answer.
pub fn strip(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
}
