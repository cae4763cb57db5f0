//! Settings of the API, read once at start.

use std::net::SocketAddr;

use clap::Parser;
use posthouse_service::settings::{DatabaseSettings, ProcessSettings, RedisSettings};

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
    /// Most bytes of a request's body.
    #[arg(long, env = "POSTHOUSE_API_BODY_BYTES_MAX", default_value_t = 1_048_576, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1_024..=104_857_600))]
    pub body_bytes_max: usize,
    /// Where customers reach this service: the beginning of the URLs of portal links. Without it they are relative.
    #[arg(long, env = "POSTHOUSE_API_PUBLIC_URL")]
    pub public_url: Option<url::Url>,
}
