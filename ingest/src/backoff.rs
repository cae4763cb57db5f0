//! Waits between attempts that failed: doubling from 1 s to 60 s, spread so that many sources of one broker do not come
//! back at the same instant.

use std::time::Duration;

use rand::RngExt as _;

const FIRST: Duration = Duration::from_secs(2);
const LAST: Duration = Duration::from_secs(60);

/// The growing wait of one source.
#[derive(Debug)]
pub struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    /// Starts with the shortest wait.
    #[must_use]
    pub const fn new() -> Self {
        Self { ceiling: FIRST }
    }

    /// The next wait: between half its ceiling and its ceiling, which doubles from 2 s to 60 s.
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = self.ceiling;
        self.ceiling = (ceiling * 2).min(LAST);
        rand::rng().random_range(ceiling / 2..=ceiling)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_one_second_to_sixty() {
        let mut backoff = Backoff::new();
        for ceiling in [2, 4, 8, 16, 32, 60, 60, 60] {
            let (wait, ceiling) = (backoff.next_wait(), Duration::from_secs(ceiling));
            assert!(wait >= ceiling / 2 && wait <= ceiling, "{wait:?} of {ceiling:?}");
        }
    }
}
