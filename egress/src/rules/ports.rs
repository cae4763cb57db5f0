//! Which ports webhooks may use. Well-known ports other than those of the web belong to services that must not be talked
//! to in HTTP.

use std::{ops::RangeInclusive, str::FromStr};

/// A set of ports, written as `80,443,1024-65535`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(Vec<RangeInclusive<u16>>);

impl Default for Ports {
    fn default() -> Self {
        Self(vec![80..=80, 443..=443, 1024..=u16::MAX])
    }
}

impl Ports {
    /// Whether the port is one of them.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first > 0 && first <= last).then_some(first..=last)
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        ranges.map(Self).ok_or_else(|| format!("{text:?} is not a list of ports such as 80,443,8000-8999"))
    }
}
