//! One line of an allow or deny list: a network, and perhaps a port.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv6Net};

/// `CIDR`, `CIDR:PORT`, or a bare address for its only self; IPv6 with a port in brackets, as `[::1/128]:443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRule {
    network: IpNet,
    port: Option<u16>,
}

impl AddressRule {
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
        }
    }
}

impl FromStr for AddressRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault =
            || format!("{text:?} is not CIDR or CIDR:PORT, such as 10.1.0.0/16, 127.0.0.1/32:9900 or [::1/128]:443");
        let (network, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (network, port) = rest.split_once(']').ok_or_else(fault)?;
                (network, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(fault)?) })
            }
            // With two colons it is a bare IPv6 network.
            None if text.matches(':').count() == 1 => {
                text.split_once(':').map(|(network, port)| (network, Some(port))).ok_or_else(fault)?
            }
            None => (text, None),
        };
        let port = port.map(|port| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(fault)).transpose()?;
        let network = if network.contains('/') {
            network.parse().map_err(|_| fault())?
        } else {
            IpNet::from(network.parse::<IpAddr>().map_err(|_| fault())?)
        };
        Ok(Self { network: canonical(network).ok_or_else(fault)?, port })
    }
}

/// A mapped network becomes the IPv4 network that it means; one that holds more than mapped addresses means neither.
fn canonical(network: IpNet) -> Option<IpNet> {
    let IpNet::V6(v6) = network else { return Some(network.trunc()) };
    let mapped: Ipv6Net = "::ffff:0:0/96".parse().ok()?;
    if !mapped.contains(&v6) {
        return Some(network.trunc());
    }
    let IpAddr::V4(address) = IpAddr::V6(v6.network()).to_canonical() else { return None };
    ipnet::Ipv4Net::new(address, v6.prefix_len() - 96).ok().map(|net| IpNet::V4(net.trunc()))
}
