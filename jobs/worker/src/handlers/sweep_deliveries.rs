//! Queue `sweep_deliveries`: the safety net under Redis. Whatever the ledger says is unfinished and overdue gets a job
//! again; where one lives already, pushing it changes nothing.

use std::{sync::Arc, time::Duration};

use apalis::prelude::{BoxDynError, Data};
use chrono::{DateTime, Utc};
use posthouse_jobs::{DeliverEvent, DeliverMetaEvent, Job as _, RunBatch, SweepDeliveries};
use posthouse_schema::{
    batch_run,
    event_delivery::{self, StrandedDelivery},
    meta_event,
};
use serde_json::{Value, json};

use super::reported::reported;
use crate::context::Context;

/// How long a delivery may be overdue before its job counts as lost: longer than a job waits in a healthy deployment.
const GRACE: Duration = Duration::from_secs(30);
const PAGE_ROWS: u32 = 1_000;
/// Batch runs that one sweep takes up again; the next sees the rest.
const RUNS_MAX: i64 = 1_000;

/// Enqueues every unfinished delivery that is overdue, and every batch run that stands still.
///
/// # Errors
/// The database or the queue fails; the job runs again from the start.
pub async fn sweep_deliveries(job: SweepDeliveries, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    reported(&context, (SweepDeliveries::QUEUE, job.tick), sweep(&job, &context)).await
}

async fn sweep(job: &SweepDeliveries, context: &Context) -> Result<Value, BoxDynError> {
    let before = Utc::now() - GRACE;
    let mut after: Option<StrandedDelivery> = None;
    let (mut seen, mut enqueued) = (0, 0);
    loop {
        let mut conn = context.pool.get().await?;
        let page = event_delivery::list_stranded_all_projects(&mut conn, before, after.as_ref(), PAGE_ROWS).await?;
        drop(conn);
        let jobs: Vec<DeliverEvent> = page
            .iter()
            .map(|row| DeliverEvent {
                project_id: row.project_id,
                event_delivery_id: row.id,
                endpoint_id: Some(row.endpoint_id),
            })
            .collect();
        enqueued += context.queues.push_all(&jobs).await?;
        seen += page.len();
        let is_last = page.len() < usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
        after = page.into_iter().last();
        if is_last {
            break;
        }
    }
    let mut conn = context.pool.get().await?;
    let stranded = batch_run::list_stranded_all_projects(&mut conn, before, RUNS_MAX).await?;
    drop(conn);
    let runs = stranded.into_iter().map(|(project_id, batch_run_id)| RunBatch { project_id, batch_run_id });
    let runs: Vec<RunBatch> = runs.collect();
    context.queues.push_all(&runs).await?;
    if seen > 0 {
        tracing::info!(tick = %job.tick, overdue = seen, enqueued, "Overdue deliveries were swept.");
    }
    let meta_events = sweep_meta_events(context, before).await?;
    Ok(json!({"overdue": seen, "enqueued": enqueued, "batch_runs": runs.len(), "meta_events": meta_events}))
}

/// Enqueues meta events that are overdue, the longest overdue first; more than a page wait for the next tick.
async fn sweep_meta_events(context: &Context, before: DateTime<Utc>) -> Result<usize, BoxDynError> {
    let mut conn = context.pool.get().await?;
    let stranded = meta_event::list_stranded_all_projects(&mut conn, before, i64::from(PAGE_ROWS)).await?;
    drop(conn);
    let jobs: Vec<DeliverMetaEvent> = stranded
        .into_iter()
        .map(|(project_id, meta_event_id)| DeliverMetaEvent { project_id, meta_event_id, new: None })
        .collect();
    context.queues.push_all(&jobs).await?;
    Ok(jobs.len())
}
