//! Everything that a delivery needs, read for a whole batch in one statement; what is configured comes from snapshots.

use std::{collections::HashMap, sync::Arc};

use posthouse_jobs::DeliverEvent;
use posthouse_schema::{
    delivery_target::DeliveryTarget,
    event_delivery::{self, OutgoingDelivery},
    ids::{EventDeliveryId, ProjectId},
    pool::Pool,
    project_config::ProjectConfig,
};

use super::snapshot::Snapshots;
use crate::error::WorkerError;

/// A delivery with its endpoint and its project's settings.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The delivery and its event.
    pub delivery: OutgoingDelivery,
    /// Its endpoint; `None` when it was deleted.
    pub target: Option<Arc<DeliveryTarget>>,
    /// Its project's settings; `None` when it was deleted.
    pub config: Option<Arc<ProjectConfig>>,
}

/// The rows of each job, in order; `None` where the delivery is gone. What is configured is as it was when the rows were
/// read, or newer.
///
/// # Errors
/// The database fails.
pub async fn load(
    pool: &Pool,
    snapshots: &Snapshots,
    jobs: &[DeliverEvent],
) -> Result<Vec<Option<Loaded>>, WorkerError> {
    let wanted: Vec<(ProjectId, EventDeliveryId)> =
        jobs.iter().map(|job| (job.project_id, job.event_delivery_id)).collect();
    let mut conn = pool.get().await?;
    let deliveries = event_delivery::load_outgoing(&mut conn, &wanted).await?;
    let versions = deliveries.iter().map(|delivery| (delivery.project_id, delivery.routing_version)).collect();
    let projects = snapshots.of(&mut conn, &versions).await?;
    let mut targets = HashMap::new();
    for (project, snapshot) in &projects {
        let endpoints = deliveries.iter().filter(|delivery| delivery.project_id == *project).map(|d| d.endpoint_id);
        targets.insert(*project, snapshot.targets(&mut conn, *project, endpoints).await?);
    }
    drop(conn);
    let loaded = deliveries.into_iter().map(|delivery| {
        let target = targets.get(&delivery.project_id).and_then(|targets| targets.get(&delivery.endpoint_id)).cloned();
        let config = projects.get(&delivery.project_id).map(|snapshot| Arc::clone(&snapshot.config));
        ((delivery.project_id, delivery.id), Loaded { delivery, target, config })
    });
    let mut loaded: HashMap<(ProjectId, EventDeliveryId), Loaded> = loaded.collect();
    Ok(wanted.iter().map(|key| loaded.remove(key)).collect())
}
