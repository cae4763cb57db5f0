//! Where a request wants to go, parsed once and strictly: what is judged is what is connected to. Whatever two parsers
//! could read differently is refused.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use url::Url;

use super::ports;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The host.
    pub host: Host,
    /// The port, never 0.
    pub port: u16,
}

/// A host: a literal address, or a name to resolve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address in canonical form.
    Address(IpAddr),
    /// A name in lower case and punycode, without a trailing dot.
    Name(String),
}

/// What is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the target is not a valid host and port")]
pub struct BadTarget;

/// RFC 1035, without the trailing dot.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

impl Target {
    /// The target of a CONNECT request: `host:port`, IPv6 in brackets.
    ///
    /// # Errors
    /// [`BadTarget`] for anything else: no port, user info, zone ids, numbers that some parsers take for an address.
    pub fn from_authority(authority: &str) -> Result<Self, BadTarget> {
        let (host, port) = authority.rsplit_once(':').ok_or(BadTarget)?;
        Ok(Self { host: host_of(host)?, port: ports::port(port).ok_or(BadTarget)? })
    }

    /// The target of an `http` URL's authority, as strict as [`Self::from_authority`]; without a port it is 80.
    ///
    /// # Errors
    /// See [`Self::from_authority`].
    pub fn from_http_authority(authority: &str) -> Result<Self, BadTarget> {
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        if has_port { Self::from_authority(authority) } else { Ok(Self { host: host_of(authority)?, port: 80 }) }
    }

    /// What stands in `Host`: the port only where it is not 80.
    #[must_use]
    pub fn http_host(&self) -> String {
        if self.port == 80 { self.host.to_string() } else { self.to_string() }
    }

    /// The target of a URL with `http` or `https`.
    ///
    /// # Errors
    /// [`BadTarget`] for other schemes, user info or what looks like it, or a host that is no name.
    pub fn from_url(url: &Url) -> Result<Self, BadTarget> {
        let has_user_info = !url.username().is_empty() || url.password().is_some();
        // In `http://a#@b/` some parsers see the host b. A fragment is never sent, so nobody needs one like it.
        let is_ambiguous = url.fragment().is_some_and(|fragment| fragment.contains('@'));
        if !matches!(url.scheme(), "http" | "https") || has_user_info || is_ambiguous {
            return Err(BadTarget);
        }
        let port = url.port_or_known_default().filter(|port| *port > 0).ok_or(BadTarget)?;
        let host = match url.host().ok_or(BadTarget)? {
            url::Host::Ipv4(address) => Host::Address(IpAddr::V4(address)),
            url::Host::Ipv6(address) => Host::Address(IpAddr::V6(address).to_canonical()),
            url::Host::Domain(name) => plain(name)?,
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

fn host_of(text: &str) -> Result<Host, BadTarget> {
    let Some(rest) = text.strip_prefix('[') else { return plain(text) };
    let address: Ipv6Addr = rest.strip_suffix(']').and_then(|text| text.parse().ok()).ok_or(BadTarget)?;
    Ok(Host::Address(IpAddr::V6(address).to_canonical()))
}

fn plain(host: &str) -> Result<Host, BadTarget> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Address(IpAddr::V4(address)));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > NAME_BYTES_MAX || !name.split('.').all(is_label) || is_numeric(&name) || !is_idna(&name) {
        return Err(BadTarget);
    }
    Ok(Host::Name(name))
}

/// Whether some parser takes the name for an address: its last label is a number, in whatever base.
fn is_numeric(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let digits = last.strip_prefix("0x").unwrap_or(last);
    last.bytes().all(|byte| byte.is_ascii_digit())
        || (digits.len() < last.len() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether the name means itself: punycode that decodes, and decodes to no other name.
fn is_idna(name: &str) -> bool {
    !name.contains("xn--") || matches!(url::Host::parse(name), Ok(url::Host::Domain(same)) if same == name)
}
