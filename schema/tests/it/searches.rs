//! Events become searchable in the order in which they were stored, once, and are found by what they say.

use chrono::Utc;
use posthouse_schema::{
    event::{self, EventFilter, EventSearch, Indexed, index_page_all_projects},
    ids::{EventId, ProjectId, SourceId},
    ledger::AcceptedEvent,
    page::{Direction, PageRequest, Sort},
    partitions::{self, Dropping, PartitionedTable},
};
use serde_json::{Value, json};

use crate::fixture::{Fixture, fixture, run, store};

async fn stored(fixture: &mut Fixture, event_type: &str, key: &str, data: &str) -> EventId {
    let id = EventId::generate();
    let mut event = fixture.event(id, key);
    (event.event_type, event.payload) = (event_type.into(), data.into());
    store(&mut fixture.conn, vec![AcceptedEvent::new(event, Vec::new())]).await;
    id
}

/// Lets the time come at which what was stored is settled, and indexes it; returns how many events are indexed then.
async fn index(fixture: &mut Fixture) -> usize {
    run(&mut fixture.conn, "UPDATE events SET updated_at = updated_at - interval '1 minute' WHERE updated_at > now() - interval '5 seconds'").await;
    loop {
        match index_page_all_projects(&mut fixture.conn).await.unwrap() {
            Indexed::Some(_) => {}
            Indexed::UpToDate => return run(&mut fixture.conn, "SELECT 1 FROM event_search").await,
            Indexed::Busy => panic!("nobody else is at it"),
        }
    }
}

async fn found(fixture: &mut Fixture, project: ProjectId, text: Option<&str>, body: Value) -> Vec<EventId> {
    let search = EventSearch { text: text.map(String::from), body: body.as_object().cloned(), headers: None };
    let page = PageRequest { per_page: 100, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let rows = event::search(&mut fixture.conn, project, &EventFilter::default(), &search, &page).await.unwrap().rows;
    rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn events_are_found_by_what_they_say() {
    let mut fixture = fixture().await;
    let paid = stored(&mut fixture, "invoice.paid", "order-77", r#"{"a": {"b": [1, 2]}, "c": "x\u0000y"}"#).await;
    let voided = stored(&mut fixture, "invoice.voided", "100%", r#"{"a": {"b": [3]}}"#).await;
    let plain = stored(&mut fixture, "order.made", "", "7").await;
    let source = SourceId::generate();
    let (project_bits, source_bits) = (fixture.project.to_bits(), source.to_bits());
    run(&mut fixture.conn, &format!("INSERT INTO sources (project_id, id, mask_id, name, kind) VALUES ('{project_bits:032x}', '{source_bits:032x}', 'm', 'Billing System', 'http')")).await;
    run(
        &mut fixture.conn,
        &format!("UPDATE events SET source_id = '{source_bits:032x}' WHERE id = '{:032x}'", plain.to_bits()),
    )
    .await;
    let project = fixture.project;
    assert_eq!(found(&mut fixture, project, None, json!({"a": {}})).await, [], "not indexed yet");
    assert_eq!(found(&mut fixture, project, Some("ing sys"), Value::Null).await, [plain], "needs no document");
    assert_eq!(index(&mut fixture).await, 3);
    let id = paid.to_string();
    for (text, body, expected) in [
        (Some("VOICE.p"), Value::Null, vec![paid]),
        (Some("invoice"), Value::Null, vec![paid, voided]),
        (Some("er-7"), Value::Null, vec![paid]),
        (Some("0%"), Value::Null, vec![voided]),
        (Some("00%"), Value::Null, vec![voided]),
        (Some("%%%"), Value::Null, vec![]),
        (Some("billing"), Value::Null, vec![plain]),
        (Some(id.as_str()), Value::Null, vec![paid]),
        (None, json!({"a": {"b": [2]}}), vec![paid]),
        (None, json!({"a": {}}), vec![paid, voided]),
        (None, json!({"b": [2]}), vec![]),
        (None, json!({"c": "xy"}), vec![paid]),
        (Some("invoice"), json!({"a": {"b": [3]}}), vec![voided]),
        (Some("billing"), json!({"a": {}}), vec![]),
    ] {
        let mut expected: Vec<EventId> = expected;
        expected.sort();
        assert_eq!(found(&mut fixture, project, text, body.clone()).await, expected, "{text:?} {body}");
        assert!(found(&mut fixture, ProjectId::generate(), text, body).await.is_empty(), "another project's");
    }
}

#[tokio::test]
async fn pages_of_a_search_meet_and_keep_to_the_filter() {
    let mut fixture = fixture().await;
    let mut ids = Vec::new();
    for n in 0..25 {
        let data = json!({"n": n, "even": n % 2 == 0}).to_string();
        ids.push(stored(&mut fixture, "invoice.paid", "", &data).await);
    }
    index(&mut fixture).await;
    let search =
        EventSearch { text: Some("paid".into()), body: json!({"even": true}).as_object().cloned(), headers: None };
    let mut even: Vec<EventId> = ids.iter().step_by(2).copied().collect();
    even.sort();
    even.reverse();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let request = PageRequest { per_page: 4, sort: Sort::Descending, direction: Direction::Next, cursor };
        let filter = EventFilter { to: Some(Utc::now()), ..EventFilter::default() };
        let page = event::search(&mut fixture.conn, fixture.project, &filter, &search, &request).await.unwrap();
        seen.extend(page.rows.iter().map(|row| row.id));
        cursor = page.next.map(|row| row.id);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, even);
    let headers = EventSearch { headers: json!({"X-A": "1"}).as_object().cloned(), ..EventSearch::default() };
    let request = PageRequest { per_page: 100, sort: Sort::Descending, direction: Direction::Next, cursor: None };
    let nobody = EventFilter { source_ids: vec![SourceId::generate()], ..EventFilter::default() };
    for (filter, expected) in [(EventFilter::default(), 25), (nobody, 0)] {
        let page = event::search(&mut fixture.conn, fixture.project, &filter, &headers, &request).await.unwrap();
        assert_eq!(page.rows.len(), expected);
    }
}

#[tokio::test]
async fn everything_is_indexed_once_late_events_too_and_expires_with_its_day() {
    let mut fixture = fixture().await;
    // What one statement stores has one time: more than a page of it.
    let batch = (0..450).map(|_| AcceptedEvent::new(fixture.event(EventId::generate(), ""), Vec::new()));
    let batch = batch.collect();
    store(&mut fixture.conn, batch).await;
    assert_eq!(index(&mut fixture).await, 450);
    // Accepted long before the others, and stored after them.
    let late = EventId::first_at(Utc::now() - chrono::TimeDelta::hours(3));
    let event = fixture.event(late, "late-key");
    store(&mut fixture.conn, vec![AcceptedEvent::new(event, Vec::new())]).await;
    run(&mut fixture.conn, "UPDATE event_search_mark SET stored_at = now() - interval '2 hours'").await;
    assert_eq!(index(&mut fixture).await, 451);
    let project = fixture.project;
    assert_eq!(found(&mut fixture, project, Some("late-key"), Value::Null).await, [late]);
    for partition in partitions::list(&mut fixture.conn, PartitionedTable::EventSearch).await.unwrap() {
        if partition.day <= Utc::now().date_naive() {
            assert_eq!(partitions::drop(&mut fixture.conn, partition).await.unwrap(), Dropping::Dropped);
        }
    }
    partitions::forget_before(&mut fixture.conn, Utc::now().date_naive() + chrono::Days::new(1)).await.unwrap();
    assert!(found(&mut fixture, project, Some("invoice"), Value::Null).await.is_empty());
}
