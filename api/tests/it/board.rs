//! The job board is for administrators, reads only, and tells the truth.

use serde_json::json;

use crate::harness::Api;

#[tokio::test]
async fn only_an_administrator_reads_and_nobody_writes() {
    let api = Api::start().await;
    for password in [None, Some("wrong"), Some(api.key.as_str())] {
        let answer = api.ask_board("GET", "/api/v1/queues", password).await;
        assert_eq!(answer.status, 401, "{password:?}");
        assert!(answer.headers.contains_key("www-authenticate"));
    }
    let of_an_organisation = api.ask_board("GET", "/api/v1/queues", Some(&api.personal_key)).await;
    assert_eq!(of_an_organisation.status, 403, "anybody may have an organisation; the queues hold everybody's jobs");
    let admin = Some(api.instance_key.as_str());
    assert_eq!(api.ask_board("PUT", "/api/v1/queues/create_event/task", admin).await.status, 405);
    let page = api.ask_board("GET", "/", admin).await;
    assert_eq!((page.status, page.headers["x-content-type-options"].as_bytes()), (200, b"nosniff".as_slice()));
    api.close().await;
}

#[tokio::test]
async fn queues_counts_and_tasks_are_those_of_the_queues() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    for n in 0..3 {
        let event = json!({"endpoint_id": endpoint, "event_type": "a", "data": {"n": n}});
        assert_eq!(api.post("events", event).await.status, 201);
    }
    let admin = Some(api.instance_key.as_str());
    let queues = api.ask_board("GET", "/api/v1/queues", admin).await;
    assert_eq!((queues.status, queues.body.as_array().unwrap().len()), (200, posthouse_jobs::QUEUES.len()));
    let stats = api.ask_board("GET", "/api/v1/queues/create_event/stats", admin).await;
    let pending = stats.body.as_array().unwrap().iter().find(|stat| stat["title"] == "PENDING_JOBS").unwrap().clone();
    assert_eq!((stats.status, &pending["value"]), (200, &json!("3")));
    let tasks = api.ask_board("GET", "/api/v1/queues/create_event/tasks?page=1&page_size=2", admin).await;
    assert_eq!((tasks.status, tasks.body.as_array().unwrap().len()), (200, 2), "{}", tasks.body);
    let rest = api.ask_board("GET", "/api/v1/queues/create_event/tasks?page=2&page_size=2", admin).await;
    assert_eq!(rest.body.as_array().unwrap().len(), 1);
    for path in ["/api/v1/overview", "/api/v1/workers", "/api/v1/tasks?page=0", "/api/v1/queues/create_event/workers"] {
        assert_eq!(api.ask_board("GET", path, admin).await.status, 200, "{path}");
    }
    api.close().await;
}
