//! Why the queue could not do what was asked.

use std::{path::PathBuf, time::Duration};

use apalis_redis::RedisError;

/// Why a call to a queue failed. Whatever is said here, a push that failed may still have reached Redis.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The address, or the prefix, cannot be used.
    #[error("the Redis settings are not valid: {0}")]
    Settings(&'static str),
    /// A file that the settings name cannot be read.
    #[error(transparent)]
    File(Unreadable),
    /// Redis is unreachable or refused the command.
    #[error("Redis did not accept the command")]
    Redis(#[from] RedisError),
    /// Redis did not answer in time.
    #[error("Redis did not answer within {0:?}")]
    Timeout(Duration),
    /// The payload cannot be written as JSON.
    #[error("the job cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// The operation is not offered here.
    #[error("{0}")]
    Refused(&'static str),
}

/// A file, and why it cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {error}", file.display())]
pub struct Unreadable {
    /// Its path.
    pub file: PathBuf,
    /// What the system says.
    pub error: std::io::Error,
}
