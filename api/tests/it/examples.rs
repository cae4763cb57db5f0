//! The examples of the description are what the API accepts.

use posthouse_api::{examples, router, ui};
use serde_json::Value;

use crate::{
    harness::Api,
    walk::{Tenant, operations},
};

/// Operations whose requests have a body, by the description.
fn with_bodies(description: &salvo::oapi::OpenApi) -> Vec<String> {
    let json = serde_json::to_value(description).unwrap();
    let methods = json["paths"].as_object().unwrap().values().flat_map(|methods| methods.as_object().unwrap().values());
    let bodies = methods.filter(|operation| !operation["requestBody"].is_null());
    bodies.map(|operation| operation["operationId"].as_str().unwrap().to_string()).collect()
}

#[test]
fn every_request_with_a_body_has_an_example_and_nothing_else_has() {
    let mut described = with_bodies(&router::openapi());
    described.extend(with_bodies(&ui::openapi()));
    for id in &described {
        assert!(examples::EXAMPLES.contains_key(id), "{id} has no example: add one to api/src/examples.json");
    }
    for id in examples::EXAMPLES.keys() {
        assert!(described.contains(id), "there is no request {id}");
    }
    let text = serde_json::to_string(&router::openapi()).unwrap();
    assert!(!text.contains("{endpoint}") && text.contains("order-7-paid"));
}

#[tokio::test]
async fn every_example_is_accepted() {
    let api = Api::start().await;
    let with_bodies = with_bodies(&router::openapi());
    let mut refused = Vec::new();
    for (n, operation) in operations(&router::openapi()).iter().filter(|o| with_bodies.contains(&o.id)).enumerate() {
        let (project, key) = api.new_project(&format!("example {n}")).await;
        let tenant = Tenant::make(&api, (&project, &key), "customer-7").await;
        let replace = |name: &str| tenant.id(&format!("{name}_id")).to_string();
        let mut body = examples::filled(&examples::EXAMPLES[&operation.id], &replace);
        match operation.id.as_str() {
            // Names that are taken: the tenant's own, and that of another example's project.
            "CreateEventType" | "UpdateProject" => body["name"] = Value::from(format!("example-{n}")),
            "CreateSubscription" => {
                let path = tenant.fill("/api/v1/projects/{project_id}/subscriptions/{subscription_id}");
                api.send("DELETE", &path, Some(&key), &[], None).await;
            }
            "TestSourceConnection" => {
                let path = tenant.fill("/api/v1/projects/{project_id}/sources/{source_id}");
                let of_a_broker = serde_json::json!({"name": "s", "type": "pub_sub", "pub_sub": body["pub_sub"]});
                api.send("PUT", &path, Some(&key), &[], Some(of_a_broker.to_string())).await;
            }
            "ForceResendEventDeliveries" => api.database.run("UPDATE event_deliveries SET status = 'Success'").await,
            _ => {}
        }
        let path = tenant.fill(&operation.path);
        if operation.id == "CreateProject" {
            // Only a person can, in an organisation of hers: see the tests of accounts.
            continue;
        }
        let answer = api.send(&operation.method, &path, Some(&key), &[], Some(body.to_string())).await;
        // Nobody answers at the example's token URL: what is asked for was understood.
        let is_expected = (200..300).contains(&answer.status)
            || operation.id == "TestOAuth2Connection" && answer.body.to_string().contains("token");
        if !is_expected {
            refused.push(format!("{}: {} {}", operation.id, answer.status, answer.body));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    api.close().await;
}
