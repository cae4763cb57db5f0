//! Queue `keep_house`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use posthouse_jobs::KeepHouse;

use super::reported::reported;
use crate::{context::Context, house};

/// Does one of the small periodic tasks.
///
/// # Errors
/// The database or the queue fails; the job runs again.
pub async fn keep_house(job: KeepHouse, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    reported(&context, (job.task.name(), job.tick), house::keep(job.task, &context)).await
}
