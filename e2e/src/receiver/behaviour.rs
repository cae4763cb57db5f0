//! How a receiver answers, by path: `/ok/NAME`, `/flaky/TIMES/NAME`, `/fail/NAME`.

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// 200.
    Accept,
    /// 503 for the first so many requests of each webhook id, then 200.
    FailFirst(u32),
    /// 500 for ever.
    Fail,
}

impl Behaviour {
    /// The behaviour of this path, or `None` if it names none.
    pub(super) fn of(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["ok", _] => Some(Self::Accept),
            ["flaky", times, _] => Some(Self::FailFirst(times.parse().ok()?)),
            ["fail", _] => Some(Self::Fail),
            _ => None,
        }
    }

    /// The status for a webhook id that came `before` times already.
    pub(super) const fn status(self, before: u32) -> u16 {
        match self {
            Self::Accept => 200,
            Self::FailFirst(times) if before < times => 503,
            Self::FailFirst(_) => 200,
            Self::Fail => 500,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_behaviours() {
        assert_eq!(Behaviour::of("/ok/orders"), Some(Behaviour::Accept));
        assert_eq!(Behaviour::of("/flaky/2/orders"), Some(Behaviour::FailFirst(2)));
        assert_eq!(Behaviour::of("/fail/orders"), Some(Behaviour::Fail));
        for path in ["/", "/ok", "/flaky/orders", "/flaky/x/orders", "/latest/meta-data/"] {
            assert_eq!(Behaviour::of(path), None, "{path}");
        }
        let statuses: Vec<u16> = (0..4).map(|before| Behaviour::FailFirst(2).status(before)).collect();
        assert_eq!(statuses, [503, 503, 200, 200]);
    }
}
