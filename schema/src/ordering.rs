//! What becomes of an endpoint's lines of deliveries when the first of one keeps failing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::words::FailingHead;

/// As an endpoint sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordering {
    /// What becomes of the line.
    pub failing_head: FailingHead,
    /// After so many attempts; of no meaning where the line waits.
    #[serde(default)]
    pub attempts: u32,
}

impl Ordering {
    /// What an endpoint that sets nothing has.
    pub const DEFAULT: Self = Self { failing_head: FailingHead::Block, attempts: 0 };

    /// As it is stored.
    #[must_use]
    pub fn of(stored: Option<&Value>) -> Self {
        stored.and_then(|stored| Self::deserialize(stored).ok()).unwrap_or(Self::DEFAULT)
    }
}
