//! Queue `back_up`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use posthouse_jobs::{BackUp, Job as _};
use serde_json::Value;

use super::reported::reported;
use crate::{backup, context::Context};

/// Exports the day before the tick's of every project, and removes exports that are too old.
///
/// # Errors
/// The place or the database fails; the job runs again and goes on where it stopped.
pub async fn back_up(job: BackUp, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let backed_up = async {
        backup::back_up(&context.pool, &context.backup_metrics, &job).await?;
        Ok(Value::Null)
    };
    reported(&context, (BackUp::QUEUE, job.tick), backed_up).await
}
