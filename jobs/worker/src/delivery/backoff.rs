//! How long to wait after a failed attempt. Pure: chance comes in as a number.

use std::time::Duration;

use posthouse_schema::words::RetryStrategy;

/// No wait is longer, whatever the project or the endpoint asks for.
pub const WAIT_MAX: Duration = Duration::from_secs(7200);
/// Jitter of exponential waits, so that what failed together does not come back together.
const JITTER_MAX: Duration = Duration::from_secs(5);

/// A delivery's retry policy, as copied onto it when it was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule<'w> {
    /// How the wait grows.
    pub strategy: RetryStrategy,
    /// The first wait.
    pub interval: Duration,
    /// Attempts in total.
    pub attempts_max: u32,
    /// The waits of a custom strategy, in seconds; its last one counts on.
    pub waits: &'w [i32],
}

impl Schedule<'_> {
    /// The wait after attempt number `attempt` (from 1) failed, or `None` when it was the last. `chance` in 0..1 places
    /// the jitter. An endpoint's own `Retry-After` can only lengthen the wait.
    #[must_use]
    pub fn wait_after(&self, attempt: u32, chance: f64, retry_after: Option<Duration>) -> Option<Duration> {
        if attempt >= self.attempts_max.max(1) {
            return None;
        }
        let wait = match self.strategy {
            RetryStrategy::Linear => self.interval.min(WAIT_MAX),
            // As long as was asked for: it was checked when it was set.
            RetryStrategy::Custom => {
                let at = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
                let wait = self.waits.get(at).or(self.waits.last()).copied();
                wait.map_or(self.interval, |seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
            }
            RetryStrategy::Exponential => {
                let doubled =
                    2_u32.checked_pow(attempt.saturating_sub(1)).and_then(|factor| self.interval.checked_mul(factor));
                doubled.unwrap_or(WAIT_MAX).min(WAIT_MAX) + JITTER_MAX.mul_f64(chance.clamp(0.0, 1.0))
            }
        };
        Some(wait.max(retry_after.unwrap_or_default().min(WAIT_MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(strategy: RetryStrategy, seconds: u64, attempts_max: u32) -> Schedule<'static> {
        Schedule { strategy, interval: Duration::from_secs(seconds), attempts_max, waits: &[] }
    }

    #[test]
    fn linear_waits_alike_and_ends_after_the_last_attempt() {
        let linear = schedule(RetryStrategy::Linear, 100, 3);
        let waits: Vec<_> = (1..=4).map(|attempt| linear.wait_after(attempt, 0.9, None)).collect();
        assert_eq!(waits, [Some(Duration::from_secs(100)), Some(Duration::from_secs(100)), None, None]);
    }

    #[test]
    fn exponential_doubles_up_to_the_limit_with_jitter() {
        let exponential = schedule(RetryStrategy::Exponential, 10, 100);
        for (attempt, seconds) in [(1, 10), (2, 20), (3, 40), (10, 5_120), (11, 7_200), (40, 7_200), (99, 7_200)] {
            assert_eq!(
                exponential.wait_after(attempt, 0.0, None),
                Some(Duration::from_secs(seconds)),
                "attempt {attempt}"
            );
        }
        assert_eq!(exponential.wait_after(1, 0.5, None), Some(Duration::from_millis(12_500)));
    }

    #[test]
    fn a_custom_schedule_waits_as_it_says() {
        let custom = Schedule { waits: &[5, 300, 86_400], ..schedule(RetryStrategy::Custom, 9, 4) };
        let waits: Vec<_> = (1..=4).map(|attempt| custom.wait_after(attempt, 0.9, None)).collect();
        assert_eq!(waits, [Some(5), Some(300), Some(86_400), None].map(|wait| wait.map(Duration::from_secs)));
        assert_eq!(Schedule { attempts_max: 6, ..custom }.wait_after(5, 0.0, None), Some(Duration::from_secs(86_400)));
        let empty = Schedule { waits: &[], ..custom };
        assert_eq!(empty.wait_after(1, 0.0, None), Some(Duration::from_secs(9)), "as of meta events");
    }

    #[test]
    fn zero_attempts_count_as_one() {
        assert_eq!(schedule(RetryStrategy::Linear, 1, 0).wait_after(1, 0.0, None), None);
    }

    #[test]
    fn retry_after_lengthens_within_bounds() {
        let linear = schedule(RetryStrategy::Linear, 10, 3);
        assert_eq!(linear.wait_after(1, 0.0, Some(Duration::from_secs(3))), Some(Duration::from_secs(10)));
        assert_eq!(linear.wait_after(1, 0.0, Some(Duration::from_secs(60))), Some(Duration::from_secs(60)));
        assert_eq!(linear.wait_after(1, 0.0, Some(Duration::from_secs(1_000_000))), Some(WAIT_MAX));
    }
}
