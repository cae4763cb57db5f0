//! One meta event from its job to its record: store, check, send, record.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use posthouse_jobs::{Announcement, DeliverMetaEvent};
use posthouse_schema::{
    ids::{EndpointId, ProjectId},
    json::Headers,
    meta_event::{MetaAttempt, MetaEvent, MetaOutcome, NewMetaEvent},
    pool::PooledConnection,
    project_config::{self, ProjectConfig},
    sealed::Unopened,
    words::{DeliveryStatus, RetryStrategy},
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::request;
use crate::{
    context::Context,
    delivery::{
        backoff::Schedule,
        engine::{KEY_WAIT, Next},
        outcome::retry_after,
        request::DeliveryRequest,
        send::Sent,
    },
    error::WorkerError,
};

/// The wait before a meta event comes back when egress itself is away.
const EGRESS_WAIT: TimeDelta = TimeDelta::seconds(5);

/// Does what the meta event needs now.
///
/// # Errors
/// The database fails, before or after sending: the job runs again, and what was sent may be repeated with the same id.
pub async fn deliver(context: &Context, job: &DeliverMetaEvent) -> Result<Next, WorkerError> {
    let mut conn = context.pool.get().await?;
    let config =
        project_config::load(&mut conn, &[job.project_id]).await?.remove(&job.project_id).map(|(config, _)| config);
    let is_wanted = config.as_ref().is_some_and(|config| config.meta_event.is_enabled);
    if let (Some(new), Some(config), true) = (&job.new, &config, is_wanted) {
        store(&mut conn, job, new, config).await?;
    }
    let Some(event) = MetaEvent::find(&mut conn, job.project_id, job.meta_event_id).await? else {
        return Ok(Next::Done);
    };
    if event.status.is_final() {
        return Ok(Next::Done);
    }
    let now = Utc::now();
    if event.next_send_time > now {
        return Ok(Next::Again(event.next_send_time));
    }
    if let Some(why) = config.as_ref().filter(|_| is_wanted).and_then(|config| config.meta_event.secret.plain().err()) {
        return wait_for_key(&mut conn, &event, &why, now).await;
    }
    let request = config.filter(|_| is_wanted).and_then(|config| request::build(&event, &config.meta_event));
    let Some(request) = request else {
        // Nobody wants it any more. It can be sent again by hand.
        let given_up = ended(&event, DeliveryStatus::Failure, now);
        MetaEvent::record(&mut conn, (event.project_id, event.id), event.attempt_count, &given_up).await?;
        return Ok(Next::Done);
    };
    drop(conn);
    send(context, &event, &request).await
}

/// Leaves the meta event for when its secret can be read. That is no attempt, and says what is amiss.
async fn wait_for_key(
    conn: &mut PooledConnection,
    event: &MetaEvent,
    why: &Unopened,
    now: DateTime<Utc>,
) -> Result<Next, WorkerError> {
    tracing::error!(meta_event.id = %event.id, error = %why, "The secret of meta events cannot be read; they wait.");
    let error = Some(format!("the secret of meta events cannot be read: {why}"));
    let outcome = MetaOutcome {
        status: DeliveryStatus::Retry,
        attempt_count: event.attempt_count,
        next_send_time: now + KEY_WAIT,
        attempt: Some(MetaAttempt { error, ..MetaAttempt::default() }),
    };
    MetaEvent::record(conn, (event.project_id, event.id), event.attempt_count, &outcome).await?;
    Ok(Next::Again(outcome.next_send_time))
}

async fn send(context: &Context, event: &MetaEvent, request: &DeliveryRequest) -> Result<Next, WorkerError> {
    let (sender, gates) = &context.sending;
    let mut pass = match gates.enter(event.project_id, gate_of(event.project_id)).await {
        Ok(pass) => pass,
        Err(away) => return Ok(Next::Again(Utc::now() + away)),
    };
    pass.begin();
    let sent = sender.send(request).await;
    pass.learn(&sent);
    let now = Utc::now();
    if let Sent::EgressUnavailable(reason) = &sent {
        tracing::warn!(meta_event.id = %event.id, reason, "Egress is unavailable; the meta event waits.");
        return Ok(Next::Again(now + EGRESS_WAIT));
    }
    let outcome = outcome(event, request, &sent, now);
    let mut conn = context.pool.get().await?;
    MetaEvent::record(&mut conn, (event.project_id, event.id), event.attempt_count, &outcome).await?;
    Ok(if outcome.status == DeliveryStatus::Retry { Next::Again(outcome.next_send_time) } else { Next::Done })
}

/// A project's own URL has a gate like an endpoint's, named after the project: one that hangs holds few places.
fn gate_of(project: ProjectId) -> EndpointId {
    project.to_string().parse().unwrap_or_else(|_| EndpointId::first_at(DateTime::UNIX_EPOCH))
}

async fn store(
    conn: &mut PooledConnection,
    job: &DeliverMetaEvent,
    new: &Announcement,
    config: &ProjectConfig,
) -> Result<(), WorkerError> {
    #[derive(Serialize)]
    struct Body<'a> {
        event_type: &'static str,
        data: &'a RawValue,
    }
    let body = Body { event_type: new.event_type.as_str(), data: &new.data };
    // A raw value that was read is written as it is.
    let Ok(payload) = serde_json::to_vec(&body) else { return Ok(()) };
    let row = NewMetaEvent {
        project_id: job.project_id,
        id: job.meta_event_id,
        event_type: new.event_type.to_string(),
        payload,
        // A list of waits is for deliveries; here its first one counts.
        strategy: match config.strategy.strategy {
            RetryStrategy::Custom => RetryStrategy::Linear,
            other => other,
        },
        retry_interval_seconds: config.strategy.first_wait(),
        retry_limit: config.strategy.attempts(),
    };
    Ok(MetaEvent::insert_new(conn, &row).await?)
}

fn ended(event: &MetaEvent, status: DeliveryStatus, now: DateTime<Utc>) -> MetaOutcome {
    MetaOutcome { status, attempt_count: event.attempt_count, next_send_time: now, attempt: None }
}

fn outcome(event: &MetaEvent, request: &DeliveryRequest, sent: &Sent, now: DateTime<Utc>) -> MetaOutcome {
    let attempt_count = event.attempt_count.saturating_add(1);
    let attempt = Some(attempt(request, sent));
    let ended = |status| MetaOutcome { status, attempt_count, next_send_time: now, attempt: attempt.clone() };
    let wait = match sent {
        Sent::Answered(answer) if (200..300).contains(&answer.status) => return ended(DeliveryStatus::Success),
        Sent::Refused { .. } => return ended(DeliveryStatus::Failure),
        Sent::Answered(answer) => retry_after(answer),
        Sent::Failed { .. } | Sent::EgressUnavailable(_) => None,
    };
    let schedule = Schedule {
        strategy: event.strategy,
        interval: Duration::from_secs(u64::try_from(event.retry_interval_seconds).unwrap_or(0)),
        attempts_max: u32::try_from(event.retry_limit).unwrap_or(0),
        waits: &[],
    };
    match schedule.wait_after(u32::try_from(attempt_count).unwrap_or(u32::MAX), rand::random(), wait) {
        Some(wait) => MetaOutcome { next_send_time: now + wait, ..ended(DeliveryStatus::Retry) },
        None => ended(DeliveryStatus::Failure),
    }
}

fn attempt(request: &DeliveryRequest, sent: &Sent) -> MetaAttempt {
    let mut request_headers = Headers::default();
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        request_headers.0.entry(name.as_str().to_string()).or_default().push(value);
    }
    let error = match sent {
        Sent::Answered(_) => None,
        Sent::Failed { message, .. } => Some(message.clone()),
        Sent::Refused { code } => Some(format!("refused by egress: {code}")),
        Sent::EgressUnavailable(reason) => Some(reason.clone()),
    };
    let Sent::Answered(answer) = sent else {
        return MetaAttempt { request_headers, error, ..MetaAttempt::default() };
    };
    MetaAttempt {
        request_headers,
        response_headers: answer.headers.clone(),
        status_code: Some(answer.status),
        response_body: Some(String::from_utf8_lossy(&answer.body).replace('\0', "\u{fffd}")),
        error,
    }
}
