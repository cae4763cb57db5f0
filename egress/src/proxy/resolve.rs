//! Names to addresses, once per request: whatever is judged is dialled at once. Answers of the system's resolver are not
//! kept; those of the configured servers are for as long as they say.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hickory_resolver::{
    Resolver as Hickory, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    proto::rr::Name,
};

/// Addresses a name may have; more are a sign of abuse and are not looked at.
const ADDRESSES_MAX: usize = 32;
/// However long an answer says that it holds.
const KEPT_MAX: Duration = Duration::from_secs(300);
const NOTHING_KEPT_MAX: Duration = Duration::from_secs(30);
/// How long one server may take before the next is asked; `--dns-timeout` bounds them all.
const SERVER_TIMEOUT: Duration = Duration::from_secs(2);

/// Who answers for names.
#[derive(Debug, Clone)]
pub enum Resolver {
    /// The system's resolver.
    System,
    /// Servers of our own choice.
    Servers(NameServers),
    /// A fixed list, for tests of what a name server could answer.
    Fixed(FixedNames),
}

/// Name servers, and what they have answered.
#[derive(Clone)]
pub struct NameServers(Arc<TokioResolver>);

impl fmt::Debug for NameServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameServers")
    }
}

impl NameServers {
    /// Asks these servers, and keeps so many answers at most. No hosts file and no search domain counts.
    ///
    /// # Errors
    /// The library refuses the servers.
    pub fn new(servers: &[SocketAddr], answers_max: u64) -> io::Result<Self> {
        let server = |address: &SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = address.port();
                connection
            });
            NameServerConfig::new(address.ip(), true, connections.to_vec())
        };
        let servers = servers.iter().map(server).collect();
        let mut options = ResolverOpts::default();
        options.timeout = SERVER_TIMEOUT;
        options.cache_size = answers_max;
        options.use_hosts_file = ResolveHosts::Never;
        options.positive_max_ttl = Some(KEPT_MAX);
        options.negative_max_ttl = Some(NOTHING_KEPT_MAX);
        options.case_randomization = true;
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let built = Hickory::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build();
        built.map(|resolver| Self(Arc::new(resolver))).map_err(io::Error::other)
    }

    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut name = Name::from_ascii(name).map_err(io::Error::other)?;
        name.set_fqdn(true);
        let found = self.0.lookup_ip(name).await.map_err(io::Error::other)?;
        Ok(found.iter().take(ADDRESSES_MAX).map(|address| SocketAddr::new(address, port)).collect())
    }
}

/// Names with one answer per question; the last one stays.
#[derive(Debug, Clone, Default)]
pub struct FixedNames(Arc<Mutex<HashMap<String, Vec<Vec<std::net::IpAddr>>>>>);

impl FixedNames {
    /// Lets `name` have these answers, one after the other.
    #[must_use]
    pub fn with(self, name: &str, answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().filter_map(|address| address.parse().ok()).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), answers.iter().map(parse).collect());
        self
    }

    fn next(&self, name: &str) -> Option<Vec<std::net::IpAddr>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = names.get_mut(name)?;
        if answers.len() > 1 { Some(answers.remove(0)) } else { answers.first().cloned() }
    }
}

impl Resolver {
    /// The name's addresses, with the port.
    ///
    /// # Errors
    /// The name has none, or nobody answers.
    pub async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            // The trailing dot keeps the system's search domains out: a name means the same everywhere.
            Self::System => {
                Ok(tokio::net::lookup_host((format!("{name}."), port)).await?.take(ADDRESSES_MAX).collect())
            }
            Self::Servers(servers) => servers.resolve(name, port).await,
            Self::Fixed(names) => {
                let addresses = names.next(name).ok_or(io::ErrorKind::NotFound)?;
                Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
            }
        }
    }
}
