//! Functions of subscriptions are kept, and functions of all kinds are tried.

use serde_json::{Value, json};

use crate::harness::Api;

const FUNCTION: &str = "function transform(p) { console.log('seen', p); return {b: p.a} }";

#[tokio::test]
async fn a_subscription_keeps_its_function() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    let made = api.post("subscriptions", json!({"name": "s", "endpoint_id": endpoint, "function": FUNCTION})).await;
    assert_eq!((made.status, &made.data()["function"]), (201, &json!(FUNCTION)), "{}", made.body);
    let path = format!("subscriptions/{}", made.uid());
    assert_eq!(api.put(&path, json!({"name": "t"})).await.data()["function"], json!(FUNCTION));
    for (function, text) in [("a\u{0}", "function: the NUL character"), (&*"x".repeat(65_537), "")] {
        let refused = api.put(&path, json!({"function": function})).await;
        assert!([400, 413].contains(&refused.status) && refused.message().starts_with(text), "{}", refused.body);
    }
    assert_eq!(api.put(&path, json!({"function": ""})).await.data()["function"], Value::Null);
    assert_eq!(api.get(&path).await.data()["function"], Value::Null);
    api.close().await;
}

#[tokio::test]
async fn functions_are_tried() {
    let api = Api::start().await;
    for path in ["subscriptions/test_function", "sources/test_function"] {
        let kind = if path.starts_with("sources") { "header" } else { "" };
        let body = json!({"payload": {"a": "1"}, "function": FUNCTION, "type": kind});
        let tried = api.post(path, body).await;
        assert_eq!(tried.status, 200, "{}", tried.body);
        assert_eq!(tried.data(), &json!({"payload": {"b": "1"}, "log": ["seen {\"a\":\"1\"}"]}));
        for (function, text) in [
            ("", "function: please provide a function"),
            ("function other() {}", "the transform function is not found, please define it or rename"),
            ("function transform(p) { return p.x.y }", "TypeError: "),
            ("function transform(", "SyntaxError: "),
        ] {
            let refused = api.post(path, json!({"payload": {}, "function": function, "type": kind})).await;
            assert_eq!(refused.status, 400, "{}", refused.body);
            assert!(refused.message().starts_with(text), "{}", refused.body);
        }
    }
    let anything = "function transform(p) { return p }";
    for (payload, kind, text) in [
        (json!({"event_type": "a", "data": {}}), "body", ""),
        (json!({"event_type": "a", "data": {}}), "", ""),
        (json!({"event_type": "a"}), "body", "the function must return a message"),
        (json!({"event_type": "a", "data": {}, "more": 1}), "body", "the function must return a message"),
        (json!({"X-A": 1}), "header", "the function must return an object of texts"),
        (json!({}), "query", "type: body or header is expected"),
    ] {
        let body = json!({"payload": payload, "function": anything, "type": kind});
        let answer = api.post("sources/test_function", body).await;
        assert_eq!(answer.status, if text.is_empty() { 200 } else { 400 }, "{}", answer.body);
        assert!(text.is_empty() || answer.message().starts_with(text), "{}", answer.body);
    }
    api.close().await;
}
