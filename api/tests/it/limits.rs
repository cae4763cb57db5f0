//! Keys and projects are held to their limits, over all instances together.

use posthouse_api::{
    app::ApiSettings,
    limits::{LimitSettings, Limits},
};
use posthouse_schema::ids::ProjectId;
use serde_json::json;

use crate::harness::{Answer, Api};

fn limits(key_requests_per_minute: u64, project_events_per_minute: u64) -> ApiSettings {
    let limits = LimitSettings { key_requests_per_minute, project_events_per_minute };
    ApiSettings { limits, ..ApiSettings::default() }
}

/// The answers that were let through, and those that were not.
fn apart(answers: Vec<Answer>) -> (usize, Vec<Answer>) {
    let (refused, passed): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 429);
    (passed.len(), refused)
}

#[tokio::test]
async fn a_key_is_refused_beyond_its_limit_and_told_when_to_go_on() {
    let api = Api::start_with(limits(3, 0)).await;
    let (_, other) = api.new_project("other").await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(api.get("endpoints").await);
    }
    let (passed, refused) = apart(answers);
    // A minute may end meanwhile, but no two of them.
    assert!((3..=6).contains(&passed), "{passed}");
    let last = refused.last().unwrap();
    assert_eq!(last.body, json!({"status": false, "message": "exceeded rate limit"}));
    assert_eq!(
        (&last.headers["x-ratelimit-limit"], &last.headers["x-ratelimit-remaining"]),
        (&"3".parse().unwrap(), &"0".parse().unwrap())
    );
    let seconds: u64 = last.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(last.headers["x-ratelimit-reset"], last.headers["retry-after"]);
    assert_eq!(last.headers["ratelimit"].to_str().unwrap(), format!("\"default\";r=0;t={seconds}"));
    assert_eq!(last.headers["ratelimit-policy"], "\"default\";q=3;w=60");
    assert_eq!(api.send("GET", &api.path("endpoints"), Some(&other), &[], None).await.status, 200, "another key");
    api.close().await;
}

#[tokio::test]
async fn a_project_s_events_count_together_however_they_come_in() {
    let api = Api::start_with(limits(0, 3)).await;
    let made = api.post("sources", json!({"name": "s", "type": "http"})).await;
    let path = format!("/ingest/{}", made.data()["mask_id"].as_str().unwrap());
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(api.post("events/broadcast", json!({"event_type": "a", "data": {}})).await);
        answers.push(api.send("POST", &path, None, &[], Some("{}".into())).await);
    }
    let (passed, refused) = apart(answers);
    assert!((3..=6).contains(&passed) && refused[0].message() == "exceeded rate limit", "{passed}");
    assert_eq!(api.queued_events().await.len(), passed);
    assert_eq!(api.get("events").await.status, 200, "reading is not limited by it");
    api.close().await;
}

#[tokio::test]
async fn instances_share_a_limit_and_ask_redis_only_now_and_then() {
    let api = Api::start().await;
    let settings = LimitSettings { key_requests_per_minute: 0, project_events_per_minute: 100 };
    let instances = [Limits::new(&api.queues(), settings), Limits::new(&api.queues(), settings)];
    let (project, other) = (ProjectId::generate(), ProjectId::generate());
    let at = 1_800_000_000;
    let tries = (0..150).flat_map(|_| instances.each_ref()).map(|instance| instance.event_at(project, at));
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 100);
    assert!(instances[0].event_at(other, at).await.is_ok());
    assert!(instances[0].event_at(project, at + 60).await.is_ok(), "the next minute");
    api.close().await;
}
