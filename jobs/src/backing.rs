//! The backing services of a role: a ledger with nothing left to migrate, and queues.

mod usage;

use std::error::Error;

use futures::FutureExt as _;
pub use posthouse_schema::pool::Purpose;
use posthouse_schema::{migrations, pool, pool::Pool};
use posthouse_service::{
    metrics::Metrics,
    probes::Checks,
    settings::{DatabaseSettings, RedisSettings},
    start,
};
use secrecy::ExposeSecret as _;

use crate::Queues;

/// Connections to both. Cheap to clone.
#[derive(Clone)]
pub struct Backing {
    /// The ledger.
    pub pool: Pool,
    /// The queues.
    pub queues: Queues,
}

/// Why a role cannot start, in a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BackingError {
    /// One of them does not answer.
    #[error(transparent)]
    Unreachable(#[from] start::Unreachable),
    /// The ledger is older than this build.
    #[error("the database has {} pending migration(s), {}: run `posthouse migrate` first", .0.len(), .0.join(", "))]
    Pending(Vec<String>),
    /// The pool's settings are unusable.
    #[error("no connection pool can be made: {0}")]
    Pool(Box<dyn Error + Send + Sync>),
}

impl Backing {
    /// Connects to both; what is not there yet gets a few seconds. `purpose` is what the ledger is used for.
    ///
    /// # Errors
    /// See [`BackingError`].
    pub async fn connect(
        database: &DatabaseSettings,
        redis: &RedisSettings,
        purpose: Purpose,
    ) -> Result<Self, BackingError> {
        let url = database.database_url.expose_secret();
        let pending = start::retry("PostgreSQL", || async { migrations::pending(url).await.map_err(in_full) }).await?;
        if !pending.is_empty() {
            return Err(BackingError::Pending(pending));
        }
        let pool =
            pool::build(url, database.database_pool_max, purpose).map_err(|error| BackingError::Pool(error.into()))?;
        let connect = || async { Queues::open(redis).await };
        let queues = start::retry("Redis", || async { connect().await.map_err(in_full) }).await?;
        Ok(Self { pool, queues })
    }

    /// Registers how both are used.
    pub fn register(&self, metrics: &Metrics) {
        metrics.collect(usage::DatabaseUsage(self.pool.clone()));
        self.queues.register(metrics);
    }

    /// Ready means that both answer.
    #[must_use]
    pub fn checks(&self) -> Checks {
        let (pool, queues) = (self.pool.clone(), self.queues.clone());
        let postgres = move || {
            let pool = pool.clone();
            async move { pool::ping(&pool).await }.boxed()
        };
        let redis = move || {
            let queues = queues.clone();
            async move { queues.ping().await.map_err(|error| error.to_string()) }.boxed()
        };
        Checks::new().add("postgres", postgres).add("redis", redis)
    }
}

/// The error with its causes, in one line.
fn in_full(error: impl Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
