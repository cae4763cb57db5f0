//! Which ports webhooks may use. Well-known ports other than those of the web belong to services that must not be talked
//! to in HTTP.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use super::scope::Scope;

/// A set of ports, written as `80,443,1024-65535`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    ranges: Vec<RangeInclusive<u16>>,
    scope: Scope,
}

impl Default for Ports {
    fn default() -> Self {
        Self { ranges: vec![80..=80, 443..=443, 1024..=u16::MAX], scope: Scope::default() }
    }
}

impl Ports {
    /// Every port.
    #[must_use]
    pub fn all() -> Self {
        Self { ranges: vec![1..=u16::MAX], scope: Scope::default() }
    }

    /// The same ports as those of `scope`.
    #[must_use]
    pub fn of(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Whether the port is one of them.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.ranges.iter().any(|range| range.contains(&port))
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.ranges.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        self.scope.fmt(f)
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (port(first.trim())?, port(last.trim())?);
            (first <= last).then_some(first..=last)
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        ranges
            .map(|ranges| Self { ranges, scope: Scope::default() })
            .ok_or_else(|| format!("{text:?} is not a list of ports such as 80,443,8000-8999"))
    }
}

/// A port in digits alone: the standard parser would also take `+80` and any number of leading zeros.
pub(super) fn port(text: &str) -> Option<u16> {
    let is_plain = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_plain && *port > 0)
}
