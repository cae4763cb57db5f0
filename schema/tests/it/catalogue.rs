//! The catalogue of event types fills itself, whoever writes; and meta events go with the events of their day.

use chrono::{Days, TimeDelta, Utc};
use posthouse_schema::{
    event_type::EventType,
    ids::MetaEventId,
    meta_event::{self, MetaEvent, NewMetaEvent},
    partitions,
    words::RetryStrategy,
};

use crate::fixture::{fixture, run};

#[tokio::test]
async fn what_subscriptions_name_comes_in_by_itself_and_once() {
    let mut fixture = fixture().await;
    let change = "UPDATE subscriptions SET event_types = '{b.two,a.one,invoice.paid,*}'";
    run(&mut fixture.conn, change).await;
    run(&mut fixture.conn, change).await;
    let rows = EventType::list(&mut fixture.conn, fixture.project, 100).await.unwrap();
    let mut names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["*", "a.one", "b.two", "invoice.paid"]);
    let now = Utc::now();
    assert!(rows.iter().all(|row| (now - row.id.created_at()).abs() < TimeDelta::minutes(1)), "ids carry their time");
    assert_eq!(EventType::count(&mut fixture.conn, fixture.project).await.unwrap(), 4);
}

#[tokio::test]
async fn meta_events_expire_and_overdue_ones_are_found() {
    let mut fixture = fixture().await;
    let now = Utc::now();
    let (old, due) =
        (MetaEventId::first_at(now - TimeDelta::days(40)), MetaEventId::first_at(now - TimeDelta::hours(1)));
    let fresh = MetaEventId::first_at(now + TimeDelta::hours(1));
    for id in [old, due, fresh] {
        let new = NewMetaEvent {
            project_id: fixture.project,
            id,
            event_type: "endpoint.created".into(),
            payload: b"{}".to_vec(),
            strategy: RetryStrategy::Linear,
            retry_interval_seconds: 1,
            retry_limit: 1,
        };
        MetaEvent::insert_new(&mut fixture.conn, &new).await.unwrap();
    }
    partitions::forget_before(&mut fixture.conn, now.date_naive() - Days::new(30)).await.unwrap();
    let is_there = MetaEvent::find(&mut fixture.conn, fixture.project, old).await.unwrap().is_some();
    assert!(!is_there, "what is older than the retention is gone");
    let stranded = meta_event::list_stranded_all_projects(&mut fixture.conn, now, 10).await.unwrap();
    assert_eq!(stranded, [(fixture.project, due)]);
}
