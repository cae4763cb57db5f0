//! Settings of a scheduler, read once at start.

use std::{net::SocketAddr, time::Duration};

use chrono::{DateTime, TimeDelta};
use clap::Parser;
use posthouse_jobs::{HouseTask, PurgeExpired};
use posthouse_service::settings::{DatabaseSettings, ProcessSettings, RedisSettings, duration};

use super::schedules::{CatchUp, Schedule, Work};

/// Missed sweeps that are made up for: a sweep sees everything, so a few are plenty, but each leaves its mark in the ledger.
const SWEEPS_MAX: usize = 120;
/// Ticks by which it is told how often a schedule ticks.
const TICKS_COMPARED: usize = 50;

/// Missed backups that are made up for: each is of another day.
const BACKUPS_MAX: usize = 7;

const EXAMPLES: &str = "Examples:
  posthouse-scheduler --retention-days 90
  posthouse-scheduler --retention-days 90 --attempts-retention-days 14 --payload-retention-days 7
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
    /// Whole days for which events are kept, and deliveries and attempts where nothing else is said. Projects can keep them
    /// for a shorter time.
    #[arg(long, env = "POSTHOUSE_RETENTION_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub retention_days: u16,
    /// Whole days for which deliveries are kept, at most --retention-days.
    #[arg(long, env = "POSTHOUSE_DELIVERIES_RETENTION_DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub deliveries_retention_days: Option<u16>,
    /// Whole days for which attempts are kept, at most as long as deliveries.
    #[arg(long, env = "POSTHOUSE_ATTEMPTS_RETENTION_DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub attempts_retention_days: Option<u16>,
    /// Whole days after which an event loses its data, while it stays with its deliveries. Without it an event has its data
    /// for as long as it is kept.
    #[arg(long, env = "POSTHOUSE_PAYLOAD_RETENTION_DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub payload_retention_days: Option<u16>,
    /// Whole days for which messages of brokers that were refused are kept.
    #[arg(long, env = "POSTHOUSE_REJECTED_RETENTION_DAYS", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub rejected_retention_days: u16,
    /// Whole days for which it is kept who changed what.
    #[arg(long, env = "POSTHOUSE_AUDIT_LOG_RETENTION_DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub audit_log_retention_days: u16,
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
    /// When the events of the days that are over are counted, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_COUNT_SCHEDULE", default_value = "0 20 0 * * *")]
    pub count_schedule: cron::Schedule,
    /// When what happened in projects is counted for charts, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_ACTIVITY_SCHEDULE", default_value = "10,40 * * * * *")]
    pub activity_schedule: cron::Schedule,
    /// When secrets, keys and invitations are deleted whose time has passed, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_SECRET_SCHEDULE", default_value = "0 25 * * * *")]
    pub secret_schedule: cron::Schedule,
    /// When sources are looked for that have received nothing for too long, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_SOURCE_SCHEDULE", default_value = "15 * * * * *")]
    pub source_schedule: cron::Schedule,
    /// When old dead letters are forgotten, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_DEAD_LETTER_SCHEDULE", default_value = "0 40 * * * *")]
    pub dead_letter_schedule: cron::Schedule,
    /// Whole days for which dead letters are kept.
    #[arg(long, env = "POSTHOUSE_DEAD_LETTER_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub dead_letter_days: u16,
    /// Dead letters that each queue keeps, at most.
    #[arg(long, env = "POSTHOUSE_DEAD_LETTERS_MAX", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub dead_letters_max: u32,
    /// When it is checked that the ledger adds up, as a cron expression in UTC with seconds first.
    #[arg(long, env = "POSTHOUSE_AUDIT_SCHEDULE", default_value = "30 */5 * * * *")]
    pub audit_schedule: cron::Schedule,
    /// Events that one check looks at; 0 for no checks.
    #[arg(long, env = "POSTHOUSE_AUDIT_EVENTS_MAX", default_value_t = 200_000)]
    pub audit_events_max: u32,
    /// By how much what is done once an hour or more rarely may be late on purpose, so that not everything begins in the same
    /// second; less than an hour.
    #[arg(long, env = "POSTHOUSE_SCHEDULE_JITTER", default_value = "30s", value_parser = jitter)]
    pub schedule_jitter: Duration,
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

fn jitter(text: &str) -> Result<Duration, String> {
    let jitter = duration(text)?;
    if jitter < Duration::from_hours(1) { Ok(jitter) } else { Err("less than 1h is expected".into()) }
}

impl Config {
    /// The schedules that these settings make.
    #[must_use]
    pub fn schedules(&self) -> Vec<Schedule> {
        let once = |name: &'static str, cron: &cron::Schedule, work: Work| Schedule {
            name,
            cron: cron.clone(),
            catch_up: CatchUp::Latest,
            jitter: self.jitter_of(cron),
            work,
        };
        let house = |task: HouseTask, cron: &cron::Schedule| once(task.name(), cron, Work::House(task));
        let mut schedules = vec![
            once("purge_expired", &self.purge_schedule, Work::Purge(self.purge())),
            Schedule {
                catch_up: CatchUp::Each(SWEEPS_MAX),
                jitter: Duration::ZERO,
                ..once("sweep_deliveries", &self.sweep_schedule, Work::Sweep)
            },
            once("send_digests", &self.digest_schedule, Work::Digests),
            house(HouseTask::CountEvents, &self.count_schedule),
            house(HouseTask::CountActivity, &self.activity_schedule),
            house(HouseTask::ExpireSecrets, &self.secret_schedule),
            house(HouseTask::WatchSources, &self.source_schedule),
            house(
                HouseTask::TrimDeadLetters { days: self.dead_letter_days, letters_max: self.dead_letters_max },
                &self.dead_letter_schedule,
            ),
        ];
        if self.search_events_max > 0 {
            let work = Work::Index { events_max: self.search_events_max };
            schedules.push(once("index_events", &self.search_schedule, work));
        }
        if self.audit_events_max > 0 {
            schedules.push(house(HouseTask::AuditLedger { events_max: self.audit_events_max }, &self.audit_schedule));
        }
        if let Some(place) = &self.backup_place {
            let work = Work::BackUp { place: place.clone(), keep_days: self.backup_keep_days };
            schedules.push(Schedule {
                catch_up: CatchUp::Each(BACKUPS_MAX),
                ..once("back_up", &self.backup_schedule, work)
            });
        }
        schedules
    }

    fn purge(&self) -> PurgeExpired {
        PurgeExpired {
            rejected_retention_days: Some(self.rejected_retention_days),
            audit_log_retention_days: Some(self.audit_log_retention_days),
            deliveries_retention_days: self.deliveries_retention_days,
            attempts_retention_days: self.attempts_retention_days,
            payload_retention_days: self.payload_retention_days,
            // Each tick puts in its own.
            ..PurgeExpired::new(DateTime::UNIX_EPOCH, self.retention_days)
        }
    }

    /// What ticks more often is not so heavy that it had to be moved.
    fn jitter_of(&self, cron: &cron::Schedule) -> Duration {
        let ticks: Vec<_> = cron.after(&DateTime::UNIX_EPOCH).take(TICKS_COMPARED).collect();
        let is_rare = ticks.array_windows().all(|[one, next]| *next - *one >= TimeDelta::hours(1));
        if is_rare { self.schedule_jitter } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedules(args: &[&str]) -> Vec<Schedule> {
        let services = ["scheduler", "--database-url", "postgres://h/d", "--redis-url", "redis://h"];
        Config::try_parse_from(services.iter().chain(args)).unwrap().schedules()
    }

    #[test]
    fn rare_schedules_have_jitter_and_others_have_none() {
        let late: Vec<_> = schedules(&["--count-schedule", "0 20,50 0 * * *"])
            .into_iter()
            .filter(|schedule| schedule.jitter > Duration::ZERO)
            .map(|schedule| schedule.name)
            .collect();
        assert_eq!(late, ["purge_expired", "send_digests", "expire_secrets", "trim_dead_letters"]);
        assert!(schedules(&["--schedule-jitter", "0s"]).iter().all(|schedule| schedule.jitter.is_zero()));
    }

    #[test]
    fn what_is_set_to_nothing_is_not_done() {
        let names = |args: &[&str]| schedules(args).into_iter().map(|schedule| schedule.name).collect::<Vec<_>>();
        assert!(names(&[]).contains(&"index_events") && names(&[]).contains(&"audit_ledger"));
        let fewer = names(&["--search-events-max", "0", "--audit-events-max", "0"]);
        assert!(!fewer.contains(&"index_events") && !fewer.contains(&"audit_ledger"));
    }

    #[test]
    fn a_place_with_credentials_is_refused() {
        for good in ["/var/backups", "s3://bucket/prefix", "az://container"] {
            assert_eq!(place(good).as_deref(), Ok(good));
        }
        for bad in ["", "s3://key:secret@bucket/x", "az://container/x?sig=y"] {
            assert!(place(bad).is_err(), "{bad}");
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
