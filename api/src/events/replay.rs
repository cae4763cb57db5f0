//! Events that are matched and delivered again: one, or all that a query means. Bodies are ignored: clients send what they
//! like.

use posthouse_boxed::boxed;
use posthouse_jobs::ReplayEvent;
use posthouse_schema::{
    event::{self, Event},
    ids::{EventId, ReplayId},
    words::BatchKind,
};
use salvo::prelude::*;

use super::{filter, source_names::SourceNames, wire::EventWire};
use crate::{
    auth::{Need, scoped},
    batches::{self, wire::BegunBatchWire},
    deliveries::wire::CountWire,
    error::{ApiError, ApiResult},
    query, redaction,
    reply::Reply,
};

/// Events with one key among which the original of a repeat is looked for.
const ORIGINALS_MAX: i64 = 1_000;

/// Replays an event
///
/// The event is matched again, by the subscriptions of now, and delivered again to all of them: these are new deliveries
/// beside the old ones. A duplicate is refused, for it is never delivered: its original can be replayed.
#[endpoint(tags("Events"), operation_id = "ReplayEndpointEvent")]
#[boxed]
pub async fn replay_event(req: &mut Request, depot: &mut Depot) -> ApiResult<EventWire> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    let not_found = || ApiError::invalid("event not found");
    let id: EventId = req.param::<String>("event_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let mut conn = app.conn().await?;
    let row = Event::find(&mut conn, project.id, id).await?.ok_or_else(not_found)?;
    access.admit_replay(&row)?;
    if row.is_duplicate {
        let originals = event::originals_of_key(&mut conn, project.id, &row.idempotency_key, ORIGINALS_MAX).await?;
        let before = originals.iter().find(|original| **original < id).or(originals.last());
        let original = before.map_or_else(|| "one that is gone".into(), ToString::to_string);
        return Err(ApiError::invalid(format!("the event is a duplicate of {original} and is never delivered")));
    }
    if row.has_expired() {
        return Err(ApiError::invalid(event::EXPIRED));
    }
    let names = SourceNames::of(&mut conn, project.id, [&row]).await?;
    drop(conn);
    let job = ReplayEvent {
        project_id: project.id,
        event_id: id,
        replay_id: ReplayId::generate(),
        requested_at: chrono::Utc::now(),
    };
    app.queues.push(&job).await.map_err(ApiError::queue)?;
    let source = row.source_id;
    let wire = redaction::event(&access, EventWire::new(row, names.name(source)));
    Ok(Reply::ok("Endpoint event replayed successfully", wire))
}

/// Replays all events that a query means
///
/// Takes the filters of the list in its query, but for searches, and replays everything that they match, whatever the
/// number; duplicates are passed over. It is done in the background; the message says how many events it is for, and the
/// header `X-Posthouse-Batch-ID` of the answer names the batch. With `dry_run=true` nothing is delivered: the batch's report
/// says how many deliveries there would be, and to whom.
#[endpoint(tags("Events"), operation_id = "BatchReplayEvents")]
#[boxed]
pub async fn batch_replay(
    req: &mut Request,
    depot: &mut Depot,
    res: &mut Response,
) -> ApiResult<Option<BegunBatchWire>> {
    let (app, project, access) = scoped(req, depot, Need::Manage).await?;
    without_search(req, "batch replay does not support search filters")?;
    let kind = match query::one(req, "dry_run").as_deref() {
        None | Some("false") => BatchKind::Replay,
        Some("true") if access.is_portal() => return Err(ApiError::OutOfReach),
        Some("true") => BatchKind::DryRun,
        Some(_) => return Err(ApiError::invalid("dry_run: one of true, false is expected")),
    };
    let mut conn = app.conn().await?;
    let mut filter = filter::read(req, &mut conn, project.id, &access).await?;
    filter.targets = access.replayable();
    // What comes later was not asked for.
    let now = chrono::Utc::now();
    filter.to = Some(filter.to.map_or(now, |to| to.min(now)));
    let number = event::count_replayable(&mut conn, project.id, &filter).await?;
    drop(conn);
    let mut begun = None;
    if number > 0 {
        let replay = (kind, &filter);
        let id = batches::begin(&app, project.id, replay, "an active batch replay already exists", res).await?;
        begun = (kind == BatchKind::DryRun).then(|| BegunBatchWire { batch_id: id.to_string() });
    }
    Ok(Reply::ok(format!("{number} successful, 0 failed"), begun))
}

/// Counts what a batch replay would replay
#[endpoint(tags("Events"), operation_id = "CountAffectedEvents")]
#[boxed]
pub async fn count_batch_replay(req: &mut Request, depot: &mut Depot) -> ApiResult<CountWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    without_search(req, "batch replay count does not support search filters")?;
    let mut conn = app.conn().await?;
    let mut filter = filter::read(req, &mut conn, project.id, &access).await?;
    filter.targets = access.replayable();
    let num = event::count_replayable(&mut conn, project.id, &filter).await?;
    Ok(Reply::ok("events count successful", CountWire { num }))
}

fn without_search(req: &Request, complaint: &'static str) -> Result<(), ApiError> {
    if ["query", "body"].iter().any(|key| query::one(req, key).is_some()) {
        return Err(ApiError::invalid(complaint));
    }
    Ok(())
}
