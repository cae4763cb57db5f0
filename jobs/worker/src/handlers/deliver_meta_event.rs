//! Queue `deliver_meta_event`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use posthouse_jobs::{DeliverMetaEvent, Reschedule};

use crate::{context::Context, delivery::engine::Next, meta_event};

/// Stores the meta event if it is new, sends it if it is due, and comes back when it is due again.
///
/// # Errors
/// [`Reschedule`] with the time of the next attempt; anything else when the database fails.
pub async fn deliver_meta_event(job: DeliverMetaEvent, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    match meta_event::deliver(&context, &job).await {
        Ok(Next::Done) => Ok(()),
        Ok(Next::Again(due)) => Err(Reschedule { due }.into()),
        Err(error) => {
            tracing::warn!(meta_event.id = %job.meta_event_id, error = %error, "A meta event could not be worked on yet.");
            Err(error.into())
        }
    }
}
