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
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 16] = [
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
            Self::DeniedHost => "the host name is one of an internal network",
            Self::PortNotAllowed => "the port is not open to webhooks",
            Self::SelfConnection => "the destination is the proxy itself",
            Self::BadTarget => "the target is not a valid host and port",
            Self::DnsFailure => "the host name could not be resolved",
            Self::DnsTimeout => "the host name could not be resolved in time",
            Self::ConnectFailure => "no connection could be made",
            Self::ConnectTimeout => "no connection could be made in time",
            Self::TunnelLimit => "too many connections are open",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal by the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", code.explanation())]
pub struct Denial {
    /// Why.
    pub code: Code,
}

impl Denial {
    /// A refusal for this reason.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self { code }
    }
}
