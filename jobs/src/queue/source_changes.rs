//! The news that sources of brokers have changed. Ingest looks into the database by itself too, so news that nobody hears only
//! takes effect later.

use std::convert::Infallible;

use tokio::sync::Notify;

use super::{QueueError, Queues, outage::Outage, wake::wake_at};

impl Queues {
    /// Tells whoever follows the sources that something about them has changed, after the change is committed.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn announce_source_change(&self) -> Result<(), QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("PUBLISH").arg(self.source_changes()).arg("").ignore();
        self.connection.ask(&pipeline).await
    }

    /// Wakes whoever waits at each such news, and when it begins to listen, since some may have gone by. For as long as it is
    /// polled.
    pub async fn hear_source_changes(&self, changed: &Notify) -> Infallible {
        let outage = Outage::of_none("Listening for changes of sources");
        wake_at(&self.connection, &self.source_changes(), changed, outage).await
    }

    fn source_changes(&self) -> String {
        format!("{{{}:sources}}:changed", self.prefix)
    }
}
