//! Queue `store_rejected_message`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use posthouse_jobs::StoreRejectedMessage;
use posthouse_schema::rejected_message::{self, NewRejectedMessage};

use crate::context::Context;

/// One in so many messages has the oldest of its source deleted beyond what is kept: counting is not for every one.
const TRIM_EVERY: u128 = 32;

/// Keeps the message, and now and then deletes the oldest of its source. Of a project that is gone nothing is kept.
///
/// # Errors
/// The database fails; the job runs again.
pub async fn store_rejected_message(job: StoreRejectedMessage, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let new = NewRejectedMessage {
        project_id: job.project_id,
        id: job.message_id,
        source_id: job.source_id,
        reason: job.reason,
        detail: job.detail,
        payload: BASE64_STANDARD.decode(&job.payload)?,
        payload_bytes: i64::try_from(job.payload_bytes).unwrap_or(i64::MAX),
        metadata: job.metadata,
    };
    let mut conn = context.pool.get().await?;
    rejected_message::store(&mut conn, &new).await?;
    if job.message_id.to_bits().is_multiple_of(TRIM_EVERY) {
        let source = (job.project_id, job.source_id);
        let deleted = rejected_message::trim(&mut conn, source, context.rejected_messages_max).await?;
        if deleted > 0 {
            tracing::warn!(source.id = %job.source_id, deleted, "A source has more refused messages than are kept.");
        }
    }
    Ok(())
}
