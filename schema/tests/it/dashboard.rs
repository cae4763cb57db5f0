//! What the dashboard asks: sessions by cookie, sums over a period, and what a test receiver got.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use posthouse_schema::{
    activity::{self, Period},
    browser_session::{self, Life},
    ids::EventId,
    json::Headers,
    ledger::AcceptedEvent,
    plain_token::PlainToken,
    session, test_request,
    testing::TestDatabase,
    user,
    words::DeliveryStatus,
};

use crate::fixture::{fixture, run, store};

const LIFE: Life = Life { idle: Duration::from_secs(3_600), whole: Duration::from_secs(86_400) };

#[tokio::test]
async fn a_cookie_opens_its_session_until_it_ends() {
    let database = TestDatabase::create().await;
    let pool = database.pool();
    let mut conn = pool.get().await.unwrap();
    let user = user::insert(&mut conn, "ada@example.com").await.unwrap();
    let (cookie, other) = (PlainToken::generate(), PlainToken::generate());
    let id = browser_session::start(&mut conn, user, &cookie, LIFE).await.unwrap();
    let found = browser_session::find(&mut conn, &cookie, LIFE).await.unwrap().unwrap();
    assert_eq!((found.0, found.1.id), (id, user));
    assert!(browser_session::find(&mut conn, &other, LIFE).await.unwrap().is_none());
    let stored =
        run(&mut conn, &format!("UPDATE sessions SET id = id WHERE cookie_hash = '{}'::bytea", cookie.expose())).await;
    assert_eq!(stored, 0, "the cookie itself is not stored");

    // A use lets it go on, but never beyond its whole life.
    run(&mut conn, "UPDATE sessions SET expires_at = now() + interval '1 minute'").await;
    browser_session::find(&mut conn, &cookie, LIFE).await.unwrap().unwrap();
    assert_eq!(run(&mut conn, "UPDATE sessions SET id = id WHERE expires_at > now() + interval '50 minutes'").await, 1);
    run(&mut conn, "UPDATE sessions SET expires_at = now() + interval '1 minute', created_at = now() - interval '23 hours 30 minutes'").await;
    browser_session::find(&mut conn, &cookie, LIFE).await.unwrap().unwrap();
    assert_eq!(run(&mut conn, "UPDATE sessions SET id = id WHERE expires_at > now() + interval '31 minutes'").await, 0);

    session::end_all(&mut conn, user, None).await.unwrap();
    assert!(browser_session::find(&mut conn, &cookie, LIFE).await.unwrap().is_none());
    let again = PlainToken::generate();
    browser_session::start(&mut conn, user, &again, LIFE).await.unwrap();
    run(&mut conn, "UPDATE sessions SET expires_at = now() - interval '1 second'").await;
    assert!(browser_session::find(&mut conn, &again, LIFE).await.unwrap().is_none());
}

#[tokio::test]
async fn a_period_is_summed_in_bars() {
    let mut fixture = fixture().await;
    let (now, project) = (Utc::now(), fixture.project);
    let from = now - TimeDelta::minutes(10);
    let period = Period { from, to: now + TimeDelta::minutes(1), bar_seconds: 300.0 };
    let empty = activity::read(&mut fixture.conn, project, period, 5).await.unwrap();
    assert!(empty.events.is_empty() && empty.deliveries.is_empty() && empty.failing.is_empty());
    assert_eq!(empty.latency_seconds, None);

    let mut batch = Vec::new();
    for status in [
        DeliveryStatus::Success,
        DeliveryStatus::Success,
        DeliveryStatus::Failure,
        DeliveryStatus::Retry,
        DeliveryStatus::Discarded,
    ] {
        let event = fixture.event(EventId::generate(), "");
        let delivery = posthouse_schema::event_delivery::NewEventDelivery { status, ..fixture.delivery(event.id, now) };
        batch.push(AcceptedEvent::new(event, vec![delivery]));
    }
    store(&mut fixture.conn, batch).await;
    run(&mut fixture.conn, "UPDATE event_deliveries SET latency_seconds = 2 WHERE status = 'Success'").await;
    let summed = activity::read(&mut fixture.conn, project, period, 5).await.unwrap();
    assert_eq!(summed.events.iter().map(|bar| bar.events).sum::<i64>(), 5);
    let total = |of: fn(&activity::DeliveryBar) -> i64| summed.deliveries.iter().map(of).sum::<i64>();
    assert_eq!(
        (total(|bar| bar.success), total(|bar| bar.open), total(|bar| bar.discarded), total(|bar| bar.failure)),
        (2, 1, 1, 1)
    );
    assert!(summed.deliveries.iter().all(|bar| bar.at >= from));
    assert_eq!(summed.latency_seconds, Some([2.0, 2.0, 2.0]));
    assert_eq!(
        summed.failing.iter().map(|failing| (failing.endpoint_id, failing.failures)).collect::<Vec<_>>(),
        [(fixture.endpoint, 1)]
    );
    let other =
        activity::read(&mut fixture.conn, posthouse_schema::ids::ProjectId::generate(), period, 5).await.unwrap();
    assert!(other.events.is_empty() && other.failing.is_empty());
}

#[tokio::test]
async fn a_test_receiver_keeps_the_newest_requests() {
    let mut fixture = fixture().await;
    let headers = Headers([("webhook-id".to_string(), vec!["1".to_string()])].into());
    for number in 0..25 {
        let body = if number == 24 { vec![b'x'; 100_000] } else { number.to_string().into_bytes() };
        test_request::keep(&mut fixture.conn, fixture.project, "POST", headers.clone(), &body).await.unwrap();
    }
    let kept = test_request::list(&mut fixture.conn, fixture.project).await.unwrap();
    assert_eq!(kept.len(), 20);
    assert!(
        kept.iter().any(|request| request.body_bytes == 100_000 && request.body.len() == test_request::BODY_BYTES_MAX)
    );
    assert!(kept.is_sorted_by(|one, next| one.id > next.id));
    assert!(
        test_request::list(&mut fixture.conn, posthouse_schema::ids::ProjectId::generate()).await.unwrap().is_empty()
    );
}
