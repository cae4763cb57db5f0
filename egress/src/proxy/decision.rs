//! The log line of a decision. It is the one place where resolved addresses are told: answers and attempt records carry
//! the code alone. Paths and query strings never get here.

use std::{net::SocketAddr, time::Duration};

use super::meter::millis;
use crate::rules::{Code, Target};

/// What is known of a request when it has been decided.
pub(super) struct Decision<'a> {
    client: SocketAddr,
    target: Option<&'a Target>,
    /// All addresses that were judged; once connected, the one in use.
    pub(super) addresses: Vec<SocketAddr>,
    /// How long the name server took.
    pub(super) dns: Option<Duration>,
    /// How long dialling took.
    pub(super) connect: Option<Duration>,
}

impl<'a> Decision<'a> {
    pub(super) const fn new(client: SocketAddr, target: Option<&'a Target>) -> Self {
        Self { client, target, addresses: Vec::new(), dns: None, connect: None }
    }

    pub(super) fn log(&self, code: Option<Code>) {
        let addresses: Vec<String> = self.addresses.iter().map(|address| address.ip().to_string()).collect();
        tracing::info!(
            decision = if code.is_none() { "allow" } else { "deny" },
            code = code.map(Code::as_str),
            host = self.target.map(|target| target.host.to_string()),
            port = self.target.map(|target| target.port),
            addresses = (!addresses.is_empty()).then(|| addresses.join(" ")),
            client = %self.client,
            dns_ms = self.dns.map(millis),
            connect_ms = self.connect.map(millis),
            "egress.decision"
        );
    }
}
