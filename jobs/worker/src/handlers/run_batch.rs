//! Queue `run_batch`: page after page of what a query matched, a few of them at a time, so that a run of millions shares its
//! worker with others and loses little when it is interrupted.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use chrono::Utc;
use posthouse_jobs::{DeliverEvent, ReplayEvent, Reschedule, RunBatch};
use posthouse_schema::{
    batch_report::BatchReport,
    batch_run::{self, BatchRun},
    event::{self, EventFilter},
    event_delivery::{self, DeliveryFilter},
    ids::EventDeliveryId,
    words::{BatchKind, BatchStatus, DeliveryStatus},
};

use crate::{context::Context, delivery::replay, error::WorkerError};

const PAGE_ROWS: i64 = 1_000;
/// Fewer: these are read with their payloads.
const PREVIEW_ROWS: i64 = 200;
/// Pages until the job gives way to others.
const PAGES_MAX: usize = 10;

/// A page of a run: how far it goes, how many of its rows were enqueued, and what is to be told of it.
struct Step {
    reached: u128,
    done: usize,
    report: Option<serde_json::Value>,
}

/// Does the next pages of the run, and comes back until there are none.
///
/// # Errors
/// [`Reschedule`] when there is more; anything else when the database or the queue fails: the job goes on where it stopped.
pub async fn run_batch(job: RunBatch, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    for _ in 0..PAGES_MAX {
        let mut conn = context.pool.get().await?;
        let Some(run) = BatchRun::find(&mut conn, job.project_id, job.batch_run_id).await? else { return Ok(()) };
        drop(conn);
        if !matches!(run.status, BatchStatus::Pending | BatchStatus::Processing) {
            return Ok(());
        }
        let step = match run.kind {
            BatchKind::Retry => retry(&context, &run).await,
            BatchKind::Replay => replay_page(&context, &run).await,
            BatchKind::DryRun => try_replay(&context, &run).await,
        };
        let mut conn = context.pool.get().await?;
        let status = match step {
            Ok(Some(step)) => {
                run.advance(&mut conn, (step.reached, step.done), step.report.as_ref()).await?;
                continue;
            }
            Ok(None) => BatchStatus::Completed,
            // No further try can read it either.
            Err(WorkerError::Filter(_)) => BatchStatus::Failed,
            Err(error) => return Err(error.into()),
        };
        batch_run::end(&mut conn, (run.project_id, run.id), status).await?;
        tracing::info!(project.id = %run.project_id, batch.id = %run.id, kind = %run.kind, done = run.done, status = %status, "A batch ended.");
        return Ok(());
    }
    Err(Reschedule { due: Utc::now() }.into())
}

/// Gives the next page of deliveries that rest without success another attempt. Those to endpoints that do not receive
/// stay as they are.
async fn retry(context: &Context, run: &BatchRun) -> Result<Option<Step>, WorkerError> {
    let filter: DeliveryFilter = serde_json::from_value(run.filter.clone()).map_err(unreadable)?;
    let mut conn = context.pool.get().await?;
    let page =
        event_delivery::list_failed(&mut conn, run.project_id, &filter, run.reached_delivery(), PAGE_ROWS).await?;
    let Some((last, _)) = page.last().copied() else { return Ok(None) };
    let ids: Vec<EventDeliveryId> = page.into_iter().map(|(id, _)| id).collect();
    let from = [DeliveryStatus::Failure, DeliveryStatus::Discarded];
    let resent = event_delivery::resend(&mut conn, run.project_id, &ids, &from).await?;
    drop(conn);
    let jobs: Vec<DeliverEvent> = resent
        .iter()
        .map(|row| DeliverEvent {
            project_id: row.project_id,
            event_delivery_id: row.id,
            endpoint_id: Some(row.endpoint_id),
        })
        .collect();
    context.queues.push_all(&jobs).await?;
    Ok(Some(Step { reached: last.to_bits(), done: jobs.len(), report: None }))
}

/// Has the next page of events replayed. The run is the replay, so that an event is replayed once by it.
async fn replay_page(context: &Context, run: &BatchRun) -> Result<Option<Step>, WorkerError> {
    let filter: EventFilter = serde_json::from_value(run.filter.clone()).map_err(unreadable)?;
    let mut conn = context.pool.get().await?;
    let page = event::list_replayable(&mut conn, run.project_id, &filter, run.reached_event(), PAGE_ROWS).await?;
    drop(conn);
    let Some(last) = page.last().copied() else { return Ok(None) };
    let jobs: Vec<ReplayEvent> = page
        .into_iter()
        .map(|event_id| ReplayEvent {
            project_id: run.project_id,
            event_id,
            replay_id: run.id.into(),
            requested_at: run.created_at,
        })
        .collect();
    context.queues.push_all(&jobs).await?;
    Ok(Some(Step { reached: last.to_bits(), done: jobs.len(), report: None }))
}

/// Matches the next page of events, and counts what that would deliver.
async fn try_replay(context: &Context, run: &BatchRun) -> Result<Option<Step>, WorkerError> {
    let filter: EventFilter = serde_json::from_value(run.filter.clone()).map_err(unreadable)?;
    let mut report: BatchReport =
        run.report.clone().map(serde_json::from_value).transpose().map_err(unreadable)?.unwrap_or_default();
    let mut conn = context.pool.get().await?;
    let page = event::list_replayable(&mut conn, run.project_id, &filter, run.reached_event(), PREVIEW_ROWS).await?;
    drop(conn);
    let Some(last) = page.last().copied() else { return Ok(None) };
    replay::preview(&context.pool, &context.snapshots, (run.project_id, &page), &mut report).await?;
    let report = serde_json::to_value(&report).map_err(unreadable)?;
    Ok(Some(Step { reached: last.to_bits(), done: page.len(), report: Some(report) }))
}

fn unreadable(error: serde_json::Error) -> WorkerError {
    WorkerError::Filter(error.to_string())
}
