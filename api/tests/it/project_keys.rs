//! Keys of a project, one by one.

use posthouse_schema::words::Role;
use serde_json::json;

use crate::harness::Api;

#[tokio::test]
async fn a_key_is_made_listed_and_revoked() {
    let api = Api::start().await;
    let ada = api.join("ada", Role::ProjectAdmin).await;
    let path = format!("organisations/{}/projects/{}/security/keys", api.organisation, api.project);
    let ask =
        async |method: &str, rest: &str, body| api.ui(method, &format!("{path}{rest}"), Some(&ada.access), body).await;
    let made = ask("POST", "", Some(json!({"name": "ci", "role": "project_viewer", "expiration": 3}))).await;
    assert_eq!((made.status, made.message()), (201, "api key created successfully"), "{}", made.body);
    assert_eq!((&made.data()["name"], &made.data()["role"]["type"]), (&json!("ci"), &json!("project_viewer")));
    let key = made.data()["key"].as_str().unwrap().to_string();
    let endpoints = format!("/api/v1/projects/{}/endpoints", api.project);
    assert_eq!(api.send("GET", &endpoints, Some(&key), &[], None).await.status, 200);
    let body = json!({"name": "n", "url": "https://example.com/hook"}).to_string();
    assert_eq!(api.send("POST", &endpoints, Some(&key), &[], Some(body)).await.status, 403, "it only reads");

    let listed = ask("GET", "", None).await;
    let rows = listed.data()["content"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["name"], &rows[0]["uid"]), (2, &json!("ci"), &made.data()["uid"]));
    assert!(!listed.body.to_string().contains(&key), "it is shown once");
    for (body, field) in [
        (json!({"name": " "}), "name"),
        (json!({"name": "x", "role": "instance_admin"}), "role: "),
        (json!({"name": "x", "role": "organisation_admin"}), "role: "),
        (json!({"name": "x", "expiration": -1}), "expiration: "),
        (json!({"name": "x", "expiration": 3_651}), "expiration: "),
    ] {
        let refused = ask("POST", "", Some(body.clone())).await;
        assert!(refused.status == 400 && refused.message().starts_with(field), "{body}: {}", refused.body);
    }
    let id = made.uid();
    let (other, _) = api.new_project("other").await;
    let elsewhere = format!("organisations/{}/projects/{other}/security/keys/{id}/revoke", api.organisation);
    assert_eq!(api.ui("PUT", &elsewhere, Some(&ada.access), None).await.status, 404, "of another project");
    assert_eq!(ask("PUT", &format!("/{id}/revoke"), None).await.status, 200);
    assert_eq!(api.send("GET", &endpoints, Some(&key), &[], None).await.status, 401);
    assert_eq!(ask("PUT", &format!("/{id}/revoke"), None).await.status, 404, "it has ended");
    assert_eq!(api.get("endpoints").await.status, 200, "the others stay");
    api.close().await;
}

#[tokio::test]
async fn who_only_has_a_key_makes_no_keys() {
    let api = Api::start().await;
    let viewer = api.join("viewer", Role::ProjectViewer).await;
    let stranger = api.sign_up("stranger").await;
    let path = format!("organisations/{}/projects/{}/security/keys", api.organisation, api.project);
    for (method, rest) in [("GET", ""), ("POST", ""), ("PUT", "/01ARZ3NDEKTSV4RRFFQ69G5FAV/revoke")] {
        let body = (method == "POST").then(|| json!({"name": "x"}));
        for token in [&api.key, &viewer.access, &stranger.access] {
            let answer = api.ui(method, &format!("{path}{rest}"), Some(token), body.clone()).await;
            assert!([400, 401, 403].contains(&answer.status), "{method}: {}", answer.body);
        }
    }
    let listed = api.ui("GET", &path, Some(&api.personal_key), None).await;
    assert_eq!(listed.data()["content"].as_array().unwrap().len(), 1, "nothing was made");
    api.close().await;
}
