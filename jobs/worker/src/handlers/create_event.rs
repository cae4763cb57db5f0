//! Queue `create_event`.

use std::{sync::Arc, time::Duration};

use apalis::prelude::{BoxDynError, Data};
use chrono::Utc;
use posthouse_jobs::{CreateEvent, Reschedule};

use crate::{
    batch::BatchError,
    context::Context,
    delivery::{
        create::{Created, Creation},
        functions, spans,
    },
};

/// The functions of an event may be changed while they run; then the new ones are run, but not for ever.
pub(super) const ROUNDS_MAX: usize = 5;
/// Until an event comes back for which too many of its project wait.
pub(super) const WAIT: Duration = Duration::from_secs(1);
/// Until an event comes back whose predecessor is not stored yet.
const EARLY: Duration = Duration::from_millis(20);

/// Stores the event with its deliveries, together with whatever else was accepted meanwhile.
///
/// # Errors
/// The database or the queue fails, or a function cannot be run now; the job runs again.
pub async fn create_event(job: CreateEvent, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let (project, event) = (job.project_id, job.event_id);
    let mut span = spans::storing(&job);
    create(Creation::new(job), &context).await.inspect_err(|error| {
        if let Some(span) = &mut span {
            span.fail("not stored yet");
        }
        if !error.is::<Reschedule>() {
            tracing::warn!(project.id = %project, event.id = %event, error = %error, "An event could not be stored yet.");
        }
    })
}

async fn create(mut creation: Creation, context: &Context) -> Result<(), BoxDynError> {
    for _ in 0..ROUNDS_MAX {
        let created = context.creator.submit(creation.clone()).await;
        let needed = match created.and_then(|created| created.map_err(BatchError::Failed))? {
            Created::Stored => return Ok(()),
            Created::Early => return Err(Reschedule { due: Utc::now() + EARLY }.into()),
            Created::Needs(functions) => functions,
        };
        let made = functions::make(&context.transformer, &creation.job, needed).await?;
        let Some(made) = made else {
            return Err(Reschedule { due: Utc::now() + WAIT }.into());
        };
        creation.made = creation.made.iter().cloned().chain(made).collect();
    }
    Err("the functions changed while they ran".into())
}
