//! Pages on the way of an event: how endpoints authenticate, filters and retries of subscriptions, replays of many.

use posthouse_schema::{
    batch_run::BatchRun,
    endpoint::Endpoint,
    words::{DeliveryStatus, Role},
};
use serde_json::{Value, json};

use crate::{
    dashboard::{Browser, location, text},
    dashboard_audit::{AUTHENTICATION, FILTERS, REPLAYS, assert_left},
    dashboard_made::administrator,
    harness::Api,
};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one life, from its making to its end")]
async fn an_endpoint_authenticates_as_it_is_told() {
    let api = Api::start().await;
    let browser = administrator(&api).await;
    let endpoint = api.endpoint("receiver").await;
    let own = format!("/projects/{}/endpoints/{endpoint}", api.project);
    let path = format!("{own}/authentication");
    let read = async || api.get(&format!("endpoints/{endpoint}")).await.data()["authentication"].clone();
    assert!(browser.page(&path).await.contains("aria-current=\"page\">Signatures alone"));
    for way in ["none", "api_key", "basic_auth", "oauth2", "oauth2_assertion"] {
        assert!(browser.page(&format!("{path}?way={way}")).await.contains(&format!("value=\"{way}\"")), "{way}");
    }
    let basic = |password: &'static str| {
        [
            ("do", "save"),
            ("way", "basic_auth"),
            ("authentication.basic_auth.username", "ada"),
            ("authentication.basic_auth.password", password),
        ]
    };
    let refused = browser.post(&path, &basic("")).await;
    assert!(refused.status == 422 && text(&refused).contains("role=\"alert\""), "{}", refused.body);
    assert_eq!(location(&browser.post(&path, &basic("s3cret")).await), own);
    let shown = browser.page(&path).await;
    assert!(shown.contains("value=\"ada\"") && shown.contains("It is stored") && !shown.contains("s3cret"), "{shown}");
    assert_eq!(location(&browser.post(&path, &basic("")).await), own, "an empty field keeps it");
    let mut conn = api.database.pool().get().await.unwrap();
    let row =
        Endpoint::find(&mut conn, api.project.parse().unwrap(), endpoint.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(row.authentication().unwrap().unwrap()["basic_auth"]["password"], "s3cret");
    drop(conn);

    let oauth2 = [
        ("do", "try"),
        ("way", "oauth2"),
        ("authentication.oauth2.url", "http://127.0.0.1:9/token"),
        ("authentication.oauth2.client_id", "me"),
        ("authentication.oauth2.client_secret", "of-the-client"),
    ];
    let tried = browser.post(&path, &oauth2).await;
    assert!(
        tried.status == 200 && text(&tried).contains("No token") && !text(&tried).contains("of-the-client"),
        "{}",
        tried.body
    );
    assert_eq!(read().await["type"], "basic_auth", "trying changes nothing");
    let wrong = browser.post(&path, &[("way", "oauth2"), ("authentication.oauth2.client_id", "me")]).await;
    assert!(wrong.status == 422 && text(&wrong).contains("authentication.oauth2.url-error"), "{}", wrong.body);
    assert_eq!(location(&browser.post(&path, &[("do", "save"), ("way", "none")]).await), own);
    assert_eq!(read().await, json!({}));
    assert_eq!(browser.post(&path, &[("way", "nothing")]).await.status, 404);

    // Everything else that an endpoint is set to.
    let more = [
        ("name", "receiver"),
        ("url", "https://example.com/hook"),
        ("http_timeout", "7"),
        ("advanced_signatures", "true"),
        ("follow_redirects", "true"),
        ("ordering.failing_head", "park"),
        ("ordering.attempts", "4"),
        ("slack_webhook_url", "https://hooks.slack.com/s3cret"),
        ("support_email", "ops@example.com"),
    ];
    assert_eq!(location(&browser.post(&format!("{own}/edit"), &more).await), own);
    let stored = api.get(&format!("endpoints/{endpoint}")).await.data().clone();
    assert_eq!(
        (&stored["ordering"], &stored["follow_redirects"]),
        (&json!({"failing_head": "park", "attempts": 4}), &json!(true))
    );
    let page = browser.page(&own).await;
    assert!(
        page.contains("it is given up after 4 attempts") && page.contains("Slack") && !page.contains("s3cret"),
        "{page}"
    );
    let mut removed: Vec<(&str, &str)> = more.into_iter().filter(|(name, _)| *name != "slack_webhook_url").collect();
    removed.push(("slack_webhook_url.remove", "true"));
    assert_eq!(location(&browser.post(&format!("{own}/edit"), &removed).await), own);
    assert!(api.get(&format!("endpoints/{endpoint}")).await.data().get("slack_webhook_url").is_none());
    let wrong =
        [("name", "receiver"), ("url", "https://example.com/hook"), ("mtls_client_cert.client_cert", "nonsense")];
    let wrong = browser.post(&format!("{own}/edit"), &wrong).await;
    assert!(wrong.status == 422 && text(&wrong).contains("client_cert-error"), "{}", wrong.body);
    assert_left(&api, AUTHENTICATION).await;
    api.close().await;
}

#[tokio::test]
async fn a_subscription_has_filters_for_single_types_and_retries_of_its_own() {
    let api = Api::start().await;
    let browser = administrator(&api).await;
    let endpoint = api.endpoint("receiver").await;
    let list = format!("/projects/{}/subscriptions", api.project);
    let retries = |kind: &'static str, schedule: &'static str| {
        vec![
            ("do", "save"),
            ("name", "all"),
            ("retry_config.type", kind),
            ("retry_config.duration", "7"),
            ("retry_config.retry_count", "3"),
            ("retry_config.schedule", schedule),
        ]
    };
    let send = async |path: &str, fields: Vec<(&'static str, &'static str)>| {
        let mut all: Vec<(&str, &str)> = fields;
        all.push(("endpoint_id", &endpoint));
        browser.post(path, &all).await
    };
    let wrong = send(&format!("{list}/new"), retries("custom", "")).await;
    assert!(wrong.status == 422 && text(&wrong).contains("retry_config.schedule-error"), "{}", wrong.body);
    let own = location(&send(&format!("{list}/new"), retries("custom", "5\n300")).await);
    let id = own.rsplit('/').next().unwrap().to_string();
    let read = async || api.get(&format!("subscriptions/{id}")).await.data().clone();
    assert_eq!(read().await["retry_config"]["schedule"], json!([5, 300]));
    assert!(browser.page(&own).await.contains("5\n300"));
    assert_eq!(location(&send(&own, retries("linear", "")).await), own);
    assert_eq!(
        (&read().await["retry_config"]["type"], &read().await["retry_config"]["retry_count"]),
        (&json!("linear"), &json!(3))
    );

    let new = format!("{own}/filters/new");
    assert!(browser.page(&new).await.contains("name=\"event_type\""));
    let filter = |event_type: &'static str, body: &'static str, enabled: &'static str| {
        [("event_type", event_type), ("body", body), ("is_enabled", enabled)]
    };
    for (fields, expected) in [
        (filter("", "{}", "true"), "event_type-error"),
        (filter("order.paid", "{", "true"), "body-error"),
        (filter("order.paid", r#"{"a": {"$nope": 1}}"#, "true"), "role=\"alert\""),
    ] {
        let refused = browser.post(&new, &fields).await;
        assert!(refused.status == 422 && text(&refused).contains(expected), "{expected}: {}", refused.body);
    }
    assert_eq!(location(&browser.post(&new, &filter("order.<b>", r#"{"a": 1}"#, "true")).await), own);
    let page = browser.page(&own).await;
    assert!(page.contains("order.&lt;b&gt;") && page.contains("decide as well"), "{page}");
    let filters = api.get(&format!("subscriptions/{id}/filters")).await;
    let made = filters.data().as_array().unwrap().iter().find(|row| row["event_type"] == "order.<b>").unwrap().clone();
    let of_filter = format!("{own}/filters/{}", made["uid"].as_str().unwrap());
    assert!(browser.page(&of_filter).await.contains("&quot;a&quot;: 1"));
    assert_eq!(location(&browser.post(&of_filter, &filter("order.<b>", "", "")).await), own);
    let changed = api.get(&format!("subscriptions/{id}/filters/{}", made["uid"].as_str().unwrap())).await;
    assert_eq!(
        (&changed.data()["body"], &changed.data()["enabled_at"]),
        (&json!({}), &Value::Null),
        "{}",
        changed.body
    );
    assert_eq!(location(&browser.post(&of_filter, &filter("order.<b>", "", "true")).await), own);
    assert!(browser.page(&own).await.contains("Nothing: all pass"));
    assert_eq!(location(&browser.post(&format!("{of_filter}/delete"), &[]).await), own);
    assert_eq!(browser.get(&of_filter).await.status, 404);
    api.join("viewer", Role::ProjectViewer).await;
    let viewer = Browser::signed_in(&api, "viewer").await;
    assert_eq!((viewer.get(&new).await.status, viewer.post(&new, &[]).await.status), (403, 403));
    assert_left(&api, FILTERS).await;
    api.close().await;
}

#[tokio::test]
async fn everything_that_a_query_matched_is_tried_and_replayed() {
    let api = Api::start().await;
    let browser = administrator(&api).await;
    let endpoint = api.endpoint("receiver").await;
    api.stored(&endpoint, "key-1", DeliveryStatus::Success).await;
    api.stored(&endpoint, "key-2", DeliveryStatus::Success).await;
    let events = format!("/projects/{}/events", api.project);
    let replay = format!("{events}/replay?idempotencyKey=key-1");
    assert!(
        browser.page(&format!("{events}?idempotencyKey=key-1")).await.contains("/events/replay?idempotencyKey=key-1")
    );
    let asked = browser.page(&replay).await;
    assert!(asked.contains("<b>1</b> events match"), "{asked}");
    let searched = browser.page(&format!("{events}/replay?query=order")).await;
    assert!(searched.contains("role=\"alert\"") && searched.contains("search filters"), "{searched}");
    assert!(browser.page(&format!("{events}/replay?idempotencyKey=none")).await.contains("No event that matches"));

    let tried = browser.post(&replay, &[("do", "try")]).await;
    let batch = location(&tried);
    assert!(batch.contains("/batches/"), "{}", tried.body);
    let page = browser.page(&batch).await;
    assert!(page.contains("Replay, only tried") && page.contains("key-1") && page.contains("Call off"), "{page}");
    // What a worker finds out by trying.
    let id = batch.rsplit('/').next().unwrap();
    let report = json!({"events": 1, "unmatched": 0, "deliveries": 1, "endpoints": {&endpoint: 1}, "others": 0});
    let mut conn = api.database.pool().get().await.unwrap();
    let run = BatchRun::find(&mut conn, api.project.parse().unwrap(), id.parse().unwrap()).await.unwrap().unwrap();
    run.advance(&mut conn, (run.id.to_bits(), 1), Some(&report)).await.unwrap();
    drop(conn);
    assert_eq!(location(&browser.post(&format!("{batch}/cancel"), &[]).await), batch);
    let page = browser.page(&batch).await;
    assert!(page.contains("What a replay would do") && page.contains("receiver"), "{page}");
    let begun = browser.post(&replay, &[("do", "replay")]).await;
    assert_ne!(location(&begun), batch, "{}", begun.body);
    assert!(browser.page(&location(&begun)).await.contains("<h1>Replay</h1>"));
    api.join("viewer", Role::ProjectViewer).await;
    let viewer = Browser::signed_in(&api, "viewer").await;
    assert_eq!((viewer.get(&replay).await.status, viewer.post(&replay, &[]).await.status), (403, 403));
    assert!(!viewer.page(&batch).await.contains("Call off"));
    assert!(!viewer.page(&events).await.contains("Replay all"));
    assert_eq!(browser.get(&format!("/projects/{}/batches/x", api.project)).await.status, 404);
    assert_left(&api, REPLAYS).await;
    api.close().await;
}
