//! One holder at a time, with growing tokens; ticks are noted once, and only by the current term.

use std::time::Duration;

use chrono::{DateTime, Utc};
use posthouse_schema::{lease, schedule};

use crate::fixture::{fixture, run};

const TERM: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_lease_has_one_holder_and_its_token_grows_with_each_term() {
    let mut conn = fixture().await.conn;
    let first = lease::acquire(&mut conn, "l", "a", TERM).await.unwrap().unwrap();
    assert_eq!(lease::acquire(&mut conn, "l", "b", TERM).await.unwrap(), None);
    assert_eq!(lease::acquire(&mut conn, "l", "a", TERM).await.unwrap(), Some(first), "renewing keeps the term");
    lease::release(&mut conn, "l", "b").await.unwrap();
    assert_eq!(lease::acquire(&mut conn, "l", "b", TERM).await.unwrap(), None, "only the holder can release");
    lease::release(&mut conn, "l", "a").await.unwrap();
    let second = lease::acquire(&mut conn, "l", "b", TERM).await.unwrap().unwrap();
    assert!(second > first);
    run(&mut conn, "UPDATE leases SET expires_at = now() - interval '1 second'").await;
    let third = lease::acquire(&mut conn, "l", "b", TERM).await.unwrap().unwrap();
    assert!(third > second, "a holder that let its term end begins a new one");
}

#[tokio::test]
async fn a_tick_is_noted_once_and_not_by_an_ended_term() {
    let mut conn = fixture().await.conn;
    let old = lease::acquire(&mut conn, "scheduler", "a", TERM).await.unwrap().unwrap();
    let tick: DateTime<Utc> = "2026-01-02T03:00:00Z".parse().unwrap();
    assert!(schedule::note_tick(&mut conn, "sweep", tick, ("scheduler", old)).await.unwrap());
    assert!(!schedule::note_tick(&mut conn, "sweep", tick, ("scheduler", old)).await.unwrap());
    assert_eq!(schedule::interrupted_ticks(&mut conn, "sweep").await.unwrap(), [tick]);
    schedule::mark_enqueued(&mut conn, "sweep", tick).await.unwrap();
    assert!(schedule::interrupted_ticks(&mut conn, "sweep").await.unwrap().is_empty());
    assert_eq!(schedule::last_tick(&mut conn, "sweep").await.unwrap(), Some(tick));
    lease::release(&mut conn, "scheduler", "a").await.unwrap();
    lease::acquire(&mut conn, "scheduler", "b", TERM).await.unwrap().unwrap();
    let next = tick + TERM;
    assert!(!schedule::note_tick(&mut conn, "sweep", next, ("scheduler", old)).await.unwrap(), "the term is over");
    assert_eq!(
        schedule::forget_runs(&mut conn, next).await.unwrap(),
        0,
        "what was missed is counted from the last one"
    );
    let newest = lease::acquire(&mut conn, "scheduler", "b", TERM).await.unwrap().unwrap();
    assert!(schedule::note_tick(&mut conn, "sweep", next, ("scheduler", newest)).await.unwrap());
    assert_eq!(schedule::forget_runs(&mut conn, next).await.unwrap(), 1);
}
