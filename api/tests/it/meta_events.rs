//! Meta events: what the API announces, and what it shows of them.

use posthouse_jobs::DeliverMetaEvent;
use posthouse_schema::{
    ids::MetaEventId,
    meta_event::{MetaAttempt, MetaEvent, MetaOutcome, NewMetaEvent},
    words::{DeliveryStatus, RetryStrategy},
};
use serde_json::{Value, json};

use crate::harness::{Answer, Api};

async fn configure(api: &Api, meta_event: Value) -> Answer {
    let body = json!({"name": "orders", "config": {"meta_event": meta_event}}).to_string();
    api.send("PUT", &format!("/api/v1/projects/{}", api.project), Some(&api.key), &[], Some(body)).await
}

async fn enable(api: &Api, kinds: &[&str]) {
    let answer =
        configure(api, json!({"is_enabled": true, "url": "https://ops.example.com/m", "event_type": kinds})).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

async fn announced(api: &Api) -> Vec<(String, Value)> {
    let jobs = api.queued::<DeliverMetaEvent>().await;
    let told = |job: DeliverMetaEvent| {
        let new = job.new.unwrap();
        (new.event_type.to_string(), serde_json::from_str(new.data.get()).unwrap())
    };
    jobs.into_iter().map(told).collect()
}

#[tokio::test]
async fn a_project_is_told_only_what_it_asked_for_and_no_secrets() {
    let api = Api::start().await;
    api.endpoint("before").await;
    assert!(announced(&api).await.is_empty(), "nobody has asked");
    enable(&api, &["endpoint.created", "endpoint.deleted"]).await;
    let body = json!({"name": "e", "url": "https://example.com/e", "secret": "whsec-hidden", "authentication":
        {"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "key-hidden"}}});
    let id = api.post("endpoints", body).await.uid();
    let change = json!({"name": "e2", "url": "https://example.com/e"});
    assert_eq!(api.put(&format!("endpoints/{id}"), change).await.status, 202);
    assert_eq!(api.put(&format!("endpoints/{id}/pause"), json!({})).await.status, 202);
    assert_eq!(api.delete(&format!("endpoints/{id}")).await.status, 200);
    let told = announced(&api).await;
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["endpoint.created", "endpoint.deleted"]);
    let (made, gone) = (&told[0].1, &told[1].1);
    assert_eq!((&made["uid"], &made["name"], &made["status"]), (&json!(id), &json!("e"), &json!("active")));
    assert_eq!(made["secrets"][0]["value"], "[REDACTED]");
    assert_eq!(made["authentication"]["api_key"], json!({"header_name": "X-Key", "header_value": "[REDACTED]"}));
    assert!(gone["deleted_at"].is_string() && gone["name"] == "e2");
    assert!(told.iter().all(|(_, data)| !data.to_string().contains("hidden")));
    api.close().await;
}

#[tokio::test]
async fn settings_are_given_as_a_whole_and_checked() {
    let api = Api::start().await;
    for (meta_event, message) in [
        (json!({"is_enabled": true}), "config.meta_event.url: please provide the endpoint url"),
        (
            json!({"is_enabled": true, "type": "pigeon", "url": "https://example.com"}),
            "config.meta_event.type: http is expected",
        ),
        (
            json!({"is_enabled": true, "url": "http://127.0.0.1:1/x"}),
            "config.meta_event.url: endpoint url must not point to localhost",
        ),
        (
            json!({"is_enabled": true, "url": "https://example.com", "event_type": ["endpoint.paused"]}),
            "config.meta_event.event_type",
        ),
        (json!({"is_enabled": "yes"}), "config: "),
    ] {
        let answer = configure(&api, meta_event.clone()).await;
        assert_eq!(answer.status, 400, "{meta_event}");
        assert!(answer.message().starts_with(message), "{meta_event}: {}", answer.message());
    }
    enable(&api, &["endpoint.created"]).await;
    let shown = configure(&api, json!({"is_enabled": true, "url": "https://example.com/x"})).await;
    let meta_event = &shown.data()["config"]["meta_event"];
    assert_eq!((&meta_event["type"], &meta_event["event_type"]), (&json!("http"), &Value::Null));
    assert_eq!(meta_event["secret"].as_str().unwrap().len(), 25);
    let off = configure(&api, json!({"is_enabled": false})).await;
    let expected =
        json!({"is_enabled": false, "type": "", "event_type": null, "url": "", "secret": "", "pub_sub": null});
    assert_eq!(off.data()["config"]["meta_event"], expected);
    api.close().await;
}

#[tokio::test]
async fn meta_events_are_listed_read_and_sent_again() {
    let mut api = Api::start().await;
    let empty = api.get("meta-events").await;
    assert_eq!((empty.status, empty.message()), (200, "Meta events fetched successfully"));
    assert_eq!(empty.data()["content"], json!([]));
    let project = api.project.parse().unwrap();
    let (id, mut conn) = (MetaEventId::generate(), api.database.pool().get().await.unwrap());
    let new = NewMetaEvent {
        project_id: project,
        id,
        event_type: "endpoint.created".into(),
        payload: br#"{"event_type":"endpoint.created","data":{"uid":"e1"}}"#.to_vec(),
        strategy: RetryStrategy::Linear,
        retry_interval_seconds: 7,
        retry_limit: 1,
    };
    MetaEvent::insert_new(&mut conn, &new).await.unwrap();
    MetaEvent::insert_new(&mut conn, &new).await.unwrap();
    let mut attempt =
        MetaAttempt { status_code: Some(500), response_body: Some("no".into()), ..MetaAttempt::default() };
    attempt.response_headers.0.insert("x-sink".into(), vec!["yes".into()]);
    let outcome = MetaOutcome {
        status: DeliveryStatus::Failure,
        attempt_count: 1,
        next_send_time: chrono::Utc::now(),
        attempt: Some(attempt),
    };
    assert!(MetaEvent::record(&mut conn, (project, id), 0, &outcome).await.unwrap());
    assert!(!MetaEvent::record(&mut conn, (project, id), 0, &outcome).await.unwrap(), "an outcome counts once");

    let listed = api.get("meta-events").await;
    let shown = &listed.data()["content"][0];
    assert_eq!(
        (&shown["uid"], &shown["status"], &shown["event_type"]),
        (&json!(id), &json!("Failure"), &json!("endpoint.created"))
    );
    assert_eq!(shown["metadata"]["data"], json!({"event_type": "endpoint.created", "data": {"uid": "e1"}}));
    let metadata = &shown["metadata"];
    assert_eq!(
        (&metadata["num_trials"], &metadata["interval_seconds"], &metadata["raw"]),
        (&json!(1), &json!(7), &json!(""))
    );
    assert_eq!(shown["attempt"]["response_http_header"], json!({"X-Sink": "yes"}));
    assert_eq!(
        (&shown["attempt"]["response_data"], &shown["attempt"]["http_status"]),
        (&json!("no"), &json!("500 Internal Server Error"))
    );
    assert_eq!(api.get(&format!("meta-events/{id}")).await.data(), shown);

    let resent = api.put(&format!("meta-events/{id}/resend"), json!("{}")).await;
    assert_eq!((resent.status, resent.message()), (200, "Meta event processed for retry successfully"));
    assert_eq!((&resent.data()["status"], &resent.data()["metadata"]["num_trials"]), (&json!("Scheduled"), &json!(1)));
    let [job] = api.queued::<DeliverMetaEvent>().await.try_into().unwrap();
    assert!(job.meta_event_id == id && job.new.is_none());

    for unknown in ["01HZZZZZZZZZZZZZZZZZZZZZZZ", "nonsense"] {
        let answer = api.get(&format!("meta-events/{unknown}")).await;
        assert_eq!((answer.status, answer.message()), (404, "meta event not found"));
        assert_eq!(api.put(&format!("meta-events/{unknown}/resend"), json!({})).await.status, 404);
    }
    assert_eq!(
        api.get("meta-events?startDate=x").await.message(),
        "please specify a startDate in the format 2006-01-02T15:04:05"
    );
    (api.project, api.key) = api.new_project("other").await;
    assert_eq!(api.get(&format!("meta-events/{id}")).await.status, 404, "another project has none of it");
    assert_eq!(api.put(&format!("meta-events/{id}/resend"), json!({})).await.status, 404);
    assert_eq!(api.get("meta-events").await.data()["content"], json!([]));
    api.close().await;
}
