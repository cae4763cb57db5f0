//! Everything that a delivery needs, read for a whole batch in three statements.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use posthouse_jobs::DeliverEvent;
use posthouse_schema::{
    delivery_target::{self, DeliveryTarget},
    event_delivery::{self, OutgoingDelivery},
    ids::{EndpointId, EventDeliveryId, ProjectId},
    pool::Pool,
    project_config::{self, ProjectConfig},
};

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

/// The rows of each job, in order; `None` where the delivery is gone.
///
/// # Errors
/// The database fails.
pub async fn load(pool: &Pool, jobs: &[DeliverEvent]) -> Result<Vec<Option<Loaded>>, WorkerError> {
    let wanted: Vec<(ProjectId, EventDeliveryId)> =
        jobs.iter().map(|job| (job.project_id, job.event_delivery_id)).collect();
    let mut conn = pool.get().await?;
    let deliveries = event_delivery::load_outgoing(&mut conn, &wanted).await?;
    let endpoints: HashSet<(ProjectId, EndpointId)> =
        deliveries.iter().map(|d| (d.project_id, d.endpoint_id)).collect();
    let targets = delivery_target::load_targets(&mut conn, &endpoints.into_iter().collect::<Vec<_>>()).await?;
    let projects: HashSet<ProjectId> = deliveries.iter().map(|delivery| delivery.project_id).collect();
    let configs = project_config::load(&mut conn, &projects.into_iter().collect::<Vec<_>>()).await?;
    drop(conn);
    let targets: HashMap<_, _> =
        targets.into_iter().map(|target| ((target.project_id, target.id), Arc::new(target))).collect();
    let configs: HashMap<_, _> = configs.into_iter().map(|(id, config)| (id, Arc::new(config))).collect();
    let mut loaded: HashMap<(ProjectId, EventDeliveryId), Loaded> = deliveries
        .into_iter()
        .map(|delivery| {
            let target = targets.get(&(delivery.project_id, delivery.endpoint_id)).cloned();
            let config = configs.get(&delivery.project_id).cloned();
            ((delivery.project_id, delivery.id), Loaded { delivery, target, config })
        })
        .collect();
    Ok(wanted.iter().map(|key| loaded.remove(key)).collect())
}
