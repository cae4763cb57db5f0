//! What a scheduler tells Prometheus of its schedules and of the audit, active or not: it reads what the workers have noted, so
//! that any one that answers is enough.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use posthouse_jobs::HouseTask;
use posthouse_schema::{
    pool::Pool,
    schedule::{self, ScheduleRun, ScheduleView},
};
use posthouse_service::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};
use tokio_util::sync::CancellationToken;

use super::schedules::Schedule;
use crate::error::WorkerError;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(15);
/// The time whose audits are summed up.
const AUDITED: TimeDelta = TimeDelta::days(1);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    schedule: &'static str,
}

/// The metrics.
pub struct LedgerMetrics {
    inconsistent: Gauge,
    audited: Gauge,
    overdue: Gauge,
    lag: Gauge,
    succeeded_at: Family<Name, Gauge>,
    is_paused: Family<Name, Gauge>,
}

impl LedgerMetrics {
    /// Registers them.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            inconsistent: metrics.register(
                "ledger_inconsistent_events",
                "Events that were found within a day without the deliveries that they were matched to",
                Gauge::default(),
            ),
            audited: metrics.register(
                "ledger_audited_events",
                "Events that were audited within a day",
                Gauge::default(),
            ),
            overdue: metrics.register(
                "ledger_overdue_deliveries",
                "Unfinished deliveries that were due more than a minute before the last audit",
                Gauge::default(),
            ),
            lag: metrics.register("ledger_audit_lag_seconds", "How old is what was audited last", Gauge::default()),
            succeeded_at: metrics.register(
                "schedule_last_success_timestamp_seconds",
                "When the newest run of the schedule that succeeded has ended, Unix time",
                Family::default(),
            ),
            is_paused: metrics.register("schedule_paused", "Whether the schedule is paused", Family::default()),
        }
    }

    /// Keeps them up to date until `shutdown`.
    pub async fn watch(&self, pool: &Pool, schedules: &[Schedule], shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.look(pool, schedules).await {
                tracing::debug!(error = %error, "The schedules' metrics are as old as they were.");
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn look(&self, pool: &Pool, schedules: &[Schedule]) -> Result<(), WorkerError> {
        let mut conn = pool.get().await?;
        let audit = HouseTask::AuditLedger { events_max: 0 }.name();
        let sums = schedule::sum_audits(&mut conn, audit, Utc::now() - AUDITED).await?;
        self.inconsistent.set(sums.inconsistent);
        self.audited.set(sums.audited);
        self.overdue.set(sums.overdue);
        self.lag.set(sums.until.map_or(0, |until| (Utc::now() - until).num_seconds()));
        let views = ScheduleView::list(&mut conn).await?;
        for Schedule { name, .. } in schedules {
            let label = Name { schedule: name };
            let view = views.iter().find(|view| view.name == *name);
            let is_paused = view.is_some_and(|view| view.paused_at.is_some());
            self.is_paused.get_or_create(&label).set(i64::from(is_paused));
            let ended = ScheduleRun::last_success(&mut conn, name).await?.and_then(|run| run.finished_at);
            if let Some(ended) = ended {
                self.succeeded_at.get_or_create(&label).set(ended.timestamp());
            }
        }
        Ok(())
    }
}
