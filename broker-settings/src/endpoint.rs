//! Where a service is asked whose own address is known, such as an emulator or a private way to it.

use std::fmt;

use url::Url;

use crate::fields::{Fields, SettingsError};

/// A host and a port. Prints as a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether the connection is encrypted: the scheme `https`.
    pub is_tls: bool,
    /// Name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// The port; 443 unless given, 80 without TLS.
    pub port: u16,
}

impl Endpoint {
    /// Reads `endpoint`; `None`: the service's own address.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Option<Self>, SettingsError> {
        let what = "a URL such as https://host:443 is expected, without credentials and path";
        let Some(text) = fields.text("endpoint")? else { return Ok(None) };
        Self::parse(&text).map(Some).ok_or_else(|| fields.wrong("endpoint", what))
    }

    fn parse(text: &str) -> Option<Self> {
        let url: Url = text.parse().ok()?;
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url.host_str().filter(|_| is_bare)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { is_tls, host, port: url.port_or_known_default().filter(|port| *port != 0)? })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_and_a_host_are_enough() {
        for (text, url) in [
            ("http://localhost:9324", "http://localhost:9324"),
            ("https://sqs.internal/", "https://sqs.internal:443"),
            ("http://[::1]", "http://[::1]:80"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), url);
        }
        assert_eq!(Endpoint::parse("https://[::1]:7").unwrap().host, "::1");
        for text in
            ["localhost:1", "ftp://h", "http://u:p@h", "http://h/path", "http://h?q", "http://h:0", "", "http://"]
        {
            assert_eq!(Endpoint::parse(text), None, "{text}");
        }
    }
}
