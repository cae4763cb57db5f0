//! Why a connection is refused or failed, as a fixed set of words: they reach tenants, so they say nothing of addresses.

/// Why. The words are part of the wire: `X-Egress-Error`, metrics, attempt records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// RFC 1918, shared address space, unique local.
    PrivateAddress,
    /// This machine.
    Loopback,
    /// Link local.
    LinkLocal,
    /// A cloud's metadata service.
    Metadata,
    /// Any other range that no web host has.
    Reserved,
    /// An IPv6 address that holds an IPv4 one.
    EmbeddedV4,
    /// A denial of the configuration.
    DeniedRule,
    /// A name that means this machine or its cloud.
    DeniedHost,
    /// A port that webhooks do not use.
    PortNotAllowed,
    /// The proxy itself.
    SelfConnection,
    /// Not a host and port, or not a URL, to which a webhook can go.
    BadTarget,
    /// The name has no address.
    DnsFailure,
    /// The name server did not answer in time.
    DnsTimeout,
    /// No address could be connected to.
    ConnectFailure,
    /// No address answered in time.
    ConnectTimeout,
    /// The proxy is full.
    TunnelLimit,
    /// This client, or all of them to this destination, have as many connections as they may.
    RateLimit,
    /// The client did not prove which role it has.
    Unauthenticated,
    /// The proxy that connections leave through is away.
    UpstreamFailure,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 19] = [
        Self::PrivateAddress,
        Self::Loopback,
        Self::LinkLocal,
        Self::Metadata,
        Self::Reserved,
        Self::EmbeddedV4,
        Self::DeniedRule,
        Self::DeniedHost,
        Self::PortNotAllowed,
        Self::SelfConnection,
        Self::BadTarget,
        Self::DnsFailure,
        Self::DnsTimeout,
        Self::ConnectFailure,
        Self::ConnectTimeout,
        Self::TunnelLimit,
        Self::RateLimit,
        Self::Unauthenticated,
        Self::UpstreamFailure,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrivateAddress => "private_address",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link_local",
            Self::Metadata => "metadata",
            Self::Reserved => "reserved",
            Self::EmbeddedV4 => "embedded_v4",
            Self::DeniedRule => "denied_rule",
            Self::DeniedHost => "denied_host",
            Self::PortNotAllowed => "port_not_allowed",
            Self::SelfConnection => "self_connection",
            Self::BadTarget => "bad_target",
            Self::DnsFailure => "dns_failure",
            Self::DnsTimeout => "dns_timeout",
            Self::ConnectFailure => "connect_failure",
            Self::ConnectTimeout => "connect_timeout",
            Self::TunnelLimit => "tunnel_limit",
            Self::RateLimit => "rate_limit",
            Self::Unauthenticated => "unauthenticated",
            Self::UpstreamFailure => "upstream_failure",
        }
    }

    /// A sentence for people.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::PrivateAddress => "the destination is a private address",
            Self::Loopback => "the destination is a loopback address",
            Self::LinkLocal => "the destination is a link-local address",
            Self::Metadata => "the destination is a metadata service",
            Self::Reserved => "the destination is a reserved address",
            Self::EmbeddedV4 => "the destination is an IPv6 address that holds an IPv4 one",
            Self::DeniedRule => "a rule of the configuration denies the destination",
            Self::DeniedHost => "the host name is one of an internal network, or not one that may be reached",
            Self::PortNotAllowed => "the port is not open to webhooks",
            Self::SelfConnection => "the destination is the proxy itself",
            Self::BadTarget => "the target is not a valid host and port",
            Self::DnsFailure => "the host name could not be resolved",
            Self::DnsTimeout => "the host name could not be resolved in time",
            Self::ConnectFailure => "no connection could be made",
            Self::ConnectTimeout => "no connection could be made in time",
            Self::TunnelLimit => "too many connections are open",
            Self::RateLimit => "too many connections are open for this client or to this destination",
            Self::Unauthenticated => "the proxy asks its clients for credentials",
            Self::UpstreamFailure => "the proxy's own way out is not available",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal by the rules. What it displays reaches tenants; the rule is for logs and operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", code.explanation())]
pub struct Denial {
    /// Why.
    pub code: Code,
    rule: Option<String>,
}

impl Denial {
    /// A refusal for this reason, which no rule needs to state.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self { code, rule: None }
    }

    /// A refusal by this rule.
    pub(super) fn by(code: Code, rule: impl std::fmt::Display) -> Self {
        Self { code, rule: Some(rule.to_string()) }
    }

    /// The rule that refuses, as `deny 10.0.0.0/8` or `built-in 127.0.0.0/8`; `None` where no rule is needed to refuse.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }
}
