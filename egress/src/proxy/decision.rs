//! What is told of a decision. Rules, and addresses that were refused or did not answer, stand in its log line alone: answers
//! carry the code. Paths and query strings never get here.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hyper::header::HeaderValue;

use super::{admit::Visit, meter::millis};
use crate::rules::{Code, Denial, Target};

/// What is known of a request when it has been decided.
pub(super) struct Decision<'a> {
    visit: &'a Visit,
    target: Option<&'a Target>,
    /// All addresses that were judged; once connected, the one in use.
    pub(super) addresses: Vec<SocketAddr>,
    /// What refused, or let through.
    pub(super) rule: Option<String>,
    /// What would have refused, if it did not only report.
    pub(super) reported: Option<Denial>,
    /// The address that the connection leaves from, where it is one of ours to choose.
    pub(super) source: Option<IpAddr>,
    /// How long the name server took.
    pub(super) dns: Option<Duration>,
    /// How long dialling took.
    pub(super) connect: Option<Duration>,
}

impl<'a> Decision<'a> {
    pub(super) const fn new(visit: &'a Visit, target: Option<&'a Target>) -> Self {
        Self {
            visit,
            target,
            addresses: Vec::new(),
            rule: None,
            reported: None,
            source: None,
            dns: None,
            connect: None,
        }
    }

    /// Notes the rule that refuses.
    pub(super) fn refused_by(&mut self, denial: &Denial) -> Code {
        self.rule = denial.rule().map(ToString::to_string);
        denial.code
    }

    /// What the answer tells of a connection: its address, and in microseconds what resolving and dialling took, where they
    /// were needed.
    pub(super) fn told(&self) -> Option<HeaderValue> {
        let [address] = self.addresses.as_slice() else { return None };
        let part = |name: &str, time: Option<Duration>| {
            time.map(|time| format!(" {name}={}", time.as_micros())).unwrap_or_default()
        };
        let (dns, connect) = (part("dns_us", self.dns), part("connect_us", self.connect));
        HeaderValue::try_from(format!("address={}{dns}{connect}", address.ip())).ok()
    }

    pub(super) fn log(&self, code: Option<Code>) {
        let addresses: Vec<String> = self.addresses.iter().map(|address| address.ip().to_string()).collect();
        let reported = self.reported.as_ref().filter(|_| code.is_none());
        let decision = match (code, reported) {
            (Some(_), _) => "deny",
            (None, Some(_)) => "report",
            (None, None) => "allow",
        };
        tracing::info!(
            decision,
            code = code.or(reported.map(|denial| denial.code)).map(Code::as_str),
            reason = code.or(reported.map(|denial| denial.code)).map(Code::explanation),
            rule = reported.and_then(Denial::rule).or(self.rule.as_deref()),
            role = self.visit.role.as_ref().ok().map(|role| role.name()),
            project = self.visit.project.as_deref(),
            source = self.source.map(|source| source.to_string()),
            host = self.target.map(|target| target.host.to_string()),
            port = self.target.map(|target| target.port),
            addresses = (!addresses.is_empty()).then(|| addresses.join(" ")),
            client = %self.visit.client.address,
            dns_ms = self.dns.map(millis),
            connect_ms = self.connect.map(millis),
            "egress.decision"
        );
    }
}
