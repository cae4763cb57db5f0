//! Settings of the egress proxy, read once at start.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, Parser, Subcommand};
use posthouse_service::settings::{ProcessSettings, duration};
use url::Url;

use crate::{
    proxy::{Resolver, Settings},
    rules::{AddressRule, Ports, Rules},
};

const EXAMPLES: &str = "Examples:
  posthouse-egress --listen 10.0.0.5:4750
  posthouse-egress --deny 198.51.100.0/24 --allow 10.20.0.0/16:8443
  posthouse-egress check https://hooks.example.com/orders --allow 127.0.0.1/32:9900";

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
    /// Address of the proxy.
    #[arg(long, env = "POSTHOUSE_EGRESS_LISTEN", default_value = "127.0.0.1:4750")]
    pub listen: SocketAddr,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "POSTHOUSE_EGRESS_PROBE_LISTEN", default_value = "127.0.0.1:4751")]
    pub probe_listen: SocketAddr,
    /// Longest wait for a complete request head.
    #[arg(long, env = "POSTHOUSE_EGRESS_HEAD_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub head_timeout: Duration,
    /// Longest wait for a name server.
    #[arg(long, env = "POSTHOUSE_EGRESS_DNS_TIMEOUT", default_value = "5s", value_parser = duration)]
    pub dns_timeout: Duration,
    /// Longest wait for an open connection, resolving included.
    #[arg(long, env = "POSTHOUSE_EGRESS_CONNECT_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub connect_timeout: Duration,
    /// A tunnel in which nothing moves is closed after this.
    #[arg(long, env = "POSTHOUSE_EGRESS_IDLE_TIMEOUT", default_value = "60s", value_parser = duration)]
    pub idle_timeout: Duration,
    /// Tunnels and forwarded requests at once.
    #[arg(long, env = "POSTHOUSE_EGRESS_MAX_TUNNELS", default_value_t = 10_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub max_tunnels: usize,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says what would happen to a request for this URL, and why; exits 1 when it would be refused.
    Check {
        /// The URL.
        url: Url,
        /// Rules.
        #[command(flatten)]
        rules: RuleSettings,
    },
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
    /// Ports that webhooks may use.
    #[arg(long, env = "POSTHOUSE_EGRESS_PORTS", default_value = "80,443,1024-65535")]
    pub ports: Ports,
}

impl RuleSettings {
    /// The rules that these settings make.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules::new(self.allow.clone(), self.deny.clone(), self.ports.clone())
    }
}

impl Config {
    /// The proxy's settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            rules: self.rules.rules(),
            resolver: Resolver::System,
            head_timeout: self.head_timeout,
            dns_timeout: self.dns_timeout,
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
            tunnels_max: self.max_tunnels,
            own_ports: vec![self.probe_listen.port()],
            drain_timeout: self.process.drain_timeout,
        }
    }
}
