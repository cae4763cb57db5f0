//! Settings of the egress proxy, read once at start.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use posthouse_service::settings::{ProcessSettings, duration};
use url::Url;

use crate::{
    client::TlsIdentity,
    policy::{Base, PolicyError, PolicyStore},
    proxy::{ClientTls, NameServers, Resolver, Settings, Sources, TlsFiles, Upstream},
    rules::{AddressRule, HostRule, Ports},
};

const EXAMPLES: &str = "Examples:
  posthouse-egress --listen 10.0.0.5:4750
  posthouse-egress --deny 198.51.100.0/24 --allow 10.20.0.0/16:8443 --bind-source 192.0.2.10
  posthouse-egress --rules-file rules.toml --dns 10.0.0.2
  posthouse-egress check https://hooks.example.com/orders --allow 127.0.0.1/32:9900
  posthouse-egress check https://hooks.example.com/orders --proxy https://worker:token@10.0.0.5:4750 --ca-file ca.pem
  posthouse-egress audit --proxy http://10.0.0.5:4750";
const DNS_PORT: u16 = 53;

/// An HTTP proxy that lets webhooks out and refuses destinations on internal networks.
#[derive(Debug, Parser)]
#[command(name = "posthouse-egress", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Config {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of every process.
    #[command(flatten)]
    pub process: ProcessSettings,
    /// Rules.
    #[command(flatten)]
    pub rules: RuleSettings,
    /// Names.
    #[command(flatten)]
    pub names: NameSettings,
    /// Limits.
    #[command(flatten)]
    pub limits: LimitSettings,
    /// Clients' TLS.
    #[command(flatten)]
    pub tls: TlsSettings,
    /// Address of the proxy.
    #[arg(long, env = "POSTHOUSE_EGRESS_LISTEN", default_value = "127.0.0.1:4750")]
    pub listen: SocketAddr,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "POSTHOUSE_EGRESS_PROBE_LISTEN", default_value = "127.0.0.1:4751")]
    pub probe_listen: SocketAddr,
    /// Address of this machine that connections leave from. Repeatable, or separated by commas: those of each family take
    /// turns. Where there are any, nothing leaves from another one.
    #[arg(long, env = "POSTHOUSE_EGRESS_BIND_SOURCE", value_delimiter = ',', value_name = "ADDR")]
    pub bind_source: Vec<IpAddr>,
    /// Another proxy that connections leave through: http://host:port, or with user:password@. It is asked for judged
    /// addresses, not for names.
    #[arg(long, env = "POSTHOUSE_EGRESS_UPSTREAM_PROXY", hide_env_values = true, value_name = "URL")]
    pub upstream_proxy: Option<Upstream>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says what would happen to a request for this URL, and why; exits 1 when it would be refused.
    Check(Box<CheckSettings>),
    /// Asks a running proxy for what it must refuse; exits 1 when it lets anything through.
    Audit {
        /// The proxy, with the user and password of a role where it asks for them.
        #[arg(long, default_value = "http://127.0.0.1:4750", value_name = "URL")]
        proxy: Url,
        /// TLS towards that proxy.
        #[command(flatten)]
        identity: IdentitySettings,
        /// For which project to ask.
        #[arg(long, value_name = "ID")]
        project: Option<String>,
        /// CIDR or CIDR:PORT that the proxy allows on purpose: not asked for. Repeatable, or separated by commas.
        #[arg(long, value_delimiter = ',')]
        allow: Vec<AddressRule>,
    },
}

/// What is to be checked.
#[derive(Debug, Args)]
pub struct CheckSettings {
    /// The URL.
    pub url: Url,
    /// Asks this running proxy for a connection instead of applying the rules here, with the user and password of a role
    /// where it wants them. The connection is closed at once.
    #[arg(long, value_name = "URL", conflicts_with = "role")]
    pub proxy: Option<Url>,
    /// TLS towards that proxy.
    #[command(flatten)]
    pub identity: IdentitySettings,
    /// A role of the file of rules; without one, the rules that all share.
    #[arg(long)]
    pub role: Option<String>,
    /// A project of the file of rules, for which the role asks.
    #[arg(long, value_name = "ID")]
    pub project: Option<String>,
    /// Rules.
    #[command(flatten)]
    pub rules: RuleSettings,
    /// Names.
    #[command(flatten)]
    pub names: NameSettings,
}

/// TLS towards a proxy that is asked.
#[derive(Debug, Clone, Args)]
pub struct IdentitySettings {
    /// Authorities, PEM, one of which may have signed the proxy's certificate, besides the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Certificate chain, PEM, that proves a role.
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
}

impl IdentitySettings {
    /// What they name.
    #[must_use]
    pub fn identity(&self) -> TlsIdentity {
        let certificate = self.client_cert.clone().zip(self.client_key.clone());
        TlsIdentity { authorities: self.ca_file.clone(), certificate }
    }
}

/// Where connections may go.
#[derive(Debug, Clone, Args)]
pub struct RuleSettings {
    /// CIDR or CIDR:PORT to allow although it is refused by default. Repeatable, or separated by commas.
    #[arg(long, env = "POSTHOUSE_EGRESS_ALLOW", value_delimiter = ',')]
    pub allow: Vec<AddressRule>,
    /// CIDR or CIDR:PORT to refuse, whatever allows it. Repeatable, or separated by commas.
    #[arg(long, env = "POSTHOUSE_EGRESS_DENY", value_delimiter = ',')]
    pub deny: Vec<AddressRule>,
    /// The only names that may be reached: example.com, *.example.com, either with :PORT. Repeatable, or separated by
    /// commas.
    #[arg(long, env = "POSTHOUSE_EGRESS_ALLOW_HOST", value_delimiter = ',', value_name = "PATTERN")]
    pub allow_host: Vec<HostRule>,
    /// Names to refuse, written likewise.
    #[arg(long, env = "POSTHOUSE_EGRESS_DENY_HOST", value_delimiter = ',', value_name = "PATTERN")]
    pub deny_host: Vec<HostRule>,
    /// Ports that webhooks may use.
    #[arg(long, env = "POSTHOUSE_EGRESS_PORTS", default_value = "80,443,1024-65535")]
    pub ports: Ports,
    /// Lets through, and tells of, what these rules refuse; what is built in is refused all the same.
    #[arg(long, env = "POSTHOUSE_EGRESS_REPORT_ONLY", default_value = "false", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub report_only: bool,
    /// TOML file with more rules, and roles. It is read again when it changes and on SIGHUP.
    #[arg(long, env = "POSTHOUSE_EGRESS_RULES_FILE", value_name = "FILE")]
    pub rules_file: Option<PathBuf>,
}

/// How names are resolved.
#[derive(Debug, Clone, Args)]
pub struct NameSettings {
    /// Name server to ask instead of the system's resolver: ADDR or ADDR:PORT. Repeatable, or separated by commas.
    #[arg(long, env = "POSTHOUSE_EGRESS_DNS", value_delimiter = ',', value_name = "ADDR", value_parser = name_server)]
    pub dns: Vec<SocketAddr>,
    /// Answers of these servers that are kept at once, for as long as they say.
    #[arg(long, env = "POSTHOUSE_EGRESS_DNS_ANSWERS_MAX", default_value_t = 8_192, value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    pub dns_answers_max: u64,
    /// Longest wait for a name server.
    #[arg(long, env = "POSTHOUSE_EGRESS_DNS_TIMEOUT", default_value = "5s", value_parser = duration)]
    pub dns_timeout: Duration,
}

/// How long and how much.
#[derive(Debug, Clone, Args)]
pub struct LimitSettings {
    /// Longest wait for a complete request head.
    #[arg(long, env = "POSTHOUSE_EGRESS_HEAD_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub head_timeout: Duration,
    /// Longest wait for an open connection, resolving included.
    #[arg(long, env = "POSTHOUSE_EGRESS_CONNECT_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub connect_timeout: Duration,
    /// A tunnel in which nothing moves is closed after this.
    #[arg(long, env = "POSTHOUSE_EGRESS_IDLE_TIMEOUT", default_value = "60s", value_parser = duration)]
    pub idle_timeout: Duration,
    /// A tunnel is closed after this, whatever moves in it; 0s for no limit.
    #[arg(long, env = "POSTHOUSE_EGRESS_TUNNEL_LIFETIME", default_value = "0s", value_parser = duration)]
    pub tunnel_lifetime: Duration,
    /// A tunnel that has carried more bytes, both ways together, is closed; 0 for no limit.
    #[arg(long, env = "POSTHOUSE_EGRESS_TUNNEL_BYTES_MAX", default_value_t = 0)]
    pub tunnel_bytes_max: u64,
    /// Tunnels and forwarded requests at once.
    #[arg(long, env = "POSTHOUSE_EGRESS_MAX_TUNNELS", default_value_t = 10_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub max_tunnels: usize,
    /// Of these, to one host and port; 0 for no limit of its own.
    #[arg(long, env = "POSTHOUSE_EGRESS_MAX_TUNNELS_PER_DESTINATION", default_value_t = 0)]
    pub max_tunnels_per_destination: usize,
    /// Connections from one client address, with its tunnels; 0 for no limit. A balancer in front is one address.
    #[arg(long, env = "POSTHOUSE_EGRESS_MAX_CONNECTIONS_PER_CLIENT", default_value_t = 0)]
    pub max_connections_per_client: usize,
}

/// TLS towards clients.
#[derive(Debug, Clone, Args)]
pub struct TlsSettings {
    /// The proxy's certificate chain, PEM. With it, clients connect by TLS.
    #[arg(long, env = "POSTHOUSE_EGRESS_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(long, env = "POSTHOUSE_EGRESS_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Authorities, PEM, one of which has to have signed a client's certificate.
    #[arg(long, env = "POSTHOUSE_EGRESS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub client_ca: Option<PathBuf>,
    /// Lists of certificates that those authorities have revoked, PEM: a client needs one that is not on its issuer's list.
    #[arg(long, env = "POSTHOUSE_EGRESS_CLIENT_CRL", value_name = "FILE", requires = "client_ca")]
    pub client_crl: Option<PathBuf>,
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    bare.or_else(|_| text.parse()).map_err(|_| format!("{text:?} is not an address such as 10.0.0.2 or 10.0.0.2:53"))
}

impl RuleSettings {
    /// The policy that these settings and the file make.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn policy(&self) -> Result<PolicyStore, PolicyError> {
        let base = Base {
            allow: self.allow.clone(),
            deny: self.deny.clone(),
            allow_hosts: self.allow_host.clone(),
            deny_hosts: self.deny_host.clone(),
            ports: self.ports.clone(),
            is_report_only: self.report_only,
            sources: None,
        };
        PolicyStore::read(base, self.rules_file.clone())
    }
}

impl NameSettings {
    /// Who answers for names.
    ///
    /// # Errors
    /// The servers cannot be used.
    pub fn resolver(&self) -> std::io::Result<Resolver> {
        if self.dns.is_empty() {
            return Ok(Resolver::System);
        }
        NameServers::new(&self.dns, self.dns_answers_max).map(Resolver::Servers)
    }
}

impl TlsSettings {
    fn tls(&self) -> Result<Option<ClientTls>, String> {
        let (Some(chain), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        ClientTls::read(TlsFiles {
            chain: chain.clone(),
            key: key.clone(),
            authorities: self.client_ca.clone(),
            revoked: self.client_crl.clone(),
        })
        .map(Some)
    }
}

impl Config {
    /// The proxy's settings.
    ///
    /// # Errors
    /// What is named does not exist here or cannot be read.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let policy = Arc::new(self.rules.policy()?);
        policy.check_sources()?;
        let sources = Sources::new(&self.bind_source);
        let tls = self.tls.tls().and_then(|tls| sources.check().map(|()| tls));
        let tls = match tls {
            Ok(tls) => tls,
            Err(fault) => bail!(fault),
        };
        let limits = &self.limits;
        Ok(Settings {
            policy,
            resolver: self.names.resolver().context("the name servers cannot be used")?,
            head_timeout: limits.head_timeout,
            dns_timeout: self.names.dns_timeout,
            connect_timeout: limits.connect_timeout,
            idle_timeout: limits.idle_timeout,
            tunnel_lifetime: Some(limits.tunnel_lifetime).filter(|lifetime| !lifetime.is_zero()),
            tunnel_bytes_max: Some(limits.tunnel_bytes_max).filter(|max| *max > 0),
            tunnels_max: limits.max_tunnels,
            tunnels_per_destination_max: Some(limits.max_tunnels_per_destination).filter(|max| *max > 0),
            connections_per_client_max: Some(limits.max_connections_per_client).filter(|max| *max > 0),
            sources: Arc::new(sources),
            upstream: self.upstream_proxy.clone(),
            tls,
            drain_timeout: self.process.drain_timeout,
            own_ports: vec![self.probe_listen.port()],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_of_this_definition() {
        let document = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md"));
        let is_so =
            posthouse_service::settings::reference::renew(document, <Config as clap::CommandFactory>::command());
        assert!(is_so.unwrap(), "docs/settings.md was written anew: look at it and commit it");
    }
}
