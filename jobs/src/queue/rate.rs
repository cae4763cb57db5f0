//! Rates that all workers keep together: so many turns in any stretch of time, in the order of asking. A turn that cannot be
//! had at once is promised for a time, and whoever comes back with the promise stands before those who come anew.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    QueueError, Queues,
    script::{Call, TURN, TURNS},
    settings::BATCH_MAX,
};

/// Turns that are remembered for one rate.
const COUNT_MAX: u32 = 10_000;

/// At most so many turns in any stretch of so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

impl Rate {
    /// `count` turns in `period`; `None` where either is nothing. More than 10,000 are kept as a part of them in as small a
    /// part of the time, which allows no more.
    #[must_use]
    pub fn new(count: u32, period: Duration) -> Option<Self> {
        if count == 0 || period.is_zero() {
            return None;
        }
        let kept = count.min(COUNT_MAX);
        let period = period.mul_f64(f64::from(kept) / f64::from(count)).max(Duration::from_millis(1));
        Some(Self { count: kept, period })
    }
}

impl Rate {
    /// `count` turns in so many seconds, as settings have them; `None` where either is nothing.
    #[must_use]
    pub fn of_seconds(count: i32, seconds: i32) -> Option<Self> {
        Self::new(u32::try_from(count).ok()?, Duration::from_secs(u64::try_from(seconds).ok()?))
    }
}

/// What came of asking for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is here, and taken.
    Now,
    /// It is promised for this time.
    At(DateTime<Utc>),
}

/// What came of asking for several turns at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    /// How many were taken.
    pub taken: usize,
    /// Where that is less than was wanted: how long there is no other one.
    pub wait: Duration,
}

impl Queues {
    /// Takes up to `wanted` turns, 500 at most, in the line of this name. Nobody is promised anything: whoever gets too few asks
    /// again. A line is of those who ask like this, or of those who ask one by one, and not of both.
    ///
    /// After a connection was lost during the call, twice as many turns may have been taken.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn take_turns(&self, line: &str, rate: Rate, wanted: usize) -> Result<Turns, QueueError> {
        let mut call = Call::new(&TURNS, &[&format!("{{{}:rate:{line}}}:turns", self.prefix)]);
        let period = u64::try_from(rate.period.as_millis()).unwrap_or(u64::MAX);
        call.arg(rate.count).arg(period).arg(wanted.min(BATCH_MAX));
        let (taken, wait): (usize, u64) = self.connection.call(&call).await?;
        Ok(Turns { taken, wait: Duration::from_millis(wait) })
    }

    /// Asks for a turn in the line of this name, with the time that was promised before, if any. Times are those of Redis'
    /// clock. A line is forgotten when nobody has had a turn for as long as the rate looks back.
    ///
    /// After a connection was lost during the call, two turns may have been taken.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn take_turn(&self, line: &str, rate: Rate, promised: Option<DateTime<Utc>>) -> Result<Turn, QueueError> {
        let tag = format!("{{{}:rate:{line}}}", self.prefix);
        let (turns, end) = (format!("{tag}:turns"), format!("{tag}:line"));
        let mut call = Call::new(&TURN, &[&turns, &end]);
        let period = u64::try_from(rate.period.as_millis()).unwrap_or(u64::MAX);
        call.arg(rate.count).arg(period).arg(promised.map_or(0, |time| time.timestamp_millis()));
        let answer: i64 = self.connection.call(&call).await?;
        Ok(match DateTime::from_timestamp_millis(answer) {
            Some(time) if answer > 0 => Turn::At(time),
            _ => Turn::Now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_rates_are_kept_in_parts() {
        let second = Duration::from_secs(1);
        assert_eq!(Rate::new(0, second), None);
        assert_eq!(Rate::new(1, Duration::ZERO), None);
        assert_eq!(Rate::new(10_000, second), Some(Rate { count: 10_000, period: second }));
        assert_eq!(Rate::new(40_000, second), Some(Rate { count: 10_000, period: second / 4 }));
    }
}
