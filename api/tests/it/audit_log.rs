//! Who changed what: every changing route leaves a line, a refused request none, and only those who may read them do.

use posthouse_api::router;
use posthouse_schema::{
    audit_log::{Audience, AuditEntry, AuditFilter},
    page::{Direction, PageRequest, Sort},
    words::Role,
};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Api},
    walk::{Tenant, operations},
};

async fn lines(api: &Api, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/projects/{}/audit-log?{query}", api.project);
    let answer = api.send("GET", &path, Some(&api.key), &[], None).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.data()["content"].as_array().unwrap().clone()
}

async fn made(api: &Api, resource: &str, body: Value) -> Answer {
    let path = format!("/api/v1/projects/{}/{resource}", api.project);
    api.send("POST", &path, Some(&api.key), &[("user-agent", "walker/1")], Some(body.to_string())).await
}

/// Every route of the description, as its own test has listed them, in earnest.
#[tokio::test]
async fn every_change_leaves_a_line_and_nothing_else_does() {
    let api = Api::start().await;
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let exempt = ["events", "events/batch", "events/broadcast", "events/dynamic", "events/fanout"];
    let mut walk = operations(&router::openapi());
    walk.retain(|operation| operation.id != "CreateProject");
    // What goes, goes last, and the project last of all.
    walk.sort_by_key(|operation| (operation.id == "DeleteProject", operation.method == "DELETE", operation.path.len()));
    let mut recorded = 0;
    for operation in walk {
        let before = count(&api).await;
        let answer = operation.ask(&api, &tenant, Some(&api.key)).await;
        let path = operation.path.rsplit_once("{project_id}/").map_or("", |(_, path)| path);
        let is_quiet =
            operation.method == "GET" || exempt.contains(&path) || path.contains("/test") || answer.status >= 300;
        let expected = before + usize::from(!is_quiet);
        assert_eq!(count(&api).await, expected, "{operation:?}: {} {}", answer.status, answer.body);
        recorded += u32::from(!is_quiet);
    }
    assert!(recorded > 30, "only {recorded} operations changed something");
    let unknown = all(&api).await.into_iter().find(|line| !line.is_confirmed || line.action.contains(' '));
    assert!(unknown.is_none(), "{unknown:?}");
    api.close().await;
}

async fn count(api: &Api) -> usize {
    all(api).await.len()
}

pub async fn all(api: &Api) -> Vec<AuditEntry> {
    let page = PageRequest { per_page: 1_000, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let mut conn = api.database.pool().get().await.unwrap();
    AuditEntry::list(&mut conn, Audience::Instance, &AuditFilter::default(), &page).await.unwrap().rows
}

#[tokio::test]
async fn a_line_tells_who_did_what_to_what_and_from_where() {
    let api = Api::start().await;
    let body = json!({"name": "orders", "url": "https://example.com/hooks", "secret": "hunter2-of-the-test",
        "authentication": {"type": "api_key", "api_key": {"header_name": "x-key", "header_value": "hunter2"}}});
    let endpoint = made(&api, "endpoints", body).await.uid();
    let path = format!("/api/v1/projects/{}/endpoints/{endpoint}", api.project);
    let body = json!({"name": "invoices", "url": "https://example.com/hooks"}).to_string();
    let headers = [("x-request-id", "r-1"), ("x-forwarded-for", "192.0.2.7"), ("user-agent", "walker/2")];
    let changed = api.send("PUT", &path, Some(&api.personal_key), &headers, Some(body)).await;
    assert_eq!(changed.status, 202, "{}", changed.body);
    let refused = api.send("PUT", &path, Some(&api.key), &[], Some(json!({"name": "x"}).to_string())).await;
    assert_eq!(refused.status, 400);
    let shown = lines(&api, "").await;
    let [update, create] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!((&create["action"], &create["actor_kind"]), (&json!("endpoint.create"), &json!("project_key")));
    assert_eq!((&create["resource_id"], &create["user_agent"]), (&json!(endpoint), &json!("walker/1")));
    assert_eq!(create["changes"]["name"], json!({"before": null, "after": "orders"}));
    assert_eq!(create["changes"]["authentication"], json!({"is_secret": true}));
    assert_eq!((&update["action"], &update["actor_kind"]), (&json!("endpoint.update"), &json!("user")));
    assert_eq!((&update["request_id"], &update["source_address"]), (&json!("r-1"), &json!("192.0.2.7")));
    assert_eq!(
        (&update["changes"]["name"], &update["changes"]["authentication"]),
        (&json!({"before": "orders", "after": "invoices"}), &json!({"is_secret": true}))
    );
    assert_eq!((&update["is_confirmed"], &update["project_id"]), (&json!(true), &json!(api.project)));
    assert_eq!(update["way"], "api");
    assert!(update["api_key_id"].is_string() && update["actor_id"] != create["actor_id"], "{update}");
    assert!(!shown.iter().any(|line| line.to_string().contains("hunter2")), "{shown:?}");
    for (query, expected) in [
        ("action=endpoint.create", 1),
        ("action=endpoint.create&action=endpoint.update", 2),
        (&format!("actorId={}", update["actor_id"].as_str().unwrap()), 1),
        (&format!("actorId={}", update["api_key_id"].as_str().unwrap()), 1),
        (&format!("resourceId={endpoint}"), 2),
        ("endDate=2020-01-01T00:00:00&startDate=2019-01-01T00:00:00", 0),
        (&format!("perPage=1&next_page_cursor={}", create["uid"].as_str().unwrap()), 1),
    ] {
        assert_eq!(lines(&api, query).await.len(), expected, "{query}");
    }
    api.close().await;
}

#[tokio::test]
async fn only_those_who_may_change_a_project_read_its_lines_and_administrators_those_of_all() {
    let api = Api::start().await;
    made(&api, "endpoints", json!({"name": "a", "url": "https://example.com/a"})).await;
    let (_, stranger) = api.new_project("another").await;
    let path = format!("/api/v1/projects/{}/audit-log", api.project);
    let of_stranger = api.send("GET", &path, Some(&stranger), &[], None).await;
    assert_eq!(of_stranger.data()["content"], json!([]), "a key opens its own project, whatever the path says");
    let viewer = api.join("vera", Role::ProjectViewer).await;
    assert_eq!(api.send("GET", &path, Some(&viewer.access), &[], None).await.status, 403);
    let of_organisation = format!("organisations/{}/audit-log", api.organisation);
    assert_eq!(api.ui("GET", &of_organisation, Some(&viewer.access), None).await.status, 403);
    let admin = api.join("ada", Role::OrganisationAdmin).await;
    let members = format!("organisations/{}/members/{}", api.organisation, viewer.uid);
    let role = json!({"role": {"type": "project_admin"}});
    assert_eq!(api.ui("PUT", &members, Some(&admin.access), Some(role)).await.status, 202);
    let read = api.ui("GET", &of_organisation, Some(&admin.access), None).await;
    let actions: Vec<&str> =
        read.data()["content"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["member.update", "endpoint.create"]);
    let line = &read.data()["content"][0];
    assert_eq!(line["changes"]["role"], json!({"before": "project_viewer", "after": "project_admin"}));
    assert_eq!((&line["actor_id"], &line["resource_id"]), (&json!(admin.uid), &json!(viewer.uid)));
    api.close().await;
}

#[tokio::test]
async fn the_holder_of_a_portal_link_is_an_actor_who_reads_nothing() {
    let api = Api::start().await;
    let body = json!({"name": "ada", "owner_id": "ada", "can_manage_endpoint": true});
    let link = made(&api, "portal-links", body).await;
    let token = link.data()["token"].as_str().unwrap();
    let body = json!({"name": "mine", "url": "https://example.com/mine"}).to_string();
    let endpoint = api.send("POST", "/portal-api/endpoints", Some(token), &[], Some(body)).await;
    assert_eq!(endpoint.status, 201, "{}", endpoint.body);
    let shown = lines(&api, "action=endpoint.create").await;
    assert_eq!((&shown[0]["actor_kind"], &shown[0]["actor_id"]), (&json!("portal_link"), &json!(link.uid())));
    assert_eq!((&shown[0]["resource_id"], &shown[0]["is_confirmed"]), (&json!(endpoint.uid()), &json!(true)));
    let path = format!("/api/v1/projects/{}/audit-log", api.project);
    assert_eq!(api.send("GET", &path, Some(token), &[], None).await.status, 401);
    api.close().await;
}
