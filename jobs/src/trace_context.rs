//! The trace that an event belongs to, as [W3C Trace Context](https://www.w3.org/TR/trace-context/) writes it. What came with
//! the request is kept with the event's headers, under names of our own: no endpoint gets it as it is, since a delivery is a
//! span of its own.

use std::collections::{BTreeMap, HashSet};

use posthouse_schema::ids::EventId;
use posthouse_service::traces::{Beginning, Place};

/// The request's `traceparent`, among an event's headers.
pub const STORED_PARENT: &str = "Posthouse-Traceparent";
/// The request's `tracestate`, among an event's headers.
pub const STORED_STATE: &str = "Posthouse-Tracestate";

/// Bytes of a `tracestate`; a longer one is left out.
const STATE_BYTES_MAX: usize = 2_048;
const MEMBERS_MAX: usize = 32;
/// Sampled, and random: the flags that are known.
const KNOWN_FLAGS: u8 = 0b11;
const SAMPLED: u8 = 0b01;

/// A trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The `traceparent` that it was read from; `None` for a trace that begins here.
    parent: Option<String>,
    trace: u128,
    flags: u8,
    state: Option<String>,
}

impl TraceContext {
    /// The trace of a request with these headers. `None` without a valid `traceparent`; an invalid `tracestate` is left out.
    #[must_use]
    pub fn read<'h>(mut parents: impl Iterator<Item = &'h str>, states: impl Iterator<Item = &'h str>) -> Option<Self> {
        let parent = parents.next()?.trim();
        if parents.next().is_some() {
            return None;
        }
        let (trace, flags) = parse(parent)?;
        let state = states.collect::<Vec<_>>().join(",");
        Some(Self { parent: Some(parent.into()), trace, flags, state: is_state(&state).then_some(state) })
    }

    /// A trace that begins with the event: its id is the event's.
    #[must_use]
    pub const fn beginning(event: EventId) -> Self {
        // Sampled, so that receivers which follow their caller go on tracing what they traced before.
        Self { parent: None, trace: event.to_bits(), flags: SAMPLED, state: None }
    }

    /// The trace of a span of our own.
    #[must_use]
    pub fn within(place: Place) -> Self {
        Self { parent: Some(place.to_string()), trace: place.trace, flags: u8::from(place.is_sampled), state: None }
    }

    /// What a span of this trace is begun with.
    #[must_use]
    pub fn child(&self) -> Beginning {
        Beginning { parent: self.parent.as_deref().and_then(Place::parse), trace: Some(self.trace), span: None }
    }

    /// The trace's id, as it is written.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// Keeps the trace with an event's headers.
    pub fn store(&self, headers: &mut BTreeMap<String, Vec<String>>) {
        for (name, value) in [(STORED_PARENT, &self.parent), (STORED_STATE, &self.state)] {
            if let Some(value) = value {
                headers.insert(name.into(), vec![value.clone()]);
            }
        }
    }

    /// The trace that was kept with these headers, or the one that begins with the event.
    #[must_use]
    pub fn of_event(event: EventId, headers: &BTreeMap<String, Vec<String>>) -> Self {
        let values = |name| headers.get(name).into_iter().flatten().map(String::as_str);
        Self::read(values(STORED_PARENT), values(STORED_STATE)).unwrap_or_else(|| Self::beginning(event))
    }

    /// `traceparent` of this span in the trace.
    #[must_use]
    pub fn parent_of(&self, span: u64) -> String {
        // A span of zeros is none.
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, span.max(1), self.flags)
    }

    /// `tracestate`, as it came.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// The trace and the flags of a `traceparent`. Later versions may add to it.
fn parse(parent: &str) -> Option<(u128, u8)> {
    let mut parts = parent.splitn(5, '-');
    let version = hex(parts.next()?, 2)?;
    let (trace, span, flags) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
    let is_longer = parts.next().is_some();
    if version == 0xff || (version == 0 && is_longer) || trace == 0 || span == 0 {
        return None;
    }
    Some((trace, u8::try_from(flags).ok()? & KNOWN_FLAGS))
}

/// So many digits, in lower case.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u128::from_str_radix(text, 16).ok().filter(|_| is_hex)
}

/// Whether this is a list of `key=value`, each key once.
fn is_state(text: &str) -> bool {
    let members = || text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty());
    let mut keys = HashSet::new();
    let is_member = |member: &str| {
        let Some((key, value)) = member.split_once('=') else { return false };
        is_key(key) && is_value(value) && keys.insert(key.to_owned())
    };
    text.len() <= STATE_BYTES_MAX && (1..=MEMBERS_MAX).contains(&members().count()) && members().all(is_member)
}

fn is_key(key: &str) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_further = |byte: &u8| is_first(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/');
    let is_word = |word: &str, bytes_max: usize| {
        word.len() <= bytes_max
            && word.as_bytes().split_first().is_some_and(|(first, rest)| is_first(first) && rest.iter().all(is_further))
    };
    match key.split_once('@') {
        None => is_word(key, 256),
        Some((tenant, system)) => is_word(tenant, 241) && is_word(system, 14),
    }
}

fn is_value(value: &str) -> bool {
    let is_visible = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    (1..=256).contains(&value.len()) && value.bytes().all(is_visible) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(parent: &str, state: &str) -> Option<TraceContext> {
        TraceContext::read(std::iter::once(parent), (!state.is_empty()).then_some(state).into_iter())
    }

    #[test]
    fn a_delivery_is_a_span_of_the_trace() {
        let context = read(PARENT, "rojo=00f067aa0ba902b7, t@v=x").unwrap();
        assert_eq!(context.parent_of(0xb9), "00-0af7651916cd43dd8448eb211c80319c-00000000000000b9-01");
        assert_eq!(context.state(), Some("rojo=00f067aa0ba902b7, t@v=x"));
        assert!(context.parent_of(0).ends_with("-0000000000000001-01"));
        let mut headers = BTreeMap::new();
        context.store(&mut headers);
        assert_eq!(TraceContext::of_event(EventId::generate(), &headers), context);
    }

    #[test]
    fn a_trace_that_begins_here_has_the_event_s_id() {
        let event: EventId = "01BX5ZZKBKACTAV9WEVGEMMVRZ".parse().unwrap();
        let context = TraceContext::of_event(event, &BTreeMap::new());
        assert_eq!(context.parent_of(7), format!("00-{:032x}-0000000000000007-01", event.to_bits()));
        assert_eq!(context.state(), None);
        let mut headers = BTreeMap::new();
        context.store(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn parents_are_what_the_standard_says() {
        for (parent, is_valid) in [
            (PARENT, true),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more-still", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-09", true),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false),
            ("00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", false),
            ("0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("", false),
        ] {
            assert_eq!(read(parent, "").is_some(), is_valid, "{parent}");
        }
        assert!(TraceContext::read([PARENT, PARENT].into_iter(), std::iter::empty()).is_none(), "one at most");
        let unknown_flags = read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe", "").unwrap();
        assert!(unknown_flags.parent_of(1).ends_with("-02"));
    }

    #[test]
    fn states_are_what_the_standard_says() {
        let many = (0..33).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join(",");
        let long = format!("k={}", "v".repeat(257));
        for (state, is_valid) in [
            ("rojo=1,congo=2", true),
            ("a=1, ,\tb_-*/=2 3", true),
            ("0tenant@system=x", true),
            ("k=\"quoted\"", true),
            ("a=1,a=2", false),
            ("A=1", false),
            ("a", false),
            ("a=", false),
            ("=1", false),
            ("a=1=2", false),
            ("a=\u{fc}", false),
            ("a@b@c=1", false),
            ("t@a23456789012345=1", false),
            (",", false),
            (&many, false),
            (&long, false),
        ] {
            let context = read(PARENT, state).unwrap();
            assert_eq!(context.state(), is_valid.then_some(state), "{state}");
        }
        let two = TraceContext::read(std::iter::once(PARENT), ["a=1", "b=2"].into_iter()).unwrap();
        assert_eq!(two.state(), Some("a=1,b=2"), "several headers are one list");
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_in_the_same_trace(parent in "\\PC{0,70}|0[01]-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-x)?", state in "\\PC{0,40}", span: u64) {
            if let Some(context) = read(&parent, &state) {
                let written = context.parent_of(span);
                prop_assert_eq!(read(&written, "").map(|again| again.trace), Some(context.trace));
                prop_assert!(context.state().is_none_or(str::is_ascii));
            }
        }
    }
}
