//! What must be true before the role starts: the database is reachable and migrated, and Redis answers.

use anyhow::{Context as _, bail};
use posthouse_jobs::{QueueError, Queues};
use posthouse_schema::{migrations, pool};
use posthouse_service::start::retry;
use secrecy::ExposeSecret as _;

use crate::config::Config;

/// Connections to what the role depends on.
///
/// # Errors
/// PostgreSQL or Redis stays unreachable, or the database lacks migrations of this build.
pub async fn connect(config: &Config) -> anyhow::Result<(pool::Pool, Queues)> {
    let database_url = config.database.database_url.expose_secret();
    let pending =
        retry("PostgreSQL", || async { migrations::pending(database_url).await.map_err(with_causes) }).await?;
    if !pending.is_empty() {
        bail!("the database lacks {} migration(s); run `posthouse migrate` first", pending.len());
    }
    let pool =
        pool::build(database_url, config.database.database_pool_max).context("no connection pool can be made")?;
    let queues = retry("Redis", || async { queues(config).await.map_err(with_causes) }).await?;
    Ok((pool, queues))
}

async fn queues(config: &Config) -> Result<Queues, QueueError> {
    let queues = Queues::connect(config.redis.redis_url.expose_secret(), &config.redis.redis_prefix).await?;
    queues.ping().await?;
    Ok(queues)
}

fn with_causes(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}
