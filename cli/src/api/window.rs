//! A span of time that a command is about, as flags and as the API's dates.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use posthouse_service::settings::duration;

use super::client::Query;

/// As the API reads dates, in UTC.
const DATE: &str = "%Y-%m-%dT%H:%M:%S";

/// When what is meant was accepted.
#[derive(Debug, Clone, clap::Args)]
pub struct Window {
    /// Accepted since so long ago, such as 90m or 7d.
    #[arg(long, help_heading = "Window", value_name = "DURATION", value_parser = duration, conflicts_with = "from")]
    since: Option<Duration>,
    /// Accepted from this time on: 2026-11-26T09:00:00Z, or a day; UTC where no zone is given.
    #[arg(long, help_heading = "Window", value_name = "TIME", value_parser = time)]
    from: Option<DateTime<Utc>>,
    /// Accepted up to this time.
    #[arg(long, help_heading = "Window", value_name = "TIME", value_parser = time)]
    to: Option<DateTime<Utc>>,
}

impl Window {
    /// Whether anything was given.
    #[must_use]
    pub const fn is_given(&self) -> bool {
        self.since.is_some() || self.from.is_some() || self.to.is_some()
    }

    /// From when to when; `None` where nothing was given.
    #[must_use]
    pub fn bounds(&self, now: DateTime<Utc>) -> Option<posthouse_archive::Window> {
        let from = self.from.or_else(|| self.since.map(|ago| before(now, ago))).unwrap_or(DateTime::UNIX_EPOCH);
        self.is_given().then(|| posthouse_archive::Window { from, to: self.to.unwrap_or(now) })
    }

    /// The same for the API.
    #[must_use]
    pub fn query(&self, now: DateTime<Utc>) -> Query {
        let start = self.from.or_else(|| self.since.map(|ago| before(now, ago)));
        let start = start.map(|time| ("startDate", date(time)));
        start.into_iter().chain(self.to.map(|time| ("endDate", date(time)))).collect()
    }
}

/// A time as the API reads it.
#[must_use]
pub fn date(time: DateTime<Utc>) -> String {
    time.format(DATE).to_string()
}

/// So long before; the earliest time there is where that would be earlier.
#[must_use]
pub fn before(now: DateTime<Utc>, ago: Duration) -> DateTime<Utc> {
    let ago = chrono::TimeDelta::from_std(ago).ok();
    ago.and_then(|ago| now.checked_sub_signed(ago)).unwrap_or(DateTime::UNIX_EPOCH)
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    if let Ok(time) = NaiveDateTime::parse_from_str(text, DATE) {
        return Ok(time.and_utc());
    }
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => Ok(day.and_time(NaiveTime::MIN).and_utc()),
        Err(_) => Err("a time such as 2026-11-26T09:00:00Z, or a day such as 2026-11-26, is expected".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        let expected: DateTime<Utc> = "2026-11-26T09:00:00Z".parse().unwrap();
        for text in ["2026-11-26T09:00:00Z", "2026-11-26T10:00:00+01:00", "2026-11-26T09:00:00"] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        assert_eq!(date(time("2026-11-26").unwrap()), "2026-11-26T00:00:00");
        for text in ["", "yesterday", "2026-13-01", "09:00"] {
            assert!(time(text).unwrap_err().contains("such as"), "{text}");
        }
    }

    #[test]
    fn windows_become_the_api_s_dates() {
        let now = time("2026-11-26T09:00:00").unwrap();
        let window = Window { since: Some(Duration::from_secs(5_400)), from: None, to: Some(now) };
        let expected =
            vec![("startDate", "2026-11-26T07:30:00".to_string()), ("endDate", "2026-11-26T09:00:00".into())];
        assert_eq!(window.query(now), expected);
        assert!(window.is_given());
        let nothing = Window { since: None, from: None, to: None };
        assert!(nothing.query(now).is_empty() && !nothing.is_given());
        assert_eq!(before(now, Duration::MAX), DateTime::UNIX_EPOCH);
    }
}
