//! The digest: once in a while each project hears which endpoints have begun to fail since the last time.

use chrono::{DateTime, Utc};
use posthouse_jobs::{Failing, Notice, Notify};
use posthouse_schema::{
    endpoint_health::{self, FailingEndpoint},
    ids::ProjectId,
    project_config,
};

use crate::{context::Context, error::WorkerError};

const PROJECTS_AT_ONCE: i64 = 100;
/// Endpoints that are read of one project, and those of them that are named.
const READ_MAX: i64 = 1_000;
const NAMED_MAX: usize = 20;

/// Tells each project which of its endpoints have begun to fail, if any have and it wants to hear.
///
/// # Errors
/// The database or the queue fails: the job runs again, and projects that were told are left out.
pub async fn send_digests(context: &Context, tick: DateTime<Utc>) -> Result<(), WorkerError> {
    endpoint_health::forget_deleted_all_projects(&mut *context.pool.get().await?).await?;
    let mut after = ProjectId::NONE;
    loop {
        let mut conn = context.pool.get().await?;
        let projects = endpoint_health::list_untold_projects(&mut conn, after, PROJECTS_AT_ONCE).await?;
        let Some(last) = projects.last() else { return Ok(()) };
        after = *last;
        let configs = project_config::load(&mut conn, &projects).await?;
        drop(conn);
        let is_told =
            |project: &ProjectId| configs.get(project).is_some_and(|(config, _)| config.notifications.is_any());
        for project in projects.into_iter().filter(is_told) {
            tell(context, project, tick).await?;
        }
    }
}

async fn tell(context: &Context, project_id: ProjectId, tick: DateTime<Utc>) -> Result<(), WorkerError> {
    let failing = endpoint_health::list(&mut *context.pool.get().await?, project_id, READ_MAX).await?;
    let (known, new): (Vec<_>, Vec<_>) = failing.into_iter().partition(|endpoint| endpoint.told_at.is_some());
    if new.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = new.iter().map(|endpoint| endpoint.id).collect();
    let named = |FailingEndpoint { name, url, since, .. }: FailingEndpoint| Failing { name, url, since };
    let others = new.len().saturating_sub(NAMED_MAX);
    let endpoints = new.into_iter().take(NAMED_MAX).map(named).collect();
    let notice = Notice::EndpointsFailing { endpoints, others, known: known.len() };
    // The tick is in the job's id, so that what is noted too late is not told twice.
    context.queues.push(&Notify { project_id, endpoint_id: None, at: tick, notice }).await?;
    endpoint_health::note_all_told(&mut *context.pool.get().await?, project_id, &ids).await?;
    Ok(())
}
