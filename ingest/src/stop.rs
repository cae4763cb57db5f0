//! The request to stop consuming a source, and what shall become of what its broker keeps for it.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// What happens to the session at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// It stays: this or another instance goes on with it later.
    Keep,
    /// It goes: its source is gone or moves elsewhere.
    Forget,
}

/// A request that can be made once and waited for by many.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    farewell: Arc<OnceLock<Farewell>>,
}

impl Stop {
    /// Makes the request; a later one changes nothing.
    pub fn request(&self, farewell: Farewell) {
        self.farewell.get_or_init(|| farewell);
        self.token.cancel();
    }

    /// Returns when the request was made, at once if it was before.
    pub async fn requested(&self) -> Farewell {
        self.token.cancelled().await;
        self.farewell.get().copied().unwrap_or(Farewell::Keep)
    }

    /// Whether the request was made.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// A token that this request cancels, and that can be cancelled alone.
    #[must_use]
    pub fn child(&self) -> CancellationToken {
        self.token.child_token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_request_counts() {
        let stop = Stop::default();
        let child = stop.child();
        assert!(!stop.is_requested());
        stop.request(Farewell::Forget);
        stop.request(Farewell::Keep);
        assert_eq!(stop.requested().await, Farewell::Forget);
        assert!(child.is_cancelled());
    }
}
