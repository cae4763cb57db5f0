//! Periodic jobs: what has expired goes, and what Redis forgot comes back.

use std::sync::Arc;

use apalis::prelude::Data;
use chrono::{Days, Utc};
use posthouse_jobs::{DeliverEvent, Job as _, PurgeExpired, SweepDeliveries};
use posthouse_schema::{
    partitions::{self, PartitionedTable},
    words::DeliveryStatus,
};
use posthouse_worker::handlers;

use crate::{
    receiver::{Receiver, plain},
    world::{World, config, direct, until},
};

#[tokio::test]
async fn a_purge_drops_whole_days_and_makes_the_coming_ones() {
    let world = World::start(config(), direct(), None).await;
    let today = Utc::now().date_naive();
    let mut conn = world.conn().await;
    let long_ago = today - Days::new(40);
    partitions::make_ahead(&mut conn, long_ago, long_ago).await.unwrap();
    let days = |listed: &[partitions::Partition]| listed.iter().map(|partition| partition.day).collect::<Vec<_>>();
    assert!(days(&partitions::list(&mut conn, PartitionedTable::Events).await.unwrap()).contains(&long_ago));
    let job = PurgeExpired { tick: Utc::now(), retention_days: 30 };
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
    let sweep = SweepDeliveries { tick: Utc::now() };
    handlers::sweep_deliveries(sweep, Data::new(Arc::clone(&world.context))).await.unwrap();
    let deliveries = world.ended(1, DeliveryStatus::Success).await;
    assert_eq!((deliveries.first().unwrap().attempt_count, receiver.received().len()), (2, 2));
    assert_eq!(deliveries.first().unwrap().id, delivery.id);
    world.stop().await;
}
