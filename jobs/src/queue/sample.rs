//! What a queue looks like at a moment, for metrics. It costs the same whatever the backlog.

use std::time::Duration;

use super::{
    QueueError, QueueView,
    inspect::Counts,
    script::{Call, OLDEST},
};

/// Lanes that are looked at for their oldest job. Lanes take turns, so those behind them wait no longer.
const LANES_MAX: usize = 100;

/// A queue at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its numbers.
    pub counts: Counts,
    /// How long the oldest job that may run has waited for a worker; zero where none waits. Jobs that came back after a delay
    /// count from when they were due, until a worker has had room for them.
    pub oldest: Duration,
    /// Whether it is paused.
    pub is_paused: bool,
}

impl QueueView {
    /// The queue as it is now.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`].
    pub async fn sample(&self) -> Result<Sample, QueueError> {
        let keys = &self.keys;
        let names = [keys.jobs(), keys.ready(), keys.lanes(), keys.delayed(), keys.paused()];
        let mut call = Call::new(&OLDEST, &names.each_ref().map(String::as_str));
        call.arg(LANES_MAX);
        let (waited_ms, is_paused): (u64, bool) = self.connection.call(&call).await?;
        let counts = self.counts().await?;
        Ok(Sample { counts, oldest: Duration::from_millis(waited_ms), is_paused })
    }
}
