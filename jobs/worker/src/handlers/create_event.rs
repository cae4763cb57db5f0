//! Queue `create_event`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use posthouse_jobs::CreateEvent;

use crate::{batch::BatchError, context::Context};

/// Stores the event with its deliveries, together with whatever else was accepted meanwhile.
///
/// # Errors
/// The database or the queue fails; the job runs again.
pub async fn create_event(job: CreateEvent, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let project = job.project_id;
    let event = job.event_id;
    let stored = context.creator.submit(job).await.and_then(|result| result.map_err(BatchError::Failed));
    stored.inspect_err(|error| {
        tracing::warn!(project.id = %project, event.id = %event, error = %error, "An event could not be stored yet.");
    })?;
    Ok(())
}
