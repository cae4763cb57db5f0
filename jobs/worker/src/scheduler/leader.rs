//! Which of several schedulers is active: the holder of a lease in PostgreSQL, on the database's clock. A holder that
//! cannot renew stops well before its term ends, so that two never act at once.

use std::time::Duration;

use futures::FutureExt as _;
use posthouse_schema::{
    lease::{self, FencingToken},
    pool::Pool,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The lease's name.
pub const LEASE: &str = "scheduler";
/// How long a term lasts without renewal. Takeover after a crash takes at most this and one [`PERIOD`].
const TERM: Duration = Duration::from_secs(10);
/// How often a holder renews, and a waiting instance asks.
const PERIOD: Duration = Duration::from_secs(2);
/// What a holder keeps in hand: it stops so long before its term can end.
const MARGIN: Duration = Duration::from_secs(1);

/// Where the lease is.
pub trait Lease {
    /// Takes it or renews it, for `term` from now. `None`: somebody else has it.
    fn acquire(
        &self,
        holder: &str,
        term: Duration,
    ) -> impl Future<Output = Result<Option<FencingToken>, String>> + Send;
    /// Gives it back.
    fn release(&self, holder: &str) -> impl Future<Output = Result<(), String>> + Send;
}

/// The row in PostgreSQL.
pub struct LedgerLease<'p>(
    /// Connections to it.
    pub &'p Pool,
);

impl Lease for LedgerLease<'_> {
    async fn acquire(&self, holder: &str, term: Duration) -> Result<Option<FencingToken>, String> {
        let mut conn = self.0.get().await.map_err(|error| error.to_string())?;
        lease::acquire(&mut conn, LEASE, holder, term).await.map_err(|error| error.to_string())
    }

    async fn release(&self, holder: &str) -> Result<(), String> {
        let mut conn = self.0.get().await.map_err(|error| error.to_string())?;
        lease::release(&mut conn, LEASE, holder).await.map_err(|error| error.to_string())
    }
}

/// Waits for the lease, does `work` with each term's token for as long as the term lasts, and waits again; until
/// `shutdown`, where the lease is given back. `work` is stopped by dropping it.
pub async fn lead<F>(lease: &impl Lease, holder: &str, shutdown: &CancellationToken, work: impl Fn(FencingToken) -> F)
where
    F: Future<Output = ()>,
{
    while !shutdown.is_cancelled() {
        if let Some(token) = ask(lease, holder).await {
            tracing::info!(holder, fencing_token = token.0, "This scheduler is active.");
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = keep(lease, holder, token) => tracing::warn!(holder, "This scheduler is no longer active."),
                () = work(token) => {}
            }
            give_back(lease, holder).await;
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// Renews until the lease is lost, or cannot be renewed for so long that it might be.
async fn keep(lease: &impl Lease, holder: &str, token: FencingToken) {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(PERIOD).await;
        let asked = Instant::now();
        match tokio::time::timeout(PERIOD, lease.acquire(holder, TERM)).await {
            Ok(Ok(Some(current))) if current == token => renewed = asked,
            Ok(Ok(_)) => return,
            Ok(Err(error)) => tracing::warn!(error, "The scheduler's lease could not be renewed yet."),
            Err(_) => tracing::warn!("The scheduler's lease could not be renewed in time yet."),
        }
        // The next look may take a period of waiting and one of asking.
        if renewed.elapsed() + 2 * PERIOD > TERM - MARGIN {
            return;
        }
    }
}

/// A connection that hangs is not waited for: whoever waits for it cannot take over.
async fn ask(lease: &impl Lease, holder: &str) -> Option<FencingToken> {
    let asked = tokio::time::timeout(PERIOD, lease.acquire(holder, TERM)).await;
    asked.unwrap_or_else(|_| Err("no answer in time".into())).unwrap_or_else(|error| {
        tracing::warn!(error, "The scheduler's lease could not be asked for.");
        None
    })
}

/// So that a waiting instance need not wait for the term's end; a failure only costs that wait.
async fn give_back(lease: &impl Lease, holder: &str) {
    if let Some(Err(error)) = tokio::time::timeout(PERIOD, lease.release(holder)).map(Result::ok).await {
        tracing::warn!(error, "The scheduler's lease could not be given back.");
    }
}
