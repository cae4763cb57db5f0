//! Circuit breakers that workers share: when they open, who probes, and when they close.

use std::time::Duration;

use chrono::Utc;
use posthouse_jobs::{
    Queues,
    queue::{BreakerRule, Probe, Tally, Told, testing::TestQueues},
};
use posthouse_schema::ids::EndpointId;

const RULE: BreakerRule = BreakerRule {
    pause: Duration::from_millis(300),
    failure_percent: 70,
    probes: 2,
    requests_min: 10,
    window: Duration::from_secs(60),
};
const LEASE: Duration = Duration::from_millis(400);

async fn report(queues: &Queues, endpoint: EndpointId, succeeded: u32, failed: u32) -> Told {
    queues.report_to_breaker(endpoint, RULE, Tally { succeeded, failed }, false).await.unwrap()
}

async fn probed(queues: &Queues, endpoint: EndpointId, succeeded: u32, failed: u32) -> Told {
    queues.report_to_breaker(endpoint, RULE, Tally { succeeded, failed }, true).await.unwrap()
}

async fn state(queues: &Queues, endpoint: EndpointId) -> &'static str {
    queues.open_breakers("").await.unwrap().unwrap().state(endpoint, Utc::now())
}

#[tokio::test]
async fn it_opens_at_its_share_of_failures_and_not_before_there_are_enough() {
    let queues = TestQueues::new().await;
    let endpoint = EndpointId::generate();
    assert_eq!(report(&queues, endpoint, 0, 9).await.open, None, "too few requests");
    assert_eq!(report(&queues, endpoint, 4, 0).await, Told { open: None, trips: 0, failed: 9 }, "9 of 13");
    let told = report(&queues, endpoint, 0, 1).await;
    assert!(told.open.is_some_and(|open| !open.is_half_open) && told.trips == 1, "10 of 14: {told:?}");
    assert_eq!(state(&queues, endpoint).await, "open");
    let late = report(&queues, endpoint, 50, 0).await;
    assert_eq!(late.open, told.open, "what was sent before it opened says nothing new");
    assert_eq!(report(&queues, EndpointId::generate(), 0, 1).await.open, None, "another endpoint");
    queues.close().await;
}

#[tokio::test]
async fn it_is_probed_by_one_request_at_a_time_and_closes_after_enough() {
    let queues = TestQueues::new().await;
    let endpoint = EndpointId::generate();
    let until = report(&queues, endpoint, 0, 10).await.open.unwrap().until;
    assert_eq!(queues.ask_breaker(endpoint, LEASE).await.unwrap(), Probe::Wait(until));
    tokio::time::sleep(RULE.pause).await;
    let asked = (0..20).map(|_| queues.ask_breaker(endpoint, LEASE));
    let answers: Vec<Probe> = futures::future::join_all(asked).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == Probe::Granted).count(), 1);
    assert_eq!(state(&queues, endpoint).await, "half-open");
    assert!(probed(&queues, endpoint, 1, 0).await.open.is_some(), "one of two");
    assert_eq!(queues.ask_breaker(endpoint, LEASE).await.unwrap(), Probe::Granted);
    assert_eq!(probed(&queues, endpoint, 1, 0).await.open, None);
    assert_eq!(state(&queues, endpoint).await, "closed");
    assert_eq!(queues.ask_breaker(endpoint, LEASE).await.unwrap(), Probe::Closed);
    assert_eq!(report(&queues, endpoint, 0, 9).await.open, None, "what failed before is forgotten");
    queues.close().await;
}

#[tokio::test]
async fn a_failed_probe_opens_it_again_and_a_lost_one_holds_up_nobody() {
    let queues = TestQueues::new().await;
    let endpoint = EndpointId::generate();
    report(&queues, endpoint, 0, 10).await;
    tokio::time::sleep(RULE.pause).await;
    assert_eq!(queues.ask_breaker(endpoint, LEASE).await.unwrap(), Probe::Granted);
    assert_eq!(probed(&queues, endpoint, 0, 1).await.trips, 2);
    tokio::time::sleep(RULE.pause).await;
    assert_eq!(queues.ask_breaker(endpoint, LEASE).await.unwrap(), Probe::Granted);
    assert!(matches!(queues.ask_breaker(endpoint, LEASE).await.unwrap(), Probe::Wait(_)));
    tokio::time::sleep(LEASE).await;
    assert_eq!(queues.ask_breaker(endpoint, LEASE).await.unwrap(), Probe::Granted, "nobody heard of the last one");
    probed(&queues, endpoint, 0, 0).await;
    assert_eq!(queues.ask_breaker(endpoint, LEASE).await.unwrap(), Probe::Granted, "it was given back unsent");
    queues.close().await;
}

#[tokio::test]
async fn the_view_is_read_when_it_has_changed() {
    let queues = TestQueues::new().await;
    let endpoint = EndpointId::generate();
    let first = queues.open_breakers("").await.unwrap().unwrap();
    assert!(first.open.is_empty());
    assert_eq!(queues.open_breakers(&first.version).await.unwrap(), None);
    let open = report(&queues, endpoint, 0, 10).await.open.unwrap();
    let second = queues.open_breakers(&first.version).await.unwrap().unwrap();
    assert_eq!(second.open.into_iter().collect::<Vec<_>>(), [(endpoint, open)]);
    queues.close().await;
}

#[tokio::test]
async fn failures_count_for_as_long_as_the_window() {
    let queues = TestQueues::new().await;
    let endpoint = EndpointId::generate();
    let short = BreakerRule { window: Duration::from_millis(500), ..RULE };
    let report =
        async |failed| queues.report_to_breaker(endpoint, short, Tally { succeeded: 0, failed }, false).await.unwrap();
    assert_eq!(report(9).await.failed, 9);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(report(1).await, Told { open: None, trips: 0, failed: 1 });
    queues.close().await;
}
