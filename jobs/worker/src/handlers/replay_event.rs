//! Queue `replay_event`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use chrono::Utc;
use posthouse_jobs::{ReplayEvent, Reschedule};

use super::create_event::{ROUNDS_MAX, WAIT};
use crate::{
    batch::BatchError,
    context::Context,
    delivery::{
        functions,
        replay::{Replay, Replayed},
    },
};

/// Matches the event again and stores its new deliveries, together with whatever else is replayed meanwhile.
///
/// # Errors
/// The database or the queue fails, or a function cannot be run now; the job runs again.
pub async fn replay_event(job: ReplayEvent, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let (project, event) = (job.project_id, job.event_id);
    replay(Replay { job: Arc::new(job), made: Arc::new([]) }, &context).await.inspect_err(|error| {
        if !error.is::<Reschedule>() {
            tracing::warn!(project.id = %project, event.id = %event, error = %error, "An event could not be replayed yet.");
        }
    })
}

async fn replay(mut replay: Replay, context: &Context) -> Result<(), BoxDynError> {
    for _ in 0..ROUNDS_MAX {
        let replayed = context.replayer.submit(replay.clone()).await;
        let (needed, event) = match replayed.and_then(|replayed| replayed.map_err(BatchError::Failed))? {
            Replayed::Stored => return Ok(()),
            Replayed::Needs(functions, event) => (functions, event),
        };
        let made = functions::make(&context.transformer, &event, needed).await?;
        let Some(made) = made else {
            return Err(Reschedule { due: Utc::now() + WAIT }.into());
        };
        replay.made = replay.made.iter().cloned().chain(made).collect();
    }
    Err("the functions changed while they ran".into())
}
