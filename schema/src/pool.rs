//! The connection pool of a role. A checkout costs no round trip; a broken connection is replaced when it fails.

use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection as _,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{self, Object},
    },
};
use futures::FutureExt as _;

use crate::connect::connect;

/// A pool of PostgreSQL connections.
pub type Pool = deadpool::Pool<AsyncPgConnection>;
/// A connection on loan from the pool.
pub type PooledConnection = Object<AsyncPgConnection>;
/// Why no connection could be had.
pub type PoolError = deadpool::PoolError;

/// Longest wait for a free or a new connection.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What a pool's connections are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Anything.
    General,
    /// Batches of rows by their keys. The planner must not read a whole partition instead because it was small when the
    /// statement was first planned.
    Lookups,
}

/// Compiling a statement never pays for the few rows that ours read. Beside the settings below PostgreSQL would do it for the
/// smallest, because it takes the price of a forbidden plan for that of a large one: 15 to 40 ms each time.
const ALWAYS: &str = "SET jit = off";
const LOOKUPS: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
    SET enable_material = off; SET plan_cache_mode = force_generic_plan";

/// A pool that opens at most `connections_max` connections to `database_url`, lazily.
///
/// # Errors
/// A pool that cannot be built, which only a wrong runtime causes; an unreachable server shows at the first checkout.
pub fn build(database_url: &str, connections_max: usize, purpose: Purpose) -> Result<Pool, deadpool::BuildError> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(move |url| {
        async move {
            let mut conn = connect(url).await?;
            let settings = match purpose {
                Purpose::General => ALWAYS.to_string(),
                Purpose::Lookups => format!("{ALWAYS}; {LOOKUPS}"),
            };
            conn.batch_execute(&settings).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(conn)
        }
        .boxed()
    });
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
