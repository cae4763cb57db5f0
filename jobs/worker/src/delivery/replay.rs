//! Stored events are matched again, by what holds now, and delivered again. The deliveries' ids derive from event,
//! subscription and replay: a replay's job may run twice, and each replay delivers anew.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use posthouse_jobs::{CreateEvent, DeliverEvent, EventTarget, Queues, ReplayEvent};
use posthouse_schema::{
    batch_report::BatchReport,
    dynamic_endpoint,
    event::{self, Event},
    event_delivery::NewEventDelivery,
    ids::{EventDeliveryId, EventId, ProjectId},
    ledger,
    pool::{Pool, PooledConnection},
    words::{EndpointStatus, TargetKind},
};
use serde_json::value::RawValue;

use super::{
    create::{Created, Creation, due, matched},
    filtering::EventParts,
    functions::{Made, Needed},
    matching::matching,
    snapshot::Snapshots,
};
use crate::error::WorkerError;

/// A replay, with what functions have made of the event's data so far.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Which event, and which replay of it.
    pub job: Arc<ReplayEvent>,
    /// What functions made of its data.
    pub made: Arc<[Made]>,
}

/// What became of a replay.
#[derive(Debug, Clone)]
pub enum Replayed {
    /// Its deliveries are stored, or its event is gone.
    Stored,
    /// Nothing: its deliveries need what these functions make of the event's data, which comes with them.
    Needs(Vec<Needed>, Arc<CreateEvent>),
}

/// Writes the deliveries of the replays and enqueues them. Events that are gone, and duplicates, are passed over; those that
/// need functions are left alone, and say which.
///
/// # Errors
/// The database or the queue fails; nothing is half-written, and the jobs can be run again.
pub async fn replay_events(
    pool: &Pool,
    queues: &Queues,
    snapshots: &Snapshots,
    replays: &[Replay],
) -> Result<Vec<Replayed>, WorkerError> {
    let mut conn = pool.get().await?;
    let events = load(&mut conn, replays).await?;
    // Which of the replays each creation is for.
    let (mut of, mut creations) = (Vec::with_capacity(replays.len()), Vec::with_capacity(replays.len()));
    for (at, Replay { job, made }) in replays.iter().enumerate() {
        let Some(event) = events.get(&(job.project_id, job.event_id)).filter(|event| !event.is_duplicate) else {
            continue;
        };
        let target = target(&mut conn, event).await?;
        if let Some(accepted) = target.and_then(|target| as_accepted(event, target, job.requested_at)) {
            of.push((at, Arc::clone(job)));
            creations.push(Creation { job: Arc::new(accepted), made: Arc::clone(made) });
        }
    }
    // As in creating: what was read since is as new as the replay.
    let mut read_since: HashSet<ProjectId> = HashSet::new();
    let (deliveries, replayed) = loop {
        let (matched, matched_by) = matched(&mut conn, snapshots, &creations).await?;
        let matched_by: Vec<_> = matched_by.into_iter().filter(|(project, _)| !read_since.contains(project)).collect();
        let (mut deliveries, mut replayed) = (Vec::new(), vec![Replayed::Stored; replays.len()]);
        for (((at, job), creation), matched) in of.iter().zip(&creations).zip(matched) {
            match matched {
                Ok(accepted) => deliveries.extend(accepted.deliveries.into_iter().map(|row| of_replay(job, row))),
                Err(Created::Stored | Created::Early) => {}
                Err(Created::Needs(needed)) => {
                    if let Some(place) = replayed.get_mut(*at) {
                        *place = Replayed::Needs(needed, Arc::clone(&creation.job));
                    }
                }
            }
        }
        let stale = ledger::store_replays(&mut conn, &deliveries, &matched_by).await?;
        if stale.is_empty() {
            break (deliveries, replayed);
        }
        snapshots.forget(&stale);
        read_since.extend(stale);
    };
    drop(conn);
    queues.push_all(&deliveries.iter().filter_map(due).collect::<Vec<DeliverEvent>>()).await?;
    Ok(replayed)
}

/// Adds to the report what a replay of these events would deliver now. Nothing is made, not even the subscription that an
/// endpoint without one would get.
///
/// # Errors
/// The database fails.
pub async fn preview(
    pool: &Pool,
    snapshots: &Snapshots,
    (project, events): (ProjectId, &[EventId]),
    report: &mut BatchReport,
) -> Result<(), WorkerError> {
    let mut conn = pool.get().await?;
    let mut jobs = Vec::with_capacity(events.len());
    for event in event::find_many(&mut conn, project, events).await? {
        if let Some(target) = target(&mut conn, &event).await? {
            jobs.extend(as_accepted(&event, target, Utc::now()));
        }
    }
    // Nothing compares the versions where nothing is stored, so what is kept may be old.
    snapshots.forget(&[project]);
    let Some(snapshot) = snapshots.of(&mut conn, &HashMap::from([(project, 0)])).await?.remove(&project) else {
        return Ok(());
    };
    let routes = snapshot.routes(&mut conn, project, jobs.iter().map(|job| &job.target)).await?;
    drop(conn);
    for job in &jobs {
        let Some(routes) = routes.get(&job.target) else { continue };
        let matched = matching(&EventParts::new(job), routes);
        let receiving = matched.iter().filter(|route| route.endpoint_status == EndpointStatus::Active);
        report.add(receiving.map(|route| route.endpoint_id));
        // Filters may take their time; others on this thread get their turn.
        tokio::task::consume_budget().await;
    }
    Ok(())
}

fn of_replay(job: &ReplayEvent, row: NewEventDelivery) -> NewEventDelivery {
    NewEventDelivery { id: EventDeliveryId::derive_replayed(row.event_id, row.subscription_id, job.replay_id), ..row }
}

async fn load(
    conn: &mut PooledConnection,
    replays: &[Replay],
) -> Result<HashMap<(ProjectId, EventId), Event>, WorkerError> {
    let mut wanted: BTreeMap<ProjectId, Vec<EventId>> = BTreeMap::new();
    for Replay { job, .. } in replays {
        wanted.entry(job.project_id).or_default().push(job.event_id);
    }
    let mut found = HashMap::new();
    for (project, ids) in wanted {
        let events = event::find_many(conn, project, &ids).await?;
        found.extend(events.into_iter().map(|event| ((project, event.id), event)));
    }
    Ok(found)
}

/// The stored event as it was accepted, but at `now`.
fn as_accepted(event: &Event, target: EventTarget, now: DateTime<Utc>) -> Option<CreateEvent> {
    let data = std::str::from_utf8(&event.payload).ok()?.to_owned();
    Some(CreateEvent {
        project_id: event.project_id,
        event_id: event.id,
        target,
        event_type: event.event_type.clone(),
        data: RawValue::from_string(data).ok()?,
        headers: event.headers.0.clone(),
        idempotency_key: event.idempotency_key.clone(),
        source_id: event.source_id,
        url_query_params: event.url_query_params.clone(),
        url_path: event.url_path.clone(),
        ordering_key: None,
        after: None,
        accepted_at: now,
    })
}

/// Whom the event is for; `None` when it is nobody any more.
async fn target(conn: &mut PooledConnection, event: &Event) -> Result<Option<EventTarget>, WorkerError> {
    Ok(match event.target_kind {
        TargetKind::Single => event.target.parse().ok().map(|endpoint_id| EventTarget::Single { endpoint_id }),
        TargetKind::Fanout => Some(EventTarget::Fanout { owner_id: event.target.clone() }),
        TargetKind::Broadcast => Some(EventTarget::Broadcast),
        TargetKind::Source => event.target.parse().ok().map(|source_id| EventTarget::Source { source_id }),
        TargetKind::Dynamic => {
            let found = dynamic_endpoint::find(conn, event.project_id, &event.target).await?;
            found.map(|subscription_id| EventTarget::Dynamic { url: event.target.clone(), subscription_id })
        }
    })
}
