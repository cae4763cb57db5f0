//! Deliveries move on once per attempt, never leave a final state, and are found by the sweep while unfinished.

use chrono::{TimeDelta, Utc};
use posthouse_schema::{
    delivery_attempt::{self, AttemptTimings, DeliveryAttempt},
    delivery_target,
    event_delivery::{self, EventDelivery, Outcome, StrandedDelivery},
    ids::{DeliveryAttemptId, EventDeliveryId, EventId},
    json::{Headers, Redirect, RedirectList},
    ledger::{AcceptedEvent, record_attempts},
    words::DeliveryStatus,
};

use crate::fixture::{Fixture, fixture, run, store};

async fn stored(fixture: &mut Fixture) -> EventDeliveryId {
    let id = EventId::generate();
    let accepted = AcceptedEvent::new(fixture.event(id, ""), vec![fixture.delivery(id, id.created_at())]);
    store(&mut fixture.conn, vec![accepted]).await;
    EventDeliveryId::derive(id, fixture.subscription)
}

fn outcome(fixture: &Fixture, id: EventDeliveryId, attempt_count: i32, status: DeliveryStatus) -> Outcome {
    Outcome {
        project_id: fixture.project,
        id,
        status,
        attempt_count,
        next_send_time: Utc::now(),
        latency_seconds: (status == DeliveryStatus::Success).then_some(0.25),
        description: format!("attempt {attempt_count}"),
    }
}

fn attempt(fixture: &Fixture, delivery: EventDeliveryId) -> DeliveryAttempt {
    DeliveryAttempt {
        project_id: fixture.project,
        id: DeliveryAttemptId::generate(),
        event_delivery_id: delivery,
        endpoint_id: fixture.endpoint,
        url: "https://example.com".into(),
        method: "POST".into(),
        is_success: false,
        status_code: Some(500),
        error: None,
        error_class: None,
        request_headers: Headers::default(),
        response_headers: Headers::default(),
        response_body: Some(b"no".to_vec()),
        ip_address: None,
        requested_at: Utc::now(),
        responded_at: Some(Utc::now()),
        duration_ms: 3,
        timings: AttemptTimings {
            queue_ms: Some(0),
            dns_us: None,
            connect_us: Some(2_000),
            tls_us: None,
            first_byte_us: Some(1),
        },
        redirects: Some(RedirectList(vec![Redirect { status: 307, url: "https://example.org/".into() }])),
    }
}

#[tokio::test]
async fn an_attempt_is_read_as_it_was_written() {
    let mut fixture = fixture().await;
    let id = stored(&mut fixture).await;
    let (retry, written) = (outcome(&fixture, id, 1, DeliveryStatus::Retry), attempt(&fixture, id));
    record_attempts(&mut fixture.conn, std::slice::from_ref(&written), &[retry]).await.unwrap();
    let read = delivery_attempt::list(&mut fixture.conn, fixture.project, id, 10).await.unwrap();
    let [read] = &read[..] else { panic!("one attempt") };
    assert_eq!((read.timings, &read.redirects), (written.timings, &written.redirects));
    assert_eq!((read.status_code, read.duration_ms), (Some(500), 3));
}

async fn read(fixture: &mut Fixture, id: EventDeliveryId) -> EventDelivery {
    EventDelivery::find(&mut fixture.conn, fixture.project, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_outcome_counts_once_and_a_final_state_stays() {
    let mut fixture = fixture().await;
    let id = stored(&mut fixture).await;
    let (retry, attempt) = (outcome(&fixture, id, 1, DeliveryStatus::Retry), attempt(&fixture, id));
    for _ in 0..2 {
        record_attempts(&mut fixture.conn, std::slice::from_ref(&attempt), std::slice::from_ref(&retry)).await.unwrap();
    }
    let row = read(&mut fixture, id).await;
    assert_eq!((row.status, row.attempt_count), (DeliveryStatus::Retry, 1));
    let success = outcome(&fixture, id, 2, DeliveryStatus::Success);
    assert_eq!(record_attempts(&mut fixture.conn, &[], &[success]).await.unwrap(), 1);
    let late = outcome(&fixture, id, 3, DeliveryStatus::Failure);
    assert_eq!(record_attempts(&mut fixture.conn, &[], &[late]).await.unwrap(), 0);
    let row = read(&mut fixture, id).await;
    assert_eq!((row.status, row.attempt_count, row.latency_seconds), (DeliveryStatus::Success, 2, Some(0.25)));
    let ended =
        event_delivery::end(&mut fixture.conn, (fixture.project, id), DeliveryStatus::Discarded, "late").await.unwrap();
    assert!(!ended);
}

#[tokio::test]
async fn what_is_sent_is_read_with_its_event_and_target() {
    let mut fixture = fixture().await;
    let id = stored(&mut fixture).await;
    let missing = EventDeliveryId::derive(EventId::generate(), fixture.subscription);
    let loaded = event_delivery::load_outgoing(&mut fixture.conn, &[(fixture.project, id), (fixture.project, missing)])
        .await
        .unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].payload, b"{ \"a\": 1.0 }");
    for (value, expiry) in [("old", "'2020-01-01'"), ("current", "NULL"), ("newest", "now() + interval '1 hour'")] {
        let secret = posthouse_schema::ids::EndpointSecretId::generate();
        let (project, endpoint) = (fixture.project.to_bits(), fixture.endpoint.to_bits());
        run(
            &mut fixture.conn,
            &format!("INSERT INTO endpoint_secrets (project_id, endpoint_id, id, value, expires_at) VALUES ('{project:032x}', '{endpoint:032x}', '{:032x}', '{value}', {expiry})", secret.to_bits()),
        )
        .await;
        tokio::time::sleep(std::time::Duration::from_millis(2)).await; // The order of ids within a millisecond is chance.
    }
    let wanted = [(fixture.project, fixture.endpoint)];
    let targets = delivery_target::load_targets(&mut fixture.conn, &wanted).await.unwrap();
    assert_eq!(targets[0].secrets, ["current", "newest"], "an expired secret does not sign");
    assert!(!format!("{:?}", targets[0]).contains("current"), "secrets are not printed");
    assert!(delivery_target::disable(&mut fixture.conn, fixture.project, fixture.endpoint).await.unwrap());
    assert!(
        !delivery_target::disable(&mut fixture.conn, fixture.project, fixture.endpoint).await.unwrap(),
        "only the change is told"
    );
}

#[tokio::test]
async fn the_sweep_sees_every_unfinished_state_page_by_page() {
    let mut fixture = fixture().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(stored(&mut fixture).await);
    }
    run(
        &mut fixture.conn,
        &format!("UPDATE event_deliveries SET status = 'Processing' WHERE id = '{:032x}'", ids[1].to_bits()),
    )
    .await;
    run(
        &mut fixture.conn,
        &format!("UPDATE event_deliveries SET status = 'Retry' WHERE id = '{:032x}'", ids[2].to_bits()),
    )
    .await;
    run(
        &mut fixture.conn,
        &format!("UPDATE event_deliveries SET status = 'Success' WHERE id = '{:032x}'", ids[3].to_bits()),
    )
    .await;
    run(
        &mut fixture.conn,
        &format!(
            "UPDATE event_deliveries SET next_send_time = now() + interval '1 day' WHERE id = '{:032x}'",
            ids[4].to_bits()
        ),
    )
    .await;
    let mut seen = Vec::new();
    let mut after: Option<StrandedDelivery> = None;
    loop {
        let before = Utc::now() + TimeDelta::seconds(1);
        let page =
            event_delivery::list_stranded_all_projects(&mut fixture.conn, before, after.as_ref(), 2).await.unwrap();
        seen.extend(page.iter().map(|row| row.id));
        after = page.into_iter().last();
        if after.is_none() {
            break;
        }
    }
    seen.sort();
    let mut expected = ids[..3].to_vec();
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn at_most_once_is_claimed_once() {
    let mut fixture = fixture().await;
    let id = stored(&mut fixture).await;
    let end = Utc::now() + TimeDelta::seconds(60);
    assert!(event_delivery::claim_at_most_once(&mut fixture.conn, fixture.project, id, end).await.unwrap());
    assert!(!event_delivery::claim_at_most_once(&mut fixture.conn, fixture.project, id, end).await.unwrap());
    event_delivery::unclaim(&mut fixture.conn, fixture.project, id, Utc::now()).await.unwrap();
    assert!(event_delivery::claim_at_most_once(&mut fixture.conn, fixture.project, id, end).await.unwrap());
}
