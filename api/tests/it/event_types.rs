//! The catalogue of event types: by hand, by subscriptions, and from OpenAPI documents.

use serde_json::{Value, json};

use crate::harness::Api;

async fn names(api: &Api) -> Vec<String> {
    let listed = api.get("event-types").await;
    assert_eq!((listed.status, listed.message()), (200, "Event types fetched successfully"));
    listed.data().as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn an_event_type_is_made_changed_and_deprecated() {
    let api = Api::start().await;
    let first = api.get("event-types").await;
    let star = &first.data()[0];
    assert_eq!((&star["name"], &star["json_schema"], &star["deprecated_at"]), (&json!("*"), &json!({}), &Value::Null));

    let body = json!({"name": "invoice.paid", "description": "an invoice was paid", "category": "billing"});
    let made = api.post("event-types", body).await;
    let id = made.uid();
    assert_eq!((made.status, made.message()), (201, "Event type created successfully"));
    let expected = json!({"uid": id, "name": "invoice.paid", "category": "billing", "json_schema": null,
        "description": "an invoice was paid", "deprecated_at": null});
    assert_eq!(made.data(), &expected);

    let schema = json!({"type": "object", "required": ["id"]});
    let changed = api.put(&format!("event-types/{id}"), json!({"category": "money", "json_schema": schema})).await;
    assert_eq!(
        (changed.status, &changed.data()["category"], &changed.data()["json_schema"]),
        (201, &json!("money"), &schema)
    );
    assert_eq!(changed.data()["description"], "an invoice was paid", "what is missing keeps its value");

    let marked = api.post(&format!("event-types/{id}/deprecate"), Value::Null).await;
    assert_eq!(marked.status, 201);
    let again = api.post(&format!("event-types/{id}/deprecate"), Value::Null).await;
    assert!(marked.data()["deprecated_at"].is_string());
    assert_eq!(again.data()["deprecated_at"], marked.data()["deprecated_at"], "the first time stays");
    assert_eq!(names(&api).await, ["invoice.paid", "*"], "the newest first");
    api.close().await;
}

#[tokio::test]
async fn what_subscriptions_name_is_in_the_catalogue() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    let body = json!({"name": "s", "endpoint_id": endpoint, "filter_config": {"event_types": ["b.two", "a.one", "*"]}});
    let subscription = api.post("subscriptions", body).await.uid();
    let change = json!({"filter_config": {"event_types": ["c.three", "a.one"]}});
    assert_eq!(api.put(&format!("subscriptions/{subscription}"), change).await.status, 202);
    let mut found = names(&api).await;
    found.sort();
    assert_eq!(found, ["*", "a.one", "b.two", "c.three"]);
    api.close().await;
}

#[tokio::test]
async fn webhooks_of_a_document_are_imported_and_imported_again() {
    let api = Api::start().await;
    let spec = |description: &str| {
        json!({"openapi": "3.1.0", "webhooks": {"order.made": {"post": {"description": description, "requestBody": {"content":
            {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}}}}},
            "components": {"schemas": {"Order": {"type": "object", "properties": {"id": {"type": "string"}}}}}})
        .to_string()
    };
    let imported = api.post("event-types/import", json!({"spec": spec("first")})).await;
    assert_eq!((imported.status, imported.message()), (200, "Event types imported successfully"));
    let row = &imported.data()[0];
    assert_eq!((&row["name"], &row["description"]), (&json!("order.made"), &json!("first")));
    assert_eq!(
        row["json_schema"],
        json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": null})
    );
    let again = api.post("event-types/import", json!({"spec": spec("second")})).await;
    assert_eq!((&again.data()[0]["uid"], &again.data()[0]["description"]), (&row["uid"], &json!("second")));
    assert_eq!(names(&api).await, ["order.made", "*"]);
    api.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_event_type_is_named() {
    let api = Api::start().await;
    api.post("event-types", json!({"name": "taken"})).await;
    for (body, message) in [
        (json!({"description": "x"}), "name:please provide a name for this event type"),
        (json!({"name": "taken"}), "name: an event type with this name already exists"),
        (json!({"name": "*"}), "name: an event type with this name already exists"),
        (json!({"name": 5}), "body contains incorrect JSON"),
        (json!({"name": "a\u{0}"}), "name: the NUL character"),
        (json!({"name": "a", "category": "x".repeat(2_049)}), "category: at most"),
        (json!({"name": "a", "json_schema": {"type": "nonsense"}}), "json_schema: invalid JSON schema: at '/type'"),
        (json!({"name": "a", "json_schema": []}), "json_schema: an object is expected"),
    ] {
        let answer = api.post("event-types", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.message().starts_with(message), "{body}: {}", answer.message());
    }
    for (spec, message) in [
        ("", "no webhooks found in OpenAPI spec"),
        ("{}", "no webhooks found in OpenAPI spec"),
        ("not a spec: [", "error loading OpenAPI spec: "),
        (
            "webhooks:\n  a:\n    post: {requestBody: {content: {application/json: {schema: {$ref: 'http://x/y'}}}}}",
            "spec: a: $ref http://x/y",
        ),
    ] {
        let answer = api.post("event-types/import", json!({"spec": spec})).await;
        assert_eq!(answer.status, 400, "{spec}");
        assert!(answer.message().starts_with(message), "{spec}: {}", answer.message());
    }
    for id in ["01HZZZZZZZZZZZZZZZZZZZZZZZ", "nonsense"] {
        let answer = api.put(&format!("event-types/{id}"), json!({"description": "x"})).await;
        assert_eq!((answer.status, answer.message()), (400, "event type not found"));
        assert_eq!(api.post(&format!("event-types/{id}/deprecate"), json!({})).await.status, 400);
    }
    assert_eq!(names(&api).await, ["taken", "*"], "nothing that was refused is there");
    api.close().await;
}

#[tokio::test]
async fn another_project_sees_none_of_it() {
    let mut api = Api::start().await;
    let id = api.post("event-types", json!({"name": "mine"})).await.uid();
    (api.project, api.key) = api.new_project("other").await;
    assert_eq!(names(&api).await, ["*"]);
    assert_eq!(api.put(&format!("event-types/{id}"), json!({"description": "x"})).await.status, 400);
    assert_eq!(api.post("event-types", json!({"name": "mine"})).await.status, 201, "names are a project's own");
    api.close().await;
}
