//! Queue `deliver_event`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use posthouse_jobs::{DeliverEvent, Reschedule};

use crate::{context::Context, delivery::engine::Next};

/// Sends the delivery if it is due, and comes back when it is due again.
///
/// # Errors
/// [`Reschedule`] with the time of the next attempt; anything else when the database or the queue fails.
pub async fn deliver_event(job: DeliverEvent, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    match context.engine.deliver(&job).await {
        Ok(Next::Done) => Ok(()),
        Ok(Next::Again(due)) => Err(Reschedule { due }.into()),
        Err(error) => {
            tracing::warn!(project.id = %job.project_id, delivery.id = %job.event_delivery_id, error = %error, "A delivery could not be worked on yet.");
            Err(error.into())
        }
    }
}
