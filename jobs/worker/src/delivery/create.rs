//! Accepted events become rows: a batch is matched, written with its deliveries, and only then are the deliveries
//! enqueued. Whatever is interrupted is done again without a second effect.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use posthouse_jobs::{CreateEvent, DeliverEvent, EventTarget, Queues};
use posthouse_schema::{
    QueryError,
    event::NewEvent,
    event_delivery::NewEventDelivery,
    ids::{EventDeliveryId, ProjectId},
    json::Headers,
    ledger::{self, AcceptedEvent, Stored},
    pool::{Pool, PooledConnection},
    project_config::ProjectConfig,
    routing::Route,
    subscription::Subscription,
    words::{DeliveryStatus, EndpointStatus, EventStatus, TargetKind},
};

use super::{
    matching::{NOBODY, matching},
    snapshot::Snapshots,
};
use crate::error::WorkerError;

/// Writes the events of `jobs` and enqueues their deliveries. Events of a project that is gone go with it.
///
/// # Errors
/// The database or the queue fails; nothing is half-written, and the jobs can be run again.
pub async fn create_events(
    pool: &Pool,
    queues: &Queues,
    snapshots: &Snapshots,
    jobs: &[CreateEvent],
) -> Result<(), WorkerError> {
    let mut conn = pool.get().await?;
    // Projects that were read since the events were accepted: nothing that was made before is missing there.
    let mut read_since = HashSet::new();
    let stored = loop {
        let (accepted, matched_by) = matched(&mut conn, snapshots, jobs).await?;
        let accepted = accepted.into_iter().flatten().collect();
        let matched_by: Vec<_> = matched_by.into_iter().filter(|(project, _)| !read_since.contains(project)).collect();
        match ledger::store_events(&mut conn, accepted, &matched_by).await? {
            Stored::Done(stored) => break stored,
            Stored::Stale(projects) => {
                snapshots.forget(&projects);
                read_since.extend(projects);
            }
        }
    };
    drop(conn);
    let due: Vec<DeliverEvent> = stored.iter().flat_map(|accepted| &accepted.deliveries).filter_map(due).collect();
    queues.push_all(&due).await?;
    Ok(())
}

/// Each event with its deliveries, `None` where its project is gone, and the routing version of each project by which they
/// were matched.
pub(super) async fn matched(
    conn: &mut PooledConnection,
    snapshots: &Snapshots,
    jobs: &[CreateEvent],
) -> Result<(Vec<Option<AcceptedEvent>>, Vec<(ProjectId, i64)>), QueryError> {
    let (projects, routes) = loop {
        let projects = snapshots.of(conn, &jobs.iter().map(|job| (job.project_id, 0)).collect()).await?;
        let mut routes = HashMap::new();
        for (project, snapshot) in &projects {
            let targets = jobs.iter().filter(|job| job.project_id == *project).map(|job| &job.target);
            routes.insert(*project, snapshot.routes(conn, *project, targets).await?);
        }
        let changed = subscribe_lonely(conn, &routes).await?;
        if changed.is_empty() {
            break (projects, routes);
        }
        snapshots.forget(&changed);
    };
    let accepted = jobs.iter().map(|job| {
        let routes = routes.get(&job.project_id)?.get(&job.target)?;
        Some(accept(job, &projects.get(&job.project_id)?.config, routes))
    });
    Ok((accepted.collect(), projects.iter().map(|(project, snapshot)| (*project, snapshot.version)).collect()))
}

/// Gives endpoints that are sent an event and have no subscription one to everything; returns their projects.
async fn subscribe_lonely(
    conn: &mut PooledConnection,
    routes: &HashMap<ProjectId, HashMap<EventTarget, Arc<[Route]>>>,
) -> Result<Vec<ProjectId>, QueryError> {
    let mut changed = Vec::new();
    for (project, routes) in routes {
        for (target, _) in routes.iter().filter(|(_, routes)| routes.is_empty()) {
            if let EventTarget::Single { endpoint_id } = target
                && Subscription::insert_for_lonely(conn, *project, *endpoint_id).await?
            {
                changed.push(*project);
            }
        }
    }
    Ok(changed)
}

/// The job of a delivery that is to be sent.
pub(super) fn due(row: &NewEventDelivery) -> Option<DeliverEvent> {
    (row.status == DeliveryStatus::Scheduled).then_some(DeliverEvent {
        project_id: row.project_id,
        event_delivery_id: row.id,
        endpoint_id: Some(row.endpoint_id),
    })
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
        EventTarget::Dynamic { url, .. } => (TargetKind::Dynamic, url.clone()),
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
