//! What was stored is delivered again: one event, all that a filter lets through, and deliveries that rest.

use chrono::Utc;
use posthouse_jobs::{CreateEvent, ReplayEvent, RunBatch};
use posthouse_schema::{
    audit::audit_all_projects,
    batch_report::BatchReport,
    batch_run::{self, BatchRun},
    event::{Event, EventFilter},
    event_delivery::DeliveryFilter,
    ids::{BatchRunId, EventId, ReplayId},
    instance_retry::{InstanceRetry, InstanceRetryFilter, begin_all_projects},
    words::{BatchKind, BatchStatus, DeliveryStatus, EventStatus},
};
use serde::Serialize;

use crate::{
    receiver::{Receiver, plain},
    world::{World, config, direct, is_idle, until},
};

impl World {
    fn replay(&self, event_id: EventId) -> ReplayEvent {
        ReplayEvent { project_id: self.project, event_id, replay_id: ReplayId::generate(), requested_at: Utc::now() }
    }

    /// A run over what the filter lets through, as the API asks for one.
    async fn run(&self, kind: BatchKind, filter: &impl Serialize) -> BatchRunId {
        let filter = serde_json::to_value(filter).unwrap();
        let batch_run_id =
            BatchRun::insert(&mut *self.conn().await, self.project, kind, &filter).await.unwrap().unwrap();
        self.queues.push(&RunBatch { project_id: self.project, batch_run_id }).await.unwrap();
        batch_run_id
    }

    async fn has_ended(&self, id: BatchRunId, status: BatchStatus) -> BatchRun {
        until("the run ends", async || {
            BatchRun::find(&mut *self.conn().await, self.project, id).await.unwrap().unwrap().status == status
        })
        .await;
        BatchRun::find(&mut *self.conn().await, self.project, id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_replay_delivers_once_more_by_the_subscriptions_of_now() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let (event, unmatched) = (world.event(endpoint, "invoice.paid"), world.event(endpoint, "invoice.voided"));
    world.queues.push_all(&[event.clone(), unmatched.clone()]).await.unwrap();
    world.ended(1, DeliveryStatus::Success).await;
    let replay = world.replay(event.event_id);
    for _ in 0..2 {
        world.queues.push(&replay).await.unwrap();
        until("the replay is done", async || is_idle::<ReplayEvent>(&world).await).await;
        world.ended(2, DeliveryStatus::Success).await;
    }
    assert_eq!(receiver.received().len(), 2, "a replay's job may run twice");
    until("all events are stored", async || is_idle::<CreateEvent>(&world).await).await;
    // Nobody wanted it then.
    world.subscribe(endpoint, "invoice.voided").await;
    world.queues.push(&world.replay(unmatched.event_id)).await.unwrap();
    world.queues.push(&world.replay(EventId::generate())).await.unwrap();
    world.ended(3, DeliveryStatus::Success).await;
    let mut conn = world.conn().await;
    let row = Event::find(&mut conn, world.project, unmatched.event_id).await.unwrap().unwrap();
    assert_eq!((row.status, row.failure_reason, row.endpoint_ids), (EventStatus::Success, None, vec![Some(endpoint)]));
    assert!(audit_all_projects(&mut conn).await.unwrap().adds_up());
    drop(conn);
    world.stop().await;
}

#[tokio::test]
async fn a_batch_replay_takes_every_event_once_and_no_duplicate() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    let mut events: Vec<CreateEvent> = (0..30).map(|_| world.event(endpoint, "invoice.paid")).collect();
    (events[0].idempotency_key, events[1].idempotency_key) = ("k".into(), "k".into());
    world.queues.push_all(&events).await.unwrap();
    world.ended(29, DeliveryStatus::Success).await;
    let filter = EventFilter { endpoint_ids: Some(vec![endpoint]), ..EventFilter::default() };
    let run = world.run(BatchKind::Replay, &filter).await;
    world.ended(58, DeliveryStatus::Success).await;
    assert_eq!(world.has_ended(run, BatchStatus::Completed).await.done, 29);
    // What is pushed again after its end does nothing.
    world.queues.push(&RunBatch { project_id: world.project, batch_run_id: run }).await.unwrap();
    until("the run is looked at", async || is_idle::<RunBatch>(&world).await).await;
    assert_eq!(receiver.received().len(), 58);
    world.stop().await;
}

#[tokio::test]
async fn a_batch_retry_gives_what_failed_one_more_attempt_and_leaves_the_rest() {
    let mut config = config();
    config.strategy.retry_count = 1;
    let (world, receiver) = (World::start(config, direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    receiver.then(&[plain("500 Oops", "").as_str(); 3]);
    let events: Vec<CreateEvent> = (0..3).map(|_| world.event(endpoint, "invoice.paid")).collect();
    world.queues.push_all(&events).await.unwrap();
    world.ended(3, DeliveryStatus::Failure).await;
    receiver.then(&[plain("500 Oops", "").as_str()]);
    let run = world.run(BatchKind::Retry, &DeliveryFilter::default()).await;
    assert_eq!(world.has_ended(run, BatchStatus::Completed).await.done, 3);
    until("every delivery rests", async || world.deliveries().await.iter().all(|row| row.status.is_final())).await;
    let rows = world.deliveries().await;
    assert_eq!(rows.iter().filter(|row| row.status == DeliveryStatus::Failure).count(), 1);
    assert!(rows.iter().all(|row| row.attempt_count == 2));
    let only_successes = DeliveryFilter { statuses: vec![DeliveryStatus::Success], ..DeliveryFilter::default() };
    let run = world.run(BatchKind::Retry, &only_successes).await;
    assert_eq!(world.has_ended(run, BatchStatus::Completed).await.done, 0);
    let run = world.run(BatchKind::Retry, &serde_json::json!({"statuses": 7})).await;
    world.has_ended(run, BatchStatus::Failed).await;
    assert_eq!(receiver.received().len(), 6);
    world.stop().await;
}

#[tokio::test]
async fn a_retry_in_all_projects_takes_what_failed_in_its_time() {
    let mut config = config();
    config.strategy.retry_count = 1;
    let (world, receiver) = (World::start(config, direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    receiver.then(&[plain("500 Oops", "").as_str(); 2]);
    let events: Vec<CreateEvent> = (0..2).map(|_| world.event(endpoint, "invoice.paid")).collect();
    world.queues.push_all(&events).await.unwrap();
    world.ended(2, DeliveryStatus::Failure).await;
    let filter = InstanceRetryFilter {
        statuses: vec![DeliveryStatus::Failure],
        event_id: Some(events[0].event_id),
        from: Utc::now() - chrono::TimeDelta::hours(1),
        to: Utc::now(),
    };
    let begun = begin_all_projects(&mut *world.conn().await, &filter).await.unwrap();
    let [(project_id, batch_run_id)] = begun.runs[..] else { panic!("{begun:?}") };
    // As the sweep would, where the API's push was lost.
    world.queues.push(&RunBatch { project_id, batch_run_id }).await.unwrap();
    world.has_ended(batch_run_id, BatchStatus::Completed).await;
    until("one is delivered", async || {
        let rows = world.deliveries().await;
        let delivered: Vec<_> = rows.iter().filter(|row| row.status == DeliveryStatus::Success).collect();
        delivered.len() == 1 && delivered[0].event_id == events[0].event_id
    })
    .await;
    let retry = InstanceRetry::find(&mut *world.conn().await, begun.id).await.unwrap().unwrap();
    assert_eq!((retry.status(), retry.projects, retry.done), (BatchStatus::Completed, 1, 1));
    assert_eq!(receiver.received().len(), 3);
    world.stop().await;
}

#[tokio::test]
async fn a_replay_that_is_tried_says_whom_it_would_reach_and_delivers_nothing() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let (one, two) =
        (world.endpoint(&receiver.url(), |_, _| {}).await, world.endpoint(&receiver.url(), |_, _| {}).await);
    let mut events: Vec<CreateEvent> = (0..3).map(|_| world.event(one, "invoice.paid")).collect();
    events.push(world.event(two, "invoice.paid"));
    events.push(world.event(two, "invoice.voided"));
    world.queues.push_all(&events).await.unwrap();
    world.ended(4, DeliveryStatus::Success).await;
    until("all events are stored", async || is_idle::<CreateEvent>(&world).await).await;
    // By the subscriptions of now: it would go to both.
    world.subscribe(two, "invoice.voided").await;
    let id = world.run(BatchKind::DryRun, &EventFilter::default()).await;
    let run = world.has_ended(id, BatchStatus::Completed).await;
    let report: BatchReport = serde_json::from_value(run.report.unwrap()).unwrap();
    assert_eq!((run.done, report.events, report.unmatched, report.deliveries), (5, 5, 0, 5));
    assert_eq!((report.endpoints[&one], report.endpoints[&two]), (3, 2));
    assert_eq!((world.deliveries().await.len(), receiver.received().len()), (4, 4));
    world.stop().await;
}

#[tokio::test]
async fn a_run_that_is_called_off_enqueues_nothing_more() {
    let (world, receiver) = (World::start(config(), direct(), None).await, Receiver::start().await);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    world.ended(1, DeliveryStatus::Success).await;
    let filter = serde_json::to_value(EventFilter::default()).unwrap();
    let mut conn = world.conn().await;
    let id = BatchRun::insert(&mut conn, world.project, BatchKind::Replay, &filter).await.unwrap().unwrap();
    assert!(batch_run::end(&mut conn, (world.project, id), BatchStatus::Cancelled).await.unwrap());
    drop(conn);
    world.queues.push(&RunBatch { project_id: world.project, batch_run_id: id }).await.unwrap();
    until("the job is done", async || is_idle::<RunBatch>(&world).await).await;
    assert_eq!((world.has_ended(id, BatchStatus::Cancelled).await.done, receiver.received().len()), (0, 1));
    world.stop().await;
}
