//! Periodic jobs: what has expired goes, and what Redis forgot comes back.

use std::sync::Arc;

use apalis::prelude::Data;
use chrono::{Days, Utc};
use posthouse_jobs::{
    BackUp, DeliverEvent, HouseTask, IndexEvents, Job as _, KeepHouse, PurgeExpired, SendDigests, StoreRejectedMessage,
    SweepDeliveries, Tick,
    queue::{JobState, testing::TestQueues},
};
use posthouse_schema::{
    ids::{RejectedMessageId, SourceId},
    partitions::{self, PartitionedTable},
    rejected_message::{self, RejectedFilter, RejectedMessage},
    words::DeliveryStatus,
};
use posthouse_service::{metrics::Metrics, traces::Place};
use posthouse_worker::{
    context::Context,
    delivery::{gate::Gates, send::Sender},
    handlers,
    scheduler::{metrics::SchedulerMetrics, schedules::Work},
};
use tokio_util::sync::CancellationToken;

use crate::{
    receiver::{Receiver, plain},
    world::{World, config, direct, until},
};

/// Metrics of queues come from Redis at an interval, whoever is the active scheduler.
#[tokio::test]
async fn a_scheduler_shows_the_queues() {
    let (queues, metrics, stop) = (TestQueues::new().await, Metrics::new("scheduler"), CancellationToken::new());
    let own = SchedulerMetrics::new(&metrics);
    queues.push(&SweepDeliveries { tick: Utc::now().into() }).await.unwrap();
    queues.view(PurgeExpired::QUEUE).pause().await.unwrap();
    let seen = until("the queues are shown", async || {
        let text = metrics.encode();
        text.contains("posthouse_queue_jobs{queue=\"sweep_deliveries\",state=\"ready\"} 1")
            && text.contains("posthouse_queue_paused{queue=\"purge_expired\"} 1")
            && text.contains("posthouse_queue_oldest_seconds{queue=\"store_rejected_message\"} 0.0")
            && text.contains("posthouse_breakers{state=\"open\"} 0")
            && text.contains("posthouse_scheduler_leader 0")
    });
    tokio::join!(own.watch(&queues, &stop), async {
        seen.await;
        stop.cancel();
    });
    queues.close().await;
}

/// A schedule's run is a trace that the job goes on with, whatever it does.
#[tokio::test]
async fn every_periodic_job_names_the_span_that_enqueued_it() {
    let (queues, at) = (TestQueues::new().await, Utc::now());
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = Tick { at, parent: Place::parse(parent) };
    for (work, queue) in [
        (Work::Purge(PurgeExpired::new(at, 30)), PurgeExpired::QUEUE),
        (Work::Sweep, SweepDeliveries::QUEUE),
        (Work::Index { events_max: 1 }, IndexEvents::QUEUE),
        (Work::Digests, SendDigests::QUEUE),
        (Work::BackUp { place: "/backups".into(), keep_days: 1 }, BackUp::QUEUE),
        (Work::House(HouseTask::CountEvents), KeepHouse::QUEUE),
    ] {
        work.enqueue(&queues, traced).await.unwrap();
        work.enqueue(&queues, at.into()).await.unwrap();
        let jobs = queues.view(queue).page(JobState::Ready, 0, 10).await.unwrap();
        let [job] = &jobs[..] else { panic!("{queue}: a tick is one job in any trace: {jobs:?}") };
        let payload: serde_json::Value = serde_json::from_slice(&job.payload).unwrap();
        assert_eq!(payload["traceparent"], parent, "{queue}: {payload}");
    }
    queues.close().await;
}

#[tokio::test]
async fn a_purge_drops_whole_days_and_makes_the_coming_ones() {
    let world = World::start(config(), direct(), None).await;
    let today = Utc::now().date_naive();
    let mut conn = world.conn().await;
    let long_ago = today - Days::new(40);
    partitions::make_ahead(&mut conn, long_ago, long_ago).await.unwrap();
    let days = |listed: &[partitions::Partition]| listed.iter().map(|partition| partition.day).collect::<Vec<_>>();
    assert!(days(&partitions::list(&mut conn, PartitionedTable::Events).await.unwrap()).contains(&long_ago));
    let job = PurgeExpired {
        rejected_retention_days: Some(14),
        audit_log_retention_days: Some(90),
        ..PurgeExpired::new(Utc::now(), 30)
    };
    for _ in 0..2 {
        handlers::purge_expired(job.clone(), Data::new(Arc::clone(&world.context))).await.unwrap();
    }
    for table in PartitionedTable::ALL {
        let left = days(&partitions::list(&mut conn, table).await.unwrap());
        assert!(left.iter().all(|day| *day >= today - Days::new(30)), "{table:?}: {left:?}");
        assert!(left.contains(&(today + Days::new(partitions::DAYS_AHEAD))), "{table:?}: {left:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn refused_messages_are_kept_and_bounded() {
    let world = World::start(config(), direct(), None).await;
    let context = Context {
        rejected_messages_max: 3,
        ..Context::new(
            world.context.pool.clone(),
            world.queues.queues(),
            (Sender::new(direct(), &[]).unwrap(), Gates::new(1)),
            None,
            &Metrics::new("worker"),
        )
    };
    let context = Data::new(Arc::new(context));
    let source_id = SourceId::generate();
    let at = |minutes: i64, low_bits: u128| {
        let first = RejectedMessageId::first_at(Utc::now() - chrono::TimeDelta::minutes(minutes));
        RejectedMessageId::from_bits(first.to_bits() | low_bits)
    };
    let job = |message_id| StoreRejectedMessage {
        project_id: world.project,
        message_id,
        source_id,
        reason: "not_json".into(),
        detail: "the body is not JSON".into(),
        payload: "/wA=".into(),
        payload_bytes: 2,
        metadata: [("topic".into(), "t".into())].into(),
    };
    let ids: Vec<_> = (1..=6).rev().map(|minutes| at(minutes, 1)).collect();
    for id in &ids {
        for _ in 0..2 {
            handlers::store_rejected_message(job(*id), context.clone()).await.unwrap();
        }
    }
    let mut conn = world.conn().await;
    let (row, payload) = RejectedMessage::find(&mut conn, world.project, ids[0]).await.unwrap().unwrap();
    assert_eq!((payload.as_slice(), row.reason.as_str(), row.is_whole), (&b"\xff\x00"[..], "not_json", true));
    let all = RejectedFilter::default();
    assert_eq!(rejected_message::count(&mut conn, world.project, &all).await.unwrap(), 6, "once each");
    // One of those by which the rest is counted.
    handlers::store_rejected_message(job(at(0, 32)), context.clone()).await.unwrap();
    assert_eq!(rejected_message::count(&mut conn, world.project, &all).await.unwrap(), 3);
    let wrong = StoreRejectedMessage { payload: "no base64!".into(), ..job(at(0, 3)) };
    assert!(handlers::store_rejected_message(wrong, context).await.is_err());
    let too_old = job(at(15 * 24 * 60, 1));
    let kept = job(at(13 * 24 * 60, 1));
    for job in [&too_old, &kept] {
        handlers::store_rejected_message(job.clone(), Data::new(Arc::clone(&world.context))).await.unwrap();
    }
    let purge = PurgeExpired {
        rejected_retention_days: Some(14),
        audit_log_retention_days: Some(90),
        ..PurgeExpired::new(Utc::now(), 30)
    };
    handlers::purge_expired(purge, Data::new(Arc::clone(&world.context))).await.unwrap();
    assert!(RejectedMessage::find(&mut conn, world.project, too_old.message_id).await.unwrap().is_none());
    assert!(RejectedMessage::find(&mut conn, world.project, kept.message_id).await.unwrap().is_some());
    world.stop().await;
}

#[tokio::test]
async fn deliveries_that_redis_forgot_are_found_in_the_ledger() {
    let mut patient = config();
    patient.strategy.duration = 3_600;
    let (world, receiver) = (World::start(patient, direct(), None).await, Receiver::start().await);
    receiver.then(&[&plain("500 No", "")]);
    let endpoint = world.endpoint(&receiver.url(), |_, _| {}).await;
    world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    let [delivery] = &world.ended(1, DeliveryStatus::Retry).await[..] else { panic!("one delivery") };
    // The next attempt is an hour away. Its job is lost, and the hour passes.
    let view = world.queues.view(DeliverEvent::QUEUE);
    until("the job waits for its time", async || view.counts().await.unwrap().delayed == 1).await;
    let lost = world.queues.lose(DeliverEvent::QUEUE).await;
    assert!(lost > 0);
    world.make_overdue().await;
    let sweep = SweepDeliveries { tick: Utc::now().into() };
    handlers::sweep_deliveries(sweep, Data::new(Arc::clone(&world.context))).await.unwrap();
    let deliveries = world.ended(1, DeliveryStatus::Success).await;
    assert_eq!((deliveries.first().unwrap().attempt_count, receiver.received().len()), (2, 2));
    assert_eq!(deliveries.first().unwrap().id, delivery.id);
    world.stop().await;
}
