//! Accepted events become rows: a batch is matched, written with its deliveries, and only then are the deliveries
//! enqueued. Whatever is interrupted is done again without a second effect.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::TimeDelta;
use posthouse_jobs::{CreateEvent, DeliverEvent, EventTarget, Queues};
use posthouse_schema::{
    QueryError,
    event::{self, NewEvent},
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
    filtering::EventParts,
    functions::{Made, Needed},
    matching::{NOBODY, matching},
    routes::Routes,
    snapshot::Snapshots,
};
use crate::error::WorkerError;

/// An accepted event, with what functions have made of its data so far.
#[derive(Debug, Clone)]
pub struct Creation {
    /// The event.
    pub job: Arc<CreateEvent>,
    /// What functions made of it.
    pub made: Arc<[Made]>,
}

impl Creation {
    /// An event of which no function has made anything yet.
    #[must_use]
    pub fn new(job: CreateEvent) -> Self {
        Self { job: Arc::new(job), made: Arc::new([]) }
    }
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is stored, or gone with its project.
    Stored,
    /// Nothing: its deliveries need what these functions make of its data.
    Needs(Vec<Needed>),
    /// Nothing: the event before it in its line is not stored yet.
    Early,
}

/// An event that is ready to be stored, or what becomes of it instead.
pub(super) type Matched = Result<AcceptedEvent, Created>;

/// Writes the events and enqueues their deliveries. Events of a project that is gone go with it; those that need functions
/// are left alone, and say which.
///
/// # Errors
/// The database or the queue fails; nothing is half-written, and all can be done again.
pub async fn create_events(
    pool: &Pool,
    queues: &Queues,
    snapshots: &Snapshots,
    creations: &[Creation],
) -> Result<Vec<Created>, WorkerError> {
    let mut conn = pool.get().await?;
    let early = early(&mut conn, creations).await?;
    // Projects that were read since the events were accepted: nothing that was made before is missing there.
    let mut read_since = HashSet::new();
    let (stored, created) = loop {
        let (matched, matched_by) = matched(&mut conn, snapshots, creations).await?;
        let matched_by: Vec<_> = matched_by.into_iter().filter(|(project, _)| !read_since.contains(project)).collect();
        let (mut accepted, mut created) = (Vec::with_capacity(matched.len()), Vec::with_capacity(matched.len()));
        for (at, matched) in matched.into_iter().enumerate() {
            created.push(match matched {
                _ if early.contains(&at) => Created::Early,
                Ok(event) => {
                    accepted.push(event);
                    Created::Stored
                }
                Err(instead) => instead,
            });
        }
        if accepted.is_empty() {
            break (accepted, created);
        }
        match ledger::store_events(&mut conn, accepted, &matched_by).await? {
            Stored::Done(stored) => break (stored, created),
            Stored::Stale(projects) => {
                snapshots.forget(&projects);
                read_since.extend(projects);
            }
        }
    };
    drop(conn);
    let due: Vec<DeliverEvent> = stored.iter().flat_map(|accepted| &accepted.deliveries).filter_map(due).collect();
    queues.push_all(&due).await?;
    Ok(created)
}

/// Which of them have to wait for an event that is neither stored nor before them here.
async fn early(conn: &mut PooledConnection, creations: &[Creation]) -> Result<HashSet<usize>, QueryError> {
    let (mut early, mut here) = (HashSet::new(), HashSet::new());
    for (at, Creation { job, .. }) in creations.iter().enumerate() {
        if let Some(before) = job.after
            && !here.contains(&before)
            && !event::are_stored(conn, job.project_id, &[before]).await?
        {
            early.insert(at);
        } else {
            here.insert(job.event_id);
        }
    }
    Ok(early)
}

/// The events with their deliveries, in order, and the routing version of each project by which they were matched.
pub(super) async fn matched(
    conn: &mut PooledConnection,
    snapshots: &Snapshots,
    creations: &[Creation],
) -> Result<(Vec<Matched>, Vec<(ProjectId, i64)>), QueryError> {
    let jobs = || creations.iter().map(|creation| &creation.job);
    let (projects, routes) = loop {
        let projects = snapshots.of(conn, &jobs().map(|job| (job.project_id, 0)).collect()).await?;
        let mut routes = HashMap::new();
        for (project, snapshot) in &projects {
            let targets = jobs().filter(|job| job.project_id == *project).map(|job| &job.target);
            routes.insert(*project, snapshot.routes(conn, *project, targets).await?);
        }
        let changed = subscribe_lonely(conn, &routes).await?;
        if changed.is_empty() {
            break (projects, routes);
        }
        snapshots.forget(&changed);
    };
    let mut matched = Vec::with_capacity(creations.len());
    for creation in creations {
        let job = &creation.job;
        let routes = routes.get(&job.project_id).and_then(|routes| routes.get(&job.target));
        matched.push(match (routes, projects.get(&job.project_id)) {
            (Some(routes), Some(snapshot)) => accept(creation, &snapshot.config, routes),
            _ => Err(Created::Stored),
        });
        // Filters may take their time; others on this thread get their turn.
        tokio::task::consume_budget().await;
    }
    Ok((matched, projects.iter().map(|(project, snapshot)| (*project, snapshot.version)).collect()))
}

/// Gives endpoints that are sent an event and never had a subscription one to everything; returns their projects.
async fn subscribe_lonely(
    conn: &mut PooledConnection,
    routes: &HashMap<ProjectId, HashMap<EventTarget, Arc<Routes>>>,
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

fn accept(creation: &Creation, config: &ProjectConfig, routes: &Routes) -> Matched {
    let job = &creation.job;
    let matched = matching(&EventParts::new(job), routes);
    let (mut deliveries, mut needed) = (Vec::with_capacity(matched.len()), Vec::new());
    for route in &matched {
        let mut row = delivery_row(config, job, route);
        if let Some(function) = &route.function {
            let by = Needed { subscription_id: route.subscription_id, function: Arc::clone(function) };
            match creation.made.iter().find(|made| made.by == by) {
                Some(made) => apply(&mut row, &made.payload),
                None => needed.push(by),
            }
        }
        deliveries.push(row);
    }
    if needed.is_empty() {
        Ok(AcceptedEvent { event: event_row(job, &matched), deliveries, key_window: config.key_window() })
    } else {
        Err(Created::Needs(needed))
    }
}

/// What the function made is sent; where it made nothing, nothing is, ever: an empty payload is no JSON.
fn apply(row: &mut NewEventDelivery, payload: &Result<String, String>) {
    match payload {
        Ok(payload) => row.payload = Some(payload.clone().into_bytes()),
        Err(reason) => {
            (row.status, row.description) = (DeliveryStatus::Failure, reason.clone());
            row.payload = Some(Vec::new());
        }
    }
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
    let retry = route.retry.as_ref().unwrap_or(&config.strategy);
    let deadline = (retry.deadline > 0).then(|| job.accepted_at + TimeDelta::seconds(retry.deadline.into()));
    NewEventDelivery {
        project_id: job.project_id,
        id: EventDeliveryId::derive(job.event_id, route.subscription_id),
        event_id: job.event_id,
        endpoint_id: route.endpoint_id,
        subscription_id: route.subscription_id,
        event_type: job.event_type.clone(),
        status,
        delivery_mode: route.delivery_mode,
        strategy: retry.strategy,
        retry_interval_seconds: retry.first_wait().max(0),
        retry_limit: retry.attempts().max(0),
        next_send_time: job.accepted_at,
        description,
        acknowledged_at: job.accepted_at,
        payload: None,
        ordering_key: job.ordering_key.clone(),
        retry_schedule: retry.schedule.clone(),
        give_up_at: deadline,
    }
}
