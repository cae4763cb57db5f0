//! Filters of subscriptions: their life, their refusals, and trying them.

use serde_json::{Value, json};

use crate::harness::{Answer, Api};

async fn subscription(api: &Api) -> String {
    let endpoint = api.endpoint("orders").await;
    let answer = api.post("subscriptions", json!({"name": "s", "endpoint_id": endpoint})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.uid()
}

fn types(answer: &Answer) -> Vec<&str> {
    answer.data().as_array().unwrap().iter().map(|row| row["event_type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_filter_lives_and_dies() {
    let api = Api::start().await;
    let filters = format!("subscriptions/{}/filters", subscription(&api).await);
    let first = api.get(&filters).await;
    assert_eq!((first.status, first.message()), (200, "Filters retrieved successfully"));
    let nothing = json!({});
    let [every] = &first.data().as_array().unwrap()[..] else { panic!("{}", first.body) };
    for field in ["headers", "body", "query", "path", "raw_headers", "raw_body", "raw_query", "raw_path"] {
        assert_eq!(every[field], nothing, "{field}");
    }
    assert!(every["event_type"] == "*" && every["enabled_at"].is_string());

    let body = json!({"event_type": "invoice.paid", "body": {"a": {"b": {"$gte": 10}}}, "headers": {"x-kind": "a"}});
    let made = api.post(&filters, body).await;
    assert_eq!((made.status, made.message()), (201, "Filter created successfully"));
    let data = made.data();
    assert_eq!((&data["body"], &data["raw_body"]), (&json!({"a.b": {"$gte": 10}}), &json!({"a": {"b": {"$gte": 10}}})));
    assert_eq!((&data["query"], &data["raw_query"], &data["raw_path"]), (&nothing, &Value::Null, &Value::Null));
    assert!(data["enabled_at"].is_string());
    let one = format!("{filters}/{}", made.uid());
    assert_eq!(api.get(&one).await.data()["raw_query"], nothing);

    let changed = api.put(&one, json!({"event_type": "order.made", "body": {"a": {"$lt": 5}}})).await;
    assert_eq!((changed.status, changed.message()), (200, "Filter updated successfully"));
    assert_eq!(
        (&changed.data()["event_type"], &changed.data()["body"], &changed.data()["headers"]),
        (&json!("order.made"), &json!({"a": {"$lt": 5}}), &json!({"x-kind": "a"}))
    );
    let disabled = api.put(&one, json!({"enabled_at": null})).await;
    assert!(disabled.data()["enabled_at"].is_null());
    assert!(api.put(&one, json!({"headers": {}})).await.data()["enabled_at"].is_null(), "what is missing stays");
    let since = api.put(&one, json!({"enabled_at": {"set": true, "time": "2026-01-02T03:04:05Z"}})).await;
    assert_eq!(since.data()["enabled_at"], json!("2026-01-02T03:04:05Z"));

    assert_eq!(api.delete(&one).await.status, 200);
    for gone in [api.delete(&one).await, api.get(&one).await, api.put(&one, json!({"body": {}})).await] {
        assert_eq!((gone.status, gone.message()), (404, "filter not found"));
    }
    api.close().await;
}

#[tokio::test]
async fn several_filters_are_made_and_changed_at_once_or_not_at_all() {
    let api = Api::start().await;
    let filters = format!("subscriptions/{}/filters", subscription(&api).await);
    let (bulk, bulk_update) = (format!("{filters}/bulk"), format!("{filters}/bulk_update"));
    let none = api.post(&bulk, json!([])).await;
    assert_eq!((none.status, none.data()), (201, &json!([])));
    let made = api.post(&bulk, json!([{"event_type": "a", "body": {"n": 1}}, {"event_type": "b", "path": {}}])).await;
    assert_eq!((made.status, types(&made)), (201, vec!["a", "b"]));
    assert_eq!((&made.data()[0]["raw_path"], &made.data()[1]["raw_path"]), (&Value::Null, &json!({})));
    for (bodies, status, text) in [
        (json!([{"event_type": "c"}, {"event_type": "a"}]), 400, "filter for event type a already exists"),
        (json!([{"event_type": "c"}, {"event_type": "c"}]), 400, "filter for event type c already exists"),
        (json!([{"event_type": "c"}, {"event_type": ""}]), 404, "event type  does not exist"),
        (
            json!([{"event_type": "c"}, {"event_type": "d", "body": {"$x": 1}}]),
            400,
            "failed to create filter: body: $x",
        ),
        (json!({"event_type": "c"}), 400, "body contains incorrect JSON"),
    ] {
        let refused = api.post(&bulk, bodies).await;
        assert_eq!(refused.status, status, "{}", refused.body);
        assert!(refused.message().starts_with(text), "{}", refused.body);
    }
    assert_eq!(types(&api.get(&filters).await), ["b", "a", "*"], "the newest first, and nothing half made");

    let (a, b) = (made.data()[0]["uid"].clone(), made.data()[1]["uid"].clone());
    for changed in [
        api.put(&bulk_update, json!([{"uid": a, "body": {"n": 2}}, {"uid": b, "enabled_at": null}])).await,
        api.post(&bulk_update, json!([{"uid": a, "body": {"n": 2}}, {"uid": b, "enabled_at": null}])).await,
    ] {
        assert_eq!((changed.status, types(&changed)), (200, vec!["a", "b"]), "{}", changed.body);
        assert_eq!((&changed.data()[0]["body"], &changed.data()[1]["enabled_at"]), (&json!({"n": 2}), &Value::Null));
    }
    for (bodies, status, text) in [
        (json!([{"uid": a, "body": {"n": 3}}, {"uid": "nonsense"}]), 404, "filter nonsense not found"),
        (json!([{"uid": a, "body": {"n": 3}}, {"body": {}}]), 404, "filter  not found"),
        (json!([{"uid": a, "body": {"n": 3}}, {"uid": b, "event_type": "a"}]), 400, "a filter for one of these"),
    ] {
        let refused = api.put(&bulk_update, bodies).await;
        assert_eq!(refused.status, status, "{}", refused.body);
        assert!(refused.message().starts_with(text), "{}", refused.body);
    }
    assert_eq!(api.get(&format!("{filters}/{}", a.as_str().unwrap())).await.data()["body"], json!({"n": 2}));
    api.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_filter_is_named() {
    let api = Api::start().await;
    let filters = format!("subscriptions/{}/filters", subscription(&api).await);
    let made = api.post(&filters, json!({"event_type": "a"})).await;
    for (body, status, text) in [
        (json!({"event_type": "a"}), 400, "filter with this event type already exists"),
        (json!({"event_type": ""}), 404, "event type does not exist"),
        (json!({"body": {}}), 404, "event type does not exist"),
        (json!({"event_type": 1}), 400, "body contains incorrect JSON"),
        (json!({"event_type": "b\u{0}"}), 400, "event_type: the NUL character"),
        (json!({"event_type": "x".repeat(2_049)}), 400, "event_type: at most"),
        (json!({"event_type": "b", "enabled_at": "soon"}), 400, "body contains incorrect JSON: enabled_at"),
        (json!({"event_type": "b", "body": "x"}), 400, "body contains incorrect JSON type for field \"body\""),
        (json!({"event_type": "b", "query": []}), 400, "body contains incorrect JSON type for field \"query\""),
        (json!({"event_type": "b", "path": {"a": "\u{0}"}}), 400, "path: the NUL character"),
        (json!({"event_type": "b", "headers": {"\u{0}": 1}}), 400, "headers: the NUL character"),
        (json!({"event_type": "b", "body": {"a": {"$weird": 1}}}), 400, "failed to create filter: body: $weird"),
        (json!({"event_type": "b", "headers": {"a.$.b": 1}}), 400, "failed to create filter: headers: a.$.b"),
        (
            json!({"event_type": "b", "body": {"a": {"$regex": "("}}}),
            400,
            "failed to create filter: body: a: the regular",
        ),
    ] {
        let refused = api.post(&filters, body.clone()).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.body);
        assert!(refused.message().starts_with(text), "{body}: {}", refused.body);
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    for raw in ["{\"event_type\":}".to_string(), "{".into(), format!(r#"{{"event_type":"b","body":{{"a":{deep}}}}}"#)] {
        let refused = api.send("POST", &api.path(&filters), Some(&api.key), &[], Some(raw)).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
    }
    let one = format!("{filters}/{}", made.uid());
    let refused = api.put(&one, json!({"body": {"a": {"$gt": "x"}}})).await;
    assert_eq!(
        (refused.status, refused.message()),
        (400, "failed to update filter: body: a: the value of $gt must be a number")
    );
    let taken = api.put(&one, json!({"event_type": "*"})).await;
    assert_eq!((taken.status, taken.message()), (400, "filter with this event type already exists"));
    for (rest, text) in [
        ("subscriptions/01HZZZZZZZZZZZZZZZZZZZZZZZ/filters".to_string(), "subscription not found"),
        ("subscriptions/nonsense/filters".into(), "subscription not found"),
        (format!("{filters}/01HZZZZZZZZZZZZZZZZZZZZZZZ"), "filter not found"),
        (format!("{filters}/nonsense"), "filter not found"),
    ] {
        let missing = api.get(&rest).await;
        assert_eq!((missing.status, missing.message()), (404, text), "{rest}");
    }
    let endpoint = api.endpoint("other").await;
    let other = api.post("subscriptions", json!({"name": "s", "endpoint_id": endpoint})).await.uid();
    let strange = api.get(&format!("subscriptions/{other}/filters/{}", made.uid())).await;
    assert_eq!((strange.status, strange.message()), (404, "filter does not belong to this subscription"));
    api.close().await;
}

#[tokio::test]
async fn filters_are_tried() {
    let api = Api::start().await;
    let filters = format!("subscriptions/{}/filters", subscription(&api).await);
    let body = json!({"event_type": "a", "body": {"n": 1}, "headers": {"x": "y"}});
    let made = api.post(&filters, body).await.uid();
    let tried = async |event_type: &str, body: Value| {
        let answer = api.post(&format!("{filters}/test/{event_type}"), body).await;
        assert_eq!((answer.status, answer.message()), (200, "Filter test completed"), "{}", answer.body);
        answer.data()["is_match"].as_bool().unwrap()
    };
    let whole = |name: &str, n: i32| json!({"request": {"body": {"n": n}, name: {"x": "y"}}});
    assert!(tried("a", whole("headers", 1)).await && tried("a", whole("header", 1)).await);
    assert!(!tried("a", whole("headers", 2)).await && !tried("a", json!({"payload": {"n": 1}})).await);
    assert!(tried("unknown", json!({"payload": {}})).await, "the filter for all types lets it through");
    api.put(&format!("{filters}/{made}"), json!({"headers": {}})).await;
    assert!(tried("a", json!({"payload": {"n": 1}})).await && !tried("a", json!({})).await);
    api.put(&format!("{filters}/{made}"), json!({"enabled_at": null})).await;
    assert!(tried("a", json!({"payload": {"n": 2}})).await);

    let request = json!({"body": {"a": 5}, "header": {"h": "x"}, "query": {"q": ["1", "2"]}, "path": {"path": "/p"}});
    for (schema, expected) in [
        (json!({"body": {"a": {"$gt": 4}}, "header": {"h": "x"}}), true),
        (json!({"body": {"a": {"$gt": 5}}, "header": {"h": "x"}}), false),
        (json!({"headers": {"h": "z"}}), false),
        (json!({"query": {"q": "2"}, "path": {"path": {"$regex": "^/"}}}), true),
        (json!({}), true),
        (Value::Null, true),
    ] {
        let answer = api.post("subscriptions/test_filter", json!({"request": request, "schema": schema})).await;
        assert_eq!((answer.status, answer.data()), (200, &json!(expected)), "{schema}: {}", answer.body);
    }
    let refused = api.post("subscriptions/test_filter", json!({"schema": {"body": {"$x": 1}}})).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().starts_with("failed to validate subscription filter: body: $x starts"),
        "{}",
        refused.body
    );
    api.close().await;
}

#[tokio::test]
async fn a_subscription_has_a_filter_of_its_own() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    let filter = json!({"headers": {"x": {"y": 1}}, "body": {"a": {"b": {"$gt": 1}}}, "query": {"c": {"d": "e"}}});
    let config = json!({"event_types": ["a"], "filter": filter});
    let made = api.post("subscriptions", json!({"name": "s", "endpoint_id": endpoint, "filter_config": config})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let shown = &made.data()["filter_config"]["filter"];
    assert_eq!(
        shown,
        &json!({"is_flattened": false, "headers": filter["headers"], "body": filter["body"], "query": filter["query"], "path": {}})
    );
    let path = format!("subscriptions/{}", made.uid());
    let read = api.get(&path).await;
    let shown = &read.data()["filter_config"]["filter"];
    assert_eq!((&shown["body"], &shown["query"]), (&filter["body"], &json!({"c.d": "e"})));
    assert_eq!(shown["is_flattened"], json!(true));
    let kept = api.put(&path, json!({"name": "t"})).await;
    assert_eq!(kept.data()["filter_config"]["filter"]["body"], filter["body"]);
    let cleared = api.put(&path, json!({"filter_config": {"event_types": []}})).await;
    assert_eq!(cleared.data()["filter_config"]["filter"]["body"], json!({}));
    assert_eq!(cleared.data()["filter_config"]["event_types"], json!(["a"]));
    for (filter, text) in [
        (json!({"body": {"a": {"$weird": 1}}}), "filter_config.filter: body: $weird"),
        (json!({"body": []}), "body contains incorrect JSON type for field \"body\""),
        (json!([]), "body contains incorrect JSON"),
    ] {
        let refused = api.put(&path, json!({"filter_config": {"filter": filter}})).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.message().starts_with(text), "{}", refused.body);
    }
    api.close().await;
}
