//! Lists, sums and rates of a time read about what they return, in a ledger in which what is asked for is rare, and where
//! another project has nothing else.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use posthouse_schema::{
    event::{self, EventFilter},
    event_count,
    event_delivery::{self, DeliveryFilter},
    ids::{EndpointId, ProjectId, SourceId, SubscriptionId},
    page::Sort,
    words::DeliveryStatus,
};

use crate::{
    fixture::run,
    reads::{EVENTS, RARE, filled},
    rows_read::{FEW, Verdict, measured, page},
};

struct Ledger {
    conn: AsyncPgConnection,
    project: ProjectId,
    /// A project without anything.
    empty: ProjectId,
    common: EndpointId,
    rare: EndpointId,
    source: SourceId,
    /// The time of the oldest event; the others follow a millisecond apart.
    begin: DateTime<Utc>,
}

impl Ledger {
    /// A time from the one millisecond to the other, both included, and the events in it.
    fn time(&self, (first, last): (i64, i64)) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.begin + TimeDelta::milliseconds(first), self.begin + TimeDelta::milliseconds(last))
    }
}

/// The ledger of the other tests beside another project's with as much, where all is as what is rare in the first.
async fn beside_another() -> Ledger {
    let (mut fixture, rare, source) = filled().await;
    let other = ProjectId::generate().to_bits();
    // Every other place of a copied id is its own.
    let own = "(left(replace(id::text, '-', ''), 12) || left(md5(id::text), 20))::uuid";
    let endpoint = EndpointId::generate().to_bits();
    for statement in [
        format!(
            "INSERT INTO events (project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, is_duplicate, endpoint_ids, status, acknowledged_at) SELECT '{other:032x}', {own}, 't', 'single', '', '{endpoint:032x}', '{{\"x-broker-message-id\": [\"m\"]}}', 'x', 'k', true, '{{{endpoint:032x}}}', 'Success', now() FROM events"
        ),
        format!(
            "INSERT INTO event_deliveries (project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy, retry_interval_seconds, retry_limit, next_send_time, acknowledged_at) SELECT '{other:032x}', {own}, event_id, '{endpoint:032x}', '{endpoint:032x}', 'rare', 'Failure', 'at_least_once', 'linear', 1, 1, now(), now() FROM event_deliveries"
        ),
        "ANALYZE events, event_deliveries".into(),
    ] {
        run(&mut fixture.conn, &statement).await;
    }
    let (project, common) = (fixture.project, fixture.endpoint);
    // The connection that filled it: what another has read may be counted only later, while something is measured.
    let mut conn = fixture.conn;
    let oldest = event::list(&mut conn, project, &EventFilter::default(), &page(Sort::Ascending)).await.unwrap();
    let begin = oldest.rows.first().unwrap().id.created_at();
    Ledger { conn, project, empty: ProjectId::generate(), common, rare, source, begin }
}

/// Something in the middle of the ledger that has five of the rare.
const MIDDLE: (i64, i64) = (10_000, 14_999);

#[tokio::test]
async fn deliveries_of_a_time_are_listed_without_reading_the_others() {
    let mut ledger = beside_another().await;
    let mut verdict = Verdict::default();
    let (from, to) = ledger.time(MIDDLE);
    let all = || DeliveryFilter { from: Some(from), to: Some(to), ..DeliveryFilter::default() };
    let (short_from, short_to) = ledger.time((10_000, 10_004));
    let (none_from, none_to) = ledger.time((EVENTS + 1_000, EVENTS + 2_000));
    let subscription = Some(SubscriptionId::from_bits(ledger.rare.to_bits()));
    for (what, filter, sort, expected) in [
        ("newest", all(), Sort::Descending, 10),
        ("oldest", all(), Sort::Ascending, 10),
        ("of 5 ms", DeliveryFilter { from: Some(short_from), to: Some(short_to), ..all() }, Sort::Descending, 5),
        ("after all", DeliveryFilter { from: Some(none_from), to: Some(none_to), ..all() }, Sort::Descending, 0),
        ("of a rare endpoint", DeliveryFilter { endpoint_ids: vec![ledger.rare], ..all() }, Sort::Descending, 5),
        ("of a common endpoint", DeliveryFilter { endpoint_ids: vec![ledger.common], ..all() }, Sort::Descending, 10),
        ("of a rare subscription", DeliveryFilter { subscription_id: subscription, ..all() }, Sort::Ascending, 5),
        ("of a rare type", DeliveryFilter { event_type: Some("rare".into()), ..all() }, Sort::Descending, 5),
        ("of a common type", DeliveryFilter { event_type: Some("t".into()), ..all() }, Sort::Descending, 10),
        ("that failed", DeliveryFilter { statuses: vec![DeliveryStatus::Failure], ..all() }, Sort::Descending, 5),
        ("that are unfinished", DeliveryFilter { statuses: vec![DeliveryStatus::Retry], ..all() }, Sort::Descending, 0),
    ] {
        let ask = async |conn: &mut _| event_delivery::list(conn, ledger.project, &filter, &page(sort)).await;
        let (found, read) = measured(&mut ledger.conn, "event_deliveries", ask).await;
        verdict.add(&format!("deliveries {what}"), (found.rows.len(), expected), (read, FEW));
    }
    verdict.give();
}

#[tokio::test]
async fn events_of_a_time_are_listed_without_reading_the_others() {
    let mut ledger = beside_another().await;
    let mut verdict = Verdict::default();
    let (from, to) = ledger.time(MIDDLE);
    let all = || EventFilter { from: Some(from), to: Some(to), ..EventFilter::default() };
    let (short_from, short_to) = ledger.time((10_000, 10_004));
    let (none_from, none_to) = ledger.time((EVENTS + 1_000, EVENTS + 2_000));
    let key = |key: &str| Some(key.to_string());
    for (what, filter, sort, expected) in [
        ("newest", all(), Sort::Descending, 10),
        ("oldest", all(), Sort::Ascending, 10),
        ("of 5 ms", EventFilter { from: Some(short_from), to: Some(short_to), ..all() }, Sort::Descending, 5),
        ("after all", EventFilter { from: Some(none_from), to: Some(none_to), ..all() }, Sort::Descending, 0),
        ("of a rare endpoint", EventFilter { endpoint_ids: Some(vec![ledger.rare]), ..all() }, Sort::Descending, 5),
        ("of a common endpoint", EventFilter { endpoint_ids: Some(vec![ledger.common]), ..all() }, Sort::Ascending, 10),
        ("of a source", EventFilter { source_ids: vec![ledger.source], ..all() }, Sort::Descending, 5),
        ("with a key", EventFilter { idempotency_key: key("k"), ..all() }, Sort::Descending, 5),
        ("with a key, oldest", EventFilter { idempotency_key: key("k"), ..all() }, Sort::Ascending, 5),
        ("with no key", EventFilter { idempotency_key: key("none"), ..all() }, Sort::Descending, 0),
        ("of a message", EventFilter { broker_message_id: key("m"), ..all() }, Sort::Descending, 5),
        ("of no message", EventFilter { broker_message_id: key("none"), ..all() }, Sort::Descending, 0),
    ] {
        let ask = async |conn: &mut _| event::list(conn, ledger.project, &filter, &page(sort)).await;
        let (found, read) = measured(&mut ledger.conn, "events", ask).await;
        verdict.add(&format!("events {what}"), (found.rows.len(), expected), (read, FEW));
    }
    verdict.give();
}

#[tokio::test]
async fn failure_rates_of_endpoints_read_what_they_count() {
    let mut ledger = beside_another().await;
    let short = ledger.time((10_000, 10_099));
    for (what, endpoint, time, expected) in [
        ("a rare endpoint", ledger.rare, ledger.time((0, EVENTS)), EVENTS / RARE),
        ("a rare endpoint in a time", ledger.rare, ledger.time(MIDDLE), 5),
        ("a common endpoint in a time", ledger.common, short, 100),
    ] {
        let ask = async |conn: &mut _| {
            event_delivery::endpoint_totals(conn, ledger.project, &[endpoint, EndpointId::NONE], time).await
        };
        let (totals, read) = measured(&mut ledger.conn, "event_deliveries", ask).await;
        let counted: i64 = totals.iter().map(|of| of.success + of.failure + of.retry).sum();
        assert!((counted - expected).abs() <= 1, "{what}: {counted}");
        assert!(read <= expected + FEW, "the rate of {what}: {read} rows were read to count {expected}");
    }
    let rare = DeliveryFilter { endpoint_ids: vec![ledger.rare], ..DeliveryFilter::default() };
    let ask = async |conn: &mut _| event_delivery::status_totals(conn, ledger.project, &rare).await;
    let (totals, read) = measured(&mut ledger.conn, "event_deliveries", ask).await;
    assert!(totals.contains(&(DeliveryStatus::Failure, EVENTS / RARE)), "{totals:?}");
    assert!(read <= FEW, "the states of a rare endpoint: {read} rows were read to count {}", EVENTS / RARE);
}

#[tokio::test]
async fn the_number_of_events_to_replay_reads_what_it_counts() {
    let mut ledger = beside_another().await;
    let of_rare = format!("'{:032x}' = ANY (endpoint_ids)", ledger.rare.to_bits());
    run(&mut ledger.conn, &format!("UPDATE events SET is_duplicate = false WHERE {of_rare}")).await;
    run(&mut ledger.conn, "VACUUM ANALYZE events, event_deliveries").await;
    let all = || EventFilter { from: Some(ledger.begin), to: Some(Utc::now()), ..EventFilter::default() };
    let (from, to) = ledger.time((10_000, 10_099));
    for (what, filter, expected) in [
        ("a rare endpoint", EventFilter { endpoint_ids: Some(vec![ledger.rare]), ..all() }, EVENTS / RARE),
        ("a source", EventFilter { source_ids: vec![ledger.source], ..all() }, EVENTS / RARE),
        ("100 ms", EventFilter { from: Some(from), to: Some(to), ..all() }, 100),
    ] {
        let ask = async |conn: &mut _| event::count_replayable(conn, ledger.project, &filter).await;
        let (counted, read) = measured(&mut ledger.conn, "events|event_deliveries", ask).await;
        assert_eq!(counted, expected, "{what}");
        assert!(read <= 2 * expected + FEW, "events of {what} to replay: {read} rows were read to count {expected}");
    }
}

#[tokio::test]
async fn counts_of_events_read_what_they_count() {
    let mut ledger = beside_another().await;
    let (first, last) = (ledger.begin.date_naive(), Utc::now().date_naive());
    let sum = |days: Vec<(_, i64)>| days.into_iter().map(|(_, events)| events).sum::<i64>();
    let ask = async |conn: &mut _| event_count::by_day(conn, ledger.project, (first, last), Utc::now()).await;
    let (days, read) = measured(&mut ledger.conn, "events", ask).await;
    assert_eq!(sum(days), EVENTS);
    assert!(read <= EVENTS + FEW, "events by day: {read} entries were read to count {EVENTS}");
    let ask = async |conn: &mut _| event_count::by_day(conn, ledger.empty, (first, last), Utc::now()).await;
    let (days, read) = measured(&mut ledger.conn, "events", ask).await;
    assert!(days.is_empty() && read == 0, "events by day of a project without any: {read} entries were read");
    let rare = [ledger.rare];
    let ask = async |conn: &mut _| event_count::of_endpoints_by_day(conn, ledger.project, &rare, (first, last)).await;
    let (days, read) = measured(&mut ledger.conn, "event_deliveries", ask).await;
    assert_eq!(sum(days), EVENTS / RARE);
    assert!(read <= FEW, "events of a rare endpoint by day: {read} rows were read to count {}", EVENTS / RARE);
    let ask = async |conn: &mut _| event_count::existing(conn, ledger.empty).await;
    let (existing, read) = measured(&mut ledger.conn, "events|sources|endpoints|subscriptions", ask).await;
    assert!(!existing.events && read <= FEW, "what a project without anything has: {read} rows were read");
}

/// Every fortieth has it: too few to be met soon by looking at the newest, and more than a page.
#[tokio::test]
async fn of_what_some_have_a_page_is_read() {
    let mut ledger = beside_another().await;
    let mut verdict = Verdict::default();
    let (project, some) = (ledger.project.to_bits(), EndpointId::generate());
    let bits = some.to_bits();
    let of_some = format!("project_id = '{project:032x}' AND get_byte(decode(md5(id::text), 'hex'), 0) < 6");
    for statement in [
        format!(
            "UPDATE event_deliveries SET endpoint_id = '{bits:032x}', subscription_id = '{bits:032x}', event_type = 'some', status = 'Discarded' WHERE {of_some}"
        ),
        format!(
            "UPDATE events SET source_id = '{bits:032x}', idempotency_key = 'some', is_duplicate = true, headers = '{{\"x-broker-message-id\": [\"some\"]}}', endpoint_ids = '{{{bits:032x}}}' WHERE {of_some}"
        ),
        "VACUUM ANALYZE events, event_deliveries".into(),
    ] {
        run(&mut ledger.conn, &statement).await;
    }
    let all = DeliveryFilter::default;
    for (what, filter) in [
        ("an endpoint", DeliveryFilter { endpoint_ids: vec![some], ..all() }),
        ("a subscription", DeliveryFilter { subscription_id: Some(SubscriptionId::from_bits(bits)), ..all() }),
        ("a type", DeliveryFilter { event_type: Some("some".into()), ..all() }),
        ("a state", DeliveryFilter { statuses: vec![DeliveryStatus::Discarded], ..all() }),
    ] {
        let ask =
            async |conn: &mut _| event_delivery::list(conn, ledger.project, &filter, &page(Sort::Descending)).await;
        let (found, read) = measured(&mut ledger.conn, "event_deliveries", ask).await;
        verdict.add(&format!("deliveries of {what}"), (found.rows.len(), 10), (read, FEW));
    }
    let all = EventFilter::default;
    for (what, filter) in [
        ("an endpoint", EventFilter { endpoint_ids: Some(vec![some]), ..all() }),
        ("a source", EventFilter { source_ids: vec![SourceId::from_bits(bits)], ..all() }),
        ("a key", EventFilter { idempotency_key: Some("some".into()), ..all() }),
        ("a message", EventFilter { broker_message_id: Some("some".into()), ..all() }),
    ] {
        let ask = async |conn: &mut _| event::list(conn, ledger.project, &filter, &page(Sort::Descending)).await;
        let (found, read) = measured(&mut ledger.conn, "events", ask).await;
        verdict.add(&format!("events of {what}"), (found.rows.len(), 10), (read, FEW));
    }
    verdict.give();
}
