//! How a worker takes jobs. Every number is bounded; the defaults suit handlers that wait for the network.

use std::time::Duration;

use super::places::Share;

/// Most ids in one call to Redis.
pub(crate) const BATCH_MAX: usize = 500;
/// Bytes of payload after which a fetch takes no further jobs.
pub(crate) const FETCH_BYTES_MAX: usize = 4 << 20;
/// Dead letters kept by a queue; the oldest give way.
pub(crate) const DEAD_MAX: usize = 10_000;
/// Times a job's worker may die before the job is buried: it probably killed them.
pub(crate) const LOSSES_MAX: usize = 25;

/// Settings of one worker on one queue.
#[derive(Debug, Clone)]
pub struct BackendSettings {
    /// Most jobs taken in one fetch, 1 to 500. Default 100.
    pub batch: usize,
    /// Most jobs running at once. No more than this many are ever taken, so none waits here while another worker is
    /// idle. Default 64.
    pub concurrency: usize,
    /// Failed tries after which a job becomes a dead letter. Default 25.
    pub max_attempts: u32,
    /// Shortest wait after a failed try. Default 1 s.
    pub backoff_min: Duration,
    /// Longest wait after a failed try. Default 60 s.
    pub backoff_max: Duration,
    /// Time between heartbeats. Default 3 s.
    pub heartbeat: Duration,
    /// Age at which a worker's heartbeat is too old and its jobs are given to others. Default 15 s.
    pub lease: Duration,
    /// Longest sleep of an idle worker that nobody wakes. Default 1 s.
    pub poll: Duration,
    /// At shutdown: time for which running jobs may go on before they are handed back. Default 30 s.
    pub drain: Duration,
    /// Its part in the places that several queues of this process share. Default none: only `concurrency` bounds it.
    pub share: Option<Share>,
}

impl Default for BackendSettings {
    fn default() -> Self {
        Self {
            batch: 100,
            concurrency: 64,
            max_attempts: 25,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_mins(1),
            heartbeat: Duration::from_secs(3),
            lease: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            drain: Duration::from_secs(30),
            share: None,
        }
    }
}

impl BackendSettings {
    /// The same settings with each number inside its bounds.
    pub(crate) fn bounded(mut self) -> Self {
        self.batch = self.batch.clamp(1, BATCH_MAX);
        self.concurrency = self.concurrency.clamp(1, 100_000);
        self.max_attempts = self.max_attempts.max(1);
        self.heartbeat = self.heartbeat.max(Duration::from_millis(10));
        self.lease = self.lease.max(self.heartbeat * 3);
        self.backoff_max = self.backoff_max.max(self.backoff_min);
        self
    }

    /// How many jobs one fetch may take when all slots are free.
    pub(crate) fn fetch_max(&self) -> usize {
        self.batch.min(self.concurrency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_brought_into_their_bounds() {
        let settings = BackendSettings {
            batch: 5_000,
            concurrency: 0,
            max_attempts: 0,
            lease: Duration::ZERO,
            ..Default::default()
        }
        .bounded();
        assert_eq!((settings.batch, settings.concurrency, settings.max_attempts), (500, 1, 1));
        assert_eq!(settings.lease, Duration::from_secs(9), "a lease outlives two lost heartbeats");
    }
}
