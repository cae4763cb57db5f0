//! Telling a project what was done to it, once it is done. At most one push, and none for a project that has not asked.

use posthouse_jobs::DeliverMetaEvent;
use posthouse_schema::{project::Project, words::MetaEventKind};
use serde::Serialize;

use crate::app::App;

/// Enqueues the meta event if the project wants its kind. What was done stays done if the queue is away: the failure is
/// logged, and this one meta event is lost.
pub async fn announce<T: Serialize>(app: &App, project: &Project, kind: MetaEventKind, data: impl FnOnce() -> T) {
    if !project.config.meta_event.wants(kind) {
        return;
    }
    let pushed = match DeliverMetaEvent::announce(project.id, kind, &data()) {
        Ok(job) => app.queues.push(&job).await.map(drop).map_err(anyhow::Error::from),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = pushed {
        tracing::warn!(project.id = %project.id, kind = %kind, error = format!("{error:#}"), "A meta event is lost.");
    }
}
