//! Refused messages are kept, found, read again by one instance at a time, and bounded by number and age.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use posthouse_schema::{
    ids::{ProjectId, RejectedMessageId, SourceId},
    page::{Direction, PageRequest, Sort},
    rejected_message::{self, NewRejectedMessage, RejectedFilter, RejectedMessage},
};

use crate::fixture::{fixture, run};

fn new(project_id: ProjectId, source_id: SourceId, at: DateTime<Utc>, reason: &str) -> NewRejectedMessage {
    let random = RejectedMessageId::generate().to_bits() & ((1 << 80) - 1);
    NewRejectedMessage {
        project_id,
        id: RejectedMessageId::from_bits(RejectedMessageId::first_at(at).to_bits() | random),
        source_id,
        reason: reason.into(),
        detail: "it is bad".into(),
        payload: b"\xff\x00bytes".to_vec(),
        payload_bytes: 7,
        metadata: [("topic".into(), "a/b".into())].into(),
    }
}

async fn ids(conn: &mut AsyncPgConnection, project: ProjectId, filter: &RejectedFilter) -> Vec<RejectedMessageId> {
    let page = PageRequest { per_page: 100, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let rows = RejectedMessage::list(conn, project, filter, &page).await.unwrap().rows;
    assert_eq!(rejected_message::count(conn, project, filter).await.unwrap(), i64::try_from(rows.len()).unwrap());
    rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn messages_are_kept_once_and_found_by_source_reason_and_time() {
    let mut fixture = fixture().await;
    let (conn, project) = (&mut fixture.conn, fixture.project);
    let (one, other, now) = (SourceId::generate(), SourceId::generate(), Utc::now());
    let old = new(project, one, now - TimeDelta::hours(2), "shape");
    let young = new(project, one, now, "function");
    let foreign = new(project, other, now - TimeDelta::hours(1), "shape");
    for message in [&old, &young, &foreign, &old] {
        rejected_message::store(conn, message).await.unwrap();
    }
    let nobody = new(ProjectId::generate(), one, now, "shape");
    rejected_message::store(conn, &nobody).await.unwrap();
    let all = RejectedFilter::default();
    for (filter, expected) in [
        (all.clone(), vec![old.id, foreign.id, young.id]),
        (RejectedFilter { source_ids: vec![one], ..all.clone() }, vec![old.id, young.id]),
        (RejectedFilter { reasons: vec!["shape".into()], ..all.clone() }, vec![old.id, foreign.id]),
        (RejectedFilter { from: Some(now - TimeDelta::minutes(90)), ..all.clone() }, vec![foreign.id, young.id]),
        (RejectedFilter { to: Some(now - TimeDelta::minutes(90)), ..all.clone() }, vec![old.id]),
    ] {
        assert_eq!(ids(conn, project, &filter).await, expected, "{filter:?}");
        assert!(ids(conn, nobody.project_id, &filter).await.is_empty(), "of a project that is not there");
    }
    let (row, payload) = RejectedMessage::find(conn, project, old.id).await.unwrap().unwrap();
    assert_eq!((payload, row.is_whole, row.metadata), (old.payload, true, serde_json::json!({"topic": "a/b"})));
    assert!(RejectedMessage::find(conn, ProjectId::generate(), old.id).await.unwrap().is_none());
    assert!(!RejectedMessage::delete(conn, ProjectId::generate(), old.id).await.unwrap());
    assert!(RejectedMessage::delete(conn, project, old.id).await.unwrap());
    let of_other = RejectedFilter { source_ids: vec![other], ..all.clone() };
    assert_eq!(rejected_message::delete_all(conn, project, &of_other).await.unwrap(), 1);
    assert_eq!(ids(conn, project, &all).await, [young.id]);
}

#[tokio::test]
async fn pages_of_messages_meet() {
    let mut fixture = fixture().await;
    let (source, now) = (SourceId::generate(), Utc::now());
    let mut stored: Vec<_> =
        (0..7).map(|n| new(fixture.project, source, now - TimeDelta::seconds(n), "shape")).collect();
    for message in &stored {
        rejected_message::store(&mut fixture.conn, message).await.unwrap();
    }
    stored.reverse();
    for sort in [Sort::Ascending, Sort::Descending] {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let request = PageRequest { per_page: 3, sort, direction: Direction::Next, cursor };
            let filter = RejectedFilter { source_ids: vec![source], ..RejectedFilter::default() };
            let page = RejectedMessage::list(&mut fixture.conn, fixture.project, &filter, &request).await.unwrap();
            found.extend(page.rows.iter().map(|row| row.id));
            cursor = page.next.map(|row| row.id);
            if cursor.is_none() {
                break;
            }
        }
        if sort == Sort::Descending {
            found.reverse();
        }
        assert_eq!(found, stored.iter().map(|message| message.id).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_is_read_again_is_leased_to_one_and_comes_back_when_the_lease_ends() {
    let mut fixture = fixture().await;
    let (conn, project) = (&mut fixture.conn, fixture.project);
    let (source, now) = (SourceId::generate(), Utc::now());
    let whole: Vec<_> = (0..5).map(|n| new(project, source, now + TimeDelta::seconds(n), "shape")).collect();
    let cut = NewRejectedMessage { payload_bytes: 8, ..new(project, source, now, "too_large") };
    for message in whole.iter().chain([&cut]) {
        rejected_message::store(conn, message).await.unwrap();
    }
    assert_eq!(rejected_message::redrive(conn, ProjectId::generate(), &[whole[0].id]).await.unwrap(), 0);
    let all = RejectedFilter::default();
    assert_eq!(rejected_message::redrive_all(conn, project, &all).await.unwrap(), 5, "but for the one that is cut");
    assert_eq!(rejected_message::redrive_all(conn, project, &all).await.unwrap(), 0, "they wait already");
    let lease = Duration::from_secs(60);
    let first = rejected_message::lease_redriven_all_projects(conn, 3, lease).await.unwrap();
    let second = rejected_message::lease_redriven_all_projects(conn, 3, lease).await.unwrap();
    assert_eq!((first.len(), second.len()), (3, 2));
    assert!(first.iter().all(|one| second.iter().all(|other| one.id != other.id)));
    assert!(first.iter().all(|message| message.payload == b"\xff\x00bytes" && message.redrive_requested_at.is_some()));
    assert!(rejected_message::lease_redriven_all_projects(conn, 3, lease).await.unwrap().is_empty());
    first[0].note_rejection(conn, "headers", "still bad").await.unwrap();
    RejectedMessage::delete(conn, project, first[1].id).await.unwrap();
    run(conn, "UPDATE rejected_messages SET redrive_leased_until = now() - interval '1 s'").await;
    let again = rejected_message::lease_redriven_all_projects(conn, 9, lease).await.unwrap();
    assert_eq!(again.len(), 3, "neither the one that ended in vain nor the one that is gone");
    let (row, _) = RejectedMessage::find(conn, project, first[0].id).await.unwrap().unwrap();
    assert_eq!((row.reason.as_str(), row.redrive_count, row.redrive_requested_at), ("headers", 1, None));
    assert_eq!(rejected_message::redrive(conn, project, &[first[0].id]).await.unwrap(), 1, "it can be asked for anew");
}

#[tokio::test]
async fn a_source_keeps_so_many_and_none_too_long() {
    let mut fixture = fixture().await;
    let (conn, project) = (&mut fixture.conn, fixture.project);
    let (many, few, now) = (SourceId::generate(), SourceId::generate(), Utc::now());
    let of_many: Vec<_> = (0..10).map(|n| new(project, many, now - TimeDelta::days(n), "shape")).collect();
    let of_few = new(project, few, now - TimeDelta::days(20), "shape");
    for message in of_many.iter().chain([&of_few]) {
        rejected_message::store(conn, message).await.unwrap();
    }
    for (kept, deleted) in [(20, 0), (10, 0), (4, 6), (4, 0)] {
        assert_eq!(rejected_message::trim(conn, (project, many), kept).await.unwrap(), deleted, "{kept}");
    }
    let mut left: Vec<_> = of_many[..4].iter().chain([&of_few]).map(|message| message.id).collect();
    left.sort();
    assert_eq!(ids(conn, project, &RejectedFilter::default()).await, left, "the newest, and what is another source's");
    let before = now - TimeDelta::hours(60);
    for (limit, purged) in [(1, 2), (9, 0)] {
        assert_eq!(rejected_message::purge_all_projects(conn, before, limit).await.unwrap(), purged);
    }
    assert_eq!(ids(conn, project, &RejectedFilter::default()).await.len(), 3);
}
