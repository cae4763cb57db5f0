//! A project's key sees nothing of another project, whatever it names.

use serde_json::json;

use crate::harness::Api;

#[tokio::test]
async fn another_project_s_resources_are_as_if_they_were_not_there() {
    let mut api = Api::start().await;
    let endpoint = api.endpoint("mine").await;
    let subscription = api.post("subscriptions", json!({"name": "s", "endpoint_id": endpoint})).await.uid();
    let source = api.post("sources", json!({"name": "s", "type": "http"})).await.uid();
    let (other, other_key) = api.new_project("other").await;
    api.key = other_key;
    // A project key decides the project, so naming the first one in the path changes nothing.
    for project in [api.project.clone(), other] {
        api.project = project;
        for rest in
            [format!("endpoints/{endpoint}"), format!("subscriptions/{subscription}"), format!("sources/{source}")]
        {
            assert_eq!(api.get(&rest).await.status, 404, "{rest}");
            let changed = api.put(&rest, json!({"name": "x", "url": "https://example.com", "type": "http"})).await;
            assert!([400, 404].contains(&changed.status), "{rest}");
            assert!([400, 404].contains(&api.delete(&rest).await.status), "{rest}");
        }
        let filters = api.get(&format!("subscriptions/{subscription}/filters")).await;
        assert_eq!((filters.status, filters.message()), (404, "subscription not found"));
        for rest in ["endpoints", "subscriptions", "sources", "events", "eventdeliveries"] {
            assert!(api.get(rest).await.data()["content"].as_array().unwrap().is_empty(), "{rest}");
        }
        let event = api.post("events", json!({"endpoint_id": endpoint, "event_type": "a", "data": {}})).await;
        assert_eq!((event.status, event.message()), (400, "endpoint not found"));
        let taken = api.post("subscriptions", json!({"name": "s", "endpoint_id": endpoint})).await;
        assert_eq!(taken.message(), "failed to find endpoint by id");
    }
    assert!(api.queued_events().await.is_empty());
    api.close().await;
}
