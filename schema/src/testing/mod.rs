//! A private database for each test, copied from a template that is migrated once per server. Only for tests.

use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{migrations, partitions, pool};

/// Serialises the making of the template between test processes.
const TEMPLATE_LOCK: i64 = 0x7465_6d70;

/// A migrated, empty database of its own.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
}

impl TestDatabase {
    /// Makes one on the server that `./just test` started.
    ///
    /// # Panics
    /// `POSTHOUSE_TEST_DATABASE_URL` is missing or its server refuses: the test cannot run.
    pub async fn create() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the harness names the tests' server in the environment")]
        let server = std::env::var("POSTHOUSE_TEST_DATABASE_URL")
            .expect("POSTHOUSE_TEST_DATABASE_URL names the tests' PostgreSQL: run the tests by `./just test`");
        Self::create_on(&server).await
    }

    /// Makes one on the server of this URL, whose user may create databases.
    ///
    /// # Panics
    /// The server refuses: the test cannot run.
    pub async fn create_on(server: &str) -> Self {
        let mut conn = AsyncPgConnection::establish(server).await.expect("the tests' PostgreSQL answers");
        let template = template(&mut conn, server).await;
        let name = format!("test_{}", ulid::Ulid::generate().to_string().to_lowercase());
        run(&mut conn, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { url: with_database(server, &name) }
    }

    /// An empty database without the schema, for tests of the migrations themselves.
    ///
    /// # Panics
    /// As [`TestDatabase::create`].
    pub async fn create_empty() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the harness names the tests' server in the environment")]
        let server = std::env::var("POSTHOUSE_TEST_DATABASE_URL")
            .expect("POSTHOUSE_TEST_DATABASE_URL names the tests' PostgreSQL: run the tests by `./just test`");
        let mut conn = AsyncPgConnection::establish(&server).await.expect("the tests' PostgreSQL answers");
        let name = format!("test_{}", ulid::Ulid::generate().to_string().to_lowercase());
        run(&mut conn, &format!("CREATE DATABASE {name}")).await;
        Self { url: with_database(&server, &name) }
    }

    /// The database's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs a statement on it: for rows that no query of ours makes by themselves.
    ///
    /// # Panics
    /// The statement fails: the test cannot go on.
    pub async fn run(&self, statement: &str) {
        let mut conn = AsyncPgConnection::establish(&self.url).await.expect("the tests' PostgreSQL answers");
        run(&mut conn, statement).await;
    }

    /// A pool of four connections to it.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn pool(&self) -> pool::Pool {
        pool::build(&self.url, 4, pool::Purpose::Lookups).expect("a pool needs only a runtime")
    }
}

/// The template's name; made and migrated when the server has none of this build's migrations yet.
async fn template(conn: &mut AsyncPgConnection, server: &str) -> String {
    let name = format!("posthouse_template_{}", migrations::fingerprint());
    diesel::sql_query(format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})"))
        .execute(conn)
        .await
        .expect("a lock can be taken");
    let is_there = diesel::sql_query(format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).execute(conn).await;
    if is_there.expect("databases can be listed") == 0 {
        let half_made = format!("{name}_half_made");
        run(conn, &format!("DROP DATABASE IF EXISTS {half_made}")).await;
        run(conn, &format!("CREATE DATABASE {half_made}")).await;
        migrate(with_database(server, &half_made)).await;
        run(conn, &format!("ALTER DATABASE {half_made} RENAME TO {name}")).await;
    }
    diesel::sql_query(format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})"))
        .execute(conn)
        .await
        .expect("the lock can be returned");
    name
}

async fn migrate(url: String) {
    migrations::run(&url).await.expect("the migrations apply");
    let mut conn = AsyncPgConnection::establish(&url).await.expect("the new database answers");
    let today = chrono::Utc::now().date_naive();
    partitions::make_ahead(&mut conn, today, today).await.expect("partitions can be made");
}

async fn run(conn: &mut AsyncPgConnection, statement: &str) {
    diesel::sql_query(statement).execute(conn).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// The URL with another database, its parameters kept.
fn with_database(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').map_or((server, None), |(address, rest)| (address, Some(rest)));
    let start = address.find("://").map_or(0, |at| at + 3);
    let end = address.get(start..).and_then(|rest| rest.find('/')).map_or(address.len(), |at| start + at);
    let base = address.get(..end).unwrap_or(address);
    parameters.map_or_else(|| format!("{base}/{name}"), |parameters| format!("{base}/{name}?{parameters}"))
}
