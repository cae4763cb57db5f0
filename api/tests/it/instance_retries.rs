//! Retries in all projects: what failed and nothing else, for those who run the instance and nobody else.

use chrono::{TimeDelta, Utc};
use posthouse_jobs::RunBatch;
use posthouse_schema::{
    batch_run::{self, BatchRun},
    event_delivery::{self, DeliveryFilter},
    ids::{EventDeliveryId, EventId},
    words::{BatchStatus, DeliveryStatus, Role},
};
use serde_json::{Value, json};

use crate::harness::{Answer, Api};

const PATH: &str = "admin/retry-event-deliveries";
/// A well-formed id that nothing has.
const UNKNOWN: &str = "01HZZZZZZZZZZZZZZZZZZZZZZZ";

/// What the project has: an event that failed, another that was discarded, and more that nobody asks for.
struct Stored {
    failed: (EventId, EventDeliveryId),
    discarded: EventDeliveryId,
}

async fn stored(api: &Api) -> Stored {
    let endpoint = api.endpoint("one").await;
    let long_ago = EventId::first_at(Utc::now() - TimeDelta::hours(3));
    api.stored_as(long_ago, &endpoint, "", DeliveryStatus::Failure).await;
    for status in [DeliveryStatus::Success, DeliveryStatus::Retry, DeliveryStatus::Scheduled] {
        api.stored(&endpoint, "", status).await;
    }
    let failed = api.stored(&endpoint, "", DeliveryStatus::Failure).await;
    let (_, discarded) = api.stored(&endpoint, "", DeliveryStatus::Discarded).await;
    Stored { failed, discarded }
}

/// An instance with two projects that have the same, and one in which nothing failed lately.
async fn with_projects() -> (Api, [Stored; 2]) {
    let mut api = Api::start().await;
    let first = stored(&api).await;
    (api.project, api.key) = api.new_project("quiet").await;
    let endpoint = api.endpoint("one").await;
    api.stored(&endpoint, "", DeliveryStatus::Success).await;
    let long_ago = EventId::first_at(Utc::now() - TimeDelta::hours(2));
    api.stored_as(long_ago, &endpoint, "", DeliveryStatus::Failure).await;
    (api.project, api.key) = api.new_project("invoices").await;
    let second = stored(&api).await;
    (api, [first, second])
}

/// Asks as who runs the instance.
async fn asked(api: &Api, method: &str, rest: &str, body: Option<Value>) -> Answer {
    api.ui(method, &format!("{PATH}{rest}"), Some(&api.instance_key), body).await
}

async fn begun(api: &Api, body: Value) -> Answer {
    let answer = asked(api, "POST", "", Some(body)).await;
    assert_eq!((answer.status, answer.message()), (200, "Retry of event deliveries processing"), "{}", answer.body);
    answer
}

/// Ends every run whose job waits, as a worker would that had sent one delivery in each.
async fn all_end(api: &Api) {
    let mut conn = api.database.pool().get().await.unwrap();
    for job in api.queued::<RunBatch>().await {
        let Some(run) = BatchRun::find(&mut conn, job.project_id, job.batch_run_id).await.unwrap() else { continue };
        run.advance(&mut conn, (1, 1), None).await.unwrap();
        batch_run::end(&mut conn, (run.project_id, run.id), BatchStatus::Completed).await.unwrap();
    }
}

#[tokio::test]
async fn what_failed_within_the_time_is_retried_in_every_project() {
    let (api, [first, second]) = with_projects().await;
    let answer = begun(&api, json!({"status": "Failure", "time": "1h30m"})).await;
    let data = answer.data();
    assert_eq!((&data["status"], &data["projects"], &data["skipped"]), (&json!("pending"), &json!(2), &json!(0)));
    assert_eq!((&data["filter"]["status"], &data["filter"]["event_id"]), (&json!(["Failure"]), &Value::Null));
    let id = data["batch_id"].as_str().unwrap();

    let jobs: Vec<RunBatch> = api.queued().await;
    let mut conn = api.database.pool().get().await.unwrap();
    let mut found = Vec::new();
    for job in &jobs {
        let run = BatchRun::find(&mut conn, job.project_id, job.batch_run_id).await.unwrap().unwrap();
        assert_eq!(run.instance_batch_id.unwrap().to_string(), id);
        let filter: DeliveryFilter = serde_json::from_value(run.filter.clone()).unwrap();
        found.extend(event_delivery::list_failed(&mut conn, run.project_id, &filter, None, 10).await.unwrap());
    }
    let mut found: Vec<EventDeliveryId> = found.into_iter().map(|(id, _)| id).collect();
    found.sort_unstable();
    assert_eq!((jobs.len(), found), (2, vec![first.failed.1, second.failed.1]));

    let progress = async |status: &str, done: i64| {
        let answer = asked(&api, "GET", &format!("/batch/{id}"), None).await;
        assert_eq!((answer.status, answer.message()), (200, "Batch fetched successfully"), "{}", answer.body);
        let data = answer.data();
        assert_eq!((&data["batch_id"], &data["projects"]), (&json!(id), &json!(2)));
        assert_eq!((&data["status"], &data["done"]), (&json!(status), &json!(done)));
        assert_eq!(data["filter"]["status"], json!(["Failure"]));
        assert!(data["created_at"].is_string() && data["updated_at"].is_string());
    };
    progress("pending", 0).await;
    let run = BatchRun::find(&mut conn, jobs[0].project_id, jobs[0].batch_run_id).await.unwrap().unwrap();
    run.advance(&mut conn, (first.failed.1.to_bits(), 1), None).await.unwrap();
    progress("processing", 1).await;
    batch_run::end(&mut conn, (run.project_id, run.id), BatchStatus::Failed).await.unwrap();
    progress("processing", 1).await;
    let other = (jobs[1].project_id, jobs[1].batch_run_id);
    batch_run::end(&mut conn, other, BatchStatus::Completed).await.unwrap();
    progress("failed", 1).await;
    drop(conn);
    api.database.run("UPDATE batch_runs SET status = 'completed'").await;
    progress("completed", 1).await;
    api.close().await;
}

#[tokio::test]
async fn one_retry_is_under_way_in_a_project_whoever_asked_for_it() {
    let (api, [_, second]) = with_projects().await;
    let own = api.post("eventdeliveries/batchretry", json!({})).await;
    assert_eq!(own.status, 200, "{}", own.body);
    let body = json!({"time": "1h"});
    let first = begun(&api, body.clone()).await;
    assert_eq!((&first.data()["projects"], &first.data()["skipped"]), (&json!(1), &json!(1)));
    assert_eq!(first.data()["filter"]["status"], json!(["Failure", "Discarded"]), "all that can be retried");
    let again = begun(&api, body.clone()).await;
    assert_eq!((&again.data()["projects"], &again.data()["skipped"]), (&json!(0), &json!(2)));
    assert_eq!((&again.data()["batch_id"], &again.data()["status"]), (&Value::Null, &json!("completed")));
    all_end(&api).await;
    assert_eq!(begun(&api, body).await.data()["projects"], json!(2));
    all_end(&api).await;
    for (event, projects) in [(second.failed.0.to_string(), 1), (UNKNOWN.to_string(), 0)] {
        let answer = begun(&api, json!({"time": "1h", "event_id": event})).await;
        assert_eq!(answer.data()["projects"], json!(projects), "{event}");
    }
    let refused = api.post("eventdeliveries/batchretry", json!({})).await;
    assert_eq!((refused.status, refused.message()), (400, "an active batch retry already exists"));
    api.close().await;
}

#[tokio::test]
async fn what_would_be_retried_is_counted() {
    let (api, [first, _]) = with_projects().await;
    let event = first.failed.0;
    for (query, num) in [
        ("time=1h".to_string(), 4),
        ("time=1h&status=Failure".into(), 2),
        ("time=1h&status=Failure,Discarded".into(), 4),
        ("time=1h&status=Failure&status=Discarded".into(), 4),
        ("time=2h30m&status=Failure".into(), 3),
        ("time=4h&status=Failure".into(), 5),
        (format!("time=1h&event_id={event}"), 1),
        (format!("time=1h&event_id={event}&status=Discarded"), 0),
        (format!("time=1h&event_id={UNKNOWN}"), 0),
    ] {
        let answer = asked(&api, "GET", &format!("/count?{query}"), None).await;
        assert_eq!((answer.status, answer.data()), (200, &json!({"num": num})), "{query}: {}", answer.body);
    }
    assert!(first.discarded != first.failed.1);
    api.close().await;
}

#[tokio::test]
async fn retries_are_listed_and_deleted_once_they_have_ended() {
    let (api, _) = with_projects().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        all_end(&api).await;
        ids.push(begun(&api, json!({"time": "1h"})).await.data()["batch_id"].as_str().unwrap().to_string());
    }
    ids.reverse();
    let page = async |query: &str| {
        let answer = asked(&api, "GET", &format!("/batches?{query}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let rows = answer.data()["content"].as_array().unwrap();
        let ids: Vec<String> = rows.iter().map(|row| row["batch_id"].as_str().unwrap().to_string()).collect();
        (ids, answer.data()["pagination"].clone(), rows.iter().map(|row| row["status"].clone()).collect::<Vec<_>>())
    };
    let (all, _, states) = page("").await;
    assert_eq!((&all, states), (&ids, vec![json!("pending"), json!("completed"), json!("completed")]));
    let (first, pagination, _) = page("perPage=2").await;
    assert_eq!((first.as_slice(), &pagination["has_next_page"]), (&ids[..2], &json!(true)));
    let (rest, pagination, _) =
        page(&format!("perPage=2&next_page_cursor={}", pagination["next_page_cursor"].as_str().unwrap())).await;
    assert_eq!((rest.as_slice(), &pagination["has_prev_page"]), (&ids[2..], &json!(true)));
    let (before, ..) = page(&format!("perPage=2&direction=prev&prev_page_cursor={}", ids[2])).await;
    assert_eq!(before, ids[..2]);
    assert_eq!(asked(&api, "GET", "/batches?perPage=1001", None).await.status, 400);

    let delete = async |id: &str| asked(&api, "DELETE", &format!("/batch/{id}"), None).await;
    let refused = delete(&ids[0]).await;
    let reason = "the batch has not ended, and can be deleted once it has";
    assert_eq!((refused.status, refused.message()), (400, reason));
    all_end(&api).await;
    let deleted = delete(&ids[0]).await;
    assert_eq!((deleted.status, deleted.data()), (200, &Value::Null), "{}", deleted.body);
    assert_eq!(page("").await.0, ids[1..]);
    for id in [ids[0].as_str(), UNKNOWN, "x"] {
        for answer in [delete(id).await, asked(&api, "GET", &format!("/batch/{id}"), None).await] {
            assert_eq!((answer.status, answer.message()), (404, "batch not found"), "{id}");
        }
    }
    api.close().await;
}

#[tokio::test]
async fn nobody_else_gets_there() {
    let (api, _) = with_projects().await;
    let id = begun(&api, json!({"time": "1h"})).await.data()["batch_id"].as_str().unwrap().to_string();
    all_end(&api).await;
    let (admin, operator) =
        (api.join("ada", Role::OrganisationAdmin).await, api.join("olga", Role::InstanceAdmin).await);
    let link = api.post("portal-links", json!({"name": "l", "owner_id": "acme"})).await;
    let token = link.data()["token"].as_str().unwrap();
    let routes = [
        ("GET", "/count?time=1h".to_string()),
        ("GET", "/batches".into()),
        ("GET", format!("/batch/{id}")),
        ("POST", String::new()),
        ("DELETE", format!("/batch/{id}")),
    ];
    for (method, rest) in &routes {
        let body = (*method == "POST").then(|| json!({"time": "1h"}));
        let ask = async |key: Option<&str>| api.ui(method, &format!("{PATH}{rest}"), key, body.clone()).await;
        for key in [&api.personal_key, &admin.access, &api.key] {
            let refused = ask(Some(key)).await;
            assert_eq!((refused.status, refused.message()), (403, "Unauthorized"), "{method} {rest}");
        }
        let of_a_link = ask(Some(token)).await;
        assert_eq!((of_a_link.status, of_a_link.message()), (401, "unauthorized"), "{method} {rest}");
        assert_eq!(ask(None).await.status, 401, "{method} {rest}");
    }
    assert_eq!(asked(&api, "GET", "/batches", None).await.data()["content"].as_array().unwrap().len(), 1);
    for (method, rest) in &routes {
        let body = (*method == "POST").then(|| json!({"time": "1h"}));
        let served = api.ui(method, &format!("{PATH}{rest}"), Some(&operator.access), body).await;
        assert_eq!(served.status, 200, "{method} {rest}: {}", served.body);
    }
    api.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_retry_is_named() {
    let (api, _) = with_projects().await;
    for (status, time, event_id, message) in [
        ("failed", "1h", "", "status: Failure, Discarded or both with a comma between are expected"),
        ("%00", "1h", "", "status: Failure, Discarded or both with a comma between are expected"),
        ("Failure,Success", "1h", "", "status: what is in Success was delivered, and is not sent again"),
        ("Retry", "1h", "", "status: what is in Retry has attempts ahead, and goes on by itself"),
        ("", "", "", "time: please say how far back, such as 1h30m"),
        ("", "yesterday", "", "time: whole hours, minutes and seconds are expected, such as 1h30m"),
        ("", "0s", "", "time: at least 1s is expected"),
        ("", "2161h", "", "time: at most 2160h (90 days) are accepted"),
        ("", "1h", "x", "event_id: the id of an event is expected"),
    ] {
        let body = json!({"status": status.replace("%00", "\0"), "time": time, "event_id": event_id});
        let query = format!("/count?status={status}&time={time}&event_id={event_id}");
        for refused in [asked(&api, "POST", "", Some(body)).await, asked(&api, "GET", &query, None).await] {
            assert_eq!((refused.status, refused.message()), (400, message), "{query}");
        }
    }
    for body in [json!({}), json!({"time": 7}), json!({"time": "1h", "status": ["Failure"]}), json!([]), Value::Null] {
        let refused = asked(&api, "POST", "", Some(body.clone())).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
    }
    assert!(api.queued::<RunBatch>().await.is_empty());
    api.close().await;
}
