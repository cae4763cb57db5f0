//! The embedded migrations: applied by a command, never silently by a role.

use diesel_async::{AsyncMigrationHarness, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connect::connect;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
/// Two `migrate` commands at once run one after the other: any number will do, as long as it stays.
const ADVISORY_LOCK: i64 = 0x0070_6f73_7468_6f75;

/// Why migrations could not be read or applied.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The server could not be reached.
    #[error("the database cannot be reached")]
    Connect(#[from] diesel::ConnectionError),
    /// The lock that serialises migrations could not be taken.
    #[error("the migration lock cannot be taken")]
    Lock(#[from] diesel::result::Error),
    /// A migration failed; those before it are applied, it and those after it are not.
    #[error("a migration failed: {0}")]
    Run(Box<dyn std::error::Error + Send + Sync>),
}

/// Names of the migrations that this build has and the database has not, in order.
///
/// # Errors
/// The database cannot be reached or refuses.
pub async fn pending(database_url: &str) -> Result<Vec<String>, MigrationError> {
    apart(database_url, async |url| {
        let mut harness = AsyncMigrationHarness::new(connect(&url).await?);
        let pending = harness.pending_migrations(MIGRATIONS).map_err(MigrationError::Run)?;
        Ok(pending.iter().map(|migration| migration.name().to_string()).collect())
    })
    .await
}

/// Applies what is pending and returns the versions applied, in order.
///
/// # Errors
/// See [`MigrationError`].
pub async fn run(database_url: &str) -> Result<Vec<String>, MigrationError> {
    apart(database_url, async |url| {
        let mut conn = connect(&url).await?;
        let lock = diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<diesel::sql_types::BigInt, _>(ADVISORY_LOCK);
        lock.execute(&mut conn).await?;
        // The lock ends with the connection.
        let mut harness = AsyncMigrationHarness::new(conn);
        let versions = harness.run_pending_migrations(MIGRATIONS).map_err(MigrationError::Run)?;
        Ok(versions.iter().map(ToString::to_string).collect())
    })
    .await
}

/// Applies what is pending up to this version, such as `20261126000022`; for tests of migrating an older database.
///
/// # Errors
/// See [`MigrationError`].
#[cfg(feature = "testing")]
pub async fn run_up_to(database_url: &str, last: &'static str) -> Result<(), MigrationError> {
    use diesel::migration::Migration as _;
    apart(database_url, async move |url| {
        let mut harness = AsyncMigrationHarness::new(connect(&url).await?);
        let pending = harness.pending_migrations(MIGRATIONS).map_err(MigrationError::Run)?;
        for migration in pending {
            if migration.name().version().to_string().as_str() > last {
                break;
            }
            harness.run_migration(&migration).map_err(MigrationError::Run)?;
        }
        Ok(())
    })
    .await
}

/// Reverts the newest migration; for tests of `down.sql`.
///
/// # Errors
/// See [`MigrationError`].
pub async fn revert_last(database_url: &str) -> Result<String, MigrationError> {
    apart(database_url, async |url| {
        let mut harness = AsyncMigrationHarness::new(connect(&url).await?);
        let version = harness.revert_last_migration(MIGRATIONS).map_err(MigrationError::Run)?;
        Ok(version.to_string())
    })
    .await
}

/// Runs `work` on a thread and a runtime of its own. The harness blocks its thread, and on a shared runtime that can be the
/// very thread that should drive its connection.
async fn apart<T, W>(database_url: &str, work: W) -> Result<T, MigrationError>
where
    T: Send + 'static,
    W: AsyncFnOnce(String) -> Result<T, MigrationError> + Send + 'static,
{
    let url = database_url.to_string();
    let done = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.map_err(|error| MigrationError::Run(Box::new(error)))?.block_on(work(url))
    });
    done.await.unwrap_or_else(|error| Err(MigrationError::Run(Box::new(error))))
}

/// A short text that changes whenever the set of migrations does.
#[must_use]
pub fn fingerprint() -> String {
    use diesel::{migration::MigrationSource as _, pg::Pg};
    use sha2::{Digest as _, Sha256};
    let names = |source: &EmbeddedMigrations| {
        source.migrations().map(|list: Vec<Box<dyn diesel::migration::Migration<Pg>>>| {
            list.iter().map(|m| m.name().to_string()).collect::<Vec<_>>()
        })
    };
    let mut digest = Sha256::new();
    for name in names(&MIGRATIONS).unwrap_or_default() {
        digest.update(name.as_bytes());
    }
    hex::encode(digest.finalize()).chars().take(16).collect()
}
