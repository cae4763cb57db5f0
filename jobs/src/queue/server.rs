//! What the Redis servers say of themselves: what an operator has to know before jobs are trusted to them.

use std::{collections::BTreeMap, time::Duration};

use apalis_redis::Client;
use chrono::{DateTime, TimeDelta, Utc};
use redis::{ConnectionAddr, ConnectionInfo};
use tokio::time::timeout;

use super::{QueueError, Queues, connection::CALL_LIMIT, link::Link};

/// One Redis server.
#[derive(Debug, Clone)]
pub struct RedisServer {
    /// `host:port`.
    pub address: String,
    /// Whether it is on this machine: its address is the loopback, or a socket.
    pub is_local: bool,
    /// Whether our connection to it is encrypted.
    pub is_encrypted: bool,
    /// Such as `7.0.15`.
    pub version: String,
    /// Whether it writes an append-only file.
    pub is_append_only: bool,
    /// What it does when its memory is full: `noeviction` refuses writes, everything else forgets.
    pub eviction_policy: String,
    /// Most bytes of memory that it takes; 0 for no limit.
    pub memory_bytes_max: u64,
    /// Bytes of memory that it has taken.
    pub memory_bytes: u64,
    /// Whether its last write to the append-only file and its last snapshot went well, as far as it says.
    pub has_persisted: bool,
    /// Where its files are; `None` where it does not tell.
    pub directory: Option<String>,
    /// Its clock.
    pub now: DateTime<Utc>,
    /// How far its clock is ahead of ours, give or take half of `round_trip`.
    pub ahead: TimeDelta,
    /// How long it took to ask for the clock.
    pub round_trip: Duration,
}

impl Queues {
    /// Asks every server that the URL names, or the master that its Sentinels name.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when one of them does not answer within 3 s.
    pub async fn servers(&self) -> Result<Vec<RedisServer>, QueueError> {
        let mut servers = Vec::new();
        for node in self.connection.link().nodes() {
            let asked = timeout(CALL_LIMIT, ask(node)).await;
            servers.push(asked.map_err(|_| QueueError::Timeout(CALL_LIMIT))??);
        }
        Ok(servers)
    }
}

impl Link {
    fn nodes(&self) -> Vec<ConnectionInfo> {
        match self {
            Self::Single(_, info) => vec![(**info).clone()],
            Self::Cluster(_, nodes) => nodes.clone(),
            Self::Sentinel(master) => vec![master.info()],
        }
    }
}

async fn ask(node: ConnectionInfo) -> Result<RedisServer, QueueError> {
    let address = node.addr().to_string();
    let is_local = match node.addr() {
        ConnectionAddr::Tcp(host, _) => is_loopback(host),
        ConnectionAddr::TcpTls { host, .. } => is_loopback(host),
        ConnectionAddr::Unix(_) => true,
        _ => false,
    };
    let is_encrypted = matches!(node.addr(), ConnectionAddr::TcpTls { .. });
    let mut connection = Client::open(node)?.get_multiplexed_async_connection().await?;
    let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
    let asked = Utc::now();
    let (seconds, micros): (i64, u32) = redis::cmd("TIME").query_async(&mut connection).await?;
    let answered = Utc::now();
    let now = DateTime::from_timestamp(seconds, micros.saturating_mul(1_000)).unwrap_or_default();
    let round_trip = (answered - asked).to_std().unwrap_or_default();
    // Some who host Redis keep this command to themselves.
    let directory: Result<BTreeMap<String, String>, _> =
        redis::cmd("CONFIG").arg("GET").arg("dir").query_async(&mut connection).await;
    let fields = fields(&info);
    let text = |name: &str| fields.get(name).copied().unwrap_or_default();
    let is_well = |name: &str| matches!(text(name), "" | "ok");
    Ok(RedisServer {
        address,
        is_local,
        is_encrypted,
        version: text("redis_version").into(),
        is_append_only: text("aof_enabled") == "1",
        eviction_policy: text("maxmemory_policy").into(),
        memory_bytes_max: text("maxmemory").parse().unwrap_or_default(),
        memory_bytes: text("used_memory").parse().unwrap_or_default(),
        has_persisted: is_well("aof_last_write_status") && is_well("rdb_last_bgsave_status"),
        directory: directory.ok().and_then(|mut settings| settings.remove("dir")),
        now,
        ahead: now - (asked + (answered - asked) / 2),
        round_trip,
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The lines `name:value` of an answer to `INFO`.
fn fields(info: &str) -> BTreeMap<&str, &str> {
    info.lines().filter_map(|line| line.trim_end().split_once(':')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_by_its_names() {
        let info = "# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nmaxmemory_policy:noeviction\r\nlink:a:b\r\n";
        let fields = fields(info);
        assert_eq!((fields["redis_version"], fields["maxmemory_policy"]), ("7.0.15", "noeviction"));
        assert_eq!(fields["link"], "a:b");
    }

    #[test]
    fn this_machine_is_known_by_its_address() {
        assert!(is_loopback("127.0.0.1") && is_loopback("::1") && is_loopback("localhost"));
        assert!(!is_loopback("10.0.0.1") && !is_loopback("cache"));
    }
}
