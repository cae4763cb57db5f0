//! PostgreSQL: reachable, new enough, durable, with room for our connections, migrated, and cut into partitions ahead.

use chrono::{Days, NaiveDate, TimeDelta, Utc};
use posthouse_jobs::backing::install_keys;
use posthouse_schema::{
    migrations,
    partitions::{self, DAYS_AHEAD, PartitionedTable},
    pool::PooledConnection,
    server::{self, Server, VERSION_MIN},
};
use posthouse_service::settings::DatabaseSettings;
use secrecy::ExposeSecret as _;

use super::{check::Check, clock, disk, encryption, secrets};
use crate::output::connect;

/// Connections that a small deployment takes: five roles with their pools, and a few people.
const CONNECTIONS_MIN: i32 = 100;
const BUSY_PERCENT: i64 = 80;

/// Every check of PostgreSQL that can be made.
pub async fn checks(database: Option<&DatabaseSettings>) -> Vec<Check> {
    const REACHABLE: &str = "postgres-reachable";
    let Some(database) = database else {
        return vec![Check::skipped(REACHABLE, "no database is named: --database-url")];
    };
    let mut conn = match connect(database).await {
        Ok(conn) => conn,
        Err(error) => {
            let remedy = "start PostgreSQL, or correct the URL, the user and the password";
            return vec![Check::failed(REACHABLE, format!("{error:#}"), remedy)];
        }
    };
    let server = match server::describe(&mut conn).await {
        Ok(server) => server,
        Err(error) => return vec![Check::failed(REACHABLE, error.to_string(), "look into the server's log")],
    };
    let mut checks = vec![reachable(REACHABLE, &server), encrypted(&server)];
    checks.extend(settings(&server));
    checks.push(skew(&mut conn).await);
    let remedy = "give it more room, or keep events for fewer days (--retention-days of the scheduler)";
    checks.push(disk::check("postgres-disk", server.is_local, server.data_directory.as_deref(), remedy));
    let migrated = migrated(database).await;
    let is_migrated = migrated.verdict == super::Verdict::Ok;
    checks.push(migrated);
    checks.push(match install_keys(database) {
        Err(fault) => Check::failed("secrets-at-rest", fault.to_string(), "correct POSTHOUSE_SECRETS_KEY"),
        Ok(()) if is_migrated => secrets::check(&mut conn).await,
        Ok(()) => Check::skipped("secrets-at-rest", "migrations come first"),
    });
    checks.push(if is_migrated { ahead(&mut conn).await } else { Check::skipped(PARTITIONS, "migrations come first") });
    checks
}

const PARTITIONS: &str = "postgres-partitions";

fn reachable(name: &'static str, server: &Server) -> Check {
    if server.is_standby {
        let remedy = "name the primary: a standby takes no writes";
        return Check::failed(name, "the server is a standby", remedy);
    }
    Check::ok(name, format!("PostgreSQL {}, a primary", server.version))
}

fn encrypted(server: &Server) -> Check {
    let remedy = "set ssl = on for PostgreSQL, and sslmode=verify-full in the URL (docs/deployment.md)";
    encryption::judge("postgres-encryption", server.tls_version.as_deref(), server.is_local, remedy)
}

/// What the server's settings promise.
fn settings(server: &Server) -> Vec<Check> {
    let version = if server.version_num >= VERSION_MIN {
        Check::ok("postgres-version", server.version.clone())
    } else {
        Check::failed("postgres-version", format!("{} is too old", server.version), "run PostgreSQL 15 or later")
    };
    let on = |name, setting: &str, value: &str, loss: &str| {
        if value == "on" {
            Check::ok(name, format!("{setting} is on"))
        } else {
            Check::failed(
                name,
                format!("{setting} is {value}: {loss}"),
                format!("set {setting} = on, and restart PostgreSQL"),
            )
        }
    };
    let commit = match server.synchronous_commit.as_str() {
        "off" => Check::failed(
            "postgres-synchronous-commit",
            "synchronous_commit is off: a crash loses events whose jobs are done already",
            "set synchronous_commit = on for the server, the database and the user",
        ),
        value => Check::ok("postgres-synchronous-commit", format!("synchronous_commit is {value}")),
    };
    vec![
        version,
        on("postgres-fsync", "fsync", &server.fsync, "a crash of the machine can destroy the ledger"),
        on(
            "postgres-full-page-writes",
            "full_page_writes",
            &server.full_page_writes,
            "a crash of the machine can destroy the ledger",
        ),
        commit,
        connections(server),
    ]
}

fn connections(server: &Server) -> Check {
    let (name, max) = ("postgres-connections", server.connections_max);
    let detail = format!("{} of {max} connections are open", server.connections);
    let remedy = "raise max_connections, or lower --database-pool-max of the roles";
    let is_busy = server.connections.saturating_mul(100) >= i64::from(max).saturating_mul(BUSY_PERCENT);
    if is_busy {
        Check::warning(name, detail, remedy)
    } else if max < CONNECTIONS_MIN {
        Check::warning(name, format!("{detail}; each role opens 10 by default"), remedy)
    } else {
        Check::ok(name, detail)
    }
}

async fn skew(conn: &mut PooledConnection) -> Check {
    let name = "postgres-clock";
    let asked = Utc::now();
    let theirs = match server::clock(conn).await {
        Ok(theirs) => theirs,
        Err(error) => return Check::failed(name, error.to_string(), "look into the server's log"),
    };
    let answered = Utc::now();
    let ahead = theirs - (asked + (answered - asked) / 2);
    clock::judge(name, ahead, (answered - asked).max(TimeDelta::zero()).to_std().unwrap_or_default())
}

async fn migrated(database: &DatabaseSettings) -> Check {
    let name = "postgres-migrations";
    match migrations::pending(database.database_url.expose_secret()).await {
        Ok(pending) if pending.is_empty() => Check::ok(name, "none is pending"),
        Ok(pending) => Check::failed(name, format!("pending: {}", pending.join(", ")), "run `posthouse migrate`"),
        Err(error) => Check::failed(name, format!("{:#}", anyhow::Error::new(error)), "look into the server's log"),
    }
}

async fn ahead(conn: &mut PooledConnection) -> Check {
    let today = Utc::now().date_naive();
    let mut missing = Vec::new();
    for table in PartitionedTable::ALL {
        match partitions::list(conn, table).await {
            Ok(present) => {
                let days = today.iter_days().take_while(|day| *day <= today + Days::new(DAYS_AHEAD));
                missing.extend(days.filter(|day| present.iter().all(|partition| partition.day != *day)));
            }
            Err(error) => return Check::failed(PARTITIONS, error.to_string(), "look into the server's log"),
        }
    }
    missing.sort_unstable();
    missing.dedup();
    judge_partitions(today, &missing)
}

fn judge_partitions(today: NaiveDate, missing: &[NaiveDate]) -> Check {
    let Some(first) = missing.first() else {
        return Check::ok(PARTITIONS, format!("made {DAYS_AHEAD} days ahead"));
    };
    let detail = format!("none from {first} on ({} of the coming days are missing)", missing.len());
    let remedy = "see that a scheduler and a worker run; `posthouse migrate` makes them at once";
    if *first <= today + Days::new(1) {
        Check::failed(PARTITIONS, detail, remedy)
    } else {
        Check::warning(PARTITIONS, detail, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Verdict;

    fn server() -> Server {
        Server {
            version: "15.20".into(),
            version_num: 150_020,
            is_standby: false,
            fsync: "on".into(),
            full_page_writes: "on".into(),
            synchronous_commit: "on".into(),
            connections_max: 200,
            connections: 20,
            is_local: true,
            tls_version: None,
            data_directory: None,
            now: Utc::now(),
        }
    }

    fn faults(server: &Server) -> Vec<(&'static str, Verdict)> {
        let checks = settings(server).into_iter().chain([reachable("postgres-reachable", server), encrypted(server)]);
        checks.filter(|check| check.verdict != Verdict::Ok).map(|check| (check.name, check.verdict)).collect()
    }

    #[test]
    fn each_setting_that_loses_data_fails() {
        assert_eq!(faults(&server()), []);
        let old = Server { version_num: 140_010, ..server() };
        assert_eq!(faults(&old), [("postgres-version", Verdict::Failed)]);
        let reckless = Server { fsync: "off".into(), full_page_writes: "off".into(), ..server() };
        assert_eq!(
            faults(&reckless),
            [("postgres-fsync", Verdict::Failed), ("postgres-full-page-writes", Verdict::Failed)]
        );
        let early = Server { synchronous_commit: "off".into(), ..server() };
        assert_eq!(faults(&early), [("postgres-synchronous-commit", Verdict::Failed)]);
        let remote = Server { synchronous_commit: "remote_apply".into(), ..server() };
        assert_eq!(faults(&remote), []);
        let standby = Server { is_standby: true, ..server() };
        assert_eq!(faults(&standby), [("postgres-reachable", Verdict::Failed)]);
        let open = Server { is_local: false, ..server() };
        assert_eq!(faults(&open), [("postgres-encryption", Verdict::Warning)]);
        assert_eq!(faults(&Server { tls_version: Some("TLSv1.3".into()), ..open }), []);
        for crowded in [Server { connections: 160, ..server() }, Server { connections_max: 50, ..server() }] {
            assert_eq!(faults(&crowded), [("postgres-connections", Verdict::Warning)]);
        }
    }

    #[test]
    fn partitions_that_are_needed_tomorrow_fail() {
        let today: NaiveDate = "2026-11-26".parse().unwrap();
        let verdict = |days: &[u64]| {
            let missing: Vec<_> = days.iter().map(|day| today + Days::new(*day)).collect();
            judge_partitions(today, &missing).verdict
        };
        assert_eq!([verdict(&[]), verdict(&[5, 6, 7])], [Verdict::Ok, Verdict::Warning]);
        assert_eq!([verdict(&[1, 2]), verdict(&[0])], [Verdict::Failed, Verdict::Failed]);
    }
}
