//! Queue `replay_event`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use posthouse_jobs::ReplayEvent;

use crate::{batch::BatchError, context::Context};

/// Matches the event again and stores its new deliveries, together with whatever else is replayed meanwhile.
///
/// # Errors
/// The database or the queue fails; the job runs again.
pub async fn replay_event(job: ReplayEvent, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let (project, event) = (job.project_id, job.event_id);
    let replayed = context.replayer.submit(job).await.and_then(|result| result.map_err(BatchError::Failed));
    replayed.inspect_err(|error| {
        tracing::warn!(project.id = %project, event.id = %event, error = %error, "An event could not be replayed yet.");
    })?;
    Ok(())
}
