//! Accepting events: for a URL, many at once, and what the answer tells.

use std::time::Duration;

use posthouse_jobs::EventTarget;
use posthouse_schema::words::DeliveryStatus;
use serde_json::{Value, json};

use crate::harness::Api;

#[tokio::test]
async fn a_dynamic_event_finds_or_makes_its_endpoint_before_it_is_accepted() {
    let api = Api::start().await;
    let event =
        |url: &str| json!({"url": url, "event_type": "a", "data": {"n": 1}, "secret": "s-1", "event_types": ["a"]});
    for _ in 0..2 {
        let answer = api.post("events/dynamic", event("https://dyn.example.com/a")).await;
        assert_eq!((answer.status, answer.message()), (201, "Dynamic event created successfully"), "{}", answer.body);
        assert!(answer.data().is_null() && answer.headers.contains_key("x-posthouse-event-id"));
    }
    let endpoints = api.get("endpoints").await;
    let [endpoint] = &endpoints.data()["content"].as_array().unwrap()[..] else { panic!("{}", endpoints.body) };
    assert_eq!(
        (&endpoint["url"], &endpoint["advanced_signatures"]),
        (&json!("https://dyn.example.com/a"), &json!(true))
    );
    assert_eq!(endpoint["secrets"][0]["value"], json!("s-1"));
    let subscriptions = api.get("subscriptions").await;
    let [subscription] = &subscriptions.data()["content"].as_array().unwrap()[..] else { panic!("one") };
    assert_eq!(subscription["filter_config"]["event_types"], json!(["a"]));
    let queued = api.queued_events().await;
    let target = EventTarget::Dynamic {
        url: "https://dyn.example.com/a".into(),
        subscription_id: subscription["uid"].as_str().unwrap().parse().unwrap(),
    };
    assert_eq!(queued.iter().map(|job| &job.target).collect::<Vec<_>>(), [&target, &target]);
    assert!(!format!("{queued:?}").contains("s-1"), "the secret never passes the queue");
    api.close().await;
}

#[tokio::test]
async fn a_dynamic_event_that_is_refused_makes_nothing() {
    let api = Api::start().await;
    let url = "https://dyn.example.com";
    for (body, message) in [
        (
            json!({}),
            "url:please provide an endpoint url, event_type:please provide an event type, data:please provide your data",
        ),
        (json!({"event_type": "a", "data": 1}), "url:please provide an endpoint url"),
        (json!({"url": "nonsense", "event_type": "a", "data": 1}), "endpoint url must include a valid host"),
        (json!({"url": "ftp://a.b/c", "event_type": "a", "data": 1}), "invalid endpoint scheme"),
        (
            json!({"url": "https://a.b/{id}", "event_type": "a", "data": 1}),
            "dynamic event URL must be concrete, not an endpoint URL template",
        ),
        (
            json!({"url": url, "event_type": "a", "data": 1, "secret": "\u{0}"}),
            "secret: the NUL character is not accepted",
        ),
        (
            json!({"url": url, "event_type": "a", "data": 1, "event_types": ["a", ""]}),
            "event_types: at most 100 names are accepted, and none that is empty",
        ),
        (
            json!({"url": url, "event_type": "a", "data": 1, "custom_headers": {"Host": "x"}}),
            "custom_headers: Host cannot be set",
        ),
        (json!({"url": url, "event_type": "a", "data": 1, "ack": "disk"}), "ack: one of queue, postgres is expected"),
    ] {
        let answer = api.post("events/dynamic", body.clone()).await;
        assert_eq!((answer.status, answer.message()), (400, message), "{body}");
    }
    assert!(api.get("endpoints").await.data()["content"].as_array().unwrap().is_empty());
    assert!(api.queued_events().await.is_empty());
    api.close().await;
}

#[tokio::test]
async fn an_answer_names_the_event_where_that_is_wished_for() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let body = json!({"endpoint_id": endpoint, "event_type": "a", "data": 1});
    let mut wished = body.clone();
    wished["return_id"] = json!(true);
    for (path, body) in [("events", wished), ("events?return=id", body.clone())] {
        let answer = api.post(path, body).await;
        assert_eq!(answer.data(), &json!({"uid": answer.headers["x-posthouse-event-id"].to_str().unwrap()}));
    }
    let mut unwished = body.clone();
    unwished["return_id"] = json!(false);
    assert!(api.post("events?return=id", unwished).await.data().is_null(), "the body has the last word");
    let wrong = api.post("events?return=all", body).await;
    assert_eq!((wrong.status, wrong.message()), (400, "return: id is expected"));
    api.close().await;
}

#[tokio::test]
async fn the_header_s_key_counts_where_the_body_has_none() {
    let api = Api::start().await;
    let path = api.path("events/broadcast");
    for (body, header, key) in [
        (json!({"event_type": "a", "data": 1}), "from-header", "from-header"),
        (json!({"event_type": "a", "data": 1, "idempotency_key": ""}), "from-header", "from-header"),
        (json!({"event_type": "a", "data": 1, "idempotency_key": "own"}), "from-header", "own"),
    ] {
        let headers = [("idempotency-key", header)];
        let answer = api.send("POST", &path, Some(&api.key), &headers, Some(body.to_string())).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(api.queued_events().await.last().unwrap().idempotency_key, key, "{body}");
    }
    api.close().await;
}

#[tokio::test]
async fn many_events_are_answered_one_by_one() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let answer = api
        .post(
            "events/batch",
            json!({"events": [
                {"endpoint_id": endpoint, "event_type": "a", "data": {"n": 1}, "idempotency_key": "k"},
                {"owner_id": "acme", "event_type": "a", "data": 2},
                {"broadcast": true, "event_type": "a", "data": 3},
                {"url": "https://dyn.example.com", "event_type": "a", "data": 4},
                {"endpoint_id": "01HZZZZZZZZZZZZZZZZZZZZZZZ", "event_type": "a", "data": 5},
                {"event_type": "a", "data": 6},
                {"endpoint_id": endpoint, "broadcast": true, "event_type": "a", "data": 7},
                {"endpoint_id": endpoint, "event_type": 8, "data": 8},
                {"endpoint_id": endpoint},
                {"url": "nonsense", "event_type": "a", "data": 10},
                7,
            ]}),
        )
        .await;
    assert_eq!((answer.status, answer.message()), (201, "4 queued, 7 refused"), "{}", answer.body);
    let items = answer.data().as_array().unwrap();
    let errors: Vec<&str> = items.iter().filter_map(|item| item["error"].as_str()).collect();
    let one_target = "exactly one of endpoint_id, owner_id, url and broadcast is expected";
    assert_eq!(errors[..3], ["endpoint not found", one_target, one_target]);
    assert!(errors[3].contains("invalid type: integer"), "{}", errors[3]);
    assert_eq!(
        errors[4..6],
        [
            "data:please provide your data, event_type:please provide an event type",
            "endpoint url must include a valid host"
        ]
    );
    assert!(items[..4].iter().all(|item| item["error"].is_null()));
    let queued = api.queued_events().await;
    let ids: Vec<String> = queued.iter().map(|job| job.event_id.to_string()).collect();
    let answered: Vec<&str> = items.iter().filter_map(|item| item["uid"].as_str()).collect();
    assert_eq!((ids.len(), ids), (4, answered.into_iter().map(String::from).collect()));
    assert_eq!((queued[0].data.get(), queued[0].idempotency_key.as_str()), (r#"{"n":1}"#, "k"));
    for (body, message) in [
        (json!({"events": []}), "events: between 1 and 1000 are expected"),
        (json!({"events": vec![0; 1_001]}), "events: between 1 and 1000 are expected"),
    ] {
        let answer = api.post("events/batch", body).await;
        assert_eq!((answer.status, answer.message()), (400, message));
    }
    let refused = api.post("events/batch", json!({"events": [{}]})).await;
    assert_eq!((refused.status, refused.message()), (200, "0 queued, 1 refused"));
    assert_eq!(api.post("events/batch", json!({"events": 5})).await.status, 400);
    api.close().await;
}

/// The answer that waits comes when the event is stored, and not before; a test's worker stores it by hand.
#[tokio::test]
async fn an_answer_waits_until_the_event_is_stored() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let body = json!({"endpoint_id": endpoint, "event_type": "a", "data": 1, "ack": "postgres", "return_id": true});
    let store = async {
        let event_id = loop {
            if let Some(job) = api.queued_events().await.pop() {
                break job.event_id;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        api.stored_as(event_id, &endpoint, "", DeliveryStatus::Scheduled).await;
        event_id
    };
    let (answer, event_id) = tokio::join!(api.post("events", body), store);
    assert_eq!((answer.status, answer.data()), (201, &json!({"uid": event_id})), "{}", answer.body);
    api.close().await;
}

#[tokio::test]
async fn what_cannot_be_confirmed_is_not_confirmed() {
    let api = Api::start().await;
    let answer = api.post("events/broadcast?ack=postgres", json!({"event_type": "a", "data": 1})).await;
    assert_eq!((answer.status, answer.data()), (503, &Value::Null), "no worker stores it");
    assert!(answer.message().starts_with("the event is queued"), "{}", answer.body);
    assert!(answer.headers.contains_key("x-posthouse-event-id"));
    assert_eq!(api.queued_events().await.len(), 1);
    api.close().await;
}
