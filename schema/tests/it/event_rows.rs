//! Events and their deliveries are written together, once, and duplicates are recognised under contention.

use posthouse_schema::{
    event::Event,
    event_delivery::EventDelivery,
    ids::{EventDeliveryId, EventId, ProjectId},
    ledger::{AcceptedEvent, Stored, store_events},
    project_config,
    routing::{self, Wanted},
    words::EventStatus,
};

use crate::fixture::{Fixture, fixture, run, store};

fn accepted(fixture: &Fixture, id: EventId, key: &str) -> AcceptedEvent {
    AcceptedEvent { event: fixture.event(id, key), deliveries: vec![fixture.delivery(id, id.created_at())] }
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
