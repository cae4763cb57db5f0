//! Schedules are announced by the active scheduler alone, listen to operators, and tell what became of their runs.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use posthouse_schema::{
    lease::{self, FencingToken},
    schedule::{self, NewSchedule, ScheduleRun, ScheduleView},
};
use serde_json::json;

use crate::fixture::{fixture, run};

const LEASE: &str = "scheduler";

async fn led(conn: &mut AsyncPgConnection, holder: &str) -> FencingToken {
    run(conn, "UPDATE leases SET expires_at = now() - interval '1 second'").await;
    lease::acquire(conn, LEASE, holder, Duration::from_secs(60)).await.unwrap().unwrap()
}

fn new(name: &'static str) -> NewSchedule {
    NewSchedule {
        name,
        cron: "0 10 * * * *".into(),
        catch_up_max: 1,
        jitter_seconds: 30,
        settings: json!({"retention_days": 30}),
        next_tick_at: None,
    }
}

async fn announce(conn: &mut AsyncPgConnection, all: &[NewSchedule], token: FencingToken) -> bool {
    schedule::announce(conn, all, "me", (LEASE, token)).await.unwrap()
}

async fn names(conn: &mut AsyncPgConnection) -> Vec<String> {
    ScheduleView::list(conn).await.unwrap().into_iter().map(|view| view.name).collect()
}

#[tokio::test]
async fn what_operators_said_holds_for_every_scheduler_to_come() {
    let mut conn = fixture().await.conn;
    let first = led(&mut conn, "a").await;
    assert!(announce(&mut conn, &[new("purge"), new("sweep")], first).await);
    assert_eq!(names(&mut conn).await, ["purge", "sweep"]);
    let paused = schedule::pause(&mut conn, "purge", "ada").await.unwrap().unwrap();
    assert_eq!((paused.paused_at.is_some(), paused.paused_by.as_deref()), (true, Some("ada")));
    let again = schedule::pause(&mut conn, "purge", "bob").await.unwrap().unwrap();
    assert_eq!(again, paused, "it was paused by somebody else");
    let second = led(&mut conn, "b").await;
    assert!(!announce(&mut conn, &[new("other")], first).await, "its term is over");
    assert!(announce(&mut conn, &[new("purge")], second).await);
    assert_eq!(names(&mut conn).await, ["purge"], "what nobody runs is not shown");
    assert!(announce(&mut conn, &[new("purge"), new("sweep")], second).await);
    assert!(schedule::standing(&mut conn, "purge").await.unwrap().unwrap().is_paused);
    let before = Utc::now();
    let resumed = schedule::resume(&mut conn, "purge", "bob").await.unwrap().unwrap();
    assert_eq!((resumed.paused_at, resumed.resumed_by.as_deref()), (None, Some("bob")));
    let standing = schedule::standing(&mut conn, "purge").await.unwrap().unwrap();
    assert!(
        !standing.is_paused && standing.since >= before - TimeDelta::minutes(1),
        "what was due before is forgotten"
    );
    for name in ["nothing", "other"] {
        assert_eq!(schedule::pause(&mut conn, name, "ada").await.unwrap(), None);
        assert_eq!(schedule::resume(&mut conn, name, "ada").await.unwrap(), None);
        assert_eq!(schedule::standing(&mut conn, name).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_run_that_is_asked_for_is_one_run_and_makes_up_for_nothing() {
    let mut conn = fixture().await.conn;
    let token = led(&mut conn, "a").await;
    announce(&mut conn, &[new("purge")], token).await;
    let tick: DateTime<Utc> = "2026-01-02T03:00:00Z".parse().unwrap();
    assert!(schedule::note_tick(&mut conn, "purge", tick, (LEASE, token)).await.unwrap());
    schedule::mark_enqueued(&mut conn, "purge", tick).await.unwrap();
    // In a whole second, as those of the clock are.
    let now: DateTime<Utc> = "2026-01-02T04:00:00Z".parse().unwrap();
    let asked = schedule::request_run(&mut conn, ("purge", "ada"), now).await.unwrap().unwrap();
    assert_eq!(asked, now + TimeDelta::milliseconds(1));
    let again = schedule::request_run(&mut conn, ("purge", "bob"), now + TimeDelta::seconds(7)).await.unwrap();
    assert_eq!(again, Some(asked), "the one that waits");
    assert_eq!(schedule::request_run(&mut conn, ("nothing", "ada"), now).await.unwrap(), None);
    assert_eq!(schedule::requested_ticks(&mut conn, 10).await.unwrap(), [("purge".to_string(), asked)]);
    assert!(schedule::interrupted_ticks(&mut conn, "purge").await.unwrap().is_empty());
    assert_eq!(schedule::last_tick(&mut conn, "purge").await.unwrap(), Some(tick));
    let run = async |conn: &mut AsyncPgConnection| ScheduleRun::list(conn, "purge", 1).await.unwrap().remove(0);
    assert_eq!((run(&mut conn).await.status(), run(&mut conn).await.requested_by.as_deref()), ("waiting", Some("ada")));
    schedule::mark_enqueued(&mut conn, "purge", asked).await.unwrap();
    assert_eq!(run(&mut conn).await.status(), "queued");
    schedule::begin_run(&mut conn, ("purge", asked), "worker-1").await.unwrap();
    assert_eq!(run(&mut conn).await.status(), "running");
    schedule::end_run(&mut conn, ("purge", asked), Err("no disk\0left")).await.unwrap();
    assert_eq!((run(&mut conn).await.status(), run(&mut conn).await.error.as_deref()), ("failed", Some("no diskleft")));
    assert_eq!(ScheduleRun::last_success(&mut conn, "purge").await.unwrap(), None);
    schedule::begin_run(&mut conn, ("purge", asked), "worker-2").await.unwrap();
    schedule::end_run(&mut conn, ("purge", asked), Ok(&json!({"rows": 7}))).await.unwrap();
    let ended = ScheduleRun::last_success(&mut conn, "purge").await.unwrap().unwrap();
    assert_eq!((ended.status(), ended.tries, ended.worker.as_deref()), ("succeeded", 2, Some("worker-2")));
    assert_eq!((ended.result, ended.error), (Some(json!({"rows": 7})), None));
    assert_eq!(ScheduleRun::last_begun(&mut conn, "purge").await.unwrap().unwrap().tick_at, asked);
}

#[tokio::test]
async fn audits_are_summed_up() {
    let mut conn = fixture().await.conn;
    let token = led(&mut conn, "a").await;
    let start: DateTime<Utc> = "2026-01-02T03:00:00Z".parse().unwrap();
    for (minute, inconsistent) in [(0, 5), (5, 0), (10, 2)] {
        let tick = start + TimeDelta::minutes(minute);
        schedule::note_tick(&mut conn, "audit", tick, (LEASE, token)).await.unwrap();
        let result = json!({"audited": 100, "inconsistent": inconsistent, "overdue": minute, "until": tick});
        schedule::end_run(&mut conn, ("audit", tick), Ok(&result)).await.unwrap();
    }
    let sums = schedule::sum_audits(&mut conn, "audit", start).await.unwrap();
    assert_eq!((sums.audited, sums.inconsistent, sums.overdue), (200, 2, 10));
    assert_eq!(sums.until, Some(start + TimeDelta::minutes(10)));
    assert_eq!(schedule::sum_audits(&mut conn, "nothing", start).await.unwrap(), schedule::AuditSums::default());
}
