//! The connection pool of a role. A checkout costs no round trip; a broken connection is replaced when it fails.

use std::time::Duration;

use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{self, Object},
    },
};

/// A pool of PostgreSQL connections.
pub type Pool = deadpool::Pool<AsyncPgConnection>;
/// A connection on loan from the pool.
pub type PooledConnection = Object<AsyncPgConnection>;
/// Why no connection could be had.
pub type PoolError = deadpool::PoolError;

/// Longest wait for a free or a new connection.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A pool that opens at most `connections_max` connections to `database_url`, lazily.
///
/// # Errors
/// A pool that cannot be built, which only a wrong runtime causes; an unreachable server shows at the first checkout.
pub fn build(database_url: &str, connections_max: usize) -> Result<Pool, deadpool::BuildError> {
    let mut config = ManagerConfig::default();
    // The default asks the server at every checkout, 0.1 ms each; a dead connection fails its query and is dropped.
    config.recycling_method = RecyclingMethod::Fast;
    let manager = AsyncDieselConnectionManager::new_with_config(database_url, config);
    deadpool::Pool::builder(manager)
        .max_size(connections_max)
        .wait_timeout(Some(WAIT_MAX))
        .create_timeout(Some(WAIT_MAX))
        .recycle_timeout(Some(WAIT_MAX))
        .runtime(::deadpool::Runtime::Tokio1)
        .build()
}

/// Answers whether the server answers, for readiness.
///
/// # Errors
/// The reason in words, without credentials.
pub async fn ping(pool: &Pool) -> Result<(), String> {
    use diesel_async::RunQueryDsl as _;
    let mut conn = pool.get().await.map_err(|error| error.to_string())?;
    diesel::sql_query("SELECT 1").execute(&mut conn).await.map_err(|error| error.to_string())?;
    Ok(())
}
