//! Where a connection may go. Explicit denials win over explicit permissions, those over the built-in denials, and what is
//! left is allowed: every range that is not the public internet is denied unless somebody names it.

mod address;
mod address_rule;
mod code;
mod host_rule;
mod name;
mod ports;
mod scope;
mod target;

use std::net::{IpAddr, SocketAddr};

pub use self::{
    address_rule::AddressRule,
    code::{Code, Denial},
    host_rule::HostRule,
    ports::Ports,
    scope::Scope,
    target::{BadTarget, Host, Target},
};

/// A set of rules. The default has no permissions and no denials of its own.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    allow: Vec<AddressRule>,
    deny: Vec<AddressRule>,
    allow_hosts: Vec<HostRule>,
    deny_hosts: Vec<HostRule>,
    ports: Ports,
}

impl Rules {
    /// Rules with these permissions and denials, for these ports.
    #[must_use]
    pub const fn new(allow: Vec<AddressRule>, deny: Vec<AddressRule>, ports: Ports) -> Self {
        Self { allow, deny, allow_hosts: Vec::new(), deny_hosts: Vec::new(), ports }
    }

    /// The built-in rules with these permissions.
    #[must_use]
    pub fn with_allowed(allow: Vec<AddressRule>) -> Self {
        Self { allow, ..Self::default() }
    }

    /// These rules for names as well. With `allow` no other name may be reached, and a literal address only where a
    /// permission names it; a name in it is not an internal one, but its addresses are judged as any.
    #[must_use]
    pub fn with_hosts(self, allow: Vec<HostRule>, deny: Vec<HostRule>) -> Self {
        Self { allow_hosts: allow, deny_hosts: deny, ..self }
    }

    /// These rules without what the configuration itself refuses: denials, lists of names and ports. The permissions and
    /// everything that is built in stay.
    #[must_use]
    pub fn without_own_denials(&self) -> Self {
        Self { allow: self.allow.clone(), ports: Ports::all(), ..Self::default() }
    }

    /// Judges what can be judged without resolving: the name, and a literal address with its port.
    ///
    /// # Errors
    /// The rule that refuses.
    pub fn judge_target(&self, target: &Target) -> Result<(), Denial> {
        match &target.host {
            Host::Name(name) => {
                self.judge_name(name, target.port)?;
                // Whether the port is open depends on the address, which is not known yet; unless nothing can open it.
                self.judge_port(target.port, self.allow.iter().any(|rule| rule.names_port(target.port)))
            }
            Host::Address(address) => {
                let address = SocketAddr::new(*address, target.port);
                self.judge_address(address)?;
                let is_named = self.allow_hosts.is_empty() || self.permission_of(address).is_some();
                if is_named { Ok(()) } else { Err(self.not_listed()) }
            }
        }
    }

    fn judge_name(&self, name: &str, port: u16) -> Result<(), Denial> {
        if let Some(rule) = self.deny_hosts.iter().find(|rule| rule.matches(name, port)) {
            return Err(Denial::by(Code::DeniedHost, format_args!("deny-host {rule}")));
        }
        if self.allow_hosts.iter().any(|rule| rule.matches(name, port)) {
            return Ok(());
        }
        if let Some(internal) = name::denied_by(name) {
            return Err(Denial::by(Code::DeniedHost, format_args!("built-in {internal}")));
        }
        if self.allow_hosts.is_empty() { Ok(()) } else { Err(self.not_listed()) }
    }

    fn not_listed(&self) -> Denial {
        let scope = self.allow_hosts.first().map(HostRule::scope).unwrap_or_default();
        Denial::by(Code::DeniedHost, format_args!("allow-host{scope}: not one of them"))
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
            if let Some(rule) = self.deny.iter().find(|rule| rule.speaks_of(ip)) {
                return Err(Denial::by(Code::DeniedRule, format_args!("deny {rule}")));
            }
            if !self.allow.iter().any(|rule| rule.matches(ip, 0)) {
                address::judge(ip)?;
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
        if let Some(rule) = self.deny.iter().find(|rule| rule.matches(ip, port)) {
            return Err(Denial::by(Code::DeniedRule, format_args!("deny {rule}")));
        }
        let mut permissions = self.allow.iter().filter(|rule| rule.matches(ip, port)).peekable();
        if permissions.peek().is_none() {
            address::judge(ip)?;
        }
        self.judge_port(port, permissions.any(|rule| rule.names_port(port)))
    }

    /// A permission that names the port opens it as well.
    fn judge_port(&self, port: u16, is_named: bool) -> Result<(), Denial> {
        if is_named || self.ports.contains(port) {
            Ok(())
        } else {
            Err(Denial::by(Code::PortNotAllowed, format_args!("ports {}", self.ports)))
        }
    }

    fn permission_of(&self, address: SocketAddr) -> Option<&AddressRule> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        self.allow.iter().find(|rule| rule.matches(ip, port))
    }

    /// What lets a connection to this target at this address through, once it was judged: a permission, or `default`.
    #[must_use]
    pub fn permission(&self, target: &Target, address: SocketAddr) -> String {
        let of_name = match &target.host {
            Host::Name(name) => self.allow_hosts.iter().find(|rule| rule.matches(name, target.port)),
            Host::Address(_) => None,
        };
        match (self.permission_of(address), of_name) {
            (Some(rule), _) => format!("allow {rule}"),
            (None, Some(rule)) => format!("allow-host {rule}"),
            (None, None) => "default".into(),
        }
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
    address::judge(address.to_canonical()).map_err(|denial| denial.code)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
