//! What makes a type a job: a payload that can be stored, and the name of its queue.

use serde::{Serialize, de::DeserializeOwned};

/// A typed job. It is stored as JSON, so what is in Redis at a release must be readable by the next: new fields carry
/// `#[serde(default)]`.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// The queue's name, stored in Redis. A new name needs a release in which both names are read. No braces.
    const QUEUE: &'static str;

    /// An id that is unique while the job lives: queued, delayed or running. A second job with the same id is dropped
    /// meanwhile. `None`: every push is a job of its own, named by a fresh ULID.
    fn job_id(&self) -> Option<String> {
        None
    }

    /// Whose job it is, such as a project: lanes take turns, so that none waits behind all that another has pushed. An id
    /// is unique within its lane. No `|`, and no `~` at the end. `None`: the lane of all jobs without one.
    fn lane(&self) -> Option<String> {
        None
    }
}
