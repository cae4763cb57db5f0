//! Queue `onboard_batch`.

use std::sync::Arc;

use apalis::prelude::{BoxDynError, Data};
use posthouse_jobs::{OnboardBatch, OnboardRow};
use posthouse_schema::{
    endpoint::EndpointValues,
    onboarding::{self, Onboarded},
    project_config,
};
use serde_json::json;

use crate::{context::Context, meta_event::new_endpoint::of_endpoint};

/// Makes the endpoints and subscriptions that are missing. A project that was deleted meanwhile gets none.
///
/// # Errors
/// The database fails; nothing is made, and the job runs again.
pub async fn onboard_batch(job: OnboardBatch, context: Data<Arc<Context>>) -> Result<(), BoxDynError> {
    let rows: Vec<Onboarded> = job.rows.into_iter().map(onboarded).collect();
    let mut conn = context.pool.get().await?;
    let made = onboarding::onboard(&mut conn, job.project_id, &rows).await?;
    let config = project_config::load(&mut conn, &[job.project_id]).await?.remove(&job.project_id);
    drop(conn);
    let Some(made) = made else {
        tracing::info!(project.id = %job.project_id, batch = job.batch, "A batch's project is gone; nothing was made.");
        return Ok(());
    };
    // Made is made: should the queue be away now, or the worker stop, nobody is told.
    let told: Vec<_> =
        config.iter().flat_map(|(config, _)| made.iter().filter_map(|row| of_endpoint(config, row))).collect();
    if let Err(error) = context.queues.push_all(&told).await {
        tracing::warn!(project.id = %job.project_id, error = %error, "Meta events could not be enqueued, and are lost.");
    }
    tracing::info!(project.id = %job.project_id, batch = job.batch, rows = rows.len(), made = made.len(), "A batch was onboarded.");
    Ok(())
}

fn onboarded(row: OnboardRow) -> Onboarded {
    let OnboardRow { name, url, event_type, auth_username, auth_password } = row;
    let authentication = (!auth_username.is_empty())
        .then(|| json!({"type": "basic_auth", "basic_auth": {"username": auth_username, "password": auth_password}}));
    let endpoint = EndpointValues {
        name,
        url,
        description: String::new(),
        owner_id: String::new(),
        advanced_signatures: true,
        content_type: "application/json".into(),
        http_timeout_seconds: 0,
        rate_limit: 0,
        rate_limit_duration_seconds: 0,
        authentication,
        mtls_client_cert: None,
        ordering: None,
        follow_redirects: false,
        support_email: String::new(),
        slack_webhook_url: String::new(),
        teams_webhook_url: String::new(),
    };
    Onboarded { endpoint, event_type }
}
