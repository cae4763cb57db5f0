//! Settings of a scheduler, read once at start.

use std::net::SocketAddr;

use clap::Parser;
use posthouse_service::settings::{DatabaseSettings, ProcessSettings, RedisSettings};

use super::schedules::{CatchUp, Schedule, Work};

/// Missed sweeps that are made up for: a sweep sees everything, so a few are plenty, but each leaves its mark in the ledger.
const SWEEPS_MAX: usize = 120;

/// Missed backups that are made up for: each is of another day.
const BACKUPS_MAX: usize = 7;

const EXAMPLES: &str = "Examples:
  posthouse-scheduler --retention-days 90
  posthouse-scheduler --sweep-schedule '*/10 * * * * *'
Start as many as you like: one is active, the others take over within 15 seconds.";

/// Enqueues the periodic jobs. Exactly one instance of a deployment is active.
#[derive(Debug, Parser)]
#[command(name = "posthouse-scheduler", version, after_help = EXAMPLES)]
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
    #[arg(long, env = "POSTHOUSE_SCHEDULER_LISTEN", default_value = "127.0.0.1:5007")]
    pub listen: SocketAddr,
    /// Whole days for which events, deliveries and attempts are kept.
    #[arg(long, env = "POSTHOUSE_RETENTION_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub retention_days: u16,
    /// Whole days for which messages of brokers that were refused are kept.
    #[arg(long, env = "POSTHOUSE_REJECTED_RETENTION_DAYS", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub rejected_retention_days: u16,
    /// Whole days for which it is kept who changed what.
    #[arg(long, env = "POSTHOUSE_AUDIT_RETENTION_DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub audit_retention_days: u16,
    /// When expired days are dropped and coming ones made, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_PURGE_SCHEDULE", default_value = "0 10 * * * *")]
    pub purge_schedule: cron::Schedule,
    /// When overdue deliveries get their job again, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_SWEEP_SCHEDULE", default_value = "*/30 * * * * *")]
    pub sweep_schedule: cron::Schedule,
    /// When stored events are made searchable, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_SEARCH_SCHEDULE", default_value = "*/5 * * * * *")]
    pub search_schedule: cron::Schedule,
    /// Events that are made searchable each time, at most; 0 for no search.
    #[arg(long, env = "POSTHOUSE_SEARCH_EVENTS_MAX", default_value_t = 20_000)]
    pub search_events_max: u32,
    /// When projects hear which of their endpoints have begun to fail, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_DIGEST_SCHEDULE", default_value = "0 0 8 * * *")]
    pub digest_schedule: cron::Schedule,
    /// Where every project's events of the day before are exported to: a folder that all workers share, s3://bucket/prefix or
    /// az://container/prefix. Credentials are in the workers' environment (AWS_…, AZURE_…). Without it nothing is exported.
    #[arg(long, env = "POSTHOUSE_BACKUP_PLACE", value_parser = place)]
    pub backup_place: Option<String>,
    /// When they are exported, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_BACKUP_SCHEDULE", default_value = "0 30 3 * * *")]
    pub backup_schedule: cron::Schedule,
    /// Whole days whose exports are kept.
    #[arg(long, env = "POSTHOUSE_BACKUP_KEEP_DAYS", default_value_t = 35, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub backup_keep_days: u16,
}

/// A place that holds no credentials: it is part of jobs, which people can see.
fn place(text: &str) -> Result<String, String> {
    let has_credentials = text.split_once("://").is_some_and(|(_, rest)| rest.contains(['@', '?']));
    if has_credentials {
        return Err("credentials belong into the workers' environment (AWS_…, AZURE_…)".into());
    }
    if text.is_empty() { Err("a place is expected".into()) } else { Ok(text.into()) }
}

impl Config {
    /// The schedules that these settings make.
    #[must_use]
    pub fn schedules(&self) -> Vec<Schedule> {
        let mut schedules = vec![
            Schedule {
                name: "purge_expired",
                cron: self.purge_schedule.clone(),
                catch_up: CatchUp::Latest,
                work: Work::Purge {
                    retention_days: self.retention_days,
                    rejected_retention_days: self.rejected_retention_days,
                    audit_retention_days: self.audit_retention_days,
                },
            },
            Schedule {
                name: "sweep_deliveries",
                cron: self.sweep_schedule.clone(),
                catch_up: CatchUp::Each(SWEEPS_MAX),
                work: Work::Sweep,
            },
            Schedule {
                name: "send_digests",
                cron: self.digest_schedule.clone(),
                catch_up: CatchUp::Latest,
                work: Work::Digests,
            },
        ];
        if self.search_events_max > 0 {
            schedules.push(Schedule {
                name: "index_events",
                cron: self.search_schedule.clone(),
                catch_up: CatchUp::Latest,
                work: Work::Index { events_max: self.search_events_max },
            });
        }
        if let Some(place) = &self.backup_place {
            schedules.push(Schedule {
                name: "back_up",
                cron: self.backup_schedule.clone(),
                catch_up: CatchUp::Each(BACKUPS_MAX),
                work: Work::BackUp { place: place.clone(), keep_days: self.backup_keep_days },
            });
        }
        schedules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_with_credentials_is_refused() {
        for good in ["/var/backups", "s3://bucket/prefix", "az://container"] {
            assert_eq!(place(good).as_deref(), Ok(good));
        }
        for bad in ["", "s3://key:secret@bucket/x", "az://container/x?sig=y"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_of_this_definition() {
        let document = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md"));
        let is_so =
            posthouse_service::settings::reference::renew(document, <Config as clap::CommandFactory>::command());
        assert!(is_so.unwrap(), "docs/settings.md was written anew: look at it and commit it");
    }
}
