//! Queue `send_email`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use posthouse_jobs::SendEmail;

use crate::context::Context;

/// Sends the mail. Without an SMTP server it is dropped with a log line: a deployment may choose to send none.
///
/// # Errors
/// The server cannot be reached or refuses; the job runs again.
pub async fn send_email(job: SendEmail, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let Some(mailer) = &context.mailer else {
        tracing::info!(subject = job.subject, "A mail was not sent: no SMTP server is set.");
        return Ok(());
    };
    mailer.send(&job).await?;
    Ok(())
}
