//! Latencies and their percentiles.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half are quicker.
    pub p50_ms: f64,
    /// Nine of ten are quicker.
    pub p90_ms: f64,
    /// 95 of a hundred are quicker.
    pub p95_ms: f64,
    /// 99 of a hundred are quicker.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Percentiles {
    /// The percentiles of latencies in microseconds; zeros when there are none.
    pub fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        let at = |percent: usize| {
            let rank = (micros.len() * percent).div_ceil(100).max(1) - 1;
            micros.get(rank).map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
        };
        Self { p50_ms: at(50), p90_ms: at(90), p95_ms: at(95), p99_ms: at(99), max_ms: at(100) }
    }
}

/// A duration in whole microseconds, at most an hour and more.
pub fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks() {
        let found = Percentiles::of((1..=1_000).rev().map(|ms| ms * 1_000).collect());
        assert_eq!(found, Percentiles { p50_ms: 500.0, p90_ms: 900.0, p95_ms: 950.0, p99_ms: 990.0, max_ms: 1_000.0 });
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
        assert_eq!(Percentiles::of(vec![3_000]).p99_ms, 3.0);
    }
}
