//! Events: found by every filter, and replayed.

use std::time::{Duration, Instant};

use posthouse_jobs::{ReplayEvent, RunBatch};
use posthouse_schema::{event::index_page_all_projects, words::DeliveryStatus};
use serde_json::{Value, json};

use crate::harness::Api;

const UNKNOWN: &str = "01HZZZZZZZZZZZZZZZZZZZZZZZ";

#[tokio::test]
async fn events_are_found_by_every_filter_in_the_shape_of_the_contract() {
    let api = Api::start().await;
    let body = json!({"name": "one", "url": "https://example.com", "owner_id": "acme"});
    let one = api.post("endpoints", body).await.uid();
    let two = api.endpoint("two").await;
    let (first, _) = api.stored(&one, "k", DeliveryStatus::Success).await;
    let (second, _) = api.stored(&two, "", DeliveryStatus::Success).await;
    for (query, expected) in [
        (String::new(), vec![second, first]),
        (format!("endpointId={one}"), vec![first]),
        ("ownerId=acme".into(), vec![first]),
        (format!("ownerId=acme&endpointId={two}"), vec![]),
        ("ownerId=nobody".into(), vec![]),
        ("idempotencyKey=k".into(), vec![first]),
        ("idempotencyKey=other".into(), vec![]),
        ("brokerMessageId=m".into(), vec![]),
        (format!("sourceId={UNKNOWN}"), vec![]),
    ] {
        let answer = api.get(&format!("events?{query}")).await;
        let rows = answer.data()["content"].as_array().unwrap();
        let mut found: Vec<&str> = rows.iter().map(|row| row["uid"].as_str().unwrap()).collect();
        let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        found.sort_unstable();
        expected.sort();
        assert_eq!(found, expected, "{query}");
        let count = api.get(&format!("events/countbatchreplayevents?{query}")).await;
        assert_eq!(count.data(), &json!({"num": expected.len()}), "{query}");
    }
    let answer = api.get(&format!("events/{first}")).await;
    let data = answer.data();
    assert_eq!((&data["endpoints"], &data["source_metadata"]["uid"]), (&json!([one]), &json!("")));
    assert_eq!(data["source_metadata"]["created_at"], json!("0001-01-01T00:00:00Z"));
    let empty = api.get("events?perPage=0").await;
    let page = &empty.data()["pagination"];
    assert_eq!(
        (&empty.data()["content"], &page["has_next_page"], &page["per_page"]),
        (&json!([]), &json!(true), &json!(0))
    );
    assert!(page["prev_page_cursor"].as_str().unwrap().len() == 26 && page["next_page_cursor"] == json!(""));
    api.close().await;
}

#[tokio::test]
async fn an_event_is_replayed_as_often_as_is_asked_for() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let (event, _) = api.stored(&endpoint, "", DeliveryStatus::Success).await;
    for _ in 0..2 {
        let answer = api.put(&format!("events/{event}/replay"), json!("{}")).await;
        assert_eq!((answer.status, answer.message()), (200, "Endpoint event replayed successfully"));
        assert_eq!(answer.uid(), event.to_string());
    }
    let queued: Vec<ReplayEvent> = api.queued().await;
    assert!(queued.len() == 2 && queued[0].replay_id != queued[1].replay_id);
    let unknown = api.put(&format!("events/{UNKNOWN}/replay"), Value::Null).await;
    assert_eq!((unknown.status, unknown.message()), (400, "event not found"));
    let (original, _) = api.stored(&endpoint, "k", DeliveryStatus::Success).await;
    let (duplicate, _) = api.stored(&endpoint, "k", DeliveryStatus::Success).await;
    let refused = api.put(&format!("events/{duplicate}/replay"), Value::Null).await;
    assert_eq!(refused.status, 400);
    assert!(refused.message().contains(&original.to_string()), "{}", refused.body);
    api.close().await;
}

#[tokio::test]
async fn a_batch_replay_says_how_many_events_it_is_for() {
    let api = Api::start().await;
    let (one, two) = (api.endpoint("one").await, api.endpoint("two").await);
    for key in ["a", "b", "b"] {
        api.stored(&one, key, DeliveryStatus::Success).await;
    }
    let none = api.post(&format!("events/batchreplay?endpointId={two}"), Value::Null).await;
    assert_eq!((none.status, none.message()), (200, "0 successful, 0 failed"));
    assert!(api.queued::<RunBatch>().await.is_empty());
    let some = api.post(&format!("events/batchreplay?endpointId={one}"), Value::Null).await;
    assert_eq!((some.status, some.message(), some.data()), (200, "2 successful, 0 failed", &Value::Null));
    assert_eq!(api.queued::<RunBatch>().await.len(), 1);
    for (method, query, message) in [
        ("POST", "batchreplay?query=x", "batch replay does not support search filters"),
        ("POST", "batchreplay?body=x", "batch replay does not support search filters"),
        ("GET", "countbatchreplayevents?query=x", "batch replay count does not support search filters"),
        ("POST", "batchreplay?startDate=x", "please specify a startDate in the format 2006-01-02T15:04:05"),
    ] {
        let answer = api.send(method, &api.path(&format!("events/{query}")), Some(&api.key), &[], None).await;
        assert_eq!((answer.status, answer.message()), (400, message), "{query}");
    }
    api.close().await;
}

#[tokio::test]
async fn events_are_searched_by_text_body_and_headers() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let (event, _) = api.stored(&endpoint, "key-7", DeliveryStatus::Success).await;
    let found = async |query: &str| {
        let answer = api.get(&format!("events?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let rows = answer.data()["content"].as_array().unwrap();
        rows.iter().map(|row| row["uid"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let mut conn = api.database.pool().get().await.unwrap();
    let began = Instant::now();
    while found("query=KEY-7").await.is_empty() {
        index_page_all_projects(&mut conn).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(30), "it is never indexed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (query, is_found) in [
        (format!("query={}", event.to_string().chars().take(12).collect::<String>()), true),
        ("query=der.pa".into(), true),
        ("query=%7B%22a%22%3A1%7D".into(), true),
        ("query=key%20%7B%22a%22%3A1%7D".into(), true),
        ("query=key%20%7B%22a%22%3A2%7D".into(), false),
        ("body=%7B%22a%22%3A1%7D".into(), true),
        ("body=%7B%22a%22%3A2%7D".into(), false),
        ("headers=%7B%22X-A%22%3A%221%22%7D".into(), true),
        ("headers=%7B%22X-A%22%3A%222%22%7D".into(), false),
        (format!("query=key-7&endpointId={UNKNOWN}"), false),
        ("query=ke".into(), true),
        ("query=zz".into(), false),
    ] {
        assert_eq!(found(&query).await.len(), usize::from(is_found), "{query}");
    }
    for query in ["body=x", "body=%7B%7D", "body=", "body=%5B1%5D"] {
        let answer = api.get(&format!("events?{query}")).await;
        assert_eq!((answer.status, answer.message()), (400, "body must be a nonempty JSON object"), "{query}");
    }
    for query in ["query=%00", "headers=%7B%22X-A%22%3A1%7D", "query=%7B%22a%22%3A1%7D&body=%7B%22a%22%3A2%7D"] {
        assert_eq!(api.get(&format!("events?{query}")).await.status, 400, "{query}");
    }
    api.close().await;
}
