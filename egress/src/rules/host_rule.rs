//! One line of a list of hosts: a name or all names below one, and perhaps a port.

use std::{fmt, str::FromStr};

use super::{ports, scope::Scope};

/// `example.com`, or `*.example.com` for every name below it but not itself; either with `:PORT`. Names are compared in
/// punycode, without case and without a trailing dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    name: String,
    is_below: bool,
    port: Option<u16>,
    scope: Scope,
}

impl HostRule {
    /// The same rule as one of `scope`.
    #[must_use]
    pub fn of(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Whose it is.
    pub(super) const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether the rule speaks of this canonical name and port.
    #[must_use]
    pub fn matches(&self, name: &str, port: u16) -> bool {
        let is_named = if self.is_below {
            name.strip_suffix(&self.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            name == self.name
        };
        is_named && self.port.is_none_or(|own| own == port)
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_below { "*." } else { "" }, self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))?;
        self.scope.fmt(f)
    }
}

impl FromStr for HostRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("{text:?} is not a host such as example.com, *.example.com or example.com:8443");
        let (host, port) = match text.trim().rsplit_once(':') {
            Some((host, port)) => (host, Some(ports::port(port).ok_or_else(form)?)),
            None => (text.trim(), None),
        };
        let (is_below, name) = host.strip_prefix("*.").map_or((false, host), |name| (true, name));
        match url::Host::parse(name) {
            Ok(url::Host::Domain(name)) if !name.contains('*') => {
                let name = name.strip_suffix('.').unwrap_or(&name).to_string();
                if name.is_empty() { Err(form()) } else { Ok(Self { name, is_below, port, scope: Scope::default() }) }
            }
            _ => Err(form()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(rule: &str, name: &str, port: u16) -> bool {
        rule.parse::<HostRule>().unwrap().matches(name, port)
    }

    #[test]
    fn a_star_stands_for_names_below_and_nothing_else() {
        for (rule, name, expected) in [
            ("example.com", "example.com", true),
            ("EXAMPLE.com.", "example.com", true),
            ("example.com", "a.example.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*.example.com", "example.com.evil.net", false),
            ("bücher.example", "xn--bcher-kva.example", true),
            ("example.com:8443", "example.com", false),
        ] {
            assert_eq!(matches(rule, name, 443), expected, "{rule} {name}");
        }
        assert!(matches("*.example.com:8443", "a.example.com", 8443));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "a*.example.com",
            "*.*.com",
            "10.0.0.1",
            "[::1]",
            "a b",
            "a:0",
            "a:x",
            "http://a/",
            "*.10.0.0.1",
        ] {
            assert!(text.parse::<HostRule>().is_err(), "{text}");
        }
        for text in ["example.com", "*.example.com", "*.example.com:8443"] {
            assert_eq!(text.parse::<HostRule>().unwrap().to_string(), text);
        }
    }
}
