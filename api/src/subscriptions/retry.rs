//! A subscription's own retry policy, from the several ways in which clients write it.

use posthouse_schema::{project_config::RetryPolicy, words::RetryStrategy};
use serde::Deserialize as _;
use serde_json::Value;

use crate::{error::ApiError, version::parse_duration};

const ATTEMPTS_MAX: i32 = RetryPolicy::ATTEMPTS_MAX;
const WAIT_SECONDS_MAX: i32 = RetryPolicy::WAIT_SECONDS_MAX;

/// The policy that `{"type", "duration" or "interval_seconds", "retry_count"}` asks for. A duration is a text such as `30s`, or
/// a number of seconds.
///
/// # Errors
/// 400 naming the field.
pub fn policy(given: &Value) -> Result<RetryPolicy, ApiError> {
    let strategy = given.get("type").and_then(Value::as_str).and_then(RetryStrategy::parse);
    let strategy = strategy.ok_or_else(|| ApiError::invalid("type:please provide a valid retry strategy type"))?;
    let wait =
        ["duration", "interval_seconds"].into_iter().filter_map(|key| given.get(key)).find(|value| !value.is_null());
    let seconds = match wait {
        Some(Value::String(text)) => parse_duration(text),
        Some(value) => value.as_i64(),
        None => None,
    };
    let seconds = if strategy == RetryStrategy::Custom { seconds.or(Some(0)) } else { seconds };
    let duration = seconds.and_then(|seconds| within(seconds, WAIT_SECONDS_MAX)).ok_or_else(|| {
        ApiError::invalid(format!("duration:a duration between 0s and {WAIT_SECONDS_MAX}s is expected, such as 30s"))
    })?;
    let count = given.get("retry_count").map_or(Some(0), Value::as_i64);
    let retry_count = count
        .and_then(|count| within(count, ATTEMPTS_MAX))
        .ok_or_else(|| ApiError::invalid(format!("retry_count:a number between 0 and {ATTEMPTS_MAX} is expected")))?;
    let schedule: Vec<i32> = match given.get("schedule").filter(|value| !value.is_null()) {
        None => Vec::new(),
        Some(waits) => Vec::deserialize(waits)
            .map_err(|_| ApiError::invalid("schedule:a list of numbers of seconds is expected"))?,
    };
    let deadline = given.get("deadline").filter(|value| !value.is_null()).map_or(Some(0), Value::as_i64);
    let deadline = deadline.and_then(|seconds| i32::try_from(seconds).ok()).unwrap_or(-1);
    let policy = RetryPolicy { strategy, duration, retry_count, schedule, deadline };
    policy.fault().map_or(Ok(policy), |fault| Err(ApiError::invalid(fault.replacen(": ", ":", 1))))
}

fn within(number: i64, max: i32) -> Option<i32> {
    i32::try_from(number).ok().filter(|number| (0..=max).contains(number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_of_writing_it_is_read_and_what_is_wrong_is_named() {
        let exponential = RetryPolicy {
            strategy: RetryStrategy::Exponential,
            duration: 90,
            retry_count: 4,
            schedule: Vec::new(),
            deadline: 0,
        };
        for given in [
            json!({"type": "exponential", "duration": "1m30s", "retry_count": 4}),
            json!({"type": "exponential", "duration": 90, "retry_count": 4}),
            json!({"type": "exponential", "duration": null, "interval_seconds": 90, "retry_count": 4}),
        ] {
            assert_eq!(policy(&given).unwrap(), exponential, "{given}");
        }
        let custom = policy(&json!({"type": "custom", "schedule": [5, 300], "deadline": 3_600})).unwrap();
        assert_eq!((custom.attempts(), custom.first_wait(), custom.deadline), (3, 5, 3_600));
        for (given, field) in [
            (json!({"type": "custom"}), "schedule:between 1 and 99"),
            (json!({"type": "custom", "schedule": [1, 90_000]}), "schedule:numbers of seconds"),
            (json!({"type": "custom", "schedule": "5m"}), "schedule:a list"),
            (json!({"type": "linear", "duration": "1s", "schedule": [1]}), "schedule:only type custom"),
            (json!({"type": "linear", "duration": "1s", "deadline": -1}), "deadline:"),
            (json!({"type": "linear", "duration": "1s", "deadline": "1h"}), "deadline:"),
            (json!({"type": "chaotic", "duration": "30s", "retry_count": 2}), "type:"),
            (json!({"duration": "30s"}), "type:"),
            (json!({"type": "linear"}), "duration:"),
            (json!({"type": "linear", "duration": "soon"}), "duration:"),
            (json!({"type": "linear", "duration": -1}), "duration:"),
            (json!({"type": "linear", "duration": "25h"}), "duration:"),
            (json!({"type": "linear", "duration": "1s", "retry_count": 101}), "retry_count:"),
            (json!({"type": "linear", "duration": "1s", "retry_count": "many"}), "retry_count:"),
        ] {
            let error = policy(&given).unwrap_err().to_string();
            assert!(error.starts_with(field), "{given}: {error}");
        }
    }
}
