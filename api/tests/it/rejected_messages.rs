//! Messages of brokers that could not become events: found, shown, read again and deleted.

use chrono::{TimeDelta, Utc};
use posthouse_schema::{
    ids::{RejectedMessageId, SourceId},
    rejected_message::{self, NewRejectedMessage},
};
use serde_json::json;

use crate::harness::Api;

/// A kept message of this many days ago.
async fn keep(api: &Api, days: i64, change: impl FnOnce(&mut NewRejectedMessage)) -> String {
    let mut new = NewRejectedMessage {
        project_id: api.project.parse().unwrap(),
        id: RejectedMessageId::first_at(Utc::now() - TimeDelta::days(days)),
        source_id: SourceId::generate(),
        reason: "not_json".into(),
        detail: "the body is not JSON".into(),
        payload: b"no json".to_vec(),
        payload_bytes: 7,
        metadata: [("topic".into(), "orders/eu".into())].into(),
    };
    change(&mut new);
    rejected_message::store(&mut api.database.pool().get().await.unwrap(), &new).await.unwrap();
    new.id.to_string()
}

async fn listed(api: &Api, query: &str) -> Vec<String> {
    let answer = api.get(&format!("rejected-messages?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let rows = answer.data()["content"].as_array().unwrap();
    rows.iter().map(|row| row["uid"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn messages_are_listed_by_what_they_are_and_shown_with_their_bytes() {
    let api = Api::start().await;
    let source = SourceId::generate();
    let text = keep(&api, 1, |_| {}).await;
    let bytes = keep(&api, 2, |new| {
        (new.source_id, new.reason, new.payload, new.payload_bytes) = (source, "shape".into(), vec![0xff, 0], 2_000);
    })
    .await;
    let old = keep(&api, 20, |new| new.source_id = source).await;
    let since = "startDate=2020-01-01T00:00:00";
    for (query, expected) in [
        (String::new(), vec![&text, &bytes]),
        ("sort=ASC".into(), vec![&bytes, &text]),
        (since.into(), vec![&text, &bytes, &old]),
        (format!("{since}&sourceId={source}"), vec![&bytes, &old]),
        (format!("{since}&sourceId={source}&reason=not_json"), vec![&old]),
        ("reason=not_json&reason=shape".into(), vec![&text, &bytes]),
        ("reason=function".into(), vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(listed(&api, &query).await, expected, "{query}");
    }
    let mut shown = api.get(&format!("rejected-messages/{text}")).await.data().clone();
    assert!(shown["created_at"].take().is_string() && shown["source_id"].take().is_string());
    assert_eq!(
        shown,
        json!({
            "uid": text, "project_id": api.project, "source_id": null, "reason": "not_json",
            "detail": "the body is not JSON", "payload_bytes": 7, "is_whole": true, "metadata": {"topic": "orders/eu"},
            "redrive_count": 0, "redrive_requested_at": null, "created_at": null,
            "payload": "no json", "payload_encoding": "text",
        })
    );
    let shown = api.get(&format!("rejected-messages/{bytes}")).await.data().clone();
    assert_eq!((&shown["payload"], &shown["payload_encoding"]), (&json!("/wA="), &json!("base64")));
    assert_eq!((&shown["is_whole"], &shown["payload_bytes"]), (&json!(false), &json!(2_000)));
    let many = "reason=a&".repeat(51);
    for (query, message) in [("sourceId=x", "sourceId: x is not an id"), (&*many, "reason: at most 50 are accepted")] {
        let refused = api.get(&format!("rejected-messages?{query}")).await;
        assert_eq!((refused.status, refused.message()), (400, message));
    }
    api.close().await;
}

#[tokio::test]
async fn messages_are_read_again_on_request_and_deleted() {
    let api = Api::start().await;
    let source = SourceId::generate();
    let one = keep(&api, 1, |_| {}).await;
    let other = keep(&api, 2, |new| new.source_id = source).await;
    let cut = keep(&api, 3, |new| new.payload_bytes = 9).await;
    let asked = api.post(&format!("rejected-messages/{one}/redrive"), json!({})).await;
    assert_eq!((asked.status, asked.message()), (202, "The message will be read again"));
    let since = asked.data()["redrive_requested_at"].clone();
    assert!(since.is_string(), "{}", asked.body);
    let again = api.post(&format!("rejected-messages/{one}/redrive"), json!({})).await;
    assert_eq!((again.status, &again.data()["redrive_requested_at"]), (202, &since), "it waits already");
    let refused = api.post(&format!("rejected-messages/{cut}/redrive"), json!({})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.message().contains("cannot be read again"), "{}", refused.body);
    let none = api.post("rejected-messages/redrive?reason=shape", json!({})).await;
    assert_eq!((none.status, none.data()), (202, &json!({"num": 0})));
    let all = api.post("rejected-messages/redrive", json!({})).await;
    assert_eq!((all.status, all.data()), (202, &json!({"num": 1})), "but for what waits already, and what is cut");
    let waiting = api.get(&format!("rejected-messages/{other}")).await;
    assert!(waiting.data()["redrive_requested_at"].is_string());
    let deleted = api.delete(&format!("rejected-messages?sourceId={source}")).await;
    assert_eq!((deleted.status, deleted.data()), (200, &json!({"num": 1})));
    assert_eq!(api.delete(&format!("rejected-messages/{cut}")).await.status, 200);
    assert_eq!(listed(&api, "").await, [one]);
    for unknown in [&*cut, "nonsense"] {
        for answer in [
            api.get(&format!("rejected-messages/{unknown}")).await,
            api.post(&format!("rejected-messages/{unknown}/redrive"), json!({})).await,
            api.delete(&format!("rejected-messages/{unknown}")).await,
        ] {
            assert_eq!((answer.status, answer.message()), (404, "rejected message not found"));
        }
    }
    api.close().await;
}
