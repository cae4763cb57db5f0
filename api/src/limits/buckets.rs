//! So many requests a minute for each of many buckets, over all instances together.
//!
//! Redis counts, but is not asked for every request: an instance takes a block of a bucket's limit at once and spends it by
//! itself. So no more than the limit is ever let through in a window; when it is nearly used up, what one instance still
//! holds can be missing at another.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use posthouse_jobs::Queues;

/// The length of a window.
pub const WINDOW: Duration = Duration::from_secs(60);
/// A limit is taken in at least so many blocks.
const BLOCKS: u64 = 20;
/// Buckets that are remembered.
const BUCKETS_MAX: usize = 100_000;

/// Buckets of one kind and one limit.
pub struct Buckets {
    queues: Queues,
    kind: &'static str,
    /// Requests in a window; 0 for no limit.
    limit: u64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// What this instance knows of a bucket in a window.
#[derive(Default)]
struct Bucket {
    window: u64,
    /// Requests that can be let through without asking.
    left: u64,
    /// Taken by this instance.
    taken: u64,
    /// Whether there is nothing left to take.
    is_empty: bool,
    /// Held by whoever asks Redis, so that the others wait for the answer instead of taking blocks as well.
    asking: Arc<tokio::sync::Mutex<()>>,
}

/// Whether a request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Passed,
    /// It may not, before so many seconds have passed.
    Refused {
        /// Requests in a window.
        limit: u64,
        /// Until the window ends; at least 1.
        seconds: u64,
    },
}

/// What this instance can tell by itself.
enum Known {
    Passed,
    Refused,
    Ask(Arc<tokio::sync::Mutex<()>>),
}

impl Buckets {
    /// Buckets of `limit` requests a minute; 0 for no limit.
    #[must_use]
    pub fn new(queues: Queues, kind: &'static str, limit: u64) -> Self {
        Self { queues, kind, limit, buckets: Mutex::default() }
    }

    /// Takes one request from the bucket, at `seconds` of Unix time.
    pub async fn take(&self, bucket: &str, seconds: u64) -> Verdict {
        if self.limit == 0 {
            return Verdict::Passed;
        }
        let window = seconds / WINDOW.as_secs();
        let refused = Verdict::Refused { limit: self.limit, seconds: WINDOW.as_secs() - seconds % WINDOW.as_secs() };
        let asking = match self.known(bucket, window) {
            Known::Passed => return Verdict::Passed,
            Known::Refused => return refused,
            Known::Ask(asking) => asking,
        };
        let _asking = asking.lock().await;
        // Whoever asked meanwhile may have got enough for this request as well.
        match self.known(bucket, window) {
            Known::Passed => return Verdict::Passed,
            Known::Refused => return refused,
            Known::Ask(_) => {}
        }
        let granted = self.ask(bucket, window).await;
        self.add(bucket, window, granted);
        if granted == 0 { refused } else { Verdict::Passed }
    }

    /// Takes a block from Redis. Without Redis, each instance counts for itself: what is behind the API may still work.
    async fn ask(&self, bucket: &str, window: u64) -> u64 {
        let wanted = (self.limit / BLOCKS).max(1);
        let name = format!("{}:{bucket}", self.kind);
        match self.queues.take_tokens(&name, window, WINDOW, self.limit, wanted).await {
            Ok(granted) => granted,
            Err(error) => {
                tracing::warn!(%error, kind = self.kind, "Rate limits are not shared while Redis is away.");
                wanted.min(self.limit.saturating_sub(self.taken(bucket, window)))
            }
        }
    }

    fn known(&self, bucket: &str, window: u64) -> Known {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(bucket) {
            buckets.retain(|_, bucket| bucket.window >= window);
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        if !buckets.contains_key(bucket) {
            buckets.insert(bucket.to_string(), Bucket { window, ..Bucket::default() });
        }
        let Some(bucket) = buckets.get_mut(bucket) else { return Known::Refused };
        if bucket.window < window {
            *bucket = Bucket { window, asking: Arc::clone(&bucket.asking), ..Bucket::default() };
        }
        if bucket.left > 0 {
            bucket.left -= 1;
            return Known::Passed;
        }
        if bucket.is_empty { Known::Refused } else { Known::Ask(Arc::clone(&bucket.asking)) }
    }

    /// Adds what was granted, less the request that it was asked for; the window may have ended meanwhile.
    fn add(&self, bucket: &str, window: u64, granted: u64) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(bucket).filter(|bucket| bucket.window == window) {
            bucket.left += granted.saturating_sub(1);
            bucket.taken += granted;
            bucket.is_empty = granted == 0;
        }
    }

    /// What this instance has taken of the bucket.
    fn taken(&self, bucket: &str, window: u64) -> u64 {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.get(bucket).filter(|bucket| bucket.window == window).map_or(0, |bucket| bucket.taken)
    }
}
