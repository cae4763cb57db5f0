//! Redis: reachable, new enough, and neither forgetting jobs when its memory is full nor when it restarts.

use posthouse_jobs::queue::{Queues, RedisServer};
use posthouse_service::settings::RedisSettings;

use super::{check::Check, clock, disk, encryption};

const VERSION_MIN: u32 = 6;
const ENCRYPT: &str = "give Redis a tls-port, and name it by rediss:// (docs/deployment.md)";
const FULL_PERCENT: u64 = 80;

/// Every check of Redis that can be made; of a Cluster, for each node that the URL names.
pub async fn checks(redis: Option<&RedisSettings>) -> Vec<Check> {
    const REACHABLE: &str = "redis-reachable";
    let Some(redis) = redis else {
        return vec![Check::skipped(REACHABLE, "no Redis is named: --redis-url")];
    };
    let asked = async { Queues::open(redis).await?.servers().await };
    match asked.await {
        Ok(servers) => {
            let addresses: Vec<_> = servers.iter().map(|server| server.address.as_str()).collect();
            let mut checks = vec![Check::ok(REACHABLE, addresses.join(", "))];
            checks.extend(servers.iter().flat_map(of_server));
            checks
        }
        Err(error) => {
            let remedy = "start Redis, or correct the URL, the user and the password";
            vec![Check::failed(REACHABLE, format!("{:#}", anyhow::Error::new(error)), remedy)]
        }
    }
}

fn of_server(server: &RedisServer) -> Vec<Check> {
    vec![
        version(server),
        encryption::judge("redis-encryption", server.is_encrypted.then_some("TLS"), server.is_local, ENCRYPT),
        persistence(server),
        eviction(server),
        memory(server),
        clock::judge("redis-clock", server.ahead, server.round_trip),
        disk::check("redis-disk", server.is_local, server.directory.as_deref(), "give it more room"),
    ]
}

fn version(server: &RedisServer) -> Check {
    let name = "redis-version";
    let major: Option<u32> = server.version.split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(major) if major >= VERSION_MIN => Check::ok(name, server.version.clone()),
        Some(_) => Check::failed(name, format!("{} is too old", server.version), "run Redis 6 or later"),
        None => Check::skipped(name, "the server does not tell its version"),
    }
}

fn persistence(server: &RedisServer) -> Check {
    let name = "redis-persistence";
    if !server.is_append_only {
        let detail = "there is no append-only file: a restart loses events that were accepted and not stored yet";
        return Check::failed(name, detail, "set appendonly yes");
    }
    if !server.has_persisted {
        let detail = "the last write to disk failed";
        return Check::failed(name, detail, "see to the server's disk, and look into its log");
    }
    Check::ok(name, "the append-only file is on")
}

fn eviction(server: &RedisServer) -> Check {
    let name = "redis-eviction";
    match server.eviction_policy.as_str() {
        "noeviction" => Check::ok(name, "noeviction: what does not fit is refused"),
        "" => Check::skipped(name, "the server does not tell its policy"),
        policy => Check::failed(
            name,
            format!("{policy}: jobs are forgotten when the memory is full"),
            "set maxmemory-policy noeviction",
        ),
    }
}

fn memory(server: &RedisServer) -> Check {
    let name = "redis-memory";
    let used = server.memory_bytes.saturating_mul(100).checked_div(server.memory_bytes_max);
    match used {
        None => Check::ok(name, "no limit is set"),
        Some(percent) if percent < FULL_PERCENT => Check::ok(name, format!("{percent} % of maxmemory are taken")),
        Some(percent) => Check::warning(
            name,
            format!("{percent} % of maxmemory are taken: events are refused when it is full"),
            "raise maxmemory, or see why jobs wait: `/board`, endpoints that hang, too few workers",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{TimeDelta, Utc};

    use super::*;
    use crate::doctor::check::Verdict;

    fn server() -> RedisServer {
        RedisServer {
            address: "cache:6379".into(),
            is_local: false,
            is_encrypted: true,
            version: "7.0.15".into(),
            is_append_only: true,
            eviction_policy: "noeviction".into(),
            memory_bytes_max: 0,
            memory_bytes: 1_000,
            has_persisted: true,
            directory: None,
            now: Utc::now(),
            ahead: TimeDelta::zero(),
            round_trip: Duration::ZERO,
        }
    }

    fn faults(server: &RedisServer) -> Vec<(&'static str, Verdict)> {
        let is_fault = |check: &Check| matches!(check.verdict, Verdict::Failed | Verdict::Warning);
        of_server(server).into_iter().filter(is_fault).map(|check| (check.name, check.verdict)).collect()
    }

    #[test]
    fn each_setting_that_loses_jobs_fails() {
        assert_eq!(faults(&server()), []);
        assert_eq!(faults(&RedisServer { is_encrypted: false, is_local: true, ..server() }), []);
        let open = RedisServer { is_encrypted: false, ..server() };
        assert_eq!(faults(&open), [("redis-encryption", Verdict::Warning)]);
        let failed = |name| [(name, Verdict::Failed)];
        assert_eq!(faults(&RedisServer { version: "5.0.7".into(), ..server() }), failed("redis-version"));
        assert_eq!(faults(&RedisServer { is_append_only: false, ..server() }), failed("redis-persistence"));
        assert_eq!(faults(&RedisServer { has_persisted: false, ..server() }), failed("redis-persistence"));
        let forgetful = RedisServer { eviction_policy: "allkeys-lru".into(), ..server() };
        assert_eq!(faults(&forgetful), failed("redis-eviction"));
        let full = RedisServer { memory_bytes_max: 1_100, ..server() };
        assert_eq!(faults(&full), [("redis-memory", Verdict::Warning)]);
        let late = RedisServer { ahead: TimeDelta::seconds(-20), ..server() };
        assert_eq!(faults(&late), failed("redis-clock"));
    }
}
