//! Settings of the API, read once at start.

use std::net::SocketAddr;

use clap::Parser;
use posthouse_service::settings::{DatabaseSettings, ProcessSettings, RedisSettings};
use url::Url;

const EXAMPLES: &str = "Examples:
  posthouse-api --listen 0.0.0.0:5005
  POSTHOUSE_DATABASE_URL=postgres://… POSTHOUSE_REDIS_URL=redis://… posthouse-api
The API is described at /docs and /openapi.json.";

/// Serves the REST API: accepts events, and shows what became of them.
#[derive(Debug, Parser)]
#[command(name = "posthouse-api", version, after_help = EXAMPLES)]
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
    /// Address of the REST API, /healthz, /readyz, /metrics and /docs.
    #[arg(long, env = "POSTHOUSE_API_LISTEN", default_value = "127.0.0.1:5005")]
    pub listen: SocketAddr,
    /// Address of the job board. Its users sign in with the personal key of an organisation's administrator as password.
    #[arg(long, env = "POSTHOUSE_BOARD_LISTEN", default_value = "127.0.0.1:5010")]
    pub board_listen: SocketAddr,
    /// Egress proxy through which the API makes its own few requests, such as http://127.0.0.1:4750. Without it the API
    /// connects directly, under the same rules.
    #[arg(long, env = "POSTHOUSE_EGRESS_URL")]
    pub egress_url: Option<Url>,
    /// CIDR, or CIDR:PORT, to which an API without egress may connect although it is refused by default. Repeatable, or
    /// separated by commas.
    #[arg(long, env = "POSTHOUSE_API_ALLOW", value_delimiter = ',', conflicts_with = "egress_url")]
    pub allow: Vec<posthouse_egress::AddressRule>,
    /// Most bytes of a request's body.
    #[arg(long, env = "POSTHOUSE_API_BODY_BYTES_MAX", default_value_t = 1_048_576, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1_024..=104_857_600))]
    pub body_bytes_max: usize,
    /// Where customers reach this service: the beginning of the URLs of portal links. Without it they are relative.
    #[arg(long, env = "POSTHOUSE_API_PUBLIC_URL")]
    pub public_url: Option<url::Url>,
}
