//! Retries and replays of everything that a query matched: how far they have come, and how they are called off.

use posthouse_jobs::RunBatch;
use posthouse_schema::{batch_report::BatchReport, batch_run::BatchRun, ids::EndpointId, words::DeliveryStatus};
use serde_json::{Value, json};

use crate::harness::Api;

#[tokio::test]
async fn a_batch_is_named_shown_and_called_off() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    api.stored(&endpoint, "", DeliveryStatus::Failure).await;
    let retried = api.post("eventdeliveries/batchretry", json!({})).await;
    let retry = retried.headers["x-posthouse-batch-id"].to_str().unwrap().to_string();
    let replayed = api.post("events/batchreplay", json!({})).await;
    let replay = replayed.headers["x-posthouse-batch-id"].to_str().unwrap().to_string();
    assert_eq!((retried.data(), replayed.data()), (&Value::Null, &Value::Null), "as the contract has it");
    let listed = api.get("batches").await;
    let kinds: Vec<_> = listed.data()["content"].as_array().unwrap().iter().map(|row| row["kind"].clone()).collect();
    assert_eq!(kinds, [json!("replay"), json!("retry")], "the newest first");
    let path = format!("batches/{retry}");
    let read = api.get(&path).await;
    assert_eq!((&read.data()["status"], &read.data()["done"]), (&json!("pending"), &json!(0)), "{}", read.body);
    let cancelled = api.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!((cancelled.status, &cancelled.data()["status"]), (200, &json!("cancelled")), "{}", cancelled.body);
    let again = api.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!((again.status, again.message()), (400, "the batch is cancelled, and cannot be called off"));
    assert_eq!(api.get(&format!("batches/{replay}")).await.data()["status"], json!("pending"), "the other goes on");
    let retried = api.post("eventdeliveries/batchretry", json!({})).await;
    assert_eq!(retried.status, 200, "the next one need not wait for one that was called off: {}", retried.body);
    for unknown in ["01HZZZZZZZZZZZZZZZZZZZZZZZ", "nonsense"] {
        for answer in [
            api.get(&format!("batches/{unknown}")).await,
            api.post(&format!("batches/{unknown}/cancel"), json!({})).await,
        ] {
            assert_eq!((answer.status, answer.message()), (404, "batch not found"));
        }
    }
    api.close().await;
}

#[tokio::test]
async fn a_replay_that_is_tried_reports() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    api.stored(&endpoint, "", DeliveryStatus::Success).await;
    let tried = api.post("events/batchreplay?dry_run=true", json!({})).await;
    let batch = tried.data()["batch_id"].as_str().unwrap().to_string();
    let [job] = &api.queued::<RunBatch>().await[..] else { panic!("one job") };
    assert_eq!(job.batch_run_id.to_string(), batch);
    let path = format!("batches/{batch}");
    assert_eq!(api.get(&path).await.data()["kind"], json!("dry_run"));
    let mut report = BatchReport::default();
    report.add([endpoint.parse::<EndpointId>().unwrap()]);
    report.add([]);
    let mut conn = api.database.pool().get().await.unwrap();
    let run = BatchRun::find(&mut conn, job.project_id, job.batch_run_id).await.unwrap().unwrap();
    run.advance(&mut conn, (1, 2), Some(&json!(report))).await.unwrap();
    let shown = api.get(&path).await.data()["report"].clone();
    let expected = json!({"events": 2, "unmatched": 1, "deliveries": 1, "endpoints": [{"endpoint_id": endpoint, "deliveries": 1}], "others": 0});
    assert_eq!(shown, expected);
    let nothing = api.post("events/batchreplay?dry_run=true&idempotencyKey=none", json!({})).await;
    assert_eq!((nothing.status, nothing.data()), (200, &Value::Null));
    let wrong = api.post("events/batchreplay?dry_run=maybe", json!({})).await;
    assert_eq!((wrong.status, wrong.message()), (400, "dry_run: one of true, false is expected"));
    api.close().await;
}
