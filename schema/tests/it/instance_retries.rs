//! Retries in all projects: a run for each that has something to retry, begun in one statement.

use chrono::{TimeDelta, Utc};
use diesel::{QueryableByName, sql_types::Text};
use diesel_async::RunQueryDsl;
use posthouse_schema::{
    batch_run::{self, BatchRun},
    ids::{EventId, ProjectId},
    instance_retry::{self, InstanceRetry, InstanceRetryFilter, RetryDeletion},
    ledger::AcceptedEvent,
    partitions,
    words::{BatchKind, BatchStatus, DeliveryStatus},
};

use crate::fixture::{Fixture, fixture, run, store};

/// Everything that failed within the last hour.
fn lately() -> InstanceRetryFilter {
    let now = Utc::now();
    let statuses = vec![DeliveryStatus::Failure, DeliveryStatus::Discarded];
    InstanceRetryFilter { statuses, event_id: None, from: now - TimeDelta::hours(1), to: now }
}

/// An event whose delivery failed, in the fixture's project.
async fn failed(fixture: &mut Fixture) -> EventId {
    let id = EventId::generate();
    let mut delivery = fixture.delivery(id, id.created_at());
    delivery.status = DeliveryStatus::Failure;
    let accepted = AcceptedEvent::new(fixture.event(id, ""), vec![delivery]);
    store(&mut fixture.conn, vec![accepted]).await;
    id
}

/// Another project of the same organisation.
async fn another_project(fixture: &mut Fixture, name: &str) -> ProjectId {
    let id = ProjectId::generate();
    let statement = format!(
        "INSERT INTO projects (id, organisation_id, name, kind, config) SELECT '{:032x}', id, '{name}', 'outgoing', '{{}}' FROM organisations",
        id.to_bits()
    );
    run(&mut fixture.conn, &statement).await;
    id
}

#[tokio::test]
async fn a_run_begins_in_every_live_project_that_has_something_to_retry() {
    let mut fixture = fixture().await;
    let of_one = failed(&mut fixture).await;
    let one = fixture.project;
    let (two, deleted) = (another_project(&mut fixture, "two").await, another_project(&mut fixture, "deleted").await);
    another_project(&mut fixture, "idle").await;
    for project in [two, deleted] {
        fixture.project = project;
        failed(&mut fixture).await;
    }
    let delete = format!("UPDATE projects SET deleted_at = now() WHERE id = '{:032x}'", deleted.to_bits());
    run(&mut fixture.conn, &delete).await;

    assert_eq!(instance_retry::count_all_projects(&mut fixture.conn, &lately()).await.unwrap(), 2);
    let begun = instance_retry::begin_all_projects(&mut fixture.conn, &lately()).await.unwrap();
    let mut projects: Vec<ProjectId> = begun.runs.iter().map(|(project, _)| *project).collect();
    projects.sort_unstable();
    assert_eq!((projects, begun.skipped), (vec![one, two], 0));
    let of_event = InstanceRetryFilter { event_id: Some(of_one), ..lately() };
    assert_eq!(instance_retry::count_all_projects(&mut fixture.conn, &of_event).await.unwrap(), 1);
    let again = instance_retry::begin_all_projects(&mut fixture.conn, &of_event).await.unwrap();
    assert_eq!((again.runs.len(), again.skipped), (0, 1));
    assert!(InstanceRetry::find(&mut fixture.conn, again.id).await.unwrap().is_none());

    for (project, id) in &begun.runs {
        let row = BatchRun::find(&mut fixture.conn, *project, *id).await.unwrap().unwrap();
        assert_eq!((row.kind, row.instance_batch_id), (BatchKind::Retry, Some(begun.id)));
        assert!((id.created_at() - Utc::now()).abs() < TimeDelta::minutes(1), "the id holds its time: {id}");
        let retry = InstanceRetry::find(&mut fixture.conn, begun.id).await.unwrap().unwrap();
        assert!(retry.projects == 2 && retry.status() != BatchStatus::Completed);
        let refused = InstanceRetry::delete(&mut fixture.conn, begun.id).await.unwrap();
        assert_eq!(refused, RetryDeletion::Unfinished);
        batch_run::end(&mut fixture.conn, (*project, *id), BatchStatus::Completed).await.unwrap();
    }
    let retry = InstanceRetry::find(&mut fixture.conn, begun.id).await.unwrap().unwrap();
    assert_eq!(retry.status(), BatchStatus::Completed);
    // A run of a project's own is no part of it, and stays.
    let own =
        BatchRun::insert(&mut fixture.conn, one, BatchKind::Retry, &serde_json::json!({})).await.unwrap().unwrap();
    for expected in [RetryDeletion::Done, RetryDeletion::NotFound] {
        assert_eq!(InstanceRetry::delete(&mut fixture.conn, begun.id).await.unwrap(), expected);
    }
    assert!(BatchRun::find(&mut fixture.conn, one, own).await.unwrap().is_some());
}

#[tokio::test]
async fn a_project_s_failures_are_found_by_their_index() {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
        text: String,
    }
    let mut fixture = fixture().await;
    let today = Utc::now().date_naive();
    partitions::make_ahead(&mut fixture.conn, today, today).await.unwrap();
    run(&mut fixture.conn, "INSERT INTO event_deliveries (project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy, retry_interval_seconds, retry_limit, next_send_time, acknowledged_at) SELECT p.id, (substr(e.id::text, 1, 13) || substr(gen_random_uuid()::text, 14))::uuid, e.id, e.id, e.id, 't', CASE WHEN n % 4 = 0 THEN 'Failure' ELSE 'Success' END, 'at_least_once', 'linear', 1, 1, now(), now() FROM projects p, endpoints e, generate_series(1, 20000) AS n").await;
    run(&mut fixture.conn, "ANALYZE event_deliveries").await;
    let (first, last) = (EventId::first_at(lately().from), EventId::last_at(lately().to));
    let statement = include_str!("../../src/sql/begin_instance_retry.sql")
        .replace("$1", "ARRAY['Failure']")
        .replace("$2", &format!("'{:032x}'", first.to_bits()))
        .replace("$3", &format!("'{:032x}'", last.to_bits()))
        .replace("$4", "NULL")
        .replace("$5", "'{}'::jsonb")
        .replace("$6", &format!("'{:032x}'::uuid", first.to_bits()));
    let lines: Vec<Line> = diesel::sql_query(format!("EXPLAIN {statement}")).load(&mut fixture.conn).await.unwrap();
    let plan: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
    // Another partition that the hours reach into is empty.
    let partition = format!("event_deliveries_{}", today.format("p%Y%m%d"));
    assert!(plan.contains(&format!("{partition}_project_id_id_idx")), "{plan}");
    assert!(!plan.contains(&format!("Seq Scan on {partition}")), "{plan}");
}
