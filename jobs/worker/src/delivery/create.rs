//! Accepted events become rows: a batch is matched, written with its deliveries, and only then are the deliveries
//! enqueued. Whatever is interrupted is done again without a second effect.

use std::collections::{HashMap, HashSet};

use posthouse_jobs::{CreateEvent, DeliverEvent, EventTarget, Queues};
use posthouse_schema::{
    event::NewEvent,
    event_delivery::NewEventDelivery,
    ids::{EventDeliveryId, ProjectId},
    json::Headers,
    ledger::{self, AcceptedEvent},
    pool::Pool,
    project_config::{self, ProjectConfig},
    routing::{self, Route, Wanted},
    words::{DeliveryStatus, EndpointStatus, EventStatus, TargetKind},
};

use super::matching::{NOBODY, matching};
use crate::error::WorkerError;

/// Writes the events of `jobs` and enqueues their deliveries. Events of a project that is gone go with it.
///
/// # Errors
/// The database or the queue fails; nothing is half-written, and the jobs can be run again.
pub async fn create_events(pool: &Pool, queues: &Queues, jobs: &[CreateEvent]) -> Result<(), WorkerError> {
    let mut conn = pool.get().await?;
    let ids: HashSet<ProjectId> = jobs.iter().map(|job| job.project_id).collect();
    let configs = project_config::load(&mut conn, &ids.into_iter().collect::<Vec<_>>()).await?;
    let mut routes: HashMap<ProjectId, Vec<Route>> = HashMap::new();
    for project in configs.keys() {
        routes.insert(*project, routing::routes(&mut conn, *project, &wanted(*project, jobs)).await?);
    }
    let accepted = jobs
        .iter()
        .filter_map(|job| Some(accept(job, configs.get(&job.project_id)?, routes.get(&job.project_id)?)))
        .collect();
    let stored = ledger::store_events(&mut conn, accepted).await?;
    drop(conn);
    let due: Vec<DeliverEvent> = stored.iter().flat_map(|accepted| &accepted.deliveries).filter_map(due).collect();
    queues.push_all(&due).await?;
    Ok(())
}

fn due(row: &NewEventDelivery) -> Option<DeliverEvent> {
    (row.status == DeliveryStatus::Scheduled)
        .then_some(DeliverEvent { project_id: row.project_id, event_delivery_id: row.id })
}

/// What must be read to match the project's events among `jobs`.
fn wanted(project: ProjectId, jobs: &[CreateEvent]) -> Wanted {
    let mut wanted = Wanted::default();
    for job in jobs.iter().filter(|job| job.project_id == project) {
        match &job.target {
            EventTarget::Single { endpoint_id } => wanted.endpoint_ids.push(*endpoint_id),
            EventTarget::Fanout { owner_id } => wanted.owner_ids.push(owner_id.clone()),
            EventTarget::Source { source_id } => wanted.source_ids.push(*source_id),
            EventTarget::Broadcast => wanted.is_everything = true,
        }
    }
    wanted
}

fn accept(job: &CreateEvent, config: &ProjectConfig, routes: &[Route]) -> AcceptedEvent {
    let matched = matching(&job.target, &job.event_type, routes);
    let deliveries = matched.iter().map(|route| delivery_row(config, job, route)).collect();
    AcceptedEvent { event: event_row(job, &matched), deliveries }
}

fn event_row(job: &CreateEvent, matched: &[&Route]) -> NewEvent {
    let (target_kind, target) = match &job.target {
        EventTarget::Single { endpoint_id } => (TargetKind::Single, endpoint_id.to_string()),
        EventTarget::Fanout { owner_id } => (TargetKind::Fanout, owner_id.clone()),
        EventTarget::Source { source_id } => (TargetKind::Source, source_id.to_string()),
        EventTarget::Broadcast => (TargetKind::Broadcast, String::new()),
    };
    let is_for_nobody = matched.is_empty();
    NewEvent {
        project_id: job.project_id,
        id: job.event_id,
        event_type: job.event_type.clone(),
        target_kind,
        target,
        source_id: job.source_id,
        headers: Headers(job.headers.clone()),
        payload: job.data.get().as_bytes().to_vec(),
        idempotency_key: job.idempotency_key.clone(),
        is_duplicate: false,
        url_query_params: job.url_query_params.clone(),
        url_path: job.url_path.clone(),
        endpoint_ids: matched.iter().map(|route| Some(route.endpoint_id)).collect(),
        status: if is_for_nobody { EventStatus::Failure } else { EventStatus::Success },
        failure_reason: is_for_nobody.then(|| NOBODY.into()),
        acknowledged_at: job.accepted_at,
    }
}

fn delivery_row(config: &ProjectConfig, job: &CreateEvent, route: &Route) -> NewEventDelivery {
    let (status, description) = match route.endpoint_status {
        EndpointStatus::Active => (DeliveryStatus::Scheduled, String::new()),
        EndpointStatus::Inactive | EndpointStatus::Paused => {
            (DeliveryStatus::Discarded, format!("the endpoint is {}", route.endpoint_status))
        }
    };
    NewEventDelivery {
        project_id: job.project_id,
        id: EventDeliveryId::derive(job.event_id, route.subscription_id),
        event_id: job.event_id,
        endpoint_id: route.endpoint_id,
        subscription_id: route.subscription_id,
        event_type: job.event_type.clone(),
        status,
        delivery_mode: route.delivery_mode,
        strategy: config.strategy.strategy,
        retry_interval_seconds: config.strategy.duration.max(0),
        retry_limit: config.strategy.retry_count.max(0),
        next_send_time: job.accepted_at,
        description,
        acknowledged_at: job.accepted_at,
    }
}
