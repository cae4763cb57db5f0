//! The lease of a source: of several instances one consumes it. It keeps instances from pushing each other out; that a
//! message is not read twice at once is the broker's doing, which lets a client id have one connection.

use std::time::Duration;

use posthouse_schema::{ids::SourceId, lease, pool::Pool};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

/// How long a lease outlives its holder.
pub const TERM: Duration = Duration::from_secs(10);
/// How often it is renewed, and how often others ask for it.
const PAUSE: Duration = Duration::from_millis(2500);
/// Longest wait for the database.
const ANSWER_MAX: Duration = Duration::from_millis(2500);

/// One instance's claim to one source.
pub struct SourceLease {
    pool: Pool,
    name: String,
    holder: String,
}

impl SourceLease {
    /// A claim that is not yet made.
    #[must_use]
    pub fn new(pool: Pool, source_id: SourceId, holder: &str) -> Self {
        Self { pool, name: format!("ingest:{source_id}"), holder: holder.to_owned() }
    }

    /// Waits until no other instance holds the lease, and takes it. Errors of the database count as held by another.
    pub async fn acquire(&self) {
        while !matches!(self.take().await, Ok(true)) {
            sleep(PAUSE).await;
        }
    }

    /// Renews the lease until another holds it. `is_held` is false while the term has run out unrenewed because the
    /// database cannot be asked: then nobody else can have taken it there either, but it is no longer certain.
    pub async fn keep(&self, is_held: &watch::Sender<bool>) {
        let mut ends_at = Instant::now() + TERM;
        loop {
            sleep(PAUSE).await;
            let asked_at = Instant::now();
            match self.take().await {
                Ok(true) => {
                    ends_at = asked_at + TERM;
                    is_held.send_replace(true);
                }
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(lease = self.name, error, "The lease could not be renewed.");
                    if Instant::now() >= ends_at {
                        is_held.send_replace(false);
                    }
                }
            }
        }
    }

    /// Gives the lease to whoever asks next; without an answer it ends by its term.
    pub async fn release(&self) {
        let released = timeout(ANSWER_MAX, async {
            let mut conn = self.pool.get().await.map_err(|error| error.to_string())?;
            lease::release(&mut conn, &self.name, &self.holder).await.map_err(|error| error.to_string())
        });
        if let Ok(Err(error)) = released.await {
            tracing::debug!(lease = self.name, error, "The lease ends by its term.");
        }
    }

    async fn take(&self) -> Result<bool, String> {
        let taken = timeout(ANSWER_MAX, async {
            let mut conn = self.pool.get().await.map_err(|error| error.to_string())?;
            lease::acquire(&mut conn, &self.name, &self.holder, TERM).await.map_err(|error| error.to_string())
        });
        taken
            .await
            .unwrap_or_else(|_| Err("the database did not answer in time".to_owned()))
            .map(|token| token.is_some())
    }
}
