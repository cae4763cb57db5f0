//! Counts that all instances share: so many of something in a window of time, and no more.

use std::time::Duration;

use super::{
    QueueError, Queues,
    script::{Call, TAKE},
};

impl Queues {
    /// Takes up to `wanted` of the `limit` that the bucket has in the window, and tells how many it got. A window is
    /// named by whoever asks; its count is kept for twice its `length`.
    ///
    /// After a connection was lost during the call, what the first try took is gone.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn take_tokens(
        &self,
        bucket: &str,
        window: u64,
        length: Duration,
        limit: u64,
        wanted: u64,
    ) -> Result<u64, QueueError> {
        // The bucket is part of the hash tag, so that buckets spread over a Cluster.
        let key = format!("{{{}:tokens:{bucket}}}:{window}", self.prefix);
        let mut call = Call::new(&TAKE, &[&key]);
        let kept = u64::try_from(length.as_millis()).unwrap_or(u64::MAX).saturating_mul(2);
        call.arg(limit).arg(wanted).arg(kept);
        self.connection.call(&call).await
    }
}
