//! Bad input gets a clear 4xx that names what is wrong, and nothing is queued.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Api, BODY_BYTES_MAX};

#[tokio::test]
async fn credentials_that_are_missing_or_wrong_are_refused_alike() {
    let api = Api::start().await;
    let path = api.path("endpoints");
    for (header, message) in [
        (None, "Authentication required"),
        (Some("Bearer"), "Authentication required"),
        (Some("Bearer  x"), "Authentication required"),
        (Some("Digest x"), "Authentication required"),
        (Some("Bearer x"), "authorization failed"),
        (Some("Basic eDp5"), "authorization failed"),
        (Some("Bearer a.b.c"), "authorization failed"),
    ] {
        let headers: Vec<(&str, &str)> = header.map(|value| ("authorization", value)).into_iter().collect();
        let answer = api.send("GET", &path, None, &headers, None).await;
        assert_eq!((answer.status, &answer.body), (401, &json!({"status": false, "message": message})), "{header:?}");
    }
    let mut wrong = api.key.clone();
    wrong.pop();
    wrong.push(if api.key.ends_with('x') { 'y' } else { 'x' });
    assert_eq!(api.send("GET", &path, Some(&wrong), &[], None).await.status, 401);
    api.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_named() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    let event = |patch: Value| {
        let mut body = json!({"endpoint_id": endpoint, "event_type": "a", "data": {}});
        for (key, value) in patch.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    for (patch, part) in [
        (json!({"endpoint_id": null}), "please provide an endpoint ID"),
        (json!({"endpoint_id": "01HZZZZZZZZZZZZZZZZZZZZZZZ"}), "endpoint not found"),
        (json!({"endpoint_id": "nonsense"}), "endpoint not found"),
        (json!({"event_type": ""}), "event_type:please provide an event type"),
        (json!({"event_type": "a\u{0}b"}), "event_type: the NUL character"),
        (json!({"event_type": 7}), "invalid type: integer `7`"),
        (json!({"idempotency_key": "a\nb"}), "idempotency_key"),
        (json!({"custom_headers": {"X-A": "b\r\nX-Injected: 1"}}), "the value of X-A"),
        (json!({"custom_headers": {"X A": "b"}}), "is not a header name"),
        (json!({"custom_headers": {"Content-Length": "0"}}), "Content-Length cannot be set"),
    ] {
        let answer = api.post("events", event(patch.clone())).await;
        assert_eq!(answer.status, 400, "{patch}");
        assert!(answer.message().contains(part), "{patch}: {}", answer.message());
    }
    let path = api.path("events");
    for (body, status) in [("", 400), ("{", 400), ("[]", 400), ("null", 400)] {
        assert_eq!(api.send("POST", &path, Some(&api.key), &[], Some(body.into())).await.status, status, "{body}");
    }
    let large = event(json!({"data": "x".repeat(BODY_BYTES_MAX)}));
    let answer = api.post("events", large).await;
    assert_eq!((answer.status, answer.body["status"].clone()), (413, json!(false)), "{}", answer.body);
    assert_eq!(answer.headers["connection"], "close", "nothing can follow a body that was not read");
    let forged = api.send("POST", &path, Some("CO.forged"), &[], Some("{}".into())).await;
    assert_eq!((forged.status, forged.headers["connection"].to_str().unwrap()), (401, "close"));
    let typed = api.send("POST", &path, Some(&api.key), &[("content-type", "text/plain")], Some("{}".into())).await;
    assert_eq!((typed.status, typed.body), (415, json!("")));
    assert!(api.queued_events().await.is_empty(), "nothing that was refused is queued");
    api.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_endpoint_or_a_query_is_named() {
    let api = Api::start().await;
    for (body, part) in [
        (json!({"url": "https://example.com"}), "name"),
        (json!({"name": "e"}), "url"),
        (json!({"name": "e", "url": "nonsense"}), "valid host"),
        (json!({"name": "e", "url": "ftp://example.com"}), "scheme"),
        (json!({"name": "e", "url": "https://u:p@example.com"}), "credentials"),
        (json!({"name": "e", "url": "https://example.com", "support_email": "x@y\r\nBcc: z@w.com"}), "support_email"),
        (json!({"name": "e", "url": "https://example.com", "content_type": "text/html"}), "content_type"),
        (json!({"name": "e", "url": "https://example.com", "authentication": {"type": "oauth2"}}), "oauth2"),
        (
            json!({"name": "e", "url": "https://example.com", "authentication": {"type": "api_key"}}),
            "api key field is required",
        ),
        (json!({"name": "e", "url": "https://example.com", "http_timeout": 1_000_000}), "http_timeout"),
        (json!({"name": "e\u{0}", "url": "https://example.com"}), "NUL"),
    ] {
        let answer = api.post("endpoints", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.message().contains(part), "{body}: {}", answer.message());
    }
    for (rest, part) in [
        ("events?startDate=yesterday", "startDate"),
        ("events?startDate=2026-02-01T00:00:00&endDate=2026-01-01T00:00:00", "cannot be greater"),
        ("events?perPage=-1", "perPage"),
        ("events?perPage=1001", "perPage"),
        ("events?endpointId=x", "endpointId"),
        ("eventdeliveries?status=Lost", "status"),
        ("eventdeliveries?idempotencyKey=none", "event not found"),
    ] {
        let answer = api.get(rest).await;
        assert_eq!(answer.status, 400, "{rest}");
        assert!(answer.message().contains(part), "{rest}: {}", answer.message());
    }
    for rest in [
        "events?perPage=many",
        "events?next_page_cursor=garbage",
        "events?startDate=0001-01-01T00:00:00",
        "eventdeliveries?sort=asc",
    ] {
        assert_eq!(api.get(rest).await.status, 200, "{rest}");
    }
    assert_eq!(api.get("nothing").await.status, 404);
    assert_eq!(api.send("GET", "/nothing", None, &[], None).await.status, 404);
    let method = api.send("DELETE", &api.path("events"), Some(&api.key), &[], None).await;
    assert_eq!((method.status, &method.body), (405, &json!("")));
    assert_eq!(method.headers["allow"], "GET, HEAD, OPTIONS, POST");
    api.close().await;
}

#[test]
fn no_input_is_answered_with_a_5xx() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let api = runtime.block_on(Api::start());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let strategy = ("[ -~\u{0}\u{e4}]{0,80}", "[a-zA-Z0-9%&=+.:_-]{0,60}", 0..11_usize);
    let result = runner.run(&strategy, |(body, query, route)| {
        let routes = [
            "endpoints",
            "subscriptions",
            "sources",
            "events",
            "eventdeliveries",
            "eventdeliveries/x/deliveryattempts",
            "event-types",
            "event-types/import",
            "onboard",
            "meta-events",
            "endpoints/oauth2/test",
        ];
        let (path, key) = (api.path(routes[route]), Some(api.key.as_str()));
        let got = runtime.block_on(api.send("GET", &format!("{path}?{query}"), key, &[], None));
        prop_assert!(got.status < 500, "GET {}?{}: {}", path, query, got.body);
        let posted = runtime.block_on(api.send("POST", &path, key, &[], Some(body.clone())));
        prop_assert!(posted.status < 500, "POST {} {:?}: {}", path, body, posted.body);
        let named =
            json!({"name": body, "url": body, "endpoint_id": body, "event_type": body, "data": body, "type": body,
                "spec": body, "json_schema": {"title": body}, "items": [{"name": body, "url": body}], "oauth2": {"url": body}})
                .to_string();
        let posted = runtime.block_on(api.send("POST", &path, key, &[], Some(named.clone())));
        prop_assert!(posted.status < 500, "POST {} {:?}: {}", path, named, posted.body);
        Ok(())
    });
    result.unwrap();
    runtime.block_on(api.close());
}
