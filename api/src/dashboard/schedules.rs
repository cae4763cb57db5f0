//! The periodic jobs, for those who run the instance.

use posthouse_boxed::boxed;
use posthouse_pages::schedules::{self as pages, RunLine, ScheduleLine, ScheduleView};
use posthouse_schema::schedule::{self as rows, ScheduleRun};
use salvo::prelude::*;

use super::{
    admin::{self, AdminVisit},
    answer::{PageError, PageResult},
    operation::Operation,
    visit::{page, said},
};
use crate::admin::schedules::{pause_schedule, resume_schedule, run_schedule};

/// Runs that a page shows, and characters of what came of each.
const RUNS_SHOWN: i64 = 20;
const RESULT_CHARS_MAX: usize = 600;

/// The routes below those of who runs the instance.
pub fn router() -> Router {
    Router::with_path("schedules").get(list).push(
        Router::with_path("{schedule}")
            .get(show)
            .push(Router::with_path("run").post(run))
            .push(Router::with_path("pause").post(pause))
            .push(Router::with_path("resume").post(resume)),
    )
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = AdminVisit::of(req, depot).await?;
    let mut conn = visit.conn().await?;
    let mut lines = Vec::new();
    for view in rows::ScheduleView::list(&mut conn).await? {
        let last = ScheduleRun::last_begun(&mut conn, &view.name).await?;
        lines.push(line(&view, last));
    }
    drop(conn);
    Ok(page(pages::list(visit.frame(), &lines, visit.board.as_deref())))
}

fn line(view: &rows::ScheduleView, last: Option<ScheduleRun>) -> ScheduleLine {
    ScheduleLine {
        name: view.name.clone(),
        cron: view.cron.clone(),
        next: view.next_tick_at.filter(|_| view.paused_at.is_none()),
        paused: view.paused_at.map(|at| (at, view.paused_by.clone().unwrap_or_default())),
        last: last.map(run_line),
    }
}

fn run_line(row: ScheduleRun) -> RunLine {
    let took = row.finished_at.zip(row.started_at).map(|(end, begin)| (end - begin).num_milliseconds() as f64);
    let status = row.status().to_string();
    let result = row.error.or_else(|| row.result.map(|result| result.to_string())).unwrap_or_default();
    RunLine {
        tick_at: row.tick_at,
        status,
        requested_by: row.requested_by.unwrap_or_default(),
        worker: row.worker.unwrap_or_default(),
        tries: row.tries,
        duration_ms: took,
        result: result.chars().take(RESULT_CHARS_MAX).collect(),
    }
}

/// Shows one with its last runs.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = AdminVisit::of(req, depot).await?;
    let name = name(req)?;
    let mut conn = visit.conn().await?;
    let view = rows::ScheduleView::find(&mut conn, &name).await?.ok_or_else(PageError::not_found)?;
    let last = ScheduleRun::last_begun(&mut conn, &name).await?;
    let runs = ScheduleRun::list(&mut conn, &name, RUNS_SHOWN).await?;
    drop(conn);
    let shown = ScheduleView {
        line: line(&view, last),
        settings: view.settings.to_string(),
        catch_up_max: view.catch_up_max,
        jitter_seconds: view.jitter_seconds,
        scheduler: view.announced_by,
        runs: runs.into_iter().map(run_line).collect(),
    };
    Ok(page(pages::one(visit.frame(), &shown, visit.board.as_deref())))
}

/// The schedule that the path names. No name of ours has a NUL, and PostgreSQL knows none.
fn name(req: &Request) -> Result<String, PageError> {
    req.param::<String>("schedule").filter(|name| !name.contains('\0')).ok_or_else(PageError::not_found)
}

async fn asked((req, depot): (&Request, &Depot), handler: impl salvo::Handler, good: &'static str) -> PageResult {
    let visit = AdminVisit::of(req, depot).await?;
    let name = name(req)?;
    let done = visit.visit.run(handler, Operation::on(&[("schedule", name.clone())])).await?;
    Ok(said(admin::path(&format!("/schedules/{name}")), &done, good))
}

/// Asks for a run.
#[handler]
#[boxed]
pub async fn run(req: &mut Request, depot: &mut Depot) -> PageResult {
    asked((req, depot), run_schedule, "It runs as soon as the active scheduler has seen it.").await
}

/// Stops it.
#[handler]
#[boxed]
pub async fn pause(req: &mut Request, depot: &mut Depot) -> PageResult {
    asked((req, depot), pause_schedule, "It does not run by the clock until it is resumed.").await
}

/// Lets it go on.
#[handler]
#[boxed]
pub async fn resume(req: &mut Request, depot: &mut Depot) -> PageResult {
    asked((req, depot), resume_schedule, "It runs by the clock again.").await
}
