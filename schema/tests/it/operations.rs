//! Deliveries that are sent once more, replays, and runs over everything that a query matches.

use chrono::Utc;
use posthouse_schema::{
    audit::audit_all_projects,
    batch_run::{self, BatchRun},
    event::{self, Event, EventFilter},
    event_delivery::{self, DeliveryFilter, EventDelivery},
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, ReplayId},
    ledger::{AcceptedEvent, store_replays},
    page::{Direction, PageRequest, Sort},
    server,
    words::{BatchKind, BatchStatus, DeliveryStatus},
};

use crate::fixture::{Fixture, fixture, run, store};

/// An event with its one delivery in this state.
async fn stored(fixture: &mut Fixture, status: DeliveryStatus) -> (EventId, EventDeliveryId) {
    let id = EventId::generate();
    let delivery = fixture.delivery(id, id.created_at());
    let delivery_id = delivery.id;
    let accepted = AcceptedEvent::new(fixture.event(id, ""), vec![delivery]);
    store(&mut fixture.conn, vec![accepted]).await;
    let set = format!("UPDATE event_deliveries SET status = '{status}' WHERE id = '{:032x}'", delivery_id.to_bits());
    run(&mut fixture.conn, &set).await;
    (id, delivery_id)
}

#[tokio::test]
async fn only_what_rests_in_the_named_states_is_sent_again_and_only_to_endpoints_that_receive() {
    let mut fixture = fixture().await;
    let (_, failed) = stored(&mut fixture, DeliveryStatus::Failure).await;
    let (_, delivered) = stored(&mut fixture, DeliveryStatus::Success).await;
    let ids = [failed, delivered];
    let from = [DeliveryStatus::Failure, DeliveryStatus::Discarded];
    let other = event_delivery::resend(&mut fixture.conn, ProjectId::generate(), &ids, &from).await.unwrap();
    assert!(other.is_empty(), "another project's");
    run(&mut fixture.conn, "UPDATE endpoints SET status = 'paused'").await;
    assert!(event_delivery::resend(&mut fixture.conn, fixture.project, &ids, &from).await.unwrap().is_empty());
    run(&mut fixture.conn, "UPDATE endpoints SET status = 'active'").await;
    run(&mut fixture.conn, "UPDATE event_deliveries SET attempt_count = 3, description = 'Retry limit exceeded'").await;
    let resent = event_delivery::resend(&mut fixture.conn, fixture.project, &ids, &from).await.unwrap();
    let [row] = &resent[..] else { panic!("{resent:?}") };
    assert_eq!((row.id, row.status, row.attempt_count), (failed, DeliveryStatus::Scheduled, 3));
    assert!(row.description.is_empty() && row.next_send_time <= Utc::now());
    let row = EventDelivery::find(&mut fixture.conn, fixture.project, delivered).await.unwrap().unwrap();
    assert_eq!(row.status, DeliveryStatus::Success);
}

#[tokio::test]
async fn deliveries_are_filtered_counted_and_listed_for_a_retry() {
    let mut fixture = fixture().await;
    let mut failed = Vec::new();
    for status in [
        DeliveryStatus::Failure,
        DeliveryStatus::Success,
        DeliveryStatus::Discarded,
        DeliveryStatus::Retry,
        DeliveryStatus::Failure,
    ] {
        let (event, id) = stored(&mut fixture, status).await;
        if matches!(status, DeliveryStatus::Failure | DeliveryStatus::Discarded) {
            failed.push((event, id));
        }
    }
    failed.sort_by_key(|(_, id)| *id);
    let all = DeliveryFilter::default();
    let totals = event_delivery::status_totals(&mut fixture.conn, fixture.project, &all).await.unwrap();
    let totals: Vec<i64> = totals.into_iter().map(|(_, number)| number).collect();
    assert_eq!(totals, [0, 0, 1, 1, 2, 1]);
    let first = event_delivery::list_failed(&mut fixture.conn, fixture.project, &all, None, 2).await.unwrap();
    assert_eq!(first.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [failed[0].1, failed[1].1]);
    let after = Some(first[1].0);
    let rest = event_delivery::list_failed(&mut fixture.conn, fixture.project, &all, after, 2).await.unwrap();
    assert_eq!(rest, [(failed[2].1, fixture.endpoint)]);
    let of = |change: &dyn Fn(&mut DeliveryFilter)| {
        let mut filter = DeliveryFilter::default();
        change(&mut filter);
        filter
    };
    let wanted = failed[0].0;
    let page = PageRequest { per_page: 10, sort: Sort::Descending, direction: Direction::Next, cursor: None };
    for (filter, expected) in [
        (of(&|filter| filter.event_ids = Some(vec![wanted])), 1),
        (of(&|filter| filter.event_ids = Some(Vec::new())), 0),
        (of(&|filter| filter.statuses = vec![DeliveryStatus::Failure]), 2),
        (of(&|filter| filter.statuses = vec![DeliveryStatus::Failure, DeliveryStatus::Retry]), 3),
        (of(&|filter| filter.statuses = vec![DeliveryStatus::Retry]), 1),
        (of(&|filter| filter.endpoint_ids = vec![EndpointId::generate()]), 0),
        (of(&|filter| filter.event_type = Some("invoice.paid".into())), 5),
        (of(&|filter| filter.event_type = Some("invoice".into())), 0),
    ] {
        let rows = event_delivery::list(&mut fixture.conn, fixture.project, &filter, &page).await.unwrap().rows;
        assert_eq!(rows.len(), expected, "{filter:?}");
    }
    let period = (wanted.created_at(), Utc::now());
    let ids = [fixture.endpoint, EndpointId::generate()];
    let totals = event_delivery::endpoint_totals(&mut fixture.conn, fixture.project, &ids, period).await.unwrap();
    assert_eq!((totals.len(), totals[0].success, totals[0].failure, totals[0].retry), (1, 1, 2, 1));
}

#[tokio::test]
async fn a_replay_is_stored_once_and_the_ledger_adds_up() {
    let mut fixture = fixture().await;
    let (id, _) = stored(&mut fixture, DeliveryStatus::Success).await;
    let missing = EventId::generate();
    for (replay, deliveries) in [(ReplayId::generate(), 2), (ReplayId::generate(), 3)] {
        let rows: Vec<_> = [id, missing]
            .iter()
            .map(|event| {
                let mut row = fixture.delivery(*event, Utc::now());
                row.id = EventDeliveryId::derive_replayed(*event, fixture.subscription, replay);
                row
            })
            .collect();
        for _ in 0..2 {
            let stale = store_replays(&mut fixture.conn, &rows, &[(fixture.project, 7_000)]).await.unwrap();
            assert_eq!(stale, [fixture.project], "matched by something else");
            assert!(store_replays(&mut fixture.conn, &rows, &[]).await.unwrap().is_empty());
        }
        let event = Event::find(&mut fixture.conn, fixture.project, id).await.unwrap().unwrap();
        assert_eq!(event.endpoint_ids, vec![Some(fixture.endpoint); deliveries]);
        let audit = audit_all_projects(&mut fixture.conn).await.unwrap();
        assert!(audit.adds_up() && audit.accepted() == 1, "{audit:?}");
        assert_eq!(audit.deliveries.values().sum::<i64>(), i64::try_from(deliveries).unwrap());
    }
}

#[tokio::test]
async fn events_are_found_by_key_source_endpoint_and_message() {
    let mut fixture = fixture().await;
    let (original, duplicate, other) = (EventId::generate(), EventId::generate(), EventId::generate());
    for (id, key) in [(original, "k"), (duplicate, "k"), (other, "other")] {
        let accepted = AcceptedEvent::new(fixture.event(id, key), Vec::new());
        store(&mut fixture.conn, vec![accepted]).await;
    }
    let marked = format!(
        "UPDATE events SET headers = '{{\"x-broker-message-id\": [\"m-1\"]}}' WHERE id = '{:032x}'",
        other.to_bits()
    );
    run(&mut fixture.conn, &marked).await;
    let page = PageRequest { per_page: 10, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let (by_key, nobody) =
        (EventFilter { idempotency_key: Some("k".into()), ..EventFilter::default() }, Some(Vec::new()));
    let by_message = EventFilter { broker_message_id: Some("m-1".into()), ..EventFilter::default() };
    let by_nobody = EventFilter { endpoint_ids: nobody, ..EventFilter::default() };
    let mut both = vec![original, duplicate];
    both.sort();
    for (filter, expected) in [(by_key, both), (by_message, vec![other]), (by_nobody, Vec::new())] {
        let rows = event::list(&mut fixture.conn, fixture.project, &filter, &page).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), expected, "{filter:?}");
        let ids = event::list_ids(&mut fixture.conn, fixture.project, &filter, 10).await.unwrap();
        assert_eq!(ids.len(), expected.len());
    }
    let all = EventFilter::default();
    assert_eq!(event::count_replayable(&mut fixture.conn, fixture.project, &all).await.unwrap(), 2);
    let page = event::list_replayable(&mut fixture.conn, fixture.project, &all, None, 10).await.unwrap();
    assert!(page.len() == 2 && !page.contains(&duplicate));
}

#[tokio::test]
async fn one_retry_is_active_in_a_project_and_a_run_that_stands_still_is_found() {
    let mut fixture = fixture().await;
    let (project, filter) = (fixture.project, serde_json::json!({}));
    let id = BatchRun::insert(&mut fixture.conn, project, BatchKind::Retry, &filter).await.unwrap().unwrap();
    assert!(BatchRun::insert(&mut fixture.conn, project, BatchKind::Retry, &filter).await.unwrap().is_none());
    let replay = BatchRun::insert(&mut fixture.conn, project, BatchKind::Replay, &filter).await.unwrap().unwrap();
    let run = BatchRun::find(&mut fixture.conn, project, id).await.unwrap().unwrap();
    assert_eq!((run.status, run.reached_delivery()), (BatchStatus::Pending, None));
    let reached = EventDeliveryId::derive(EventId::generate(), fixture.subscription);
    run.advance(&mut fixture.conn, (reached.to_bits(), 5), None).await.unwrap();
    let run = BatchRun::find(&mut fixture.conn, project, id).await.unwrap().unwrap();
    assert_eq!((run.status, run.reached_delivery(), run.done), (BatchStatus::Processing, Some(reached), 5));
    assert!(BatchRun::insert(&mut fixture.conn, project, BatchKind::Retry, &filter).await.unwrap().is_none());
    let soon = Utc::now() + chrono::TimeDelta::minutes(1);
    let stranded = batch_run::list_stranded_all_projects(&mut fixture.conn, soon, 10).await.unwrap();
    assert_eq!(stranded.len(), 2);
    batch_run::end(&mut fixture.conn, (project, id), BatchStatus::Completed).await.unwrap();
    run.advance(&mut fixture.conn, (reached.to_bits(), 5), None).await.unwrap();
    let ended = BatchRun::find(&mut fixture.conn, project, id).await.unwrap().unwrap();
    assert_eq!((ended.status, ended.done), (BatchStatus::Completed, 5), "what ended stays");
    assert!(BatchRun::insert(&mut fixture.conn, project, BatchKind::Retry, &filter).await.unwrap().is_some());
    assert_eq!(batch_run::forget(&mut fixture.conn, soon).await.unwrap(), 1);
    assert!(BatchRun::find(&mut fixture.conn, project, replay).await.unwrap().is_some(), "unfinished");
}

#[tokio::test]
async fn a_server_says_what_an_operator_has_to_know() {
    let mut fixture = fixture().await;
    let server = server::describe(&mut fixture.conn).await.unwrap();
    assert!(server.version_num >= server::VERSION_MIN && !server.is_standby && server.is_local, "{server:?}");
    assert!(server.connections > 0 && i64::from(server.connections_max) >= server.connections, "{server:?}");
    assert!(["on", "off"].contains(&server.fsync.as_str()), "{server:?}");
    assert!(server::clock(&mut fixture.conn).await.unwrap() >= server.now);
}
