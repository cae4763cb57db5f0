//! The periodic jobs, for those who run the instance: when each ran and what came of it, and a word to the scheduler, which
//! holds for every one to come.

mod wire;

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_schema::{
    ids::UserId,
    schedule::{self, ScheduleRun, ScheduleView},
};
use salvo::prelude::*;

use self::wire::{RequestedRunWire, ScheduleDetailWire, ScheduleWire};
use crate::{
    auth,
    error::{ApiError, ApiResult},
    reply::Reply,
};

const UNKNOWN: ApiError = ApiError::NotFound("schedule not found");
/// Runs that are shown of one schedule.
const RUNS_SHOWN: i64 = 20;

/// The routes of schedules.
pub fn router() -> Router {
    Router::with_path("admin/schedules").get(list_schedules).push(
        Router::with_path("{schedule}")
            .get(get_schedule)
            .push(Router::with_path("run").post(run_schedule))
            .push(Router::with_path("pause").put(pause_schedule))
            .push(Router::with_path("resume").put(resume_schedule)),
    )
}

/// Lists the schedules
///
/// For instance administrators. Each with when it runs, its last run and what came of it, and whether it is paused. The list is
/// what the active scheduler announced; it is empty until one has been.
#[endpoint(tags("Administration"), operation_id = "GetSchedules")]
#[boxed]
pub async fn list_schedules(depot: &mut Depot) -> ApiResult<Vec<ScheduleWire>> {
    let (app, _) = auth::instance_admin(depot).await?;
    let mut conn = app.conn().await?;
    let mut schedules = Vec::new();
    for view in ScheduleView::list(&mut conn).await? {
        let last = ScheduleRun::last_begun(&mut conn, &view.name).await?;
        schedules.push(ScheduleWire::new(view, last));
    }
    Ok(Reply::ok("Schedules fetched successfully", schedules))
}

/// Reads a schedule and its last runs
///
/// For instance administrators. The newest runs come first, those that wait in the queue too.
#[endpoint(tags("Administration"), operation_id = "GetSchedule")]
#[boxed]
pub async fn get_schedule(req: &mut Request, depot: &mut Depot) -> ApiResult<ScheduleDetailWire> {
    let (app, _) = auth::instance_admin(depot).await?;
    let mut conn = app.conn().await?;
    let view = ScheduleView::find(&mut conn, &name(req)?).await?.ok_or(UNKNOWN)?;
    let last = ScheduleRun::last_begun(&mut conn, &view.name).await?;
    let runs = ScheduleRun::list(&mut conn, &view.name, RUNS_SHOWN).await?;
    Ok(Reply::ok("Schedule fetched successfully", ScheduleDetailWire::new(view, last, runs)))
}

/// Runs a schedule now
///
/// For instance administrators. The active scheduler enqueues it within a second or two, paused or not; while none is active it
/// waits for one. `tick_at` names the run among those of the schedule. One that was asked for and is still to be enqueued is
/// not asked for twice.
#[endpoint(tags("Administration"), operation_id = "RunSchedule", status_codes(202))]
#[boxed]
pub async fn run_schedule(req: &mut Request, depot: &mut Depot) -> ApiResult<RequestedRunWire> {
    let (app, user) = auth::instance_admin(depot).await?;
    let name = name(req)?;
    let asked = schedule::request_run(&mut *app.conn().await?, (&name, &user.to_string()), Utc::now()).await?;
    let tick_at = asked.ok_or(UNKNOWN)?;
    tracing::info!(user.id = %user, schedule = name, tick = %tick_at, "A run was asked for.");
    Ok(Reply::accepted("Run of the schedule requested", RequestedRunWire { name, tick_at }))
}

/// Pauses a schedule
///
/// For instance administrators. It does not run by the clock until it is let go on, whichever scheduler is active, also after a
/// restart. What runs goes on.
#[endpoint(tags("Administration"), operation_id = "PauseSchedule")]
#[boxed]
pub async fn pause_schedule(req: &mut Request, depot: &mut Depot) -> ApiResult<ScheduleWire> {
    let (app, user) = auth::instance_admin(depot).await?;
    let mut conn = app.conn().await?;
    let view = schedule::pause(&mut conn, &name(req)?, &user.to_string()).await?.ok_or(UNKNOWN)?;
    told(user, &view, "A schedule was paused.");
    let last = ScheduleRun::last_begun(&mut conn, &view.name).await?;
    Ok(Reply::ok("Schedule paused successfully", ScheduleWire::new(view, last)))
}

/// Lets a paused schedule go on
///
/// For instance administrators. What it would have run meanwhile is not made up for.
#[endpoint(tags("Administration"), operation_id = "ResumeSchedule")]
#[boxed]
pub async fn resume_schedule(req: &mut Request, depot: &mut Depot) -> ApiResult<ScheduleWire> {
    let (app, user) = auth::instance_admin(depot).await?;
    let mut conn = app.conn().await?;
    let view = schedule::resume(&mut conn, &name(req)?, &user.to_string()).await?.ok_or(UNKNOWN)?;
    told(user, &view, "A schedule goes on.");
    let last = ScheduleRun::last_begun(&mut conn, &view.name).await?;
    Ok(Reply::ok("Schedule resumed successfully", ScheduleWire::new(view, last)))
}

fn told(user: UserId, view: &ScheduleView, what: &'static str) {
    tracing::info!(user.id = %user, schedule = view.name, "{what}");
}

fn name(req: &Request) -> Result<String, ApiError> {
    // No name of ours has one, and PostgreSQL knows none.
    req.param::<String>("schedule").filter(|name| !name.contains('\0')).ok_or(UNKNOWN)
}
