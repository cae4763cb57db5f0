//! Whether a server's clock goes as ours does. Ids, retries and signatures hold times of several machines.

use std::time::Duration;

use chrono::TimeDelta;

use super::check::Check;

const WARNING: TimeDelta = TimeDelta::seconds(1);
/// Receivers refuse signatures that are minutes old; retries and leases go wrong earlier.
const FAILURE: TimeDelta = TimeDelta::seconds(10);
const REMEDY: &str = "keep the clocks of both machines by NTP (chrony, systemd-timesyncd)";

/// Judges a clock that is `ahead` of ours, measured by a question that took `round_trip`.
pub fn judge(name: &'static str, ahead: TimeDelta, round_trip: Duration) -> Check {
    let uncertain = TimeDelta::from_std(round_trip / 2).unwrap_or(TimeDelta::MAX);
    // What the measurement cannot tell is not held against the clock.
    let surely = (ahead.abs() - uncertain).max(TimeDelta::zero());
    let word = if ahead < TimeDelta::zero() { "behind" } else { "ahead" };
    let detail = format!(
        "{} ms {word} of this machine, give or take {} ms",
        ahead.abs().num_milliseconds(),
        uncertain.num_milliseconds()
    );
    if surely > FAILURE {
        Check::failed(name, detail, REMEDY)
    } else if surely > WARNING {
        Check::warning(name, detail, REMEDY)
    } else {
        Check::ok(name, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Verdict;

    #[test]
    fn a_clock_is_judged_by_what_is_sure() {
        let verdict = |ahead, round_trip| {
            judge("clock", TimeDelta::milliseconds(ahead), Duration::from_millis(round_trip)).verdict
        };
        assert_eq!(verdict(900, 0), Verdict::Ok);
        assert_eq!(verdict(1_500, 0), Verdict::Warning);
        assert_eq!(verdict(-1_500, 2_000), Verdict::Ok, "the question took longer");
        assert_eq!(verdict(-11_000, 0), Verdict::Failed);
        assert_eq!(verdict(11_000, 4_000), Verdict::Warning);
    }
}
