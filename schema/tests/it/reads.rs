//! Lists read about what they return, however much there is: PostgreSQL itself counts the rows that a list looks at, of a
//! ledger in which what is asked for is rare.

use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use posthouse_schema::{
    delivery_attempt,
    event::{self, EventFilter},
    event_delivery::{self, DeliveryFilter},
    ids::{EndpointId, EventDeliveryId, EventId, SourceId, SubscriptionId},
    page::{Direction, PageRequest, Sort},
    words::DeliveryStatus,
};

use crate::{
    fixture::{Fixture, fixture, run},
    rows_read::{FEW, Verdict, measured, page},
};

/// Events in the ledger, each with one delivery, a millisecond apart.
pub const EVENTS: i64 = 20_000;
/// One in so many has what is asked for.
pub const RARE: i64 = 1_000;

/// A ledger of one project whose rare events went to one endpoint, came by one source, failed, and are duplicates.
pub async fn filled() -> (Fixture, EndpointId, SourceId) {
    let mut fixture = fixture().await;
    let (endpoint, source) = (EndpointId::generate(), SourceId::generate());
    let (project, common) = (fixture.project.to_bits(), fixture.endpoint.to_bits());
    let (rare, source_bits) = (endpoint.to_bits(), source.to_bits());
    run(&mut fixture.conn, &format!("CREATE TABLE made AS SELECT n, n % {RARE} = 0 AS is_rare, lpad(to_hex((extract(epoch FROM now()) * 1000)::int8 - n), 12, '0') AS time FROM generate_series(1, {EVENTS}) n")).await;
    run(&mut fixture.conn, &format!("INSERT INTO events (project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, is_duplicate, endpoint_ids, status, acknowledged_at) SELECT '{project:032x}', (time || md5('e' || n)::char(20))::uuid, 't', 'single', '', CASE WHEN is_rare THEN '{source_bits:032x}'::uuid END, CASE WHEN is_rare THEN '{{\"x-broker-message-id\": [\"m\"]}}'::jsonb ELSE '{{}}' END, 'x', CASE WHEN is_rare THEN 'k' ELSE '' END, is_rare, ARRAY[CASE WHEN is_rare THEN '{rare:032x}' ELSE '{common:032x}' END::uuid], 'Success', now() FROM made")).await;
    run(&mut fixture.conn, &format!("INSERT INTO event_deliveries (project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy, retry_interval_seconds, retry_limit, next_send_time, acknowledged_at) SELECT '{project:032x}', (time || md5('d' || n)::char(20))::uuid, (time || md5('e' || n)::char(20))::uuid, CASE WHEN is_rare THEN '{rare:032x}' ELSE '{common:032x}' END::uuid, CASE WHEN is_rare THEN '{rare:032x}' ELSE '{common:032x}' END::uuid, CASE WHEN is_rare THEN 'rare' ELSE 't' END, CASE WHEN is_rare THEN 'Failure' ELSE 'Success' END, 'at_least_once', 'linear', 1, 1, now(), now() FROM made")).await;
    run(&mut fixture.conn, "ANALYZE events, event_deliveries").await;
    (fixture, endpoint, source)
}

#[tokio::test]
async fn deliveries_are_listed_without_reading_the_others() {
    let (fixture, rare, _) = filled().await;
    let mut conn = AsyncPgConnection::establish(fixture.database.url()).await.unwrap();
    let event = event::list_ids(&mut conn, fixture.project, &EventFilter::default(), 1).await.unwrap();
    let all = DeliveryFilter::default;
    let mut verdict = Verdict::default();
    for (what, filter, sort, expected) in [
        ("newest", all(), Sort::Descending, 10),
        ("oldest", all(), Sort::Ascending, 10),
        ("rare endpoint", DeliveryFilter { endpoint_ids: vec![rare], ..all() }, Sort::Descending, 10),
        ("common endpoint", DeliveryFilter { endpoint_ids: vec![fixture.endpoint], ..all() }, Sort::Descending, 10),
        (
            "rare subscription",
            DeliveryFilter { subscription_id: Some(SubscriptionId::from_bits(rare.to_bits())), ..all() },
            Sort::Descending,
            10,
        ),
        ("rare type", DeliveryFilter { event_type: Some("rare".into()), ..all() }, Sort::Descending, 10),
        ("common type", DeliveryFilter { event_type: Some("t".into()), ..all() }, Sort::Ascending, 10),
        ("unknown type", DeliveryFilter { event_type: Some("none".into()), ..all() }, Sort::Descending, 0),
        ("failed", DeliveryFilter { statuses: vec![DeliveryStatus::Failure], ..all() }, Sort::Descending, 10),
        ("unfinished", DeliveryFilter { statuses: vec![DeliveryStatus::Retry], ..all() }, Sort::Descending, 0),
        ("of an event", DeliveryFilter { event_ids: Some(event), ..all() }, Sort::Descending, 1),
    ] {
        let ask = async |conn: &mut _| event_delivery::list(conn, fixture.project, &filter, &page(sort)).await;
        let (found, read) = measured(&mut conn, "event_deliveries", ask).await;
        verdict.add(what, (found.rows.len(), expected), (read, FEW));
    }
    verdict.give();
    let ask = async |conn: &mut _| {
        let (mut seen, mut after) = (0, None::<EventDeliveryId>);
        loop {
            let failed = event_delivery::list_failed(conn, fixture.project, &all(), after, 7).await?;
            let Some((last, _)) = failed.last().copied() else { return Ok(seen) };
            (seen, after) = (seen + failed.len(), Some(last));
        }
    };
    let (seen, read) = measured(&mut conn, "event_deliveries", ask).await;
    assert!(seen == 20 && read <= FEW, "{read} rows were read for {seen} that failed");
}

#[tokio::test]
async fn events_are_listed_without_reading_the_others() {
    let (fixture, rare, source) = filled().await;
    let mut conn = AsyncPgConnection::establish(fixture.database.url()).await.unwrap();
    let all = EventFilter::default;
    let mut verdict = Verdict::default();
    for (what, filter, sort, expected) in [
        ("newest", all(), Sort::Descending, 10),
        ("oldest", all(), Sort::Ascending, 10),
        ("rare endpoint", EventFilter { endpoint_ids: Some(vec![rare]), ..all() }, Sort::Descending, 10),
        ("rare endpoint, oldest", EventFilter { endpoint_ids: Some(vec![rare]), ..all() }, Sort::Ascending, 10),
        ("common endpoint", EventFilter { endpoint_ids: Some(vec![fixture.endpoint]), ..all() }, Sort::Descending, 10),
        ("source", EventFilter { source_ids: vec![source], ..all() }, Sort::Descending, 10),
        ("key", EventFilter { idempotency_key: Some("k".into()), ..all() }, Sort::Descending, 10),
        ("unknown key", EventFilter { idempotency_key: Some("none".into()), ..all() }, Sort::Descending, 0),
        ("message", EventFilter { broker_message_id: Some("m".into()), ..all() }, Sort::Descending, 10),
    ] {
        let ask = async |conn: &mut _| event::list(conn, fixture.project, &filter, &page(sort)).await;
        let (found, read) = measured(&mut conn, "events", ask).await;
        verdict.add(what, (found.rows.len(), expected), (read, FEW));
    }
    verdict.give();
}

#[tokio::test]
async fn a_page_of_an_endpoint_s_events_misses_none_and_repeats_none() {
    let (fixture, rare, source) = filled().await;
    let mut conn = AsyncPgConnection::establish(fixture.database.url()).await.unwrap();
    for (filter, expected) in [
        (EventFilter { endpoint_ids: Some(vec![fixture.endpoint]), ..EventFilter::default() }, EVENTS - EVENTS / RARE),
        (EventFilter { endpoint_ids: Some(vec![rare, fixture.endpoint]), ..EventFilter::default() }, EVENTS),
        (
            EventFilter {
                endpoint_ids: Some(vec![fixture.endpoint, rare]),
                source_ids: vec![source],
                ..EventFilter::default()
            },
            EVENTS / RARE,
        ),
    ] {
        for sort in [Sort::Ascending, Sort::Descending] {
            let mut ids: Vec<EventId> = Vec::new();
            let mut cursor = None;
            loop {
                let request = PageRequest { per_page: 900, sort, direction: Direction::Next, cursor };
                let page = event::list(&mut conn, fixture.project, &filter, &request).await.unwrap();
                ids.extend(page.rows.iter().map(|row| row.id));
                cursor = page.next.map(|row| row.id);
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(i64::try_from(ids.len()).unwrap(), expected, "{filter:?}");
            assert!(if sort == Sort::Ascending { ids.is_sorted() } else { ids.is_sorted_by(|a, b| a > b) });
        }
    }
}

#[tokio::test]
async fn attempts_are_listed_without_reading_the_others() {
    let (mut fixture, _, _) = filled().await;
    let project = fixture.project.to_bits();
    run(&mut fixture.conn, &format!("INSERT INTO delivery_attempts (project_id, id, event_delivery_id, endpoint_id, url, method, is_success, requested_at, duration_ms) SELECT '{project:032x}', id, id, endpoint_id, '', 'POST', true, now(), 1 FROM event_deliveries")).await;
    run(&mut fixture.conn, "ANALYZE delivery_attempts").await;
    let mut conn = AsyncPgConnection::establish(fixture.database.url()).await.unwrap();
    let failed =
        event_delivery::list_failed(&mut conn, fixture.project, &DeliveryFilter::default(), None, 1).await.unwrap();
    let ask = async |conn: &mut _| delivery_attempt::list(conn, fixture.project, failed[0].0, 10).await;
    let (found, read) = measured(&mut conn, "delivery_attempts", ask).await;
    assert_eq!(found.len(), 1);
    assert!(read <= 5, "the attempts of a delivery: {read} rows were read for one");
}

#[tokio::test]
async fn pages_of_a_type_s_deliveries_meet_and_each_reads_its_own() {
    let (fixture, _, _) = filled().await;
    let mut conn = AsyncPgConnection::establish(fixture.database.url()).await.unwrap();
    let filter = DeliveryFilter { event_type: Some("rare".into()), ..DeliveryFilter::default() };
    for sort in [Sort::Ascending, Sort::Descending] {
        let mut ids: Vec<EventDeliveryId> = Vec::new();
        let mut cursor = None;
        loop {
            let request = PageRequest { per_page: 6, sort, direction: Direction::Next, cursor };
            let ask = async |conn: &mut _| event_delivery::list(conn, fixture.project, &filter, &request).await;
            let (page, read) = measured(&mut conn, "event_deliveries", ask).await;
            assert!(read <= FEW, "after {} of a rare type: {read} rows were read", ids.len());
            ids.extend(page.rows.iter().map(|row| row.id));
            cursor = page.next.map(|row| row.id);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(i64::try_from(ids.len()).unwrap(), EVENTS / RARE);
        assert!(if sort == Sort::Ascending { ids.is_sorted() } else { ids.is_sorted_by(|a, b| a > b) });
    }
}

#[tokio::test]
async fn pages_of_a_key_have_the_original_and_each_duplicate_once() {
    let (fixture, _, _) = filled().await;
    let mut conn = AsyncPgConnection::establish(fixture.database.url()).await.unwrap();
    run(&mut conn, "INSERT INTO idempotency_keys (project_id, idempotency_key, event_id) SELECT project_id, 'k', id FROM events WHERE NOT is_duplicate ORDER BY id LIMIT 1 OFFSET 5000").await;
    let filter = EventFilter { idempotency_key: Some("k".into()), ..EventFilter::default() };
    for sort in [Sort::Ascending, Sort::Descending] {
        let (mut ids, mut originals): (Vec<EventId>, _) = (Vec::new(), 0);
        let mut cursor = None;
        loop {
            let request = PageRequest { per_page: 4, sort, direction: Direction::Next, cursor };
            let page = event::list(&mut conn, fixture.project, &filter, &request).await.unwrap();
            originals += page.rows.iter().filter(|row| !row.is_duplicate).count();
            ids.extend(page.rows.iter().map(|row| row.id));
            cursor = page.next.map(|row| row.id);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((i64::try_from(ids.len()).unwrap(), originals), (EVENTS / RARE + 1, 1));
        assert!(if sort == Sort::Ascending { ids.is_sorted() } else { ids.is_sorted_by(|a, b| a > b) });
    }
}
