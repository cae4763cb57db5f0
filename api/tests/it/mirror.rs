//! Every route of a project is also the dashboard's, below the organisation's path; and what only the dashboard has.

use serde_json::{Value, json};

use crate::harness::{Api, ask, until};

const BELOW: &str = "/api/v1/projects/{project_id}";

/// The methods and paths of a project's routes, without what comes before.
fn routes() -> Vec<(String, String)> {
    let description = serde_json::to_value(posthouse_api::router::openapi()).unwrap();
    let paths = description["paths"].as_object().unwrap();
    paths
        .iter()
        .filter_map(|(path, methods)| Some((path.strip_prefix(BELOW)?, methods.as_object()?)))
        .flat_map(|(rest, methods)| methods.keys().map(|method| (method.to_uppercase(), rest.to_string())))
        .collect()
}

/// The path with an id for each parameter.
fn filled(rest: &str) -> String {
    let id = posthouse_schema::ids::EventId::generate().to_string();
    let segments = rest.split('/').map(|segment| if segment.starts_with('{') { id.as_str() } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_of_a_project_is_there_and_for_members_alone() {
    let api = Api::start().await;
    let stranger = api.sign_up("eve").await;
    let routes = routes();
    assert!(routes.len() > 30, "{}", routes.len());
    let below = |organisation: &str, project: &str, rest: &str| {
        format!("organisations/{organisation}/projects/{project}{}", filled(rest))
    };
    let own = api.organisation.to_string();
    for (method, rest) in &routes {
        let body = (method != "GET").then(|| json!({}));
        let path = below(&own, &api.project, rest);
        assert_eq!(api.ui(method, &path, None, body.clone()).await.status, 401, "{method} {path}");
        // The same, by who has no business there: another's project, and another's project in one's own organisation.
        for organisation in [&own, &stranger.organisation] {
            let path = below(organisation, &api.project, rest);
            let refused = api.ui(method, &path, Some(&stranger.access), body.clone()).await;
            assert_eq!(refused.status, 400, "{method} {path}: {}", refused.body);
            let is_unknown = ["project not found", "failed to retrieve project"].contains(&refused.message());
            assert!(is_unknown, "{method} {path}: {}", refused.body);
        }
        // A member through the wrong organisation, with a personal key and with the project's key.
        let path = below(&stranger.organisation, &api.project, rest);
        for key in [&api.personal_key, &api.key] {
            let refused = api.ui(method, &path, Some(key), body.clone()).await;
            assert_eq!(refused.status, 400, "{method} {path}: {}", refused.body);
        }
        if method == "DELETE" && rest.is_empty() {
            continue;
        }
        let path = below(&own, &api.project, rest);
        let served = api.ui(method, &path, Some(&api.personal_key), body).await;
        assert!(served.body.is_object(), "{method} {path} is not served: {} {}", served.status, served.body);
    }
    api.close().await;
}

#[tokio::test]
async fn a_project_is_worked_with_below_its_organisation() {
    let api = Api::start().await;
    let projects = format!("organisations/{}/projects", api.organisation);
    let ada = api.join("ada", posthouse_schema::words::Role::OrganisationAdmin).await;
    let listed = api.ui("GET", &projects, Some(&ada.access), None).await;
    assert_eq!(listed.data()[0]["uid"], json!(api.project));
    let body = json!({"name": "e", "url": "https://example.com"});
    let made = api.ui("POST", &format!("{projects}/{}/endpoints", api.project), Some(&ada.access), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(api.get(&format!("endpoints/{}", made.uid())).await.status, 200);
    api.close().await;
}

#[tokio::test]
async fn a_new_key_replaces_the_old_ones_everywhere() {
    let api = Api::start().await;
    let other = api.another();
    let project = format!("/api/v1/projects/{}", api.project);
    let path = format!("organisations/{}/projects/{}/security/keys/regenerate", api.organisation, api.project);
    assert_eq!(ask(&other, "GET", &project, Some(&api.key), None).await.status, 200);
    assert_eq!(api.ui("PUT", &path, Some(&api.key), None).await.status, 403, "a key that leaked locks nobody out");
    let made = api.ui("PUT", &path, Some(&api.personal_key), None).await;
    assert_eq!((made.status, made.message()), (200, "api key regenerated successfully"));
    assert_eq!((&made.data()["name"], &made.data()["key_type"]), (&json!("orders's key"), &json!("")));
    assert_eq!(made.data()["role"], json!({"type": "project_admin", "project": api.project}));
    let key = made.data()["key"].as_str().unwrap();
    assert_eq!(api.send("GET", &project, Some(key), &[], None).await.status, 200);
    assert_eq!(api.send("GET", &project, Some(&api.key), &[], None).await.status, 401, "at once here");
    until("the other instance refuses the old key", async || {
        ask(&other, "GET", &project, Some(&api.key), None).await.status == 401
    })
    .await;
    api.close().await;
}

#[tokio::test]
async fn a_project_says_what_it_has_and_how_it_does() {
    let api = Api::start().await;
    let project = format!("organisations/{}/projects/{}", api.organisation, api.project);
    let stats = async || api.ui("GET", &format!("{project}/stats"), Some(&api.key), None).await;
    let empty = stats().await;
    assert_eq!((empty.status, empty.message()), (200, "Project Stats fetched successfully"));
    let none =
        json!({"events_exist": false, "sources_exist": false, "endpoints_exist": false, "subscriptions_exist": false});
    assert_eq!(empty.data(), &none);
    let endpoint = api.endpoint("orders").await;
    api.post("subscriptions", json!({"name": "s", "endpoint_id": endpoint})).await;
    assert_eq!(stats().await.data()["endpoints_exist"], json!(true));
    assert_eq!(stats().await.data()["sources_exist"], json!(false));

    let summary =
        async |query: &str| api.ui("GET", &format!("{project}/dashboard/summary?{query}"), Some(&api.key), None).await;
    let now = chrono::Utc::now();
    let from = (now - chrono::TimeDelta::days(2)).format("%Y-%m-%dT00:00:00");
    let seen = summary(&format!("startDate={from}&type=daily")).await;
    assert_eq!((seen.status, seen.message()), (200, "Dashboard summary fetched successfully"), "{}", seen.body);
    let (data, days) = (seen.data(), seen.data()["event_data"].as_array().unwrap());
    assert_eq!((&data["events_sent"], &data["apps"], &data["period"]), (&json!(0), &json!(1), &json!("daily")));
    assert_eq!((days.len(), &days[2]["data"]["date"]), (3, &json!(now.format("%Y-%m-%d").to_string())));
    for (query, part) in [
        ("type=daily", "please specify a startDate"),
        ("startDate=x&type=daily", "startDate"),
        ("startDate=2026-01-01T00:00:00", "please specify a type"),
        ("startDate=2026-01-01T00:00:00&type=hourly", "please specify a type"),
        ("startDate=2026-02-01T00:00:00&endDate=2026-01-01T00:00:00&type=daily", "cannot be greater"),
    ] {
        let refused = summary(query).await;
        assert!(refused.status == 400 && refused.message().contains(part), "{query}: {}", refused.body);
    }
    for query in [
        "startDate=0001-01-01T00:00:00&type=yearly",
        "startDate=1990-01-01T00:00:00&endDate=9000-01-01T00:00:00&type=weekly",
    ] {
        assert_eq!(summary(query).await.status, 200, "{query}");
    }
    let described = api.ui("GET", "openapi.json", None, None).await;
    assert_eq!(
        (described.status, &described.body["paths"]["/ui/auth/login"]["post"]["operationId"]),
        (200, &Value::from("Login"))
    );
    api.close().await;
}
