//! Settings of a worker, read once at start.

use std::net::SocketAddr;

use clap::Parser;
use posthouse_service::settings::{DatabaseSettings, ProcessSettings, RedisSettings};
use secrecy::SecretString;
use url::Url;

const EXAMPLES: &str = "Examples:
  posthouse-worker --egress-url http://127.0.0.1:4750
  posthouse-worker --allow 127.0.0.1/32:9900      # direct, one loopback receiver allowed
  POSTHOUSE_SMTP_URL=smtps://user:password@mail.example.com posthouse-worker --config worker.toml";

/// Runs the jobs: stores events, delivers them, sends mail, keeps house. Any number of workers share the work.
#[derive(Debug, Parser)]
#[command(name = "posthouse-worker", version, after_help = EXAMPLES)]
pub struct Config {
    /// Settings of every process.
    #[command(flatten)]
    pub process: ProcessSettings,
    /// The database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Redis.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "POSTHOUSE_WORKER_LISTEN", default_value = "127.0.0.1:5006")]
    pub listen: SocketAddr,
    /// Egress proxy through which every delivery leaves, such as http://127.0.0.1:4750. Without it the worker connects
    /// directly, under the same rules.
    #[arg(long, env = "POSTHOUSE_EGRESS_URL")]
    pub egress_url: Option<Url>,
    /// CIDR, or CIDR:PORT, to which a worker without egress may connect although it is refused by default. Repeatable, or
    /// separated by commas.
    #[arg(long, env = "POSTHOUSE_WORKER_ALLOW", value_delimiter = ',', conflicts_with = "egress_url")]
    pub allow: Vec<posthouse_egress::AddressRule>,
    /// Deliveries under way at once.
    #[arg(long, env = "POSTHOUSE_WORKER_DELIVERIES_MAX", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    pub deliveries_max: u16,
    /// Requests that one endpoint gets at once from this worker, at most. An endpoint that does not answer gets fewer.
    #[arg(long, env = "POSTHOUSE_WORKER_ENDPOINT_REQUESTS_MAX", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub endpoint_requests_max: u16,
    /// SMTP server for mail, such as smtps://user:password@mail.example.com. Without it no mail is sent.
    #[arg(long, env = "POSTHOUSE_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<SecretString>,
    /// Address that mail comes from.
    #[arg(long, env = "POSTHOUSE_SMTP_FROM", default_value = "posthouse@localhost")]
    pub smtp_from: String,
}
