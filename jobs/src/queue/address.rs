//! Where Redis is: one server, a Cluster, or a master that Sentinels name. All three are written as one URL.

use apalis_redis::IntoConnectionInfo as _;
use redis::{
    ConnectionInfo,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use tokio::time::Duration;

use super::QueueError;

const CLUSTER: &str = "redis+cluster://";
const SENTINEL: &str = "redis+sentinel://";
const NODES_MAX: usize = 100;

/// A Redis, as its URL says.
pub(crate) enum Address {
    /// `redis://[user:password@]host:port[/db]`
    Single(ConnectionInfo),
    /// `redis+cluster://[user:password@]host:port[,host:port…]`: some of its nodes.
    Cluster(Vec<ConnectionInfo>),
    /// `redis+sentinel://[user:password@]host:port[,host:port…]/master[/db]`: the Sentinels; user and password are the
    /// servers'.
    Sentinel(Sentinels),
}

/// Who knows the master, and how it is spoken to.
pub(crate) struct Sentinels {
    pub(crate) nodes: Vec<ConnectionInfo>,
    pub(crate) master: String,
    /// Like the master but for its address.
    pub(crate) server: ConnectionInfo,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, QueueError> {
        if let Some(rest) = url.strip_prefix(CLUSTER) {
            let (login, nodes) = split_login(rest.trim_end_matches('/'));
            return Ok(Self::Cluster(nodes_of(login, nodes)?));
        }
        if let Some(rest) = url.strip_prefix(SENTINEL) {
            let (login, rest) = split_login(rest);
            let (nodes, name) = rest.split_once('/').unwrap_or((rest, ""));
            let (master, db) = name.split_once('/').unwrap_or((name, "0"));
            if master.is_empty() {
                return Err(QueueError::Settings("a redis+sentinel:// URL ends with /MASTER, the name of the master"));
            }
            let server = node(login, &format!("localhost/{db}"))?;
            return Ok(Self::Sentinel(Sentinels { nodes: nodes_of("", nodes)?, master: master.to_owned(), server }));
        }
        let invalid = QueueError::Settings("the address is not a redis://, redis+cluster:// or redis+sentinel:// URL");
        Ok(Self::Single(with_tcp(url.into_connection_info().map_err(|_| invalid)?)))
    }
}

/// The part up to the last `@`, with it, and the rest.
fn split_login(rest: &str) -> (&str, &str) {
    rest.rsplit_once('@').map_or(("", rest), |(login, rest)| (login, rest))
}

fn nodes_of(login: &str, nodes: &str) -> Result<Vec<ConnectionInfo>, QueueError> {
    nodes.split(',').take(NODES_MAX).map(|host| node(login, host)).collect()
}

fn node(login: &str, host: &str) -> Result<ConnectionInfo, QueueError> {
    let at = if login.is_empty() { "" } else { "@" };
    let invalid = QueueError::Settings("a node of the Redis URL is not host:port");
    if host.is_empty() {
        return Err(invalid);
    }
    Ok(with_tcp(format!("redis://{login}{at}{host}").as_str().into_connection_info().map_err(|_| invalid)?))
}

/// A peer that is gone without a word is noticed in about 10 s, on idle connections too.
pub(crate) fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(2));
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(Duration::from_secs(10));
    tcp
}

fn with_tcp(info: ConnectionInfo) -> ConnectionInfo {
    info.set_tcp_settings(tcp_settings())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(nodes: &[ConnectionInfo]) -> Vec<String> {
        nodes.iter().map(|node| node.addr().to_string()).collect()
    }

    #[test]
    fn one_server() {
        let Ok(Address::Single(info)) = Address::parse("redis://me:secret@cache:6380/2") else { panic!() };
        assert_eq!((info.addr().to_string(), info.redis_settings().db()), ("cache:6380".into(), 2));
    }

    #[test]
    fn a_cluster_by_some_of_its_nodes() {
        let Ok(Address::Cluster(nodes)) = Address::parse("redis+cluster://me:secret@one:7000,two:7001/") else {
            panic!()
        };
        assert_eq!(addresses(&nodes), ["one:7000", "two:7001"]);
        assert_eq!(nodes[1].redis_settings().username(), Some("me"));
    }

    #[test]
    fn a_master_by_its_sentinels() {
        let url = "redis+sentinel://:secret@one:26379,two/orders/3";
        let Ok(Address::Sentinel(sentinels)) = Address::parse(url) else { panic!() };
        assert_eq!(addresses(&sentinels.nodes), ["one:26379", "two:6379"]);
        assert_eq!((sentinels.master.as_str(), sentinels.server.redis_settings().db()), ("orders", 3));
        assert_eq!(sentinels.server.redis_settings().password(), Some("secret"));
        assert_eq!(sentinels.nodes[0].redis_settings().password(), None, "the servers' password is not told to others");
    }

    #[test]
    fn other_addresses_are_refused_in_words() {
        for url in [
            "",
            "localhost",
            "redis+cluster://",
            "redis+cluster://a,,b",
            "redis+sentinel://a:1",
            "redis+sentinel://a:1/",
        ] {
            assert!(matches!(Address::parse(url), Err(QueueError::Settings(_))), "{url}");
        }
    }
}
