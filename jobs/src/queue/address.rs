//! Where Redis is: one server, a Cluster, or a master that Sentinels name. All three are written as one URL, with `rediss`
//! in place of `redis` where they speak TLS.

use apalis_redis::IntoConnectionInfo as _;
use redis::{
    ConnectionAddr, ConnectionInfo, TlsCertificates,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use tokio::time::Duration;

use super::{QueueError, encryption};

const NODES_MAX: usize = 100;

/// A Redis, as its URL says. TLS is part of each address.
pub(crate) enum Address {
    /// `redis[s]://[user:password@]host:port[/db]`
    Single(ConnectionInfo),
    /// `redis[s]+cluster://[user:password@]host:port[,host:port…]`: some of its nodes, and with TLS the certificates for
    /// those that they name.
    Cluster(Vec<ConnectionInfo>, Option<TlsCertificates>),
    /// `redis[s]+sentinel://[user:password@]host:port[,host:port…]/master[/db]`: the Sentinels; user and password are the
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
    /// Reads the URL; `certificates` are for servers that speak TLS.
    pub(crate) fn parse(url: &str, certificates: &TlsCertificates) -> Result<Self, QueueError> {
        let invalid = QueueError::Settings(
            "the address is not a redis://, redis+cluster:// or redis+sentinel:// URL, nor one of these with rediss",
        );
        let Some((scheme, rest)) = url.split_once("://") else { return Err(invalid) };
        let tls = scheme.starts_with("rediss").then_some(certificates);
        match scheme {
            "redis+cluster" | "rediss+cluster" => {
                let (login, nodes) = split_login(rest.trim_end_matches('/'));
                Ok(Self::Cluster(nodes_of(login, nodes, tls)?, tls.cloned()))
            }
            "redis+sentinel" | "rediss+sentinel" => {
                let (login, rest) = split_login(rest);
                let (nodes, name) = rest.split_once('/').unwrap_or((rest, ""));
                let (master, db) = name.split_once('/').unwrap_or((name, "0"));
                if master.is_empty() {
                    return Err(QueueError::Settings("a redis+sentinel:// URL ends with /MASTER, the master's name"));
                }
                let server = node(login, &format!("localhost/{db}"), tls)?;
                let nodes = nodes_of("", nodes, tls)?;
                Ok(Self::Sentinel(Sentinels { nodes, master: master.to_owned(), server }))
            }
            _ => {
                let info = with_tcp(url.into_connection_info().map_err(|_| invalid)?);
                Ok(Self::Single(with_tls(info, tls)?))
            }
        }
    }
}

impl Sentinels {
    /// The server at this address, spoken to as the URL says.
    pub(crate) fn server_at(&self, host: String, port: u16) -> ConnectionInfo {
        let addr = match self.server.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        self.server.clone().set_addr(addr)
    }
}

/// The part up to the last `@`, with it, and the rest.
fn split_login(rest: &str) -> (&str, &str) {
    rest.rsplit_once('@').map_or(("", rest), |(login, rest)| (login, rest))
}

fn nodes_of(login: &str, nodes: &str, tls: Option<&TlsCertificates>) -> Result<Vec<ConnectionInfo>, QueueError> {
    nodes.split(',').take(NODES_MAX).map(|host| node(login, host, tls)).collect()
}

fn node(login: &str, host: &str, tls: Option<&TlsCertificates>) -> Result<ConnectionInfo, QueueError> {
    let at = if login.is_empty() { "" } else { "@" };
    let invalid = QueueError::Settings("a node of the Redis URL is not host:port");
    if host.is_empty() {
        return Err(invalid);
    }
    let scheme = if tls.is_some() { "rediss" } else { "redis" };
    let url = format!("{scheme}://{login}{at}{host}");
    with_tls(with_tcp(url.as_str().into_connection_info().map_err(|_| invalid)?), tls)
}

fn with_tls(info: ConnectionInfo, tls: Option<&TlsCertificates>) -> Result<ConnectionInfo, QueueError> {
    match (tls, info.addr()) {
        (_, ConnectionAddr::TcpTls { insecure: true, .. }) => {
            Err(QueueError::Settings("#insecure is refused: name the server's authority by --redis-ca-file"))
        }
        (Some(certificates), ConnectionAddr::TcpTls { .. }) => encryption::apply(info, certificates),
        _ => Ok(info),
    }
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

    fn parse(url: &str) -> Result<Address, QueueError> {
        Address::parse(url, &TlsCertificates { client_tls: None, root_cert: None })
    }

    fn addresses(nodes: &[ConnectionInfo]) -> Vec<String> {
        nodes.iter().map(|node| node.addr().to_string()).collect()
    }

    #[test]
    fn one_server() {
        let Ok(Address::Single(info)) = parse("redis://me:secret@cache:6380/2") else { panic!() };
        assert_eq!((info.addr().to_string(), info.redis_settings().db()), ("cache:6380".into(), 2));
    }

    #[test]
    fn a_cluster_by_some_of_its_nodes() {
        let Ok(Address::Cluster(nodes, None)) = parse("redis+cluster://me:secret@one:7000,two:7001/") else { panic!() };
        assert_eq!(addresses(&nodes), ["one:7000", "two:7001"]);
        assert_eq!(nodes[1].redis_settings().username(), Some("me"));
    }

    #[test]
    fn a_master_by_its_sentinels() {
        let url = "redis+sentinel://:secret@one:26379,two/orders/3";
        let Ok(Address::Sentinel(sentinels)) = parse(url) else { panic!() };
        assert_eq!(addresses(&sentinels.nodes), ["one:26379", "two:6379"]);
        assert_eq!((sentinels.master.as_str(), sentinels.server.redis_settings().db()), ("orders", 3));
        assert_eq!(sentinels.server.redis_settings().password(), Some("secret"));
        assert_eq!(sentinels.nodes[0].redis_settings().password(), None, "the servers' password is not told to others");
    }

    #[test]
    fn an_s_means_tls_for_every_server() {
        let of_info = |info: &ConnectionInfo| matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let is_encrypted = |url| match parse(url).unwrap() {
            Address::Single(info) => of_info(&info),
            Address::Cluster(nodes, certificates) => certificates.is_some() && nodes.iter().all(of_info),
            Address::Sentinel(sentinels) => of_info(&sentinels.server) && sentinels.nodes.iter().all(of_info),
        };
        assert!(is_encrypted("rediss://cache:6380/2"));
        assert!(!is_encrypted("redis://cache"));
        assert!(is_encrypted("rediss+cluster://one:1,two:2") && !is_encrypted("redis+cluster://one:1"));
        assert!(is_encrypted("rediss+sentinel://one:1/orders") && !is_encrypted("redis+sentinel://one:1/orders"));
        let Ok(Address::Sentinel(sentinels)) = parse("rediss+sentinel://me:secret@one:1/orders/3") else { panic!() };
        let server = sentinels.server_at("two".into(), 6_380);
        assert!(
            matches!(server.addr(), ConnectionAddr::TcpTls { host, port: 6_380, insecure: false, .. } if host == "two")
        );
        assert_eq!(server.redis_settings().db(), 3);
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
            "rediss://a:1/#insecure",
            "rediss+cluster://a:1#insecure",
            "redisss://a:1",
        ] {
            assert!(matches!(parse(url), Err(QueueError::Settings(_))), "{url}");
        }
    }
}
