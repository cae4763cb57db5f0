//! Each resource from its making to its end, in the shapes of the contract.

use serde_json::{Value, json};

use crate::harness::Api;

#[tokio::test]
async fn an_endpoint_lives_and_dies() {
    let api = Api::start().await;
    let made = api.post("endpoints", json!({"name": "orders", "url": "https://example.com/a", "owner_id": "o1"})).await;
    assert_eq!((made.status, made.message()), (201, "Endpoint created successfully"));
    let id = made.uid();
    let data = made.data();
    assert_eq!(data["secrets"].as_array().unwrap().len(), 1);
    assert_eq!(data["secrets"][0]["value"].as_str().unwrap().len(), 25);
    assert_eq!(
        (&data["status"], &data["advanced_signatures"], &data["authentication"]),
        (&json!("active"), &json!(true), &Value::Null)
    );
    assert_eq!(
        (&data["http_timeout"], &data["content_type"], &data["deleted_at"]),
        (&json!(10), &json!("application/json"), &Value::Null)
    );

    let changed = api
        .put(&format!("endpoints/{id}"), json!({"name": "new", "url": "https://example.com/b", "rate_limit": 5}))
        .await;
    assert_eq!(
        (changed.status, &changed.data()["name"], &changed.data()["owner_id"]),
        (202, &json!("new"), &json!("o1"))
    );

    let paused = api.put(&format!("endpoints/{id}/pause"), json!("{}")).await;
    assert_eq!((paused.status, &paused.data()["status"]), (202, &json!("paused")));
    let activated = api.post(&format!("endpoints/{id}/activate"), Value::Null).await;
    assert_eq!((activated.status, &activated.data()["status"]), (202, &json!("active")));
    let again = api.post(&format!("endpoints/{id}/activate"), Value::Null).await;
    assert_eq!((again.status, again.message()), (400, "current endpoint status - active, does not support activation"));

    let rolled = api.put(&format!("endpoints/{id}/expire_secret"), json!({"secret": "s2", "expiration": 60})).await;
    let secrets = rolled.data()["secrets"].as_array().unwrap().clone();
    assert_eq!((rolled.status, secrets.len(), &secrets[1]["value"]), (200, 2, &json!("s2")));
    assert!(secrets[0]["expires_at"].is_string() && secrets[1]["expires_at"].is_null());

    assert_eq!(api.delete(&format!("endpoints/{id}")).await.status, 200);
    assert_eq!(api.get(&format!("endpoints/{id}")).await.status, 404);
    assert_eq!(api.delete(&format!("endpoints/{id}")).await.message(), "endpoint not found");
    api.close().await;
}

#[tokio::test]
async fn older_clients_read_and_write_endpoints_as_they_know_them() {
    let api = Api::start().await;
    let body = json!({"name": "n", "url": "https://example.com", "http_timeout": "12s"}).to_string();
    let path = api.path("endpoints");
    let oldest =
        api.send("POST", &path, Some(&api.key), &[("x-convoy-version", "2023-12-31")], Some(body.clone())).await;
    assert_eq!(oldest.status, 201, "{}", oldest.body);
    let data = oldest.data();
    assert_eq!(
        (&data["http_timeout"], &data["target_url"], &data["title"]),
        (&json!("12s"), &json!("https://example.com"), &json!("n"))
    );
    assert_eq!(data["advanced_signatures"], json!(false));
    let middle = api.send("GET", &path, Some(&api.key), &[("x-convoy-version", "2024-03-31")], None).await;
    let row = &middle.data()["content"][0];
    assert_eq!((&row["http_timeout"], &row["title"]), (&json!(12), &json!("n")));
    let newest = api.send("POST", &path, Some(&api.key), &[], Some(body)).await;
    assert_eq!((newest.status, newest.message()), (400, "http_timeout: a number of seconds is expected"));
    assert_eq!(newest.headers["x-convoy-version"], "2025-11-24");
    api.close().await;
}

#[tokio::test]
async fn a_subscription_lives_and_dies() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    let made = api.post("subscriptions", json!({"name": "s", "endpoint_id": endpoint})).await;
    assert_eq!((made.status, &made.data()["filter_config"]["event_types"]), (201, &json!(["*"])));
    let second = api.post("subscriptions", json!({"name": "s2", "endpoint_id": endpoint})).await;
    assert_eq!((second.status, second.message()), (400, "a subscription for this endpoint already exists"));
    let id = made.uid();
    let changed = api
        .put(
            &format!("subscriptions/{id}"),
            json!({"filter_config": {"event_types": ["a", "b"]}, "endpoint_id": endpoint}),
        )
        .await;
    assert_eq!((changed.status, &changed.data()["filter_config"]["event_types"]), (202, &json!(["a", "b"])));
    let read = api.get(&format!("subscriptions/{id}")).await;
    assert_eq!(read.data()["endpoint_metadata"]["uid"], json!(endpoint));
    assert_eq!(api.delete(&format!("subscriptions/{id}")).await.status, 200);
    assert_eq!(api.get(&format!("subscriptions/{id}")).await.message(), "failed to find subscription");
    api.close().await;
}

#[tokio::test]
async fn a_source_keeps_its_password_to_itself() {
    let api = Api::start().await;
    let mqtt = json!({"host": "broker", "port": 1883, "topic": "a/#", "qos": 1, "auth": {"username": "u", "password": "hunter2"}});
    let body =
        |mqtt: &Value| json!({"name": "m", "type": "pub_sub", "pub_sub": {"type": "mqtt", "workers": 1, "mqtt": mqtt}});
    let made = api.post("sources", body(&mqtt)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(!made.body.to_string().contains("hunter2"));
    let mut hidden = made.data()["pub_sub"]["mqtt"].clone();
    hidden["topic"] = json!("b/#");
    let changed = api.put(&format!("sources/{}", made.uid()), body(&hidden)).await;
    assert_eq!((changed.status, &changed.data()["pub_sub"]["mqtt"]["topic"]), (202, &json!("b/#")));
    let mut conn = api.database.pool().get().await.unwrap();
    let feed = posthouse_schema::source_feed::broker_sources_all_projects(&mut conn, None, 10).await.unwrap();
    assert_eq!(
        feed[0].pub_sub.as_ref().unwrap()["mqtt"]["auth"]["password"],
        "hunter2",
        "a hidden password keeps the stored one"
    );
    for (broken, value) in [
        ("host", json!(null)),
        ("host", json!("a b")),
        ("port", json!(70_000)),
        ("topic", json!(null)),
        ("qos", json!(3)),
        ("tls", json!("yes")),
        ("auth", json!("u:p")),
        ("ca_certificate", json!(1)),
        ("client_id", json!("x".repeat(2_000))),
    ] {
        let mut settings = mqtt.clone();
        settings[broken] = value;
        let answer = api.post("sources", body(&settings)).await;
        assert!(answer.message().starts_with(&format!("pub_sub.mqtt.{broken}")), "{broken}: {}", answer.body);
    }
    let least = json!({"host": "broker", "topic": "a", "username": "u", "password": "hunter2"});
    assert_eq!(api.post("sources", body(&least)).await.status, 201, "the rest has defaults");
    assert_eq!(api.delete(&format!("sources/{}", made.uid())).await.status, 200);
    api.close().await;
}

#[tokio::test]
async fn a_project_is_made_with_its_key_and_changed_key_by_key() {
    let api = Api::start().await;
    let path = format!("/api/v1/projects?orgID={}", api.organisation);
    let body = json!({"name": "billing", "type": "outgoing", "config": {"strategy": {"retry_count": 2}}}).to_string();
    let made = api.send("POST", &path, Some(&api.personal_key), &[], Some(body.clone())).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (project, key) =
        (made.data()["project"]["uid"].as_str().unwrap(), made.data()["api_key"]["key"].as_str().unwrap());
    assert_eq!(
        made.data()["project"]["config"]["strategy"],
        json!({"type": "linear", "duration": 100, "retry_count": 2})
    );
    let again = api.send("POST", &path, Some(&api.personal_key), &[], Some(body)).await;
    assert_eq!((again.status, again.message()), (400, "a project with this name already exists"));
    let change = json!({"name": "billing", "config": {"disable_endpoint": true}}).to_string();
    let changed = api.send("PUT", &format!("/api/v1/projects/{project}"), Some(key), &[], Some(change)).await;
    assert_eq!((changed.status, &changed.data()["config"]["disable_endpoint"]), (202, &json!(true)));
    assert_eq!(changed.data()["config"]["strategy"]["retry_count"], json!(2));
    let listed = api.send("GET", &path, Some(&api.personal_key), &[], None).await;
    assert_eq!(listed.data().as_array().unwrap().len(), 2);
    assert_eq!(api.send("DELETE", &format!("/api/v1/projects/{project}"), Some(key), &[], None).await.status, 200);
    assert_eq!(
        api.send("GET", &format!("/api/v1/projects/{project}"), Some(key), &[], None).await.message(),
        "project not found"
    );
    api.close().await;
}

#[tokio::test]
async fn an_event_is_queued_byte_for_byte() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    let data = r#"{ "b": 1.00,  "a" : [1e2, "ä"] }"#;
    let body = format!(
        r#"{{"endpoint_id":"{endpoint}","event_type":"order.paid","data":{data},"idempotency_key":"k1","custom_headers":{{"X-A":"1"}}}}"#
    );
    let answer = api.send("POST", &api.path("events"), Some(&api.key), &[], Some(body)).await;
    assert_eq!(
        (answer.status, &answer.body),
        (201, &json!({"status": true, "message": "Event queued successfully", "data": null}))
    );
    let queued = api.queued_events().await;
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0].data.get(), data);
    assert_eq!((queued[0].event_type.as_str(), queued[0].idempotency_key.as_str()), ("order.paid", "k1"));
    assert_eq!(answer.headers["x-posthouse-event-id"].to_str().unwrap(), queued[0].event_id.to_string());
    api.close().await;
}

#[tokio::test]
async fn pages_go_forward_and_back_by_inclusive_cursors() {
    let api = Api::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(api.endpoint(&format!("e{n}")).await);
    }
    ids.sort();
    ids.reverse();
    let page = async |query: &str| {
        let answer = api.get(&format!("endpoints?perPage=2{query}")).await;
        let data = answer.data().clone();
        let uids: Vec<String> =
            data["content"].as_array().unwrap().iter().map(|row| row["uid"].as_str().unwrap().to_string()).collect();
        (uids, data["pagination"].clone())
    };
    let (first, to) = page("").await;
    assert_eq!(
        (first.as_slice(), &to["has_next_page"], &to["has_prev_page"]),
        (&ids[..2], &json!(true), &json!(false))
    );
    assert_eq!(to["next_page_cursor"], json!(ids[2]));
    let (second, to) = page(&format!("&next_page_cursor={}", ids[2])).await;
    assert_eq!((second.as_slice(), &to["prev_page_cursor"]), (&ids[2..4], &json!(ids[2])));
    let (last, to) = page(&format!("&next_page_cursor={}", ids[4])).await;
    assert_eq!((last.as_slice(), &to["has_next_page"]), (&ids[4..], &json!(false)));
    let (back, to) = page(&format!("&direction=prev&prev_page_cursor={}", ids[2])).await;
    assert_eq!((back.as_slice(), &to["has_next_page"]), (&ids[..2], &json!(true)));
    let (part, _) = page("&q=e3").await;
    assert_eq!(part.len(), 1);
    let (none, to) = page("&q=%25").await;
    assert_eq!((none.len(), &to["next_page_cursor"]), (0, &json!("")), "a wildcard means itself");
    api.close().await;
}
