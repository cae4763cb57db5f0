//! Events that are not for one endpoint.

use posthouse_jobs::{EventTarget, STORED_PARENT, STORED_STATE};
use posthouse_schema::{
    event::{self, KeyWindow},
    ids::EventId,
};
use serde_json::json;

use crate::harness::Api;

#[tokio::test]
async fn an_event_for_an_owner_or_for_everyone_is_queued_as_such() {
    let api = Api::start().await;
    let fanned = api
        .post(
            "events/fanout",
            json!({"owner_id": "acme", "event_type": "a.b", "data": {"x": 1}, "idempotency_key": "k"}),
        )
        .await;
    assert_eq!((fanned.status, fanned.message()), (201, "Endpoint fanout event queued successfully"));
    assert!(fanned.headers.contains_key("x-posthouse-event-id"));
    let cast =
        api.post("events/broadcast", json!({"event_type": "a.b", "data": [], "custom_headers": {"X-A": "1"}})).await;
    assert_eq!((cast.status, cast.message()), (201, "Broadcast event created successfully"));
    let queued = api.queued_events().await;
    let targets: Vec<_> = queued.iter().map(|job| job.target.clone()).collect();
    assert_eq!(targets, [EventTarget::Fanout { owner_id: "acme".into() }, EventTarget::Broadcast]);
    api.close().await;
}

#[tokio::test]
async fn a_repeated_fanout_says_so_and_everything_missing_is_named() {
    let api = Api::start().await;
    let project = api.project.parse().unwrap();
    let mut conn = api.database.pool().get().await.unwrap();
    event::claim_keys(&mut conn, project, &[("known", EventId::generate())], KeyWindow::WHOLE_LIFE).await.unwrap();
    let body = json!({"owner_id": "acme", "event_type": "a.b", "data": 1, "idempotency_key": "known"});
    let again = api.post("events/fanout", body).await;
    assert_eq!((again.status, again.message()), (201, "Duplicate event received, but will not be sent"));
    assert_eq!(api.queued_events().await.len(), 1, "it is stored as a duplicate");
    let old = EventId::first_at(chrono::Utc::now() - chrono::TimeDelta::hours(2));
    event::claim_keys(&mut conn, project, &[("old", old)], KeyWindow::WHOLE_LIFE).await.unwrap();
    for (window, message) in [
        (3_600, "Endpoint fanout event queued successfully"),
        (3 * 3_600, "Duplicate event received, but will not be sent"),
        (0, "Duplicate event received, but will not be sent"),
    ] {
        let change = json!({"name": "orders", "config": {"idempotency_key_window": window}}).to_string();
        let changed = api.send("PUT", &format!("/api/v1/projects/{project}"), Some(&api.key), &[], Some(change)).await;
        let shown = &changed.body["data"]["config"]["idempotency_key_window"];
        assert_eq!((changed.status, shown.as_u64().unwrap_or(0)), (202, window));
        let body = json!({"owner_id": "acme", "event_type": "a.b", "data": 1, "idempotency_key": "old"});
        assert_eq!(api.post("events/fanout", body).await.message(), message, "{window} seconds");
    }
    assert_eq!(api.queued_events().await.len(), 4);
    for (path, body, message) in [
        (
            "events/fanout",
            json!({}),
            "owner_id:please provide an owner id, event_type:please provide an event type, data:please provide your data",
        ),
        ("events/fanout", json!({"event_type": "a", "data": {}}), "owner_id:please provide an owner id"),
        ("events/fanout", json!({"owner_id": "a", "event_type": "a"}), "data:please provide your data"),
        ("events/broadcast", json!({}), "event_type:please provide an event type, data:please provide your data"),
    ] {
        let answer = api.post(path, body.clone()).await;
        assert_eq!((answer.status, answer.message()), (400, message), "{body}");
    }
    assert_eq!(api.queued_events().await.len(), 4);
    api.close().await;
}

#[tokio::test]
async fn every_event_keeps_the_trace_of_its_request() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    let event = |target: serde_json::Value| {
        let mut event = json!({"event_type": "a.b", "data": 1, "custom_headers": {"X-A": "1"}});
        event.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
        event
    };
    let single = event(json!({"endpoint_id": endpoint}));
    let sent = [
        ("events", single.clone()),
        ("events/fanout", event(json!({"owner_id": "acme"}))),
        ("events/broadcast", event(json!({}))),
        ("events/dynamic", event(json!({"url": "https://example.com/hook"}))),
        ("events/batch", json!({"events": [single, event(json!({"broadcast": true}))]})),
    ];
    for (path, body) in &sent {
        let headers = [("traceparent", PARENT), ("tracestate", "a=1")];
        let answer = api.send("POST", &api.path(path), Some(&api.key), &headers, Some(body.to_string())).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.body);
    }
    let queued = api.queued_events().await;
    assert_eq!(queued.len(), 6);
    for job in &queued {
        assert_eq!(
            (&job.headers[STORED_PARENT], &job.headers[STORED_STATE]),
            (&vec![PARENT.into()], &vec!["a=1".into()])
        );
        assert_eq!(job.headers["X-A"], ["1"]);
    }
    for headers in [&[("traceparent", "nonsense"), ("tracestate", "a=1")][..], &[("tracestate", "a=1")]] {
        let body = event(json!({})).to_string();
        let answer = api.send("POST", &api.path("events/broadcast"), Some(&api.key), headers, Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    let without = api.queued_events().await.iter().filter(|job| !job.headers.contains_key(STORED_PARENT)).count();
    assert_eq!(without, 2, "an invalid one is ignored");
    let forged = event(json!({"custom_headers": {"posthouse-traceparent": PARENT}}));
    let refused = api.post("events/broadcast", forged).await;
    assert_eq!((refused.status, refused.message()), (400, "custom_headers: posthouse-traceparent cannot be set"));
    api.close().await;
}
