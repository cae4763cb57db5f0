//! Sources that receive nothing are found when they should have, and let go when they do again.

use chrono::{TimeDelta, Utc};
use posthouse_schema::{ids::EventId, ids::SourceId, ledger::AcceptedEvent, source_silence};

use crate::fixture::{Fixture, fixture, run, store};

async fn source(fixture: &mut Fixture, stale_after: &str, changed: &str) -> SourceId {
    let id = SourceId::generate();
    let statement = format!(
        "INSERT INTO sources (project_id, id, mask_id, name, kind, pub_sub, stale_after_seconds, updated_at) \
         VALUES ('{:032x}', '{:032x}', '{id}', 's', 'pub_sub', '{{\"type\": \"mqtt\"}}', {stale_after}, now() - interval '{changed}')",
        fixture.project.to_bits(),
        id.to_bits()
    );
    run(&mut fixture.conn, &statement).await;
    id
}

async fn heard(fixture: &mut Fixture, source: SourceId, ago: TimeDelta) {
    let mut event = fixture.event(EventId::first_at(Utc::now() - ago), "");
    event.source_id = Some(source);
    store(&mut fixture.conn, vec![AcceptedEvent::new(event, Vec::new())]).await;
}

async fn changed(fixture: &mut Fixture) -> Vec<(SourceId, bool)> {
    let rows = source_silence::list_changed_all_projects(&mut fixture.conn, 10).await.unwrap();
    assert!(rows.iter().all(|row| row.broker.as_deref() == Some("mqtt") && row.kind == "pub_sub"));
    rows.into_iter().map(|row| (row.id, row.is_silent)).collect()
}

#[tokio::test]
async fn a_silent_source_is_found_once_until_it_is_heard_again() {
    let mut fixture = fixture().await;
    let silent = source(&mut fixture, "3600", "2 hours").await;
    let never = source(&mut fixture, "NULL", "2 hours").await;
    let changed_lately = source(&mut fixture, "3600", "30 minutes").await;
    let heard_lately = source(&mut fixture, "3600", "2 hours").await;
    heard(&mut fixture, heard_lately, TimeDelta::minutes(50)).await;
    heard(&mut fixture, silent, TimeDelta::minutes(70)).await;
    assert_eq!(changed(&mut fixture).await, [(silent, true)]);
    let project = fixture.project;
    assert!(source_silence::begin(&mut fixture.conn, project, silent).await.unwrap());
    assert!(!source_silence::begin(&mut fixture.conn, project, silent).await.unwrap(), "once");
    assert!(changed(&mut fixture).await.is_empty());
    heard(&mut fixture, silent, TimeDelta::minutes(1)).await;
    assert_eq!(changed(&mut fixture).await, [(silent, false)]);
    source_silence::end(&mut fixture.conn, project, silent).await.unwrap();
    assert!(changed(&mut fixture).await.is_empty());
    run(&mut fixture.conn, "UPDATE sources SET is_disabled = true, updated_at = now() - interval '1 day'").await;
    run(&mut fixture.conn, "UPDATE sources SET stale_after_seconds = 10 WHERE stale_after_seconds IS NOT NULL").await;
    assert!(changed(&mut fixture).await.is_empty(), "what rests receives nothing");
    run(&mut fixture.conn, "UPDATE sources SET is_disabled = false, stale_after_seconds = 60").await;
    run(&mut fixture.conn, "UPDATE sources SET deleted_at = now() WHERE stale_since IS NULL").await;
    assert!(changed(&mut fixture).await.is_empty() && never != changed_lately, "what is deleted as well");
}
