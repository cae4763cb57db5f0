//! Events and their deliveries are written together, once, and duplicates are recognised under contention.

use chrono::DateTime;
use posthouse_schema::{
    event::{Event, EventFilter, KeyWindow, list, originals_of_key},
    event_delivery::EventDelivery,
    ids::{EventDeliveryId, EventId, ProjectId},
    ledger::{AcceptedEvent, Stored, store_events},
    page::{Direction, PageRequest, Sort},
    project_config,
    routing::{self, Wanted},
    words::EventStatus,
};

use crate::fixture::{Fixture, fixture, run, store};

fn accepted(fixture: &Fixture, id: EventId, key: &str) -> AcceptedEvent {
    AcceptedEvent::new(fixture.event(id, key), vec![fixture.delivery(id, id.created_at())])
}

#[tokio::test]
async fn an_event_is_stored_byte_for_byte_and_only_for_its_project() {
    let mut fixture = fixture().await;
    let id = EventId::generate();
    let batch = vec![accepted(&fixture, id, "")];
    store(&mut fixture.conn, batch).await;
    let event = Event::find(&mut fixture.conn, fixture.project, id).await.unwrap().unwrap();
    assert_eq!(event.payload, b"{ \"a\": 1.0 }");
    assert_eq!(event.headers.get("x-a"), Some("1"));
    assert!(Event::find(&mut fixture.conn, ProjectId::generate(), id).await.unwrap().is_none());
}

#[tokio::test]
async fn storing_twice_changes_nothing() {
    let mut fixture = fixture().await;
    let id = EventId::generate();
    let batch = vec![accepted(&fixture, id, "key")];
    store(&mut fixture.conn, batch.clone()).await;
    let again = store(&mut fixture.conn, batch).await;
    assert!(!again[0].event.is_duplicate, "an event is not its own duplicate");
    assert_eq!(again[0].deliveries.len(), 1, "what may not have been enqueued is returned again");
    let delivery = EventDeliveryId::derive(id, fixture.subscription);
    assert!(EventDelivery::find(&mut fixture.conn, fixture.project, delivery).await.unwrap().is_some());
}

#[tokio::test]
async fn of_events_with_one_key_exactly_one_is_the_original() {
    let fixture = fixture().await;
    let pool = fixture.database.pool();
    let ids: Vec<EventId> = (0..16).map(|_| EventId::generate()).collect();
    let stores = ids.chunks(4).map(|chunk| {
        let (pool, batch) =
            (pool.clone(), chunk.iter().map(|id| accepted(&fixture, *id, "order-1")).collect::<Vec<_>>());
        async move { store(&mut pool.get().await.unwrap(), batch).await }
    });
    let stored: Vec<AcceptedEvent> = futures::future::join_all(stores).await.into_iter().flatten().collect();
    assert_eq!(stored.len(), 16);
    assert_eq!(stored.iter().filter(|accepted| !accepted.event.is_duplicate).count(), 1);
    let mut conn = pool.get().await.unwrap();
    let mut originals = 0;
    for id in ids {
        let event = Event::find(&mut conn, fixture.project, id).await.unwrap().unwrap();
        assert_eq!(event.status, EventStatus::Success);
        let delivery =
            EventDelivery::find(&mut conn, fixture.project, EventDeliveryId::derive(id, fixture.subscription))
                .await
                .unwrap();
        assert_eq!(delivery.is_some(), !event.is_duplicate, "a duplicate has no delivery");
        originals += usize::from(!event.is_duplicate);
    }
    assert_eq!(originals, 1);
}

/// Of a project whose keys are free again after a minute.
fn accepted_at(fixture: &Fixture, seconds: i64) -> AcceptedEvent {
    let at = DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
    let random = EventId::generate().to_bits() & ((1 << 80) - 1);
    let id = EventId::from_bits(EventId::first_at(at).to_bits() | random);
    AcceptedEvent { key_window: KeyWindow::of_seconds(60), ..accepted(fixture, id, "order-1") }
}

#[tokio::test]
async fn a_key_is_free_again_after_its_window() {
    let mut fixture = fixture().await;
    let batches: [&[(i64, bool)]; 6] = [
        &[(0, false), (59, true)],
        // The window begins with the original: repeats do not draw it out.
        &[(60, false), (61, true), (119, true), (120, false), (125, true)],
        &[(30, true)],
        // Later than those after it: a repeat of what was the original then.
        &[(300, false)],
        &[(200, false), (210, true)],
        &[(215, true), (259, true)],
    ];
    let mut originals = Vec::new();
    for batch in batches {
        let events: Vec<_> = batch.iter().map(|(seconds, _)| accepted_at(&fixture, *seconds)).collect();
        for again in [false, true] {
            let stored = store(&mut fixture.conn, events.clone()).await;
            for (accepted, (seconds, is_duplicate)) in stored.iter().zip(batch) {
                let was_judged = (accepted.event.is_duplicate, accepted.deliveries.is_empty());
                assert_eq!(was_judged, (*is_duplicate, *is_duplicate), "{seconds} s, again: {again}");
            }
        }
        originals.extend(events.iter().zip(batch).filter(|(_, (_, repeats))| !repeats).map(|(e, _)| e.event.id));
    }
    originals.sort_by(|a, b| b.cmp(a));
    let found = originals_of_key(&mut fixture.conn, fixture.project, "order-1", 100).await.unwrap();
    assert_eq!(found, originals, "none of them is forgotten");
    let filter = EventFilter { idempotency_key: Some("order-1".into()), ..EventFilter::default() };
    for (sort, per_page) in [(Sort::Ascending, 100), (Sort::Descending, 3)] {
        let page = PageRequest { per_page, sort, direction: Direction::Next, cursor: None };
        let rows = list(&mut fixture.conn, fixture.project, &filter, &page).await.unwrap().rows;
        assert_eq!(rows.len(), 13.min(usize::try_from(per_page).unwrap()));
        assert!(rows.iter().filter(|row| !row.is_duplicate).all(|row| originals.contains(&row.id)));
    }
}

#[tokio::test]
async fn of_events_within_a_window_exactly_one_is_the_original_however_many_are_stored_at_once() {
    let fixture = fixture().await;
    let pool = fixture.database.pool();
    // Three windows, each beginning before the one before it is stored.
    let mut events: Vec<AcceptedEvent> = [0, 100, 200]
        .iter()
        .flat_map(|start| (0..12).map(move |_| *start))
        .map(|at| accepted_at(&fixture, at))
        .collect();
    // In no order, the same each time.
    events.sort_by_key(|accepted| accepted.event.id.to_bits() & 0xff);
    let stores = events.chunks(3).map(|batch| {
        let (pool, batch) = (pool.clone(), batch.to_vec());
        async move { store(&mut pool.get().await.unwrap(), batch).await }
    });
    let stored: Vec<AcceptedEvent> = futures::future::join_all(stores).await.into_iter().flatten().collect();
    let mut seconds: Vec<i64> = stored
        .iter()
        .filter(|accepted| !accepted.event.is_duplicate)
        .map(|accepted| accepted.event.id.created_at().timestamp() - 1_800_000_000)
        .collect();
    seconds.sort_unstable();
    assert_eq!((stored.len(), seconds), (36, vec![0, 100, 200]));
}

#[tokio::test]
async fn routes_are_read_by_endpoint_owner_or_all_and_only_within_the_project() {
    let mut fixture = fixture().await;
    let by_endpoint = Wanted { endpoint_ids: vec![fixture.endpoint], ..Wanted::default() };
    let by_owner = Wanted { owner_ids: vec!["owner".into()], ..Wanted::default() };
    let everything = Wanted { is_everything: true, ..Wanted::default() };
    for wanted in [&by_endpoint, &by_owner, &everything] {
        let routes = routing::routes(&mut fixture.conn, fixture.project, wanted).await.unwrap();
        assert_eq!(routes.len(), 1, "{wanted:?}");
        assert!(routes[0].wants("invoice.paid") && !routes[0].wants("invoice"));
        assert!(routing::routes(&mut fixture.conn, ProjectId::generate(), wanted).await.unwrap().is_empty());
    }
    assert!(routing::routes(&mut fixture.conn, fixture.project, &Wanted::default()).await.unwrap().is_empty());
    run(&mut fixture.conn, "UPDATE endpoints SET deleted_at = now()").await;
    assert!(
        routing::routes(&mut fixture.conn, fixture.project, &everything).await.unwrap().is_empty(),
        "a deleted endpoint receives nothing"
    );
}

/// Nothing is stored that was matched by what no longer holds, and every table that decides about routing says so.
#[tokio::test]
async fn what_was_matched_by_something_older_is_not_stored() {
    let mut fixture = fixture().await;
    let (project, endpoint) = (fixture.project.to_bits(), fixture.endpoint.to_bits());
    let secret = format!(
        "INSERT INTO endpoint_secrets (project_id, endpoint_id, id, value) VALUES ('{project:032x}', '{endpoint:032x}', gen_random_uuid(), 's')"
    );
    let filter = "INSERT INTO subscription_filters (project_id, subscription_id, id, event_type) SELECT project_id, id, id, 'a' FROM subscriptions";
    for change in [
        "UPDATE projects SET name = 'renamed'",
        "UPDATE endpoints SET status = 'paused'",
        &secret,
        "DELETE FROM endpoint_secrets",
        "UPDATE subscriptions SET event_types = '{*}'",
        filter,
        "DELETE FROM subscription_filters",
    ] {
        let version = project_config::load(&mut fixture.conn, &[fixture.project]).await.unwrap()[&fixture.project].1;
        run(&mut fixture.conn, change).await;
        let id = EventId::generate();
        for (matched_by, is_stored) in [(version, false), (version + 1, true)] {
            let batch = vec![accepted(&fixture, id, change)];
            let stored = store_events(&mut fixture.conn, batch, &[(fixture.project, matched_by)]).await.unwrap();
            match stored {
                Stored::Done(_) => assert!(is_stored, "{change}"),
                Stored::Stale(projects) => {
                    assert_eq!((projects, is_stored), (vec![fixture.project], false), "{change}")
                }
            }
            let found = Event::find(&mut fixture.conn, fixture.project, id).await.unwrap();
            assert_eq!(found.is_some(), is_stored, "{change}");
        }
    }
}
