//! The way into Redis, the same for every broker. A message may be acknowledged after [`Intake::push`] returned `Ok` for
//! its event, and never before.

use std::time::Duration;

use posthouse_jobs::{CreateEvent, Queues};

use crate::metrics::IngestMetrics;

/// The wait between two attempts while Redis is away.
pub const PUSH_PAUSE: Duration = Duration::from_millis(500);
/// Longest wait for an answer of Redis.
const PUSH_MAX: Duration = Duration::from_secs(10);

/// Where accepted events go, and where they are counted.
#[derive(Clone)]
pub struct Intake {
    /// The queues.
    pub queues: Queues,
    /// The counters.
    pub metrics: IngestMetrics,
}

impl Intake {
    /// Pushes the jobs of these events. After an error some may be in Redis: a repeated push finds them by their ids.
    ///
    /// # Errors
    /// Redis did not confirm; in words.
    pub async fn push(&self, events: &[CreateEvent]) -> Result<(), String> {
        match tokio::time::timeout(PUSH_MAX, self.queues.push_all(events)).await {
            Ok(Ok(_)) => {
                self.metrics.accepted(events.len());
                Ok(())
            }
            Ok(Err(error)) => {
                self.metrics.push_failed();
                Err(format!("{:#}", anyhow::Error::new(error)))
            }
            Err(_) => {
                self.metrics.push_failed();
                Err("Redis did not answer in time".to_owned())
            }
        }
    }
}
