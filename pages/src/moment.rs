//! Times as people read them: how long ago, with the exact instant in the title.

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

/// How long ago this was, or how long until it is.
#[must_use]
pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(at.to_rfc3339_opts(SecondsFormat::Millis, true)) title=(exact(at)) data-relative { (relative(at, now)) }
    }
}

/// The exact instant.
#[must_use]
pub fn exact(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    let amount = match seconds.unsigned_abs() {
        0..=4 => return "just now".into(),
        seconds @ 5..=89 => format!("{seconds} s"),
        seconds @ 90..=5_399 => format!("{} min", seconds / 60),
        seconds @ 5_400..=129_599 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    };
    if seconds >= 0 { format!("{amount} ago") } else { format!("in {amount}") }
}

/// A number of milliseconds, with the unit that suits it.
#[must_use]
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{:.0} µs", ms * 1_000.0),
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms => format!("{:.0} min", ms / 60_000.0),
    }
}

/// A count, with its thousands set apart.
#[must_use]
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn times_and_numbers_are_short() {
        let now = Utc::now();
        for (seconds, expected) in [
            (2, "just now"),
            (30, "30 s ago"),
            (120, "2 min ago"),
            (7_200, "2 h ago"),
            (200_000, "2 days ago"),
            (-30, "in 30 s"),
        ] {
            assert_eq!(relative(now - TimeDelta::seconds(seconds), now), expected);
        }
        for (ms, expected) in
            [(0.25, "250 µs"), (3.21, "3.2 ms"), (250.0, "250 ms"), (1_500.0, "1.5 s"), (120_000.0, "2 min")]
        {
            assert_eq!(milliseconds(ms), expected);
        }
        assert_eq!(
            (count(0), count(999), count(1_000), count(-1_234_567)),
            ("0".into(), "999".into(), "1,000".into(), "-1,234,567".into())
        );
    }
}
