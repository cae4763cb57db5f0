//! Every route of the portal, with every kind of link that must not open it, and with the one that does.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use posthouse_api::router;
use posthouse_schema::portal_key::PortalKey;
use serde_json::{Value, json};

use crate::{
    harness::Api,
    walk::{MARK, Operation, Tenant, operations},
};

/// Operations that are routed on the portal, and refuse every link.
const REFUSED: [&str; 3] = ["CreateEventType", "UpdateEventType", "DeprecateEventType"];
/// Operations that a portal link opens below `/api/v1` and not below `/portal-api`.
const ONLY_DIRECT: [&str; 1] = ["ActivateEndpoint"];

async fn token(api: &Api, (project, key): (&str, &str), owner: &str) -> (String, String) {
    let body = json!({"name": owner, "owner_id": owner, "can_manage_endpoint": true}).to_string();
    let path = format!("/api/v1/projects/{project}/portal-links");
    let made = api.send("POST", &path, Some(key), &[], Some(body)).await;
    (made.uid(), made.data()["token"].as_str().unwrap().to_string())
}

/// One that asks about somebody else's resources, on the portal's routes and on the API's own.
async fn walks_into_nothing(api: &Api, ada: &Tenant, token: &str, who: &str) {
    let portal = operations(&router::portal_openapi());
    let of_portal: BTreeSet<&str> = portal.iter().map(|operation| operation.id.as_str()).collect();
    for operation in portal.iter().chain(&operations(&router::openapi())) {
        let answer = operation.ask(api, ada, Some(token)).await;
        let text = answer.body.to_string();
        assert!(answer.status < 500, "{who}: {operation:?}: {text}");
        // The catalogue of event types is the project's, and the same for all its owners.
        assert!(!text.contains(MARK) || operation.id == "GetEventTypes", "{who} reads: {operation:?}: {text}");
        if operation.names_a_resource() {
            // Another project's resources are as if they were not there.
            let is_absent = who.ends_with("project") && [400, 404].contains(&answer.status);
            let is_refused = (answer.status, answer.message()) == (401, "unauthorized");
            assert!(is_absent || is_refused, "{who}: {operation:?}: {} {text}", answer.status);
        }
        let is_open = of_portal.contains(operation.id.as_str()) || ONLY_DIRECT.contains(&operation.id.as_str());
        if operation.path.starts_with("/api/v1") && !is_open {
            assert_eq!((answer.status, answer.message()), (401, "unauthorized"), "{who}: {operation:?}");
        }
        if operation.method == "GET" && operation.id != "GetEventTypes" && !operation.names_a_resource() {
            let asked = Operation {
                path: format!("{}?endpointId={}", operation.path, ada.id("endpoint_id")),
                ..operation.clone()
            };
            let answer = asked.ask(api, ada, Some(token)).await;
            assert!(!answer.body.to_string().contains(MARK), "{who} reads: {asked:?}: {}", answer.body);
        }
    }
}

/// A snapshot of her project without what others made there meanwhile.
fn hers(mut snapshot: Vec<Value>) -> Vec<Value> {
    for answer in &mut snapshot {
        if let Some(Value::Array(rows)) = answer.pointer_mut("/data/content") {
            rows.retain(|row| row.to_string().contains(MARK));
            answer["data"]["pagination"] = Value::Null;
        }
    }
    snapshot
}

#[tokio::test]
async fn a_link_opens_nothing_of_another_owner_or_project() {
    let api = Api::start().await;
    let own = (api.project.as_str(), api.key.as_str());
    let ada = Tenant::make(&api, own, "ada").await;
    let before = ada.snapshot(&api).await;
    let (other, key) = api.new_project("other").await;
    let with_endpoint = token(&api, (&other, &key), "ada").await.1;
    let body = json!({"name": "e", "url": "https://example.com", "owner_id": "bob"});
    api.post("endpoints", body).await;
    for (link, who) in [
        (token(&api, own, "bob").await.1, "another owner"),
        (token(&api, own, "nobody").await.1, "an owner without endpoints"),
        (with_endpoint, "the same owner in another project"),
    ] {
        walks_into_nothing(&api, &ada, &link, who).await;
    }
    let after = hers(ada.snapshot(&api).await);
    assert_eq!(after, hers(before), "nothing of hers was changed");
    assert!(api.queued_jobs().await.iter().all(|job| !job.contains(ada.id("endpoint_id"))), "nothing was set off");
    api.close().await;
}

#[tokio::test]
async fn ended_credentials_open_nothing() {
    let api = Api::start().await;
    let own = (api.project.as_str(), api.key.as_str());
    let ada = Tenant::make(&api, own, "ada").await;
    let before = ada.snapshot(&api).await;
    let (id, revoked) = token(&api, own, "ada").await;
    api.put(&format!("portal-links/{id}/revoke"), json!("{}")).await;
    let body = json!({"name": "k", "owner_id": "ada", "auth_type": "refresh_token", "can_manage_endpoint": true});
    let keyed = api.post("portal-links", body).await.uid();
    let mut conn = api.database.pool().get().await.unwrap();
    let ids = (api.project.parse().unwrap(), keyed.parse().unwrap());
    let expired = PortalKey::insert(&mut conn, ids.0, ids.1, Utc::now() - TimeDelta::seconds(1)).await.unwrap();
    drop(conn);
    for operation in operations(&router::portal_openapi()).iter().chain(&operations(&router::openapi())) {
        if operation.id == "Health" {
            continue;
        }
        for credential in [revoked.as_str(), expired.expose()] {
            let answer = operation.ask(&api, &ada, Some(credential)).await;
            assert_eq!((answer.status, answer.message()), (401, "authorization failed"), "{operation:?}");
        }
    }
    api.put(&format!("portal-links/{keyed}/revoke"), json!("{}")).await;
    let after = ada.snapshot(&api).await;
    assert_eq!(after, before, "nothing was changed");
    api.close().await;
}

/// Brings her resources into the state that the operation asks for.
async fn prepare(api: &Api, ada: &Tenant, operation: &str) {
    match operation {
        // The endpoint has its one subscription.
        "CreateSubscription" => {
            let path = format!("/api/v1/projects/{}/subscriptions/{}", ada.project, ada.id("subscription_id"));
            api.send("DELETE", &path, Some(&ada.key), &[], None).await;
        }
        "ForceResendEventDeliveries" => api.database.run("UPDATE event_deliveries SET status = 'Success'").await,
        _ => {}
    }
}

#[tokio::test]
async fn every_route_opens_to_its_own_link() {
    let api = Api::start().await;
    for (n, operation) in operations(&router::portal_openapi()).iter().enumerate() {
        let (project, key) = api.new_project(&format!("p{n}")).await;
        let ada = Tenant::make(&api, (&project, &key), "ada").await;
        let (_, link) = token(&api, (&project, &key), "ada").await;
        prepare(&api, &ada, &operation.id).await;
        let answer = operation.ask(&api, &ada, Some(&link)).await;
        let text = answer.body.to_string();
        if REFUSED.contains(&operation.id.as_str()) {
            assert_eq!((answer.status, answer.message()), (401, "unauthorized"), "{operation:?}");
            continue;
        }
        assert!(answer.status < 300, "{operation:?}: {} {text}", answer.status);
        let is_hers = [MARK, ada.id("endpoint_id"), r#""num":1"#, r#""Failure":1"#, r#""events_sent":1"#]
            .iter()
            .any(|part| text.contains(part));
        let is_of_the_instance = operation.path.contains("configuration") || operation.path.contains("license");
        assert!(is_hers || is_of_the_instance || operation.method != "GET", "{operation:?}: {text}");
    }
    api.close().await;
}
