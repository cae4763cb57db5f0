//! A role that cannot work refuses to start, soon, with exit code 1 and a sentence that says why.

use std::time::Duration;

use futures::future::join_all;
use posthouse_e2e::{
    deployment::{Shared, spec},
    ports,
    role::Role,
};

use crate::world::ground;

const ROLES_WITH_SERVICES: [&str; 4] = ["api", "worker", "scheduler", "ingest"];
/// Unreachable services are tried for 10 s.
const EXIT_LIMIT: Duration = Duration::from_secs(30);

/// Starts each role with these settings; all must end with code 1, having said `expected`.
async fn assert_none_starts(shared: &Shared, expected: &str) {
    let refusals = ROLES_WITH_SERVICES.map(|name| async move {
        let spec = spec(shared, name, ports::free().unwrap(), ports::free().unwrap(), ports::free().unwrap()).unwrap();
        let mut role = Role::spawn(spec).unwrap();
        let status = role.process().wait(EXIT_LIMIT).await.unwrap();
        let log = role.process().log_tail();
        assert_eq!(status.code(), Some(1), "{name}: {log}");
        let last = log.lines().last().unwrap_or_default();
        assert!(log.contains(expected), "{name} must say {expected:?}; it said {last}");
        assert!(!log.contains("panicked"), "{name}: {log}");
        assert!(!log.contains("swordfish"), "{name} must not tell passwords: {log}");
    });
    join_all(refusals).await;
}

fn logs_apart(shared: &Shared, name: &str) -> Shared {
    Shared { logs: shared.logs.join(name), ..shared.clone() }
}

#[tokio::test]
async fn roles_refuse_to_start_without_their_services() {
    let ground = ground("it-start").await;
    let nowhere = ports::free().unwrap();
    let no_database = Shared {
        database_url: format!("postgres://posthouse:swordfish@{nowhere}/posthouse"),
        ..logs_apart(&ground.shared, "no-database")
    };
    let no_redis =
        Shared { redis_url: format!("redis://:swordfish@{nowhere}"), ..logs_apart(&ground.shared, "no-redis") };
    let postgres = ground.stage.postgres.as_ref().unwrap();
    postgres.create_database("empty").await.unwrap();
    let no_tables = Shared { database_url: postgres.url("empty"), ..logs_apart(&ground.shared, "no-tables") };
    tokio::join!(
        assert_none_starts(&no_database, "PostgreSQL"),
        assert_none_starts(&no_redis, "Redis"),
        assert_none_starts(&no_tables, "posthouse migrate"),
    );
    ground.stage.stop().await.unwrap();
}
