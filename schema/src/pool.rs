//! The connection pool of a role. A checkout costs no round trip; a broken connection is replaced when it fails. It counts
//! what it is used for.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use diesel::{ConnectionError, connection::InstrumentationEvent, result::Error};
use diesel_async::{
    AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{self, Object},
    },
};
use futures::FutureExt as _;

use crate::connect::connect;

/// A pool of PostgreSQL connections. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    inner: deadpool::Pool<AsyncPgConnection>,
    counts: Arc<Counts>,
}

/// What happened since the start.
#[derive(Debug, Default)]
struct Counts {
    checkouts: AtomicU64,
    failed_checkouts: AtomicU64,
    waited_us: AtomicU64,
    statements: AtomicU64,
    failed_statements: AtomicU64,
}

/// How a pool is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Most connections.
    pub max: usize,
    /// Connections that are open.
    pub open: usize,
    /// Of these, on loan to nobody.
    pub idle: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
    /// Connections that were lent, ever.
    pub checkouts: u64,
    /// Callers that went away without one, ever.
    pub failed_checkouts: u64,
    /// What all callers have waited together.
    pub waited: Duration,
    /// Statements that were run, ever.
    pub statements: u64,
    /// Of these, such as failed for another reason than what the rows hold.
    pub failed_statements: u64,
}

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
    let counts = Arc::<Counts>::default();
    let counted = Arc::clone(&counts);
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(move |url| {
        let counted = Arc::clone(&counted);
        async move {
            let mut conn = connect(url).await?;
            let settings = match purpose {
                Purpose::General => ALWAYS.to_string(),
                Purpose::Lookups => format!("{ALWAYS}; {LOOKUPS}"),
            };
            conn.batch_execute(&settings).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
            conn.set_instrumentation(move |event: InstrumentationEvent<'_>| counted.see(&event));
            Ok(conn)
        }
        .boxed()
    });
    // The default asks the server at every checkout, 0.1 ms each; a dead connection fails its query and is dropped.
    config.recycling_method = RecyclingMethod::Fast;
    let manager = AsyncDieselConnectionManager::new_with_config(database_url, config);
    let inner = deadpool::Pool::builder(manager)
        .max_size(connections_max)
        .wait_timeout(Some(WAIT_MAX))
        .create_timeout(Some(WAIT_MAX))
        .recycle_timeout(Some(WAIT_MAX))
        .runtime(::deadpool::Runtime::Tokio1)
        .build()?;
    Ok(Pool { inner, counts })
}

impl Pool {
    /// A connection, as soon as there is one.
    ///
    /// # Errors
    /// None became free, or could be opened, within 5 s.
    pub async fn get(&self) -> Result<PooledConnection, PoolError> {
        let began = Instant::now();
        let lent = self.inner.get().await;
        let counted = if lent.is_ok() { &self.counts.checkouts } else { &self.counts.failed_checkouts };
        counted.fetch_add(1, Relaxed);
        self.counts.waited_us.fetch_add(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX), Relaxed);
        lent
    }

    /// How it is used now, and was used since it was built.
    #[must_use]
    pub fn usage(&self) -> PoolUse {
        let (status, counts) = (self.inner.status(), &self.counts);
        PoolUse {
            max: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
            checkouts: counts.checkouts.load(Relaxed),
            failed_checkouts: counts.failed_checkouts.load(Relaxed),
            waited: Duration::from_micros(counts.waited_us.load(Relaxed)),
            statements: counts.statements.load(Relaxed),
            failed_statements: counts.failed_statements.load(Relaxed),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

impl Counts {
    fn see(&self, event: &InstrumentationEvent<'_>) {
        if let InstrumentationEvent::FinishQuery { error, .. } = event {
            self.statements.fetch_add(1, Relaxed);
            if error.is_some_and(is_failure) {
                self.failed_statements.fetch_add(1, Relaxed);
            }
        }
    }
}

/// A row that is there already, or that another one is needed for, is an answer.
fn is_failure(error: &Error) -> bool {
    use diesel::result::DatabaseErrorKind as Kind;
    let is_answer = |kind: &Kind| {
        matches!(
            kind,
            Kind::UniqueViolation | Kind::ForeignKeyViolation | Kind::CheckViolation | Kind::NotNullViolation
        )
    };
    !matches!(error, Error::NotFound | Error::RollbackTransaction)
        && !matches!(error, Error::DatabaseError(kind, _) if is_answer(kind))
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
