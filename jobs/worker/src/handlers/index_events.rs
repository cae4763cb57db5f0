//! Queue `index_events`: what was stored becomes searchable, behind the hot path and only while that keeps up.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use posthouse_jobs::{CreateEvent, DeliverEvent, IndexEvents, Job as _};
use posthouse_schema::event::{Indexed, index_page_all_projects, merge_index_all_projects};
use serde_json::{Value, json};

use super::reported::reported_untraced;
use crate::context::Context;

/// Jobs that wait in a hot queue beyond which searches have to wait instead.
const BACKLOG_MAX: u64 = 1_000;

/// Indexes the next events, up to the number that the job allows.
///
/// # Errors
/// The database or the queue fails; the next tick goes on.
pub async fn index_events(job: IndexEvents, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    reported_untraced(&context, (IndexEvents::QUEUE, job.tick), index(&job, &context)).await
}

async fn index(job: &IndexEvents, context: &Context) -> Result<Value, BoxDynError> {
    let mut left = usize::try_from(job.events_max).unwrap_or(usize::MAX);
    let mut is_changed = false;
    while left > 0 && index_page(context, &mut left).await? {
        is_changed = true;
    }
    if is_changed && let Err(error) = merge_index_all_projects(&mut *context.pool.get().await?).await {
        tracing::debug!(%error, "New entries of the search index wait to be merged.");
    }
    let events = usize::try_from(job.events_max).unwrap_or(usize::MAX).saturating_sub(left);
    Ok(json!({"events": events}))
}

/// Indexes one page of at most as many as are `left`. `false`: there is nothing to do now.
async fn index_page(context: &Context, left: &mut usize) -> Result<bool, BoxDynError> {
    for queue in [CreateEvent::QUEUE, DeliverEvent::QUEUE] {
        if context.queues.view(queue).counts().await?.ready > BACKLOG_MAX {
            tracing::debug!(queue, "Events wait to be indexed until the queue is shorter.");
            return Ok(false);
        }
    }
    let mut conn = context.pool.get().await?;
    match index_page_all_projects(&mut conn).await? {
        Indexed::Some(events) => {
            *left = left.saturating_sub(events.max(1));
            Ok(true)
        }
        Indexed::UpToDate | Indexed::Busy => Ok(false),
    }
}
