//! What happened in a project is counted behind the hot path, counted anew when it changes, and then not read from the rows.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use posthouse_schema::{
    activity::{self, Activity, Counted, Period},
    event_delivery::{self, NewEventDelivery},
    ids::{EventDeliveryId, EventId, ProjectId},
    ledger::AcceptedEvent,
    words::DeliveryStatus,
};

use crate::{
    fixture::{Fixture, fixture, run, store},
    reads::{EVENTS, RARE, filled},
    rows_read::{FEW, measured},
};

/// Stores an event of each state, accepted at `at` and some milliseconds after.
async fn stored(fixture: &mut Fixture, at: DateTime<Utc>, statuses: &[DeliveryStatus]) -> Vec<EventDeliveryId> {
    let mut batch = Vec::new();
    for (status, number) in statuses.iter().zip(0..) {
        let event = fixture.event(EventId::first_at(at + TimeDelta::milliseconds(number)), "");
        let delivery = NewEventDelivery { status: *status, ..fixture.delivery(event.id, Utc::now()) };
        batch.push(AcceptedEvent::new(event, vec![delivery]));
    }
    let ids = batch.iter().flat_map(|event| event.deliveries.iter().map(|delivery| delivery.id)).collect();
    store(&mut fixture.conn, batch).await;
    ids
}

/// As if all of it had been stored so long ago that nothing before it can still be committed.
async fn settle(conn: &mut AsyncPgConnection, ago: &str) {
    run(
        conn,
        &format!("UPDATE events SET updated_at = now() - interval '{ago}' WHERE updated_at > now() - interval '{ago}'"),
    )
    .await;
}

/// Counts until there is nothing to count, as workers do; how many windows that were.
async fn count(conn: &mut AsyncPgConnection) -> usize {
    let (mut windows, mut is_open_noted) = (0, false);
    loop {
        match activity::count_all_projects(conn, Utc::now()).await.unwrap() {
            Counted::Windows(counted) => windows += counted,
            Counted::Busy => panic!("nobody else counts here"),
            Counted::Noted | Counted::UpToDate if !is_open_noted => {
                activity::note_open_all_projects(conn).await.unwrap();
                is_open_noted = true;
            }
            Counted::Noted => {}
            Counted::UpToDate => return windows,
        }
    }
}

fn day(now: DateTime<Utc>) -> Period {
    let to = activity::window(now) + TimeDelta::minutes(30);
    Period { from: to - TimeDelta::days(1), to, bar_seconds: 1_800.0 }
}

/// Succeeded, open, discarded, failed.
fn outcomes(activity: &Activity) -> [i64; 4] {
    activity.deliveries.iter().fold([0; 4], |[success, open, discarded, failure], bar| {
        [success + bar.success, open + bar.open, discarded + bar.discarded, failure + bar.failure]
    })
}

fn events(activity: &Activity) -> i64 {
    activity.events.iter().map(|bar| bar.events).sum()
}

#[tokio::test]
async fn what_is_counted_is_what_the_rows_say() {
    use DeliveryStatus::{Discarded, Failure, Processing, Retry, Scheduled, Success};
    let mut fixture = fixture().await;
    let (now, project, endpoint) = (Utc::now(), fixture.project, fixture.endpoint);
    let period = day(now);
    for minutes in [20, 25, 180] {
        let statuses = [Success, Success, Failure, Retry, Scheduled, Processing, Discarded];
        stored(&mut fixture, activity::window(now) - TimeDelta::minutes(minutes), &statuses).await;
    }
    run(&mut fixture.conn, "UPDATE event_deliveries SET latency_seconds = 2 WHERE status = 'Success'").await;
    settle(&mut fixture.conn, "10 minutes").await;
    let from_rows = activity::read(&mut fixture.conn, project, period, 5).await.unwrap();
    assert_eq!((events(&from_rows), outcomes(&from_rows)), (21, [6, 9, 3, 3]));
    assert_eq!(count(&mut fixture.conn).await, 3);
    assert_eq!(count(&mut fixture.conn).await, 0, "nothing has changed");
    let counted = activity::read(&mut fixture.conn, project, period, 5).await.unwrap();
    assert_eq!(counted, from_rows);
    let ids = [endpoint];
    let totals = event_delivery::endpoint_totals(&mut fixture.conn, project, &ids, (period.from, now)).await.unwrap();
    assert_eq!((totals[0].success, totals[0].failure, totals[0].retry), (6, 3, 3));

    // What came since is read from the rows, and what is counted is not.
    stored(&mut fixture, now, &[Success]).await;
    run(&mut fixture.conn, "DELETE FROM event_deliveries WHERE acknowledged_at < now() - interval '2 hours'").await;
    let both = activity::read(&mut fixture.conn, project, period, 5).await.unwrap();
    assert_eq!((events(&both), outcomes(&both)), (22, [7, 9, 3, 3]));
    assert_eq!(both.failing, from_rows.failing);
    let other = activity::read(&mut fixture.conn, ProjectId::generate(), period, 5).await.unwrap();
    assert!(other.events.is_empty() && other.deliveries.is_empty() && other.failing.is_empty());
    let hour = Period { from: period.to - TimeDelta::hours(1), bar_seconds: 300.0, ..period };
    assert_eq!(events(&activity::read(&mut fixture.conn, project, hour, 5).await.unwrap()), 15);
}

#[tokio::test]
async fn a_window_is_counted_anew_when_something_in_it_changes() {
    let mut fixture = fixture().await;
    let (now, project) = (Utc::now(), fixture.project);
    let period = day(now);
    let before = activity::window(now) - TimeDelta::hours(2);
    let ids = stored(&mut fixture, before, &[DeliveryStatus::Scheduled, DeliveryStatus::Failure]).await;
    settle(&mut fixture.conn, "20 minutes").await;
    assert_eq!(count(&mut fixture.conn).await, 1);

    // A try that fails and one that succeeds.
    for (status, expected) in [("Retry", [0, 1, 0, 1]), ("Success", [1, 0, 0, 1])] {
        run(&mut fixture.conn, &format!("UPDATE event_deliveries SET status = '{status}' WHERE status <> 'Failure'"))
            .await;
        assert_eq!(count(&mut fixture.conn).await, 1, "{status}");
        let counted = activity::read(&mut fixture.conn, project, period, 5).await.unwrap();
        assert_eq!(outcomes(&counted), expected);
    }

    // One that was sent again, and has succeeded before anybody counted.
    let sent = event_delivery::resend(&mut fixture.conn, project, &ids, &[DeliveryStatus::Failure]).await.unwrap();
    assert_eq!(sent.len(), 1);
    run(&mut fixture.conn, "UPDATE event_deliveries SET status = 'Success'").await;
    assert_eq!(count(&mut fixture.conn).await, 1);
    let counted = activity::read(&mut fixture.conn, project, period, 5).await.unwrap();
    assert_eq!((outcomes(&counted), counted.failing.len()), ([2, 0, 0, 0], 0));

    // One that was accepted then and is stored only now.
    stored(&mut fixture, before + TimeDelta::milliseconds(500), &[DeliveryStatus::Success]).await;
    settle(&mut fixture.conn, "10 minutes").await;
    count(&mut fixture.conn).await;
    let counted = activity::read(&mut fixture.conn, project, period, 5).await.unwrap();
    assert_eq!((events(&counted), outcomes(&counted)), (3, [3, 0, 0, 0]));

    // What is too old is forgotten.
    run(&mut fixture.conn, "UPDATE activity_deliveries SET at = at - interval '9 days'").await;
    activity::note_open_all_projects(&mut fixture.conn).await.unwrap();
    assert_eq!(run(&mut fixture.conn, "UPDATE activity_deliveries SET success = 0").await, 0);
}

#[tokio::test]
async fn what_is_counted_is_not_read() {
    let (mut fixture, rare, _) = filled().await;
    let (now, project) = (Utc::now(), fixture.project);
    let period = Period { from: day(now).from - TimeDelta::days(6), bar_seconds: 14_400.0, ..day(now) };
    let conn = &mut fixture.conn;
    run(conn, "UPDATE events SET updated_at = now() - interval '10 minutes'").await;
    run(conn, "VACUUM ANALYZE events, event_deliveries").await;
    let windows = count(conn).await;
    assert!(windows <= 2, "{windows}");
    // As when those after them have been counted too.
    run(conn, "UPDATE activity_mark SET stored_at = now() + interval '10 minutes'").await;
    let sum = async |conn: &mut _| activity::read(conn, project, period, 5).await;
    let (summed, read) = measured(conn, "events", sum).await;
    assert_eq!((events(&summed), outcomes(&summed)), (EVENTS, [EVENTS - EVENTS / RARE, 0, 0, EVENTS / RARE]));
    assert!(read <= FEW, "{read} rows of events were read");
    let (_, read) = measured(conn, "event_deliveries", sum).await;
    // The newest 10,000 are asked for their latency.
    assert!(read <= 10_000 + FEW, "{read} rows of deliveries were read");
    let (_, read) = measured(conn, "activity_deliveries", sum).await;
    assert!(read <= FEW, "{read} counts were read");
    let of = [rare];
    let ask = async |conn: &mut _| event_delivery::endpoint_totals(conn, project, &of, (period.from, now)).await;
    let (totals, read) = measured(conn, "event_deliveries", ask).await;
    assert_eq!(totals.iter().map(|of| of.failure).sum::<i64>(), EVENTS / RARE);
    assert!(read <= FEW, "{read} rows were read for the totals of an endpoint");

    // A window with so many that they had to be read for too long stands for itself before it is over.
    run(conn, "UPDATE activity_mark SET stored_at = now() - interval '20 minutes'").await;
    run(conn, "UPDATE activity_deliveries SET success = success + 70000").await;
    let (summed, read) = measured(conn, "event_deliveries", sum).await;
    assert!(outcomes(&summed)[0] >= 70_000, "{:?}", outcomes(&summed));
    assert!(read <= 10_000 + FEW, "{read} rows of deliveries were read");
}
