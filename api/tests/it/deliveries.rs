//! Event deliveries: found by every filter, counted, and sent once more, one by one or all that a query means.

use posthouse_jobs::{DeliverEvent, RunBatch};
use posthouse_schema::{
    batch_run::BatchRun,
    ids::EventDeliveryId,
    words::{BatchStatus, DeliveryStatus},
};
use serde_json::{Value, json};

use crate::harness::{Answer, Api};

/// A well-formed id that nothing has.
const UNKNOWN: &str = "01HZZZZZZZZZZZZZZZZZZZZZZZ";

fn uids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let rows = answer.data()["content"].as_array().unwrap();
    rows.iter().map(|row| row["uid"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn deliveries_are_found_by_every_filter() {
    let api = Api::start().await;
    let (one, two) = (api.endpoint("one").await, api.endpoint("two").await);
    let (event, failed) = api.stored(&one, "k1", DeliveryStatus::Failure).await;
    let (_, delivered) = api.stored(&two, "", DeliveryStatus::Success).await;
    let subscription = api.get(&format!("eventdeliveries/{failed}")).await.data()["subscription_id"].clone();
    for (query, expected) in [
        (String::new(), vec![delivered, failed]),
        ("sort=ASC".into(), vec![failed, delivered]),
        (format!("endpointId={one}"), vec![failed]),
        (format!("endpointId={one}&endpointId={two}"), vec![delivered, failed]),
        (format!("eventId={event}"), vec![failed]),
        (format!("eventId={UNKNOWN}"), vec![]),
        (format!("subscriptionId={}", subscription.as_str().unwrap()), vec![failed]),
        ("idempotencyKey=k1".into(), vec![failed]),
        (format!("idempotencyKey=k1&eventId={UNKNOWN}"), vec![]),
        ("brokerMessageId=none".into(), vec![]),
        ("eventType=order.paid".into(), vec![delivered, failed]),
        ("event_type=order".into(), vec![]),
        ("status=Failure".into(), vec![failed]),
        ("status=Failure&status=Success".into(), vec![delivered, failed]),
        ("startDate=2020-01-01T00:00:00&endDate=2020-01-02T00:00:00".into(), vec![]),
        ("startDate=0001-01-01T00:00:00&endDate=0001-01-01T00:00:00".into(), vec![delivered, failed]),
    ] {
        let mut expected: Vec<EventDeliveryId> = expected;
        let is_ascending = query.contains("ASC");
        expected.sort();
        if !is_ascending {
            expected.reverse();
        }
        let found = uids(&api.get(&format!("eventdeliveries?{query}")).await);
        assert_eq!(found, expected.iter().map(ToString::to_string).collect::<Vec<_>>(), "{query}");
    }
    for (query, part) in [
        ("idempotencyKey=never", "event not found"),
        ("idempotencyKey=%00", "idempotencyKey: the NUL character"),
        ("brokerMessageId=%00", "brokerMessageId: the NUL character"),
        ("eventType=%00", "eventType: the NUL character"),
        ("status=failed", "status: one of Scheduled"),
        ("subscriptionId=x", "subscriptionId: x is not an id"),
        ("startDate=x", "please specify a startDate"),
    ] {
        for path in ["eventdeliveries", "eventdeliveries/statustotals", "eventdeliveries/countbatchretryevents"] {
            let answer = api.get(&format!("{path}?{query}")).await;
            assert!(answer.status == 400 && answer.message().starts_with(part), "{path}?{query}: {}", answer.body);
        }
    }
    api.close().await;
}

#[tokio::test]
async fn a_delivery_has_the_shape_of_the_contract() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let (_, id) = api.stored(&endpoint, "k1", DeliveryStatus::Discarded).await;
    let answer = api.get(&format!("eventdeliveries/{id}")).await;
    let data = answer.data();
    assert_eq!(data["source_metadata"]["custom_response"], json!({"body": "", "content_type": ""}));
    assert_eq!(data["device_metadata"]["last_seen_at"], json!("0001-01-01T00:00:00Z"));
    assert_eq!((&data["cli_metadata"], &data["event_metadata"]["endpoints"]), (&Value::Null, &Value::Null));
    assert_eq!((&data["event_metadata"]["status"], &data["metadata"]["max_retry_seconds"]), (&json!(""), &json!(0)));
    assert_eq!((&data["metadata"]["raw"], &data["headers"]), (&json!(r#"{"a": 1}"#), &json!({"X-A": ["1"]})));
    api.close().await;
}

#[tokio::test]
async fn deliveries_are_counted_by_status_and_by_endpoint() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    for status in [DeliveryStatus::Failure, DeliveryStatus::Success, DeliveryStatus::Success, DeliveryStatus::Discarded]
    {
        api.stored(&endpoint, "", status).await;
    }
    let totals = api.get("eventdeliveries/statustotals").await;
    let expected = json!({"Scheduled": 0, "Processing": 0, "Retry": 0, "Success": 2, "Failure": 1, "Discarded": 1});
    assert_eq!((totals.status, &totals.data()["totals"]), (200, &expected), "{}", totals.body);
    for (query, num) in [("", 2), ("?status=Failure", 1), ("?status=Success", 0)] {
        let count = api.get(&format!("eventdeliveries/countbatchretryevents{query}")).await;
        assert_eq!((count.status, count.data()), (200, &json!({"num": num})), "{query}");
    }
    let rates = api
        .get(&format!(
            "endpoints/period-failure-rates?endpointId={endpoint}&endpointId={endpoint}&endpointId={UNKNOWN}"
        ))
        .await;
    let [known, unknown] = &rates.data().as_array().unwrap()[..] else { panic!("{}", rates.body) };
    assert_eq!(
        (&known["success_count"], &known["failure_count"], &known["retry_count"]),
        (&json!(2), &json!(1), &json!(0))
    );
    assert!((known["period_failure_rate"].as_f64().unwrap() - 33.333).abs() < 0.001);
    assert_eq!((&unknown["uid"], &unknown["success_count"]), (&json!(UNKNOWN), &Value::Null));
    let none = api.get("endpoints/period-failure-rates").await;
    assert_eq!((none.status, none.data()), (200, &json!([])));
    api.close().await;
}

#[tokio::test]
async fn a_delivery_that_rests_is_sent_again_and_no_other() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let (_, failed) = api.stored(&endpoint, "", DeliveryStatus::Failure).await;
    let (_, delivered) = api.stored(&endpoint, "", DeliveryStatus::Success).await;
    let resend = async |id: &str| api.put(&format!("eventdeliveries/{id}/resend"), json!("{}")).await;
    assert_eq!(resend(UNKNOWN).await.message(), "event delivery not found");
    assert_eq!(resend(&delivered.to_string()).await.message(), "event already sent");
    let paused = api.put(&format!("endpoints/{endpoint}/pause"), Value::Null).await;
    assert_eq!(paused.status, 202);
    let refused = resend(&failed.to_string()).await;
    assert_eq!((refused.status, refused.message()), (400, "the endpoint is currently paused"));
    api.put(&format!("endpoints/{endpoint}/pause"), Value::Null).await;
    let resent = resend(&failed.to_string()).await;
    assert_eq!((resent.status, &resent.data()["status"]), (200, &json!("Scheduled")), "{}", resent.body);
    assert_eq!(resend(&failed.to_string()).await.message(), "cannot resend event that did not fail previously");
    let queued: Vec<DeliverEvent> = api.queued().await;
    assert_eq!(queued.iter().map(|job| job.event_delivery_id).collect::<Vec<_>>(), [failed]);
    api.close().await;
}

#[tokio::test]
async fn successes_are_sent_again_only_by_force() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let (_, failed) = api.stored(&endpoint, "", DeliveryStatus::Failure).await;
    let (_, delivered) = api.stored(&endpoint, "", DeliveryStatus::Success).await;
    let force = async |ids: Value| api.post("eventdeliveries/forceresend", json!({ "ids": ids })).await;
    for (ids, status, message) in [
        (json!([failed, delivered]), 400, "only successful events can be force resent"),
        (json!("x"), 400, "Request is invalid"),
        (json!(null), 400, "Request is invalid"),
        (json!([]), 200, "0 successful, 0 failed"),
        (json!([UNKNOWN, "x", "\u{0}"]), 200, "0 successful, 0 failed"),
        (json!([delivered, UNKNOWN]), 200, "1 successful, 0 failed"),
        (json!([delivered]), 400, "only successful events can be force resent"),
    ] {
        let answer = force(ids.clone()).await;
        assert_eq!((answer.status, answer.message()), (status, message), "{ids}");
    }
    let queued: Vec<DeliverEvent> = api.queued().await;
    assert_eq!(queued.iter().map(|job| job.event_delivery_id).collect::<Vec<_>>(), [delivered]);
    api.close().await;
}

#[tokio::test]
async fn one_batch_retry_is_active_at_a_time() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let path = format!("eventdeliveries/batchretry?endpointId={endpoint}&status=Failure");
    let first = api.post(&path, Value::Null).await;
    assert_eq!((first.status, first.message(), first.data()), (200, "Batch retry processing", &Value::Null));
    let second = api.post(&path, json!({})).await;
    assert_eq!((second.status, second.message()), (400, "an active batch retry already exists"));
    let [job] = &api.queued::<RunBatch>().await[..] else { panic!("one job") };
    let mut conn = api.database.pool().get().await.unwrap();
    let run = BatchRun::find(&mut conn, job.project_id, job.batch_run_id).await.unwrap().unwrap();
    assert_eq!(run.status, BatchStatus::Pending);
    assert_eq!((&run.filter["endpoint_ids"], &run.filter["statuses"]), (&json!([endpoint]), &json!(["Failure"])));
    let bad = api.post("eventdeliveries/batchretry?startDate=x", json!({})).await;
    assert_eq!(bad.message(), "please specify a startDate in the format 2006-01-02T15:04:05");
    api.close().await;
}

#[tokio::test]
async fn another_project_s_events_and_deliveries_are_as_if_they_were_not_there() {
    let mut api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let (event, failed) = api.stored(&endpoint, "k1", DeliveryStatus::Failure).await;
    let (_, delivered) = api.stored(&endpoint, "", DeliveryStatus::Success).await;
    let (_, other_key) = api.new_project("other").await;
    api.key = other_key;
    for (path, status) in [
        (format!("eventdeliveries/{failed}"), 404),
        (format!("eventdeliveries/{failed}/deliveryattempts"), 400),
        (format!("events/{event}"), 404),
    ] {
        assert_eq!(api.get(&path).await.status, status, "{path}");
    }
    for path in [format!("eventdeliveries/{failed}/resend"), format!("events/{event}/replay")] {
        assert_eq!(api.put(&path, Value::Null).await.status, 400, "{path}");
    }
    let forced = api.post("eventdeliveries/forceresend", json!({"ids": [delivered]})).await;
    assert_eq!(forced.message(), "0 successful, 0 failed");
    let replayed = api.post(&format!("events/batchreplay?endpointId={endpoint}"), Value::Null).await;
    assert_eq!(replayed.message(), "0 successful, 0 failed");
    let totals = api.get(&format!("eventdeliveries/statustotals?endpointId={endpoint}")).await;
    assert!(totals.data()["totals"].as_object().unwrap().values().all(|number| *number == json!(0)));
    let rates = api.get(&format!("endpoints/period-failure-rates?endpointId={endpoint}")).await;
    assert!(rates.data()[0]["success_count"].is_null());
    assert_eq!(api.get("eventdeliveries?idempotencyKey=k1").await.message(), "event not found");
    assert!(api.queued::<DeliverEvent>().await.is_empty());
    api.close().await;
}
