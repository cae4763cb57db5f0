//! When an endpoint's circuit breaker opens and closes, as a project sets it.

use serde::Serialize;
use serde_json::Value;

/// The thresholds in force, contract section 2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CircuitBreakerConfig {
    /// Seconds between two samples. Of no effect: every attempt counts when it ends.
    pub sample_rate: u32,
    /// Seconds that it stays open before it is probed.
    pub error_timeout: u32,
    /// Failures in a hundred attempts that open it; 0: it never opens.
    pub failure_threshold: u32,
    /// Successes that close it, in a hundred of [`Self::minimum_request_count`].
    pub success_threshold: u32,
    /// Attempts below which it does not open.
    pub minimum_request_count: u32,
    /// Minutes for which attempts count.
    pub observability_window: u32,
    /// How often in a row it opens until the endpoint is disabled, in projects that disable endpoints.
    pub consecutive_failure_threshold: u32,
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        Self {
            sample_rate: 30,
            error_timeout: 30,
            failure_threshold: 70,
            success_threshold: 5,
            minimum_request_count: 10,
            observability_window: 5,
            consecutive_failure_threshold: 10,
        }
    }
}

impl CircuitBreakerConfig {
    /// The defaults with what a project sets itself.
    #[must_use]
    pub fn of(own: Option<&Value>) -> Self {
        let mut config = Self::default();
        let Some(own) = own.and_then(Value::as_object) else { return config };
        for (name, threshold) in [
            ("sample_rate", &mut config.sample_rate),
            ("error_timeout", &mut config.error_timeout),
            ("failure_threshold", &mut config.failure_threshold),
            ("success_threshold", &mut config.success_threshold),
            ("minimum_request_count", &mut config.minimum_request_count),
            ("observability_window", &mut config.observability_window),
            ("consecutive_failure_threshold", &mut config.consecutive_failure_threshold),
        ] {
            if let Some(given) = own.get(name).and_then(Value::as_u64) {
                *threshold = u32::try_from(given).unwrap_or(u32::MAX);
            }
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_project_does_not_set_is_the_default() {
        let own = serde_json::json!({"failure_threshold": 50, "error_timeout": null, "observability_window": 2});
        let expected =
            CircuitBreakerConfig { failure_threshold: 50, observability_window: 2, ..CircuitBreakerConfig::default() };
        assert_eq!(CircuitBreakerConfig::of(Some(&own)), expected);
        assert_eq!(CircuitBreakerConfig::of(None), CircuitBreakerConfig::default());
    }
}
