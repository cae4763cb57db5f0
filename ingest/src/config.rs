//! Settings of `posthouse-ingest`, read once at start.

use std::{net::SocketAddr, time::Duration};

use posthouse_service::settings::{DatabaseSettings, ProcessSettings, RedisSettings, duration};

/// Consumes events from message brokers and only writes jobs to Redis.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "posthouse-ingest", version)]
pub struct Config {
    /// Logs, the settings file and the drain.
    #[command(flatten)]
    pub process: ProcessSettings,
    /// The ledger, where sources and leases are.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// The queues.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "POSTHOUSE_INGEST_LISTEN", default_value = "127.0.0.1:5009")]
    pub listen: SocketAddr,
    /// How often the sources are read from the database, should the news of a change be lost.
    #[arg(long, env = "POSTHOUSE_INGEST_POLL_INTERVAL", default_value = "5s", value_parser = duration)]
    pub poll_interval: Duration,
    /// How long a source cannot be read, or has everything refused that it brings, before its project is told.
    #[arg(long, env = "POSTHOUSE_INGEST_SOURCE_FAILING_AFTER", default_value = "1m", value_parser = duration)]
    pub source_failing_after: Duration,
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
