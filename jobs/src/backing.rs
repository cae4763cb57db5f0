//! The backing services of a role: a ledger with nothing left to migrate, and queues.

mod usage;

use std::{error::Error, path::PathBuf};

use futures::FutureExt as _;
pub use posthouse_schema::pool::Purpose;
use posthouse_schema::{
    migrations, pool,
    pool::Pool,
    sealed::{self, Keys, KeysError},
};
use posthouse_service::{
    metrics::Metrics,
    probes::Checks,
    settings::{DatabaseSettings, RedisSettings},
    start,
};
use secrecy::{ExposeSecret as _, SecretString};

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
    /// The keys of secrets cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysFault),
    /// The pool's settings are unusable.
    #[error("no connection pool can be made: {0}")]
    Pool(Box<dyn Error + Send + Sync>),
}

/// Why the keys of secrets cannot be used. None of these tells a key.
#[derive(Debug, thiserror::Error)]
pub enum KeysFault {
    /// They are named twice.
    #[error("POSTHOUSE_SECRETS_KEY and POSTHOUSE_SECRETS_KEY_FILE are both set: one is enough")]
    Both,
    /// Their file cannot be read.
    #[error("the keys of secrets cannot be read from {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// They are none.
    #[error("POSTHOUSE_SECRETS_KEY cannot be used: {0}")]
    Form(#[from] KeysError),
}

/// Gives this process the keys that the settings name, before it reads or writes a secret. Once; later calls change nothing.
///
/// # Errors
/// See [`KeysFault`].
pub fn install_keys(settings: &DatabaseSettings) -> Result<(), KeysFault> {
    let is_set = |text: &&SecretString| !text.expose_secret().trim().is_empty();
    let named = |file: &&PathBuf| !file.as_os_str().is_empty();
    let text = match (settings.secrets_key.as_ref().filter(is_set), settings.secrets_key_file.as_ref().filter(named)) {
        (Some(_), Some(_)) => return Err(KeysFault::Both),
        (Some(text), None) => text.expose_secret().to_owned(),
        (None, Some(file)) => std::fs::read_to_string(file).map_err(|error| KeysFault::File(file.to_owned(), error))?,
        (None, None) => return Ok(()),
    };
    let keys = Keys::parse(&text)?;
    if sealed::install(keys) {
        tracing::debug!(keys = ?sealed::keys(), "The keys of secrets were read.");
    }
    Ok(())
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
        install_keys(database)?;
        if sealed::keys().current().is_none() {
            tracing::warn!("Secrets are stored in the clear: POSTHOUSE_SECRETS_KEY names no key that seals them.");
        }
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
