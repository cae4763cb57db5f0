//! The place of a span, as [W3C Trace Context](https://www.w3.org/TR/trace-context/) writes it.

use std::fmt;

/// Sampled, and random: the flags that are known.
const SAMPLED: u8 = 0b01;

/// Where a span is: what its children name it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The trace; not 0.
    pub trace: u128,
    /// The span; not 0.
    pub span: u64,
    /// Whether somebody keeps the trace.
    pub is_sampled: bool,
}

impl Place {
    /// Reads a `traceparent`. Later versions may add to it.
    #[must_use]
    pub fn parse(parent: &str) -> Option<Self> {
        let mut parts = parent.trim().splitn(5, '-');
        let version = hex(parts.next()?, 2)?;
        let (trace, span, flags) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
        let is_longer = parts.next().is_some();
        if version == 0xff || (version == 0 && is_longer) || trace == 0 || span == 0 {
            return None;
        }
        let is_sampled = flags & u128::from(SAMPLED) != 0;
        Some(Self { trace, span: u64::try_from(span).ok()?, is_sampled })
    }
}

/// Its `traceparent`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }
}

/// So many digits, in lower case.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u128::from_str_radix(text, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parents_are_what_the_standard_says() {
        let place = Place::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert_eq!((place.span, place.is_sampled), (0xb7ad_6b71_6920_3331, true));
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        ] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace in 1u128.., span in 1u64.., is_sampled: bool) {
            let place = Place { trace, span, is_sampled };
            prop_assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
    }
}
