//! Settings of a worker, read once at start.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::Parser;
use posthouse_egress::client::ClientSettings;
use posthouse_service::settings::{DatabaseSettings, ProcessSettings, RedisSettings};
use secrecy::SecretString;

const EXAMPLES: &str = "Examples:
  posthouse-worker --egress-url http://127.0.0.1:4750
  posthouse-worker --egress-url https://egress-1:4750,https://egress-2:4750 --egress-ca-file ca.pem
  posthouse-worker --allow 127.0.0.1/32:9900      # direct, one loopback receiver allowed
  posthouse-worker --jobs-max 400 --queue-weights deliver_event=8,create_event=4
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
    /// Egress.
    #[command(flatten)]
    pub egress: ClientSettings,
    /// CIDR, or CIDR:PORT, to which a worker without egress may connect although it is refused by default. Repeatable, or
    /// separated by commas.
    #[arg(long, env = "POSTHOUSE_WORKER_ALLOW", value_delimiter = ',', conflicts_with = "egress_url")]
    pub allow: Vec<posthouse_egress::AddressRule>,
    /// File of certificates (PEM) of authorities that certificates of endpoints and of the mail server may be signed by, besides
    /// the system's.
    #[arg(long, env = "POSTHOUSE_WORKER_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Deliveries under way at once.
    #[arg(long, env = "POSTHOUSE_WORKER_DELIVERIES_MAX", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    pub deliveries_max: u16,
    /// Requests that one endpoint gets at once from this worker, at most. An endpoint that does not answer gets fewer.
    #[arg(long, env = "POSTHOUSE_WORKER_ENDPOINT_REQUESTS_MAX", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub endpoint_requests_max: u16,
    /// Jobs of all queues under way at once. Without it each queue has places of its own: 1000 for events to store,
    /// --deliveries-max for deliveries, 100 for replays, 64 for meta events, 8 each for mail, notifications and chats, 4 for
    /// batches, for onboarding and for refused messages, and one each for housekeeping.
    #[arg(long, env = "POSTHOUSE_WORKER_JOBS_MAX", value_parser = clap::value_parser!(u16).range(16..))]
    pub jobs_max: Option<u16>,
    /// How the queues share --jobs-max while there is more work than places, such as deliver_event=8,create_event=4. A queue
    /// that is not named weighs 1.
    #[arg(long, env = "POSTHOUSE_WORKER_QUEUE_WEIGHTS", value_delimiter = ',', requires = "jobs_max")]
    pub queue_weights: Vec<QueueWeight>,
    /// Refused messages of brokers that are kept of each source, about; the oldest give way.
    #[arg(long, env = "POSTHOUSE_WORKER_REJECTED_MESSAGES_MAX", default_value_t = crate::context::REJECTED_MESSAGES_MAX, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rejected_messages_max: u32,
    /// SMTP server for mail, such as smtps://user:password@mail.example.com. Without it no mail is sent.
    #[arg(long, env = "POSTHOUSE_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<SecretString>,
    /// Address that mail comes from.
    #[arg(long, env = "POSTHOUSE_SMTP_FROM", default_value = "posthouse@localhost")]
    pub smtp_from: String,
}

/// A queue's weight among the queues of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueWeight {
    queue: &'static str,
    weight: u16,
}

impl FromStr for QueueWeight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, weight) = text.split_once('=').ok_or("QUEUE=WEIGHT is expected")?;
        let queue = posthouse_jobs::QUEUES.into_iter().find(|queue| *queue == name);
        let queue = queue.ok_or_else(|| format!("the queues are {}", posthouse_jobs::QUEUES.join(", ")))?;
        let weight = weight.parse().ok().filter(|weight| (1..=1_000).contains(weight));
        Ok(Self { queue, weight: weight.ok_or("a weight is a number between 1 and 1000")? })
    }
}

impl QueueWeight {
    /// The weights of all queues, in their order; the last word on a queue counts.
    #[must_use]
    pub fn of_all(given: &[Self]) -> [usize; posthouse_jobs::QUEUES.len()] {
        posthouse_jobs::QUEUES.map(|queue| {
            given.iter().rev().find(|weight| weight.queue == queue).map_or(1, |weight| usize::from(weight.weight))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_and_ordered() {
        let given = ["deliver_event=8", "create_event=2", "create_event=4"].map(|text| text.parse().unwrap());
        assert_eq!(QueueWeight::of_all(&given), [4, 8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        for (text, part) in [
            ("deliver_event", "QUEUE=WEIGHT"),
            ("mail=1", "the queues are create_event"),
            ("send_email=0", "between 1 and 1000"),
            ("send_email=x", "between 1 and 1000"),
        ] {
            let error = text.parse::<QueueWeight>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn the_reference_is_of_this_definition() {
        let document = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md"));
        let is_so =
            posthouse_service::settings::reference::renew(document, <Config as clap::CommandFactory>::command());
        assert!(is_so.unwrap(), "docs/settings.md was written anew: look at it and commit it");
    }
}
