//! Where a connection may go. Explicit denials win over explicit permissions, those over the built-in denials, and what is
//! left is allowed: every range that is not the public internet is denied unless somebody names it.

mod address;
mod address_rule;
mod code;
mod name;
mod ports;
mod target;

use std::net::{IpAddr, SocketAddr};

pub use self::{
    address_rule::AddressRule,
    code::{Code, Denial},
    ports::Ports,
    target::{BadTarget, Host, Target},
};

/// A set of rules. The default has no permissions and no denials of its own.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    allow: Vec<AddressRule>,
    deny: Vec<AddressRule>,
    ports: Ports,
}

impl Rules {
    /// Rules with these permissions and denials, for these ports.
    #[must_use]
    pub const fn new(allow: Vec<AddressRule>, deny: Vec<AddressRule>, ports: Ports) -> Self {
        Self { allow, deny, ports }
    }

    /// The built-in rules with these permissions.
    #[must_use]
    pub fn with_allowed(allow: Vec<AddressRule>) -> Self {
        Self { allow, ..Self::default() }
    }

    /// Judges what can be judged without resolving: the name, and a literal address with its port.
    ///
    /// # Errors
    /// The rule that refuses.
    pub fn judge_target(&self, target: &Target) -> Result<(), Denial> {
        match &target.host {
            Host::Name(host) if name::is_denied(host) => Err(Denial::new(Code::DeniedHost)),
            // Whether the port is open depends on the address, which is not known yet; unless nothing can open it.
            Host::Name(_) => self.judge_port(target.port, self.allow.iter().any(|rule| rule.names_port(target.port))),
            Host::Address(address) => self.judge_address(SocketAddr::new(*address, target.port)),
        }
    }

    /// Judges all addresses of a name: any that is refused refuses the name, so that their order decides nothing.
    ///
    /// # Errors
    /// The rule that refuses; [`Code::DnsFailure`] when there is no address.
    pub fn judge_addresses(&self, addresses: &[SocketAddr]) -> Result<Vec<SocketAddr>, Denial> {
        if addresses.is_empty() {
            return Err(Denial::new(Code::DnsFailure));
        }
        addresses.iter().try_for_each(|address| self.judge_address(*address))?;
        // What is dialled is what was judged: the canonical form.
        Ok(addresses.iter().map(|address| SocketAddr::new(address.ip().to_canonical(), address.port())).collect())
    }

    /// Judges all addresses of a name whose port is judged elsewhere: only rules without a port speak of them, so that a
    /// permission for one port opens no other, and a denial of one port refuses the address altogether.
    ///
    /// # Errors
    /// The rule that refuses; [`Code::DnsFailure`] when there is no address.
    pub fn judge_resolved(&self, addresses: &[SocketAddr]) -> Result<Vec<SocketAddr>, Denial> {
        if addresses.is_empty() {
            return Err(Denial::new(Code::DnsFailure));
        }
        let judge = |address: &SocketAddr| {
            let ip = address.ip().to_canonical();
            if self.deny.iter().any(|rule| rule.speaks_of(ip)) {
                return Err(Denial::new(Code::DeniedRule));
            }
            if !self.allow.iter().any(|rule| rule.matches(ip, 0)) {
                address::judge(ip).map_err(Denial::new)?;
            }
            Ok(SocketAddr::new(ip, address.port()))
        };
        addresses.iter().map(judge).collect()
    }

    /// Judges one address.
    ///
    /// # Errors
    /// The rule that refuses.
    pub fn judge_address(&self, address: SocketAddr) -> Result<(), Denial> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        if self.deny.iter().any(|rule| rule.matches(ip, port)) {
            return Err(Denial::new(Code::DeniedRule));
        }
        let mut permissions = self.allow.iter().filter(|rule| rule.matches(ip, port)).peekable();
        if permissions.peek().is_none() {
            address::judge(ip).map_err(Denial::new)?;
        }
        self.judge_port(port, permissions.any(|rule| rule.names_port(port)))
    }

    /// A permission that names the port opens it as well.
    fn judge_port(&self, port: u16, is_named: bool) -> Result<(), Denial> {
        if is_named || self.ports.contains(port) { Ok(()) } else { Err(Denial::new(Code::PortNotAllowed)) }
    }

    /// Judges a URL's host as far as that goes without resolving it.
    ///
    /// # Errors
    /// The rule that refuses; [`Code::BadTarget`] for a URL to which no webhook can go.
    pub fn judge_url(&self, url: &url::Url) -> Result<(), Denial> {
        let target = Target::from_url(url).map_err(|_| Denial::new(Code::BadTarget))?;
        self.judge_target(&target)
    }
}

/// Judges a bare address by the built-in rules alone.
///
/// # Errors
/// The code of the range that holds it.
pub fn judge_builtin(address: IpAddr) -> Result<(), Code> {
    address::judge(address.to_canonical())
}

#[cfg(test)]
mod tests;
