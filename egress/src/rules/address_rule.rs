//! One line of an allow or deny list: a network, and perhaps a port.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{ports, scope::Scope};

const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);

/// `CIDR`, `CIDR:PORT`, or a bare address for its only self; IPv6 with a port in brackets, as `[::1/128]:443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRule {
    network: IpNet,
    port: Option<u16>,
    scope: Scope,
}

impl AddressRule {
    /// The same rule as one of `scope`.
    #[must_use]
    pub const fn of(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Whether the rule speaks of this canonical address and port.
    #[must_use]
    pub fn matches(&self, address: IpAddr, port: u16) -> bool {
        self.network.contains(&address) && self.port.is_none_or(|own| own == port)
    }

    /// Whether the rule speaks of this canonical address, for whatever port.
    #[must_use]
    pub fn speaks_of(&self, address: IpAddr) -> bool {
        self.network.contains(&address)
    }

    /// Whether the rule names this very port.
    #[must_use]
    pub fn names_port(&self, port: u16) -> bool {
        self.port == Some(port)
    }
}

impl fmt::Display for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.network, self.port) {
            (network, None) => write!(f, "{network}"),
            (IpNet::V4(network), Some(port)) => write!(f, "{network}:{port}"),
            (IpNet::V6(network), Some(port)) => write!(f, "[{network}]:{port}"),
        }?;
        self.scope.fmt(f)
    }
}

impl FromStr for AddressRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault =
            || format!("{text:?} is not CIDR or CIDR:PORT, such as 10.1.0.0/16, 127.0.0.1/32:9900 or [::1/128]:443");
        let (network, port) = split(text.trim()).ok_or_else(fault)?;
        let port = port.map(|port| ports::port(port).ok_or_else(fault)).transpose()?;
        let network = match network.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => network.parse().map_err(|_| fault())?,
        };
        if network == IpNet::V6(MAPPED) {
            // Copied from the lists of proxies that judge the written form. Here it would speak of every IPv4 address.
            return Err(format!("{text:?} is not needed: mapped addresses are judged as the IPv4 addresses they hold"));
        }
        Ok(Self { network: canonical(network), port, scope: Scope::default() })
    }
}

/// The network's text and the port's. Only brackets tell an IPv6 network from its port.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (network, port) = rest.split_once(']')?;
        return if port.is_empty() { Some((network, None)) } else { Some((network, Some(port.strip_prefix(':')?))) };
    }
    match text.split_once(':') {
        Some((network, port)) if !port.contains(':') => Some((network, Some(port))),
        _ => Some((text, None)),
    }
}

/// A network of mapped addresses becomes the IPv4 network that it means, because addresses are judged in that form.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network.trunc() else { return network.trunc() };
    match v6.addr().to_ipv4_mapped().filter(|_| MAPPED.contains(&v6)) {
        Some(address) => {
            Ipv4Net::new(address, v6.prefix_len() - MAPPED.prefix_len()).map_or(network.trunc(), IpNet::V4)
        }
        None => network.trunc(),
    }
}
