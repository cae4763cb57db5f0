//! Queues `notify`, `send_chat_message` and `send_digests`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use chrono::Utc;
use posthouse_jobs::{Job as _, Notify, Reschedule, SendChatMessage, SendDigests};
use serde_json::Value;

use super::reported::reported;
use crate::{
    context::Context,
    notice::{self, Told},
};

/// Enqueues a message to everybody whom the change concerns.
///
/// # Errors
/// The database or the queue fails; the job runs again.
pub async fn notify(job: Notify, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    Ok(notice::notify(&context, &job).await?)
}

/// Sends the message. One that the chat will never take is dropped with a log line.
///
/// # Errors
/// The chat or the database fails; the job runs again.
pub async fn send_chat_message(job: SendChatMessage, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    match notice::send(&context, &job).await? {
        Told::Yes | Told::Never => Ok(()),
        Told::Later(wait) => Err(Reschedule { due: Utc::now() + wait }.into()),
    }
}

/// Tells each project which of its endpoints have begun to fail.
///
/// # Errors
/// The database or the queue fails; the job runs again.
pub async fn send_digests(job: SendDigests, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let sent = async {
        notice::send_digests(&context, job.tick.at).await?;
        Ok(Value::Null)
    };
    reported(&context, (SendDigests::QUEUE, job.tick), sent).await
}
