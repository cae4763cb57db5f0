//! Schedules on the wire. The contract has none.

use chrono::{DateTime, Utc};
use posthouse_schema::schedule::{ScheduleRun, ScheduleView};
use salvo::oapi::ToSchema;
use serde::Serialize;
use serde_json::Value;

/// A periodic job.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleWire {
    /// Names it.
    pub name: String,
    /// When it runs, in UTC: seconds, minutes, hours, day of month, month, day of week.
    pub cron: String,
    /// How many missed runs are made up for; 1 for the latest only.
    pub catch_up_max: i32,
    /// By how many seconds a run may be late on purpose.
    pub jitter_seconds: i32,
    /// What its runs are told, as the scheduler's settings have it.
    pub settings: Value,
    /// When it runs next; null while it is paused.
    pub next_run_at: Option<DateTime<Utc>>,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Since when; null where it is not.
    pub paused_at: Option<DateTime<Utc>>,
    /// The user who paused it, the last time.
    pub paused_by: Option<String>,
    /// When it was last let go on.
    pub resumed_at: Option<DateTime<Utc>>,
    /// The user who did that.
    pub resumed_by: Option<String>,
    /// The scheduler that was active last.
    pub scheduler: String,
    /// Its last run that has begun; null before the first.
    pub last_run: Option<ScheduleRunWire>,
}

/// A run of a schedule.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleRunWire {
    /// When it was due, or asked for.
    pub tick_at: DateTime<Utc>,
    /// `waiting` for a scheduler, `queued`, `running`, `succeeded` or `failed`. One that failed may be tried again.
    pub status: String,
    /// The user who asked for it; null where it was due.
    pub requested_by: Option<String>,
    /// The worker that ran it.
    pub worker: Option<String>,
    /// How often it was begun.
    pub tries: i32,
    /// When its last try began.
    pub started_at: Option<DateTime<Utc>>,
    /// When that ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How long that took.
    pub duration_ms: Option<i64>,
    /// What it did.
    pub result: Option<Value>,
    /// Why its last try failed.
    pub error: Option<String>,
}

/// A schedule with its last runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleDetailWire {
    /// The schedule.
    #[serde(flatten)]
    pub schedule: ScheduleWire,
    /// Its last runs, the newest first.
    pub runs: Vec<ScheduleRunWire>,
}

/// A run that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestedRunWire {
    /// The schedule.
    pub name: String,
    /// Names the run.
    pub tick_at: DateTime<Utc>,
}

impl ScheduleWire {
    /// The schedule and its last run.
    #[must_use]
    pub fn new(view: ScheduleView, last: Option<ScheduleRun>) -> Self {
        let is_paused = view.paused_at.is_some();
        Self {
            name: view.name,
            cron: view.cron,
            catch_up_max: view.catch_up_max,
            jitter_seconds: view.jitter_seconds,
            settings: view.settings,
            next_run_at: view.next_tick_at.filter(|_| !is_paused),
            is_paused,
            paused_at: view.paused_at,
            paused_by: view.paused_by,
            resumed_at: view.resumed_at,
            resumed_by: view.resumed_by,
            scheduler: view.announced_by,
            last_run: last.map(ScheduleRunWire::from),
        }
    }
}

impl ScheduleDetailWire {
    /// The schedule and its last runs.
    #[must_use]
    pub fn new(view: ScheduleView, last: Option<ScheduleRun>, runs: Vec<ScheduleRun>) -> Self {
        Self { schedule: ScheduleWire::new(view, last), runs: runs.into_iter().map(ScheduleRunWire::from).collect() }
    }
}

impl From<ScheduleRun> for ScheduleRunWire {
    fn from(run: ScheduleRun) -> Self {
        Self {
            status: run.status().into(),
            duration_ms: run.finished_at.zip(run.started_at).map(|(end, begin)| (end - begin).num_milliseconds()),
            tick_at: run.tick_at,
            requested_by: run.requested_by,
            worker: run.worker,
            tries: run.tries,
            started_at: run.started_at,
            finished_at: run.finished_at,
            result: run.result,
            error: run.error,
        }
    }
}
