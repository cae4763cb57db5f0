//! When something is told of a source, and when it is failing.

use chrono::DateTime;
use posthouse_schema::words::ProjectKind;
use serde_json::json;

use super::*;

const AFTER: Duration = Duration::from_secs(60);

fn source() -> FeedSource {
    FeedSource {
        project_id: ProjectId::generate(),
        project_kind: ProjectKind::Outgoing,
        id: SourceId::generate(),
        name: "orders".into(),
        is_disabled: false,
        pub_sub: Some(json!({"type": "mqtt"})),
        locked: None,
        body_function: None,
        header_function: None,
        rate_limit: 0,
        rate_limit_duration_seconds: 0,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

/// The one report of an instant, whose health is settled by that.
fn report_at(statuses: &SourceStatuses, now: Instant) -> Report {
    let report = statuses.take_reports(now, AFTER).remove(0);
    if let Some(health) = report.health {
        statuses.settled(report.source_id, health);
    }
    report
}

fn report(statuses: &SourceStatuses) -> Report {
    report_at(statuses, Instant::now())
}

#[test]
fn counts_are_told_once_and_again_where_that_failed() {
    let (statuses, source) = (SourceStatuses::default(), source());
    statuses.begin(&source);
    statuses.set_connected(source.id, true);
    statuses.received(source.id, 3);
    statuses.accepted(source.id, 1);
    statuses.rejected(source.id, "no");
    let began = Instant::now();
    let told = report_at(&statuses, began);
    let note = told.note.unwrap();
    assert_eq!((note.received, note.accepted, note.rejected, note.is_connected), (3, 1, 1, true));
    assert_eq!((told.name.as_str(), told.broker.as_str(), told.last_error.as_deref()), ("orders", "mqtt", Some("no")));
    assert_eq!(report_at(&statuses, began).note, None, "there is nothing new");
    statuses.accepted(source.id, 1);
    statuses.put_back(source.id, note.clone());
    let again = report_at(&statuses, began).note.unwrap();
    assert_eq!((again.received, again.accepted, again.error), (3, 2, note.error));
    let sign_of_life = report_at(&statuses, began + SIGN_OF_LIFE).note.unwrap();
    assert_eq!(sign_of_life, SourceNote { is_connected: true, ..SourceNote::default() });
    statuses.received(SourceId::generate(), 1);
    assert_eq!(statuses.take_reports(began, AFTER).len(), 1, "others are not known");
}

#[test]
fn what_was_not_told_is_told_by_who_goes_on() {
    let (statuses, source) = (SourceStatuses::default(), source());
    statuses.begin(&source);
    statuses.set_connected(source.id, true);
    statuses.received(source.id, 2);
    statuses.end(&source, End::Left);
    statuses.begin(&source);
    let note = report(&statuses).note.unwrap();
    assert_eq!((note.received, note.is_connected), (2, false));
    assert_eq!(statuses.take_reports(Instant::now(), AFTER).len(), 1, "it goes on");
}

#[test]
fn a_source_fails_after_a_while_and_once() {
    let (statuses, source) = (SourceStatuses::default(), source());
    statuses.begin(&source);
    let began = Instant::now();
    assert_eq!(report_at(&statuses, began + AFTER / 2).health, None, "it may still come");
    statuses.lost(source.id, "refused");
    let told = report_at(&statuses, began + AFTER);
    assert_eq!((told.health, told.last_error.as_deref()), (Some(Health::Unreachable), Some("refused")));
    assert_eq!(report_at(&statuses, began + AFTER).health, None, "that is known");
    statuses.set_connected(source.id, true);
    assert_eq!(report(&statuses).health, Some(Health::Reached));
    let lost = began + AFTER * 2;
    statuses.with(source.id, |entry| entry.set_connected(false, lost));
    statuses.with(source.id, |entry| entry.set_connected(false, lost + AFTER / 2));
    assert_eq!(report_at(&statuses, lost + AFTER).health, Some(Health::Unreachable), "since it was lost first");
}

#[test]
fn a_source_that_refuses_everything_fails_and_one_event_makes_it_good() {
    let (statuses, source) = (SourceStatuses::default(), source());
    statuses.begin(&source);
    statuses.set_connected(source.id, true);
    let began = Instant::now();
    let reject = |at: Instant| statuses.with(source.id, |entry| entry.rejected("no", at));
    reject(began);
    assert_eq!(report_at(&statuses, began + AFTER * 2).health, None, "a single message says nothing");
    statuses.accepted(source.id, 1);
    assert_eq!(report(&statuses).health, Some(Health::Good));
    reject(began);
    reject(began + AFTER);
    assert_eq!(report(&statuses).health, Some(Health::Rejecting));
    statuses.accepted(source.id, 1);
    assert_eq!(report(&statuses).health, Some(Health::Good));
}

#[test]
fn what_ends_is_told_a_last_time() {
    for (end, health, is_gone) in
        [(End::Left, None, false), (End::Resting, Some(Health::Good), false), (End::Gone, Some(Health::Good), true)]
    {
        let (statuses, source) = (SourceStatuses::default(), source());
        statuses.begin(&source);
        statuses.set_connected(source.id, true);
        assert!(report(&statuses).note.unwrap().is_connected);
        statuses.end(&source, end);
        let told = report_at(&statuses, Instant::now() + AFTER * 2);
        assert_eq!((told.health, told.is_gone, told.note.unwrap().is_connected), (health, is_gone, false));
        assert!(statuses.take_reports(Instant::now(), AFTER).is_empty());
    }
}
