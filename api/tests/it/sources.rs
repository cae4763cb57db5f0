//! Sources from their making to their end, in the shapes of the contract.

use chrono::DateTime;
use posthouse_jobs::queue::{Failing, SourceNote};
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    ids::SourceId,
    words::Role,
};
use serde_json::{Value, json};

use crate::harness::Api;

fn hmac(secret: &str) -> Value {
    json!({"type": "hmac", "hmac": {"header": "X-Sig", "hash": "SHA256", "secret": secret, "encoding": "hex"}})
}

#[tokio::test]
async fn a_source_has_every_field_of_the_contract() {
    let api = Api::start().await;
    let made = api.post("sources", json!({"name": "s", "type": "http", "verifier": hmac("src-secret")})).await;
    assert_eq!((made.status, made.message()), (201, "Source created successfully"));
    let mut data = made.data().clone();
    let mask = data["mask_id"].as_str().unwrap().to_string();
    assert!(mask.len() == 16 && mask.chars().all(|c| c.is_ascii_alphanumeric()));
    assert!(data["url"].as_str().unwrap().ends_with(&format!("/ingest/{mask}")), "{}", data["url"]);
    for varying in ["uid", "project_id", "mask_id", "url", "created_at", "updated_at"] {
        assert!(data[varying].take().is_string(), "{varying}");
    }
    let rest = json!({
        "uid": null, "project_id": null, "mask_id": null, "url": null, "created_at": null, "updated_at": null,
        "name": "s", "type": "http", "provider": "", "is_disabled": false,
        "verifier": {
            "type": "hmac",
            "hmac": {"header": "X-Sig", "hash": "SHA256", "secret": "src-secret", "encoding": "hex"},
            "basic_auth": null, "api_key": null,
        },
        "custom_response": {"body": "", "content_type": ""}, "provider_config": null, "forward_headers": null,
        "pub_sub": {"type": "", "workers": 0, "sqs": null, "google": null, "kafka": null, "amqp": null},
        "idempotency_keys": null, "event_type_location": "", "body_function": null, "header_function": null,
        "rate_limit": 0, "rate_limit_duration": 0,
        "deleted_at": null,
    });
    assert_eq!(data, rest);
    let read = api.get(&format!("sources/{}", made.uid())).await;
    assert_eq!((&read.data()["forward_headers"], &read.data()["idempotency_keys"]), (&json!([]), &json!([])));
    let twitter = json!({"name": "t", "type": "http", "provider": "twitter", "verifier": {"hmac": {"secret": "s"}}});
    let twitter = api.post("sources", twitter).await;
    assert_eq!(twitter.data()["provider_config"], json!({"twitter": {"crc_verified_at": null}}));
    let open = api.post("sources", json!({"name": "open", "type": "http"})).await;
    assert_eq!(open.data()["verifier"], json!({"type": "noop", "hmac": null, "basic_auth": null, "api_key": null}));
    api.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_source_is_named() {
    let api = Api::start().await;
    let verifier = |verifier: Value| json!({"verifier": verifier});
    let hmac_with = |field: &str, value: Value| {
        let mut verifier = hmac("s");
        verifier["hmac"][field] = value;
        json!({"verifier": verifier})
    };
    for (patch, part) in [
        (json!({"name": ""}), "name:please provide a source name"),
        (json!({"type": null}), "type:please provide a type"),
        (json!({"type": "telepathy"}), "type:unsupported source type"),
        (json!({"provider": "gitlab"}), "provider: one of github, twitter, shopify is expected"),
        (json!({"provider": "github"}), "hmac secret is required for github source"),
        (json!({"provider": "github", "verifier": {"type": "noop"}}), "hmac secret is required for github source"),
        (verifier(json!({"type": "psychic"})), "type:please provide a valid verifier type"),
        (verifier(json!({"type": "hmac"})), "invalid verifier config for hmac"),
        (verifier(json!({"type": "basic_auth"})), "invalid verifier config for basic auth"),
        (verifier(json!({"type": "api_key"})), "invalid verifier config for api key"),
        (verifier(json!({"type": "stripe"})), "invalid verifier config for stripe"),
        (verifier(json!({"type": "slack", "slack": {}})), "secret:please provide a secret"),
        (verifier(json!({"type": "svix", "svix": {"secret": "whsec_!"}})), "verifier: the secret of standard_webhooks"),
        (verifier(json!({"type": "basic_auth", "basic_auth": {"username": "a:b", "password": "p"}})), "a colon"),
        (
            verifier(json!({"type": "basic_auth", "basic_auth": {"username": "a"}})),
            "password:please provide a password",
        ),
        (
            verifier(json!({"type": "api_key", "api_key": {"header_name": "a b", "header_value": "v"}})),
            "header_name is not",
        ),
        (verifier(json!({"type": "hmac", "hmac": 7})), "invalid type"),
        (hmac_with("hash", json!("MD4")), "hash:MD4 does not validate as supported_hash"),
        (hmac_with("encoding", json!("base32")), "encoding:please provide a valid encoding type"),
        (hmac_with("header", json!(null)), "header:please provide a header"),
        (hmac_with("header", json!("X Sig")), "header is not a header name"),
        (hmac_with("secret", json!("")), "secret:please provide a secret"),
        (hmac_with("secret", json!("a\u{0}")), "verifier.hmac.secret: the NUL"),
        (json!({"idempotency_keys": ["body.id"]}), "not enough parts set for idempotency key with value: body.id"),
        (json!({"idempotency_keys": ["request.cookie.id"]}), "unsupported location"),
        (json!({"event_type_location": "nowhere"}), "not enough parts set for event type location with value: nowhere"),
        (json!({"event_type_location": "request.header.a.b"}), "only a selector of the body may be nested"),
        (json!({"event_type_location": "request.body.a.#"}), "a backslash before it"),
        (
            json!({"event_type_location": "request.header.X-Type", "verifier": hmac("s")}),
            "event type location cannot use request headers or query parameters with payload signature verification",
        ),
        (
            json!({"event_type_location": "request.query.t", "verifier": {"type": "stripe", "stripe": {"secret": "s"}}}),
            "event type location cannot use request headers",
        ),
        (json!({"custom_response": {"body": "x".repeat(51_201)}}), "body too large"),
        (json!({"custom_response": {"body": "x", "content_type": "text"}}), "custom_response.content_type"),
        (json!({"custom_response": {"body": "x", "content_type": "text/a\nb: c"}}), "custom_response.content_type"),
        (json!({"custom_response": {"body": "\u{0}"}}), "custom_response.body: the NUL"),
        (json!({"forward_headers": (0..51).map(|n| format!("x-{n}")).collect::<Vec<_>>()}), "at most 50 entries"),
        (json!({"body_function": "function transform(p) { return p }"}), "body_function: only sources of type pub_sub"),
    ] {
        let mut body = json!({"name": "s", "type": "http"});
        for (name, value) in patch.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = api.post("sources", body).await;
        assert!([400, 413].contains(&answer.status), "{patch}");
        assert!(answer.message().contains(part), "{patch}: {}", answer.message());
    }
    assert!(api.get("sources").await.data()["content"].as_array().unwrap().is_empty());
    api.close().await;
}

#[tokio::test]
async fn a_source_of_a_broker_has_functions_and_a_status() {
    let api = Api::start().await;
    let pub_sub = json!({"type": "mqtt", "mqtt": {"host": "broker.example.com", "topic": "t"}});
    let function = "function transform(m) { return {event_type: 'a', data: m} }";
    let body = json!({"name": "s", "type": "pub_sub", "pub_sub": pub_sub, "body_function": function});
    let made = api.post("sources", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!((&made.data()["body_function"], &made.data()["header_function"]), (&json!(function), &Value::Null));
    let path = format!("sources/{}", made.uid());
    let change = |patch: Value| {
        let mut body = json!({"name": "s", "type": "pub_sub"});
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        body
    };
    let changed = api.put(&path, change(json!({"header_function": "function transform(h) { return h }"}))).await;
    assert_eq!(changed.data()["body_function"], json!(function), "what is not spoken of stays");
    for (text, part) in [("a\u{0}", "header_function: the NUL character"), (&*"x".repeat(65_537), "")] {
        let refused = api.put(&path, change(json!({"header_function": text}))).await;
        assert!([400, 413].contains(&refused.status) && refused.message().starts_with(part), "{}", refused.body);
    }
    let removed = api.put(&path, change(json!({"header_function": " "}))).await;
    assert_eq!(removed.data()["header_function"], Value::Null);
    let unread = api.get(&format!("{path}/status")).await;
    let nothing = json!({
        "uid": made.uid(), "is_connected": false, "received": 0, "accepted": 0, "rejected": 0, "lag": null, "last_message_at": null,
        "last_error": null, "last_error_at": null, "failing_since": null, "failing_reason": null, "updated_at": null,
    });
    assert_eq!((unread.status, unread.data()), (200, &nothing));
    let id: SourceId = made.uid().parse().unwrap();
    let since = DateTime::from_timestamp_millis(1_800_000_000_000).unwrap();
    let note = SourceNote {
        received: 3,
        accepted: 1,
        rejected: 2,
        is_connected: true,
        lag: Some(9),
        last_message_at: Some(since),
        error: Some(("the body is not JSON".into(), since)),
    };
    api.queues.note_source(id, &note).await.unwrap();
    api.queues.begin_failing(id, &Failing { since, reason: "rejecting".into() }).await.unwrap();
    let mut told = api.get(&format!("{path}/status")).await.data().clone();
    assert!(told["updated_at"].take().is_string());
    assert_eq!(
        told,
        json!({
            "uid": made.uid(), "is_connected": true, "received": 3, "accepted": 1, "rejected": 2, "lag": 9,
            "last_message_at": "2027-01-15T08:00:00Z", "last_error": "the body is not JSON",
            "last_error_at": "2027-01-15T08:00:00Z", "failing_since": "2027-01-15T08:00:00Z", "failing_reason": "rejecting",
            "updated_at": null,
        })
    );
    let other = api.put(&path, json!({"name": "s", "type": "http", "verifier": {"type": "noop"}})).await;
    assert_eq!((other.status, &other.data()["body_function"]), (202, &Value::Null), "a source over HTTP has none");
    assert_eq!(api.get("sources/01HZZZZZZZZZZZZZZZZZZZZZZZ/status").await.status, 404);
    api.queues.forget_source(id).await.unwrap();
    api.close().await;
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_speak_of() {
    let api = Api::start().await;
    let full = json!({
        "name": "s", "type": "http", "verifier": hmac("src-secret"), "is_disabled": true,
        "custom_response": {"body": "<ok/>", "content_type": "application/xml"}, "forward_headers": ["Authorization"],
        "idempotency_keys": ["request.body.id", "request.header.X-Id"], "event_type_location": "request.body.kind",
    });
    let made = api.post("sources", full).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("sources/{}", made.uid());
    let renamed = api.put(&path, json!({"name": "t", "type": "http"})).await;
    assert_eq!((renamed.status, renamed.message()), (202, "Source updated successfully"));
    let mut expected = made.data().clone();
    expected["name"] = json!("t");
    expected["updated_at"] = renamed.data()["updated_at"].clone();
    assert_eq!(renamed.data(), &expected, "above all, the verifier still stands");
    let hidden = api.put(&path, json!({"name": "t", "type": "http", "verifier": hmac("[REDACTED]")})).await;
    assert_eq!(hidden.data()["verifier"]["hmac"]["secret"], "src-secret", "a hidden secret keeps the stored one");
    let by_post = api.post(&path, json!({"name": "u", "type": "http", "verifier": {"type": "noop"}, "is_disabled": false, "forward_headers": []})).await;
    assert_eq!((by_post.status, &by_post.data()["verifier"]["type"]), (202, &json!("noop")));
    assert_eq!((&by_post.data()["is_disabled"], &by_post.data()["forward_headers"]), (&json!(false), &json!([])));
    for (body, message) in
        [(json!({"name": "x"}), "type:please provide a type"), (json!({"type": "http"}), "name:please")]
    {
        let answer = api.put(&path, body.clone()).await;
        assert!(answer.status == 400 && answer.message().contains(message), "{body}: {}", answer.body);
    }
    let unknown = api.put("sources/01HZZZZZZZZZZZZZZZZZZZZZZZ", json!({"name": "x", "type": "http"})).await;
    assert_eq!((unknown.status, unknown.message()), (404, "source not found"));
    api.close().await;
}

#[tokio::test]
async fn sources_are_found_by_type_provider_and_part_of_the_name() {
    let api = Api::start().await;
    for (name, provider) in [("hmac", ""), ("hmac512", ""), ("github", "github"), ("50%", "")] {
        let body = json!({"name": name, "type": "http", "provider": provider, "verifier": hmac("s")});
        assert_eq!(api.post("sources", body).await.status, 201);
    }
    let names = async |query: &str| {
        let answer = api.get(&format!("sources?{query}")).await;
        let rows = answer.data()["content"].as_array().unwrap().clone();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("q=HMAC").await, ["hmac512", "hmac"]);
    assert_eq!(names("q=%25").await, ["50%"], "a wildcard means itself");
    assert_eq!(names("provider=github").await, ["github"]);
    assert_eq!((names("type=http&perPage=2").await.len(), names("type=pub_sub").await.len()), (2, 0));
    api.close().await;
}

#[tokio::test]
async fn only_those_who_may_change_a_source_read_its_secret() {
    let api = Api::start().await;
    let secret = "known-to-managers";
    let source = api.post("sources", json!({"name": "s", "type": "http", "verifier": hmac(secret)})).await.uid();
    let mut conn = api.database.pool().get().await.unwrap();
    let owner = Owner::Project(api.project.parse().unwrap());
    let (_, viewer) = ApiKey::insert(&mut conn, owner, "viewer", Role::ProjectViewer, None).await.unwrap();
    for rest in [format!("sources/{source}"), "sources".into()] {
        assert!(api.get(&rest).await.body.to_string().contains(secret), "{rest}");
        let seen = api.send("GET", &api.path(&rest), Some(viewer.expose()), &[], None).await;
        assert_eq!(seen.status, 200);
        assert!(!seen.body.to_string().contains(secret), "{rest}: {}", seen.body);
        assert!(seen.body.to_string().contains("[REDACTED]"), "{rest}: {}", seen.body);
    }
    api.close().await;
}

#[tokio::test]
async fn a_deleted_source_takes_its_subscriptions_with_it() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    let source = api.post("sources", json!({"name": "s", "type": "http"})).await.uid();
    let body = json!({"name": "s", "endpoint_id": endpoint, "source_id": source});
    let subscription = api.post("subscriptions", body).await.uid();
    assert_eq!(api.delete(&format!("sources/{source}")).await.message(), "Source deleted successfully");
    assert_eq!(api.get(&format!("subscriptions/{subscription}")).await.status, 404);
    let again = api.delete(&format!("sources/{source}")).await;
    assert_eq!((again.status, again.message()), (404, "source not found"));
    api.close().await;
}
