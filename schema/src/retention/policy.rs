//! How long a project keeps what it has: the instance's days, and the project's own where they are fewer. Nothing is kept
//! longer than what it belongs to.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schedule::ScheduleView;

/// Some time, in whole hours: `72h`, or `3d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetentionPeriod {
    hours: u32,
}

impl RetentionPeriod {
    /// The longest: ten years.
    pub const MAX: Self = Self { hours: 87_600 };
    /// The shortest for events and deliveries. A day's events are counted when it is over, which takes two days.
    pub const ROWS_MIN: Self = Self { hours: 72 };

    /// So many hours.
    #[must_use]
    pub const fn of_hours(hours: u32) -> Self {
        Self { hours }
    }

    fn before(self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - TimeDelta::hours(i64::from(self.hours))
    }
}

impl fmt::Display for RetentionPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}h", self.hours)
    }
}

impl FromStr for RetentionPeriod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("a time such as 720h or 30d is expected, at most {}", Self::MAX);
        let (number, hours_each) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
            (Some(number), _) => (number, 1),
            (None, Some(number)) => (number, 24),
            (None, None) => return Err(expected()),
        };
        // A sign is no digit.
        let number: u32 = if number.bytes().all(|byte| byte.is_ascii_digit()) { number.parse().ok() } else { None }
            .ok_or_else(expected)?;
        let period = Self { hours: number.checked_mul(hours_each).ok_or_else(expected)? };
        if period.hours == 0 || period > Self::MAX { Err(expected()) } else { Ok(period) }
    }
}

impl Serialize for RetentionPeriod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An empty text takes a period back.
fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RetentionPeriod>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    text.filter(|text| !text.is_empty()).map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// A project's own periods; what has none is kept as what it belongs to, and events as the instance keeps them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionPolicy {
    /// Events, and everything that has no period of its own.
    #[serde(deserialize_with = "period", skip_serializing_if = "Option::is_none")]
    pub policy: Option<RetentionPeriod>,
    /// Deliveries.
    #[serde(deserialize_with = "period", skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<RetentionPeriod>,
    /// Attempts.
    #[serde(deserialize_with = "period", skip_serializing_if = "Option::is_none")]
    pub attempts: Option<RetentionPeriod>,
    /// The data of events, which stay themselves.
    #[serde(deserialize_with = "period", skip_serializing_if = "Option::is_none")]
    pub payloads: Option<RetentionPeriod>,
}

impl RetentionPolicy {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What cannot be kept to; the message names the field.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let least = RetentionPeriod::ROWS_MIN;
        let is_short = |period: &Option<RetentionPeriod>| period.is_some_and(|period| period < least);
        let fields = [("policy", &self.policy), ("deliveries", &self.deliveries)];
        let (field, _) = fields.into_iter().find(|(_, period)| is_short(period))?;
        Some(format!("{field}: at least {least} are expected"))
    }
}

/// The schedule whose settings say for how long anything is kept.
const PURGE: &str = "purge_expired";

/// Those settings, as the purge's job has them.
#[derive(Deserialize)]
struct AnnouncedDays {
    retention_days: u16,
    #[serde(default)]
    deliveries_retention_days: Option<u16>,
    #[serde(default)]
    attempts_retention_days: Option<u16>,
    #[serde(default)]
    payload_retention_days: Option<u16>,
}

/// The instance's days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceRetention {
    /// Of events.
    pub events: u16,
    /// Of deliveries, at most those of events.
    pub deliveries: u16,
    /// Of attempts, at most those of deliveries.
    pub attempts: u16,
    /// Of the data of events; `None`: as long as the events.
    pub payloads: Option<u16>,
}

impl InstanceRetention {
    /// These days, each at most those of what it belongs to.
    #[must_use]
    pub fn new(events: u16, deliveries: Option<u16>, attempts: Option<u16>, payloads: Option<u16>) -> Self {
        let deliveries = deliveries.map_or(events, |days| days.min(events));
        let attempts = attempts.map_or(deliveries, |days| days.min(deliveries));
        Self { events, deliveries, attempts, payloads: payloads.filter(|days| *days < events) }
    }

    /// The days that the active scheduler announced; `None`: none has yet.
    ///
    /// # Errors
    /// The database fails.
    pub async fn announced(conn: &mut AsyncPgConnection) -> QueryResult<Option<Self>> {
        let purge = ScheduleView::find(conn, PURGE).await?;
        Ok(purge.and_then(|purge| serde_json::from_value::<AnnouncedDays>(purge.settings).ok()).map(|days| {
            let (deliveries, attempts) = (days.deliveries_retention_days, days.attempts_retention_days);
            Self::new(days.retention_days, deliveries, attempts, days.payload_retention_days)
        }))
    }

    /// What is kept at `now`: whole days.
    #[must_use]
    pub fn horizon(&self, now: DateTime<Utc>) -> Horizon {
        let first = |days: u16| (now.date_naive() - Days::new(days.into())).and_time(NaiveTime::MIN).and_utc();
        Horizon {
            events: first(self.events),
            deliveries: first(self.deliveries),
            attempts: first(self.attempts),
            payloads: self.payloads.map(first),
        }
    }
}

/// What is older than these instants has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Events.
    pub events: DateTime<Utc>,
    /// Deliveries, by their events' time.
    pub deliveries: DateTime<Utc>,
    /// Attempts.
    pub attempts: DateTime<Utc>,
    /// The data of events; `None`: it goes with them.
    pub payloads: Option<DateTime<Utc>>,
}

impl Horizon {
    /// The same for a project with a policy of its own: nothing is kept for longer.
    #[must_use]
    pub fn of(&self, policy: &RetentionPolicy, now: DateTime<Utc>) -> Self {
        let nearer = |instance: DateTime<Utc>, own: Option<RetentionPeriod>| {
            own.map_or(instance, |own| instance.max(own.before(now)))
        };
        let events = nearer(self.events, policy.policy);
        let deliveries = nearer(self.deliveries.max(events), policy.deliveries);
        let attempts = nearer(self.attempts.max(deliveries), policy.attempts);
        let own = policy.payloads.map(|own| own.before(now));
        let payloads = self.payloads.max(own).filter(|payloads| *payloads > events);
        Self { events, deliveries, attempts, payloads }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn periods_are_read_and_written() {
        for (text, hours) in [("72h", 72), ("3d", 72), ("1h", 1), ("3650d", 87_600)] {
            let period: RetentionPeriod = text.parse().unwrap();
            assert_eq!((period, period.to_string()), (RetentionPeriod::of_hours(hours), format!("{hours}h")), "{text}");
        }
        for text in ["", "0h", "0d", "h", "d", "7", "-1h", "+1h", "1.5h", "3651d", "99999999999h", "4294967295d", "1m"]
        {
            assert!(text.parse::<RetentionPeriod>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_policy_is_read_and_an_empty_text_takes_a_period_back() {
        let policy: RetentionPolicy = serde_json::from_value(json!({"policy": "30d", "payloads": ""})).unwrap();
        assert_eq!(serde_json::to_value(policy).unwrap(), json!({"policy": "720h"}));
        assert!(serde_json::from_value::<RetentionPolicy>(json!({"payloads": ""})).unwrap().is_empty());
        assert!(serde_json::from_value::<RetentionPolicy>(json!({"policy": "soon"})).is_err());
        let hours = |hours| Some(RetentionPeriod::of_hours(hours));
        let policy = |policy, deliveries| RetentionPolicy { policy, deliveries, ..RetentionPolicy::default() };
        for (policy, field) in [(policy(hours(71), None), "policy"), (policy(hours(72), hours(1)), "deliveries")] {
            assert!(policy.fault().unwrap().starts_with(field), "{policy:?}");
        }
        assert_eq!(RetentionPolicy { attempts: hours(1), payloads: hours(1), ..policy(hours(72), None) }.fault(), None);
    }

    #[test]
    fn what_belongs_to_something_goes_with_it_or_before() {
        let now = "2026-03-31T12:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let instance = InstanceRetention::new(30, Some(90), None, Some(30)).horizon(now);
        let first = at("2026-03-01T00:00:00Z");
        assert_eq!(instance, Horizon { events: first, deliveries: first, attempts: first, payloads: None });
        let own = RetentionPolicy {
            policy: Some(RetentionPeriod::of_hours(240)),
            payloads: Some(RetentionPeriod::of_hours(24)),
            ..RetentionPolicy::default()
        };
        let (own, events) = (instance.of(&own, now), at("2026-03-21T12:00:00Z"));
        let payloads = Some(at("2026-03-30T12:00:00Z"));
        assert_eq!(own, Horizon { events, deliveries: events, attempts: events, payloads });
        let long = RetentionPolicy { policy: Some(RetentionPeriod::MAX), ..RetentionPolicy::default() };
        assert_eq!(instance.of(&long, now), instance, "nothing is kept longer than by the instance");
    }

    proptest! {
        #[test]
        fn a_project_keeps_no_more_than_the_instance_and_no_part_longer_than_the_whole(
            days in (1_u16..100, proptest::option::of(1_u16..100), proptest::option::of(1_u16..100), proptest::option::of(1_u16..100)),
            own in proptest::array::uniform4(proptest::option::of(1_u32..3_000)),
        ) {
            let now = "2026-03-31T12:34:56Z".parse().unwrap();
            let instance = InstanceRetention::new(days.0, days.1, days.2, days.3).horizon(now);
            let [policy, deliveries, attempts, payloads] = own.map(|hours| hours.map(RetentionPeriod::of_hours));
            let project = instance.of(&RetentionPolicy { policy, deliveries, attempts, payloads }, now);
            for horizon in [instance, project] {
                prop_assert!(horizon.events <= horizon.deliveries && horizon.deliveries <= horizon.attempts);
                prop_assert!(horizon.payloads.is_none_or(|payloads| payloads > horizon.events));
            }
            prop_assert!(instance.events <= project.events && instance.deliveries <= project.deliveries);
            prop_assert!(instance.attempts <= project.attempts);
        }
    }
}
