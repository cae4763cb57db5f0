//! Searches read about what they return, whether what is searched for is in every event, in one of a thousand, or in none,
//! and although another project has much of it.

use chrono::{TimeDelta, Utc};
use posthouse_schema::{
    event::{self, EventFilter, EventSearch, Indexed, index_page_all_projects},
    ids::{ProjectId, SourceId},
    page::Sort,
};
use serde_json::{Value, json};

use crate::{
    fixture::{Fixture, fixture, run},
    rows_read::{Verdict, measured, page},
};

/// The project's events.
const EVENTS: i64 = 10_000;
/// One of so many has what is rare.
const RARE: i64 = 1_000;
/// Another project's events, all of which have it.
const OTHERS: i64 = 2_000;
/// Documents and events that may be looked at for a page of ten, however many there are: the 500 that are looked at before the
/// index is asked, and what the index names as documents and as events.
const READ_MAX: i64 = 600;

/// A ledger that the indexer has read, and how many rows it read for that. Nothing is known of its documents' number.
async fn indexed() -> (Fixture, i64) {
    let mut fixture = fixture().await;
    let (own, other) = (fixture.project.to_bits(), ProjectId::generate().to_bits());
    let (source, theirs) = (SourceId::generate().to_bits(), SourceId::generate().to_bits());
    let all = EVENTS + OTHERS;
    for statement in [
        format!(
            "CREATE TABLE made AS SELECT n, CASE WHEN n > {EVENTS} THEN '{other:032x}' ELSE '{own:032x}' END::uuid AS project_id, n > {EVENTS} OR n % {RARE} = 0 AS is_rare, (lpad(to_hex((extract(epoch FROM now()) * 1000)::int8 - n % {EVENTS}), 12, '0') || left(md5(n::text), 20))::uuid AS id FROM generate_series(1, {all}) n"
        ),
        // Stored a minute ago and before, so that all is settled.
        format!(
            "INSERT INTO events (project_id, id, event_type, target_kind, target, source_id, headers, payload, idempotency_key, endpoint_ids, status, acknowledged_at, updated_at) SELECT project_id, id, CASE WHEN is_rare THEN 'order.voided' ELSE 'invoice.paid' END, 'broadcast', '', CASE WHEN n > {EVENTS} THEN '{theirs:032x}' WHEN is_rare THEN '{source:032x}' END::uuid, CASE WHEN is_rare THEN '{{\"X-Kind\": [\"rare\"]}}' ELSE '{{\"X-Kind\": [\"common\"]}}' END::jsonb, convert_to(CASE WHEN is_rare THEN '{{\"kind\": {{\"is\": \"rare\"}}}}' ELSE '{{\"kind\": {{\"is\": \"common\"}}}}' END, 'UTF8'), 'key-' || n, '{{}}', 'Success', now(), now() - interval '1 minute' - n * interval '1 millisecond' FROM made"
        ),
        format!(
            "INSERT INTO sources (project_id, id, mask_id, name, kind) VALUES ('{own:032x}', '{source:032x}', 'm', 'Billing', 'http')"
        ),
        "ANALYZE events".into(),
    ] {
        run(&mut fixture.conn, &statement).await;
    }
    let filling = async |conn: &mut _| {
        while let Indexed::Some(_) = index_page_all_projects(conn).await? {}
        Ok(())
    };
    let ((), read) = measured(&mut fixture.conn, "events", filling).await;
    assert_eq!(run(&mut fixture.conn, "SELECT 1 FROM event_search").await, usize::try_from(all).unwrap());
    (fixture, read)
}

fn search(text: Option<&str>, body: &Value, headers: &Value) -> EventSearch {
    EventSearch { text: text.map(String::from), body: body.as_object().cloned(), headers: headers.as_object().cloned() }
}

#[tokio::test]
async fn searches_read_about_what_they_return() {
    let (mut fixture, _) = indexed().await;
    searches(&mut fixture).await;
    run(&mut fixture.conn, "ANALYZE event_search").await;
    searches(&mut fixture).await;
}

async fn searches(fixture: &mut Fixture) {
    let mut verdict = Verdict::default();
    let project = fixture.project;
    // As the API asks: always of a time.
    let (from, to) = (Utc::now() - TimeDelta::hours(24), Utc::now());
    let (nothing, body) = (Value::Null, |kind: &str| json!({"kind": {"is": kind}}));
    let header = |kind: &str| json!({"X-Kind": kind});
    for (what, search, expected) in [
        ("a common text", search(Some("invoice"), &nothing, &nothing), 10),
        ("a rare text", search(Some("VOIDED"), &nothing, &nothing), 10),
        ("one event's key", search(Some("key-777"), &nothing, &nothing), 10),
        ("a text of none", search(Some("refund"), &nothing, &nothing), 0),
        ("a source's name", search(Some("billing"), &nothing, &nothing), 10),
        ("common data", search(None, &body("common"), &nothing), 10),
        ("rare data", search(None, &body("rare"), &nothing), 10),
        ("data of none", search(None, &body("none"), &nothing), 0),
        ("a common header", search(None, &nothing, &header("common")), 10),
        ("a rare header", search(None, &nothing, &header("rare")), 10),
        ("a header of none", search(None, &nothing, &header("none")), 0),
        ("a common text with rare data", search(Some("invoice"), &body("rare"), &nothing), 0),
        ("all three, common", search(Some("paid"), &body("common"), &header("common")), 10),
        ("all three, rare", search(Some("order"), &body("rare"), &header("rare")), 10),
    ] {
        for (order, sort) in [("newest", Sort::Descending), ("oldest", Sort::Ascending)] {
            let filter = EventFilter { from: Some(from), to: Some(to), ..EventFilter::default() };
            let ask = async |conn: &mut _| event::search(conn, project, &filter, &search, &page(sort)).await;
            let (found, read) = measured(&mut fixture.conn, "events|event_search_", ask).await;
            verdict.add(&format!("{what}, {order}"), (found.rows.len(), expected), (read, READ_MAX));
        }
    }
    verdict.give();
}

#[tokio::test]
async fn the_indexer_reads_each_event_once() {
    let (_, read) = indexed().await;
    assert!(read <= (EVENTS + OTHERS) * 2, "{read} rows were read to index {}", EVENTS + OTHERS);
}
