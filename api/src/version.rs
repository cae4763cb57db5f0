//! The API's version by header, contract section 1.5: what older clients expect of endpoints. A text that is no date is
//! older than everything.

use chrono::NaiveDate;
use salvo::prelude::*;
use serde_json::Value;

/// The version that the API speaks by itself.
pub const CURRENT: &str = "2025-11-24";

/// What a client of some version expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Durations are texts such as `10s`.
    pub has_text_durations: bool,
    /// `url` and `name` are `target_url` and `title` in answers.
    pub has_old_names: bool,
}

impl Version {
    /// What the newest clients expect.
    pub const NEWEST: Self = Self { has_text_durations: false, has_old_names: false };

    /// The version that the request asks for.
    #[must_use]
    pub fn of(req: &Request) -> Self {
        let Some(text) = req.header::<String>("x-convoy-version").filter(|text| !text.is_empty()) else {
            return Self::NEWEST;
        };
        let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").unwrap_or(NaiveDate::MIN);
        let is_before = |year, month| NaiveDate::from_ymd_opt(year, month, 1).is_some_and(|change| date < change);
        Self { has_text_durations: is_before(2024, 1), has_old_names: is_before(2024, 4) }
    }

    /// Turns an endpoint into what the client expects.
    pub fn adapt(self, endpoint: &mut Value) {
        let Value::Object(fields) = endpoint else { return };
        if self.has_text_durations {
            for name in ["http_timeout", "rate_limit_duration"] {
                if let Some(seconds) = fields.get(name).and_then(Value::as_i64) {
                    fields.insert(name.into(), duration_text(seconds).into());
                }
            }
        }
        if self.has_old_names {
            for (name, old) in [("url", "target_url"), ("name", "title")] {
                if let Some(value) = fields.remove(name) {
                    fields.insert(old.into(), value);
                }
            }
        }
    }
}

/// As `1h0m5s`, `1m0s` or `5s`.
fn duration_text(seconds: i64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// Reads a duration as older clients write it: `10s`, `1m`, `1h30m`; whole seconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    let (mut rest, mut seconds) = (text, 0_i64);
    while !rest.is_empty() {
        let split = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(split)?;
        let number: i64 = number.parse().ok()?;
        let (unit, length) = match tail {
            _ if tail.starts_with("ms") => (0, 2),
            _ if tail.starts_with('s') => (1, 1),
            _ if tail.starts_with('m') => (60, 1),
            _ if tail.starts_with('h') => (3600, 1),
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = tail.get(length..)?;
    }
    (!text.is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back() {
        for (seconds, text) in
            [(0, "0s"), (10, "10s"), (60, "1m0s"), (90, "1m30s"), (3_600, "1h0m0s"), (3_661, "1h1m1s")]
        {
            assert_eq!(duration_text(seconds), text);
            assert_eq!(parse_duration(text), Some(seconds));
        }
        assert_eq!((parse_duration("1m"), parse_duration("500ms")), (Some(60), Some(0)));
        for text in ["", "10", "s", "1d", "-1s", "1s2"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn endpoints_are_adapted_to_their_client() {
        let adapted = |has_text_durations, has_old_names| {
            let mut value = serde_json::json!({"url": "u", "name": "n", "http_timeout": 10, "rate_limit_duration": 60});
            Version { has_text_durations, has_old_names }.adapt(&mut value);
            value
        };
        assert_eq!(
            adapted(true, true),
            serde_json::json!({"target_url": "u", "title": "n", "http_timeout": "10s", "rate_limit_duration": "1m0s"})
        );
        assert_eq!(
            adapted(false, false),
            serde_json::json!({"url": "u", "name": "n", "http_timeout": 10, "rate_limit_duration": 60})
        );
    }
}
