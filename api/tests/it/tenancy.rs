//! Nobody sees or changes anything of another project, whatever they name: every route of the API is walked with the keys
//! of strangers and one project's ids.

use posthouse_api::router;
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    organisation, user,
    words::Role,
};
use serde_json::json;

use crate::{
    harness::Api,
    walk::{MARK, Operation, Tenant, operations},
};

/// What every route must do for one who holds a key to something else.
fn refused_or_empty(operation: &Operation, answer: &crate::harness::Answer, who: &str) {
    let text = answer.body.to_string();
    assert!(answer.status < 500, "{who}: {operation:?}: {text}");
    assert!(!text.contains(MARK), "{who} reads: {operation:?}: {text}");
    if operation.names_a_resource() {
        assert!(answer.status >= 400, "{who}: {operation:?}: {} {text}", answer.status);
    }
}

#[tokio::test]
async fn a_key_opens_nothing_of_another_project() {
    let api = Api::start().await;
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let before = tenant.snapshot(&api).await;
    for (n, operation) in operations(&router::openapi()).iter().enumerate() {
        // A key decides the project whatever the path says, and may well change its own: each has a project of its own.
        let (own, key) = api.new_project(&format!("stranger {n}")).await;
        let answer = operation.ask(&api, &tenant, Some(&key)).await;
        refused_or_empty(operation, &answer, "a key of another project");
        let through_own = Operation { path: operation.path.replace("{project_id}", &own), ..operation.clone() };
        let (_, key) = api.new_project(&format!("another stranger {n}")).await;
        refused_or_empty(operation, &through_own.ask(&api, &tenant, Some(&key)).await, "a key with its own path");
    }
    assert_eq!(tenant.snapshot(&api).await, before, "nothing was changed");
    assert!(api.queued_jobs().await.iter().all(|job| !job.contains(&tenant.project)), "nothing was set off");
    api.close().await;
}

#[tokio::test]
async fn a_personal_key_opens_nothing_of_another_organisation() {
    let api = Api::start().await;
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let before = tenant.snapshot(&api).await;
    let mut conn = api.database.pool().get().await.unwrap();
    let organisation = organisation::insert(&mut conn, "elsewhere").await.unwrap();
    let user = user::insert(&mut conn, "mallory@example.com").await.unwrap();
    organisation::set_member(&mut conn, organisation, user, Role::OrganisationAdmin).await.unwrap();
    let (_, key) = ApiKey::insert(&mut conn, Owner::User(user), "k", Role::OrganisationAdmin, None).await.unwrap();
    drop(conn);
    for operation in operations(&router::openapi()) {
        let answer = operation.ask(&api, &tenant, Some(key.expose())).await;
        refused_or_empty(&operation, &answer, "a stranger's personal key");
        let is_of_project = operation.path.contains("{project_id}");
        assert!(!is_of_project || answer.status >= 400, "{operation:?}: {} {}", answer.status, answer.body);
    }
    assert_eq!(tenant.snapshot(&api).await, before, "nothing was changed");
    assert!(api.queued_jobs().await.is_empty(), "nothing was set off");
    api.close().await;
}

#[tokio::test]
async fn no_route_answers_without_credentials() {
    let api = Api::start().await;
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let open = ["Health"];
    for operation in operations(&router::openapi()).into_iter().chain(operations(&router::portal_openapi())) {
        let answer = operation.ask(&api, &tenant, None).await;
        if !open.contains(&operation.id.as_str()) {
            assert_eq!((answer.status, answer.message()), (401, "Authentication required"), "{operation:?}");
        }
    }
    api.close().await;
}

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
        for rest in ["endpoints", "subscriptions", "sources", "events", "eventdeliveries", "portal-links"] {
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
