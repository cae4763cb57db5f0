//! How sources are doing, as it is noted and read.

use chrono::{DateTime, Utc};
use posthouse_jobs::queue::{Failing, SourceNote, SourceState, testing::TestQueues};
use posthouse_schema::ids::SourceId;

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap()
}

#[tokio::test]
async fn notes_add_up_and_what_they_do_not_say_stays() {
    let (queues, source) = (TestQueues::new().await, SourceId::generate());
    assert_eq!(queues.source_state(source).await.unwrap(), None);
    let note = SourceNote {
        received: 3,
        accepted: 2,
        rejected: 1,
        is_connected: true,
        lag: Some(9),
        last_message_at: Some(at(1_800_000_000_001)),
        error: Some(("ä".repeat(600), at(1_800_000_000_002))),
    };
    queues.note_source(source, &note).await.unwrap();
    queues.note_source(source, &SourceNote { received: 4, ..SourceNote::default() }).await.unwrap();
    let state = queues.source_state(source).await.unwrap().unwrap();
    let error = Some(("ä".repeat(500), at(1_800_000_000_002)));
    assert_eq!(state.note, SourceNote { received: 7, is_connected: false, error, ..note });
    assert!((Utc::now() - state.noted_at.unwrap()).num_seconds() < 60 && state.failing.is_none());
    assert_eq!(queues.source_state(SourceId::generate()).await.unwrap(), None, "another source is another one");
    queues.forget_source(source).await.unwrap();
    assert_eq!(queues.source_state(source).await.unwrap(), None);
    queues.close().await;
}

#[tokio::test]
async fn of_many_who_say_that_a_source_fails_one_is_the_first() {
    let (queues, source) = (TestQueues::new().await, SourceId::generate());
    for (reason, other) in [("unreachable", "rejecting"), ("rejecting", "unreachable")] {
        let failing = |reason: &str| Failing { since: at(1_800_000_000_000), reason: reason.into() };
        assert!(queues.begin_failing(source, &failing(reason)).await.unwrap());
        let tried = (0..8).map(|_| async { queues.begin_failing(source, &failing(other)).await.unwrap() });
        assert!(futures::future::join_all(tried).await.iter().all(|is_new| !is_new));
        let state = queues.source_state(source).await.unwrap().unwrap();
        assert_eq!(state, SourceState { failing: Some(failing(reason)), ..SourceState::default() });
        queues.end_failing(source).await.unwrap();
        assert!(queues.source_state(source).await.unwrap().is_none_or(|state| state.failing.is_none()));
    }
    queues.close().await;
}
