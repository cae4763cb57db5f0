//! Passes: what whoever shows a secret is known by, for a while, on every instance. Redis has the hash of the secret, and
//! forgets the pass when its time is over.

use std::{fmt::Write as _, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{QueueError, Queues};

/// What is known of somebody by a secret, as JSON.
pub trait Pass: Serialize + DeserializeOwned {
    /// Which kind of pass it is: the secret of one opens no other.
    const KIND: &'static str;
}

impl Queues {
    /// Keeps a pass for so long, for who shows the secret with this hash.
    ///
    /// # Errors
    /// [`QueueError::Encode`]; [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn keep_pass<P: Pass>(&self, hash: &[u8], pass: &P, life: Duration) -> Result<(), QueueError> {
        let said = serde_json::to_vec(pass).map_err(QueueError::Encode)?;
        let millis = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(self.pass_key::<P>(hash)).arg(said).arg("PX").arg(millis).ignore();
        self.connection.ask(&pipeline).await
    }

    /// The pass of who shows the secret with this hash.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn pass<P: Pass>(&self, hash: &[u8]) -> Result<Option<P>, QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(self.pass_key::<P>(hash));
        let (said,): (Option<Vec<u8>>,) = self.connection.ask(&pipeline).await?;
        Ok(said.and_then(|said| serde_json::from_slice(&said).ok()))
    }

    /// The same, and the pass is gone: of those who ask at the same time, one has it.
    ///
    /// # Errors
    /// As [`Queues::pass`]. It may be gone all the same.
    pub async fn take_pass<P: Pass>(&self, hash: &[u8]) -> Result<Option<P>, QueueError> {
        let key = self.pass_key::<P>(hash);
        let mut pipeline = redis::pipe();
        pipeline.atomic().cmd("GET").arg(&key).cmd("DEL").arg(&key).ignore();
        let (said,): (Option<Vec<u8>>,) = self.connection.ask(&pipeline).await?;
        Ok(said.and_then(|said| serde_json::from_slice(&said).ok()))
    }

    fn pass_key<P: Pass>(&self, hash: &[u8]) -> String {
        let mut key = format!("{{{}:passes}}:{}:", self.prefix, P::KIND);
        for byte in hash {
            write!(key, "{byte:02x}").ok();
        }
        key
    }
}
