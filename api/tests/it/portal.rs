//! What a portal link opens, for how long, and how much of it is shown.

use chrono::{TimeDelta, Utc};
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    organisation,
    portal_key::PortalKey,
    user,
    words::Role,
};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Api},
    walk::{MARK, Tenant},
};

async fn link(api: &Api, body: Value) -> Answer {
    let mut whole = json!({"name": "link", "owner_id": "ada"});
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let made = api.post("portal-links", whole).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_string()
}

impl Api {
    async fn portal(&self, method: &str, rest: &str, token: &str, body: Option<Value>) -> Answer {
        self.send(method, &format!("/portal-api/{rest}"), Some(token), &[], body.map(|body| body.to_string())).await
    }
}

#[tokio::test]
async fn a_credential_opens_its_link_while_it_lives() {
    let api = Api::start().await;
    let fixed = link(&api, json!({})).await;
    let keyed = link(&api, json!({"auth_type": "refresh_token"})).await;
    let (token, key) = (text(&fixed.data()["token"]), text(&keyed.data()["auth_key"]));
    for credential in [&token, &key] {
        let own = api.portal("GET", "portal_link", credential, None).await;
        assert_eq!((own.status, own.message()), (200, "Portal link fetched successfully"), "{}", own.body);
    }
    let own = api.portal("GET", "portal_link", &key, None).await;
    assert_eq!((own.uid(), &own.data()["token"]), (keyed.uid(), &json!("")), "its token is none of the holder's");
    let is_refused = async |credential: &str| {
        let answer = api.portal("GET", "endpoints", credential, None).await;
        assert_eq!((answer.status, answer.message()), (401, "authorization failed"), "{credential}");
    };
    is_refused(&text(&keyed.data()["token"])).await; // A link with keys has no token that opens it.
    is_refused("abcdefghijklmnopqrstuvwx").await;
    is_refused(&key.replace("PRT.", "prt.")).await;
    let mut conn = api.database.pool().get().await.unwrap();
    let (project, id) = (api.project.parse().unwrap(), keyed.uid().parse().unwrap());
    let expired = PortalKey::insert(&mut conn, project, id, Utc::now() - TimeDelta::seconds(1)).await.unwrap();
    drop(conn);
    is_refused(expired.expose()).await;
    let of_project = api.portal("GET", "endpoints", &api.key, None).await;
    assert_eq!((of_project.status, of_project.message()), (401, "unauthorized"), "a project's key is no portal link");

    api.put(&format!("portal-links/{}/revoke", fixed.uid()), json!("{}")).await;
    is_refused(&token).await;
    let changed =
        api.put(&format!("portal-links/{}", keyed.uid()), json!({"name": "link", "auth_type": "static_token"})).await;
    is_refused(&key).await;
    is_refused(&text(&keyed.data()["token"])).await; // It stood in every URL of the link.
    assert_eq!(api.portal("GET", "endpoints", &text(&changed.data()["token"]), None).await.status, 200);
    let old = text(&changed.data()["token"]);
    let body = json!({"name": "link", "auth_type": "refresh_token"});
    let back = api.put(&format!("portal-links/{}", keyed.uid()), body).await;
    is_refused(&old).await;
    assert_eq!(api.portal("GET", "endpoints", &text(&back.data()["auth_key"]), None).await.status, 200);
    api.send("DELETE", &format!("/api/v1/projects/{}", api.project), Some(&api.key), &[], None).await;
    is_refused(&text(&back.data()["auth_key"])).await;
    api.close().await;
}

#[tokio::test]
async fn a_link_that_may_not_manage_changes_no_endpoint_and_sees_no_secret() {
    let api = Api::start().await;
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let token = text(&link(&api, json!({})).await.data()["token"]);
    let before = tenant.snapshot(&api).await;
    let endpoint = tenant.id("endpoint_id");
    for (method, rest) in [
        ("POST", "endpoints".to_string()),
        ("PUT", format!("endpoints/{endpoint}")),
        ("DELETE", format!("endpoints/{endpoint}")),
        ("PUT", format!("endpoints/{endpoint}/pause")),
        ("PUT", format!("endpoints/{endpoint}/expire_secret")),
    ] {
        let body = json!({"name": "x", "url": "https://example.com"});
        let answer = api.portal(method, &rest, &token, Some(body.clone())).await;
        assert_eq!((answer.status, answer.message()), (403, "Unauthorized"), "{method} {rest}");
        let path = api.path(&rest);
        let direct = api.send(method, &path, Some(&token), &[], Some(body.to_string())).await;
        assert_eq!(direct.status, 403, "{method} {path}");
    }
    let path = api.path(&format!("endpoints/{endpoint}/activate"));
    assert_eq!(api.send("POST", &path, Some(&token), &[], None).await.status, 403);
    assert_eq!(tenant.snapshot(&api).await, before);
    for rest in [format!("endpoints/{endpoint}"), "endpoints".into()] {
        let read = api.portal("GET", &rest, &token, None).await;
        let shown = if rest == "endpoints" { &read.data()["content"][0] } else { read.data() };
        assert_eq!((read.status, &shown["secrets"][0]["value"]), (200, &json!("***")), "{rest}");
    }
    api.close().await;
}

#[tokio::test]
async fn a_link_that_may_manage_keeps_what_it_makes_its_owner_s() {
    let api = Api::start().await;
    let token = text(&link(&api, json!({"can_manage_endpoint": true})).await.data()["token"]);
    let body = json!({"name": "mine", "url": "https://example.com", "owner_id": "bob"});
    let made = api.portal("POST", "endpoints", &token, Some(body)).await;
    assert_eq!((made.status, &made.data()["owner_id"]), (201, &json!("ada")), "{}", made.body);
    assert_eq!(made.data()["secrets"][0]["value"].as_str().unwrap().len(), 25, "who manages verifies by the secret");
    let path = format!("endpoints/{}", made.uid());
    let body = json!({"name": "ours", "url": "https://example.com", "owner_id": "bob"});
    let changed = api.portal("PUT", &path, &token, Some(body)).await;
    assert_eq!(
        (changed.status, &changed.data()["owner_id"], &changed.data()["name"]),
        (202, &json!("ada"), &json!("ours"))
    );
    assert_eq!(api.portal("PUT", &format!("{path}/pause"), &token, None).await.data()["status"], json!("paused"));
    let subscribed =
        api.portal("POST", "subscriptions", &token, Some(json!({"name": "s", "endpoint_id": made.uid()}))).await;
    assert_eq!(subscribed.status, 201, "{}", subscribed.body);
    let event = json!({"endpoint_id": made.uid(), "event_type": "a", "data": {}});
    assert_eq!(api.portal("POST", "events", &token, Some(event.clone())).await.status, 201);
    let mut claiming = event;
    claiming["idempotency_key"] = json!("order-1");
    let refused = api.portal("POST", "events", &token, Some(claiming)).await;
    assert_eq!((refused.status, api.queued_events().await.len()), (400, 1), "keys are the project's");
    assert_eq!(api.portal("DELETE", &path, &token, None).await.status, 200);
    assert_eq!(api.portal("GET", &path, &token, None).await.status, 404, "its own, and gone");
    api.close().await;
}

#[tokio::test]
async fn a_link_without_an_owner_opens_what_it_lists() {
    let api = Api::start().await;
    let (one, two) = (api.endpoint("one").await, api.endpoint("two").await);
    let made = link(&api, json!({"can_manage_endpoint": true})).await;
    let body = json!({"name": "link", "owner_id": "", "endpoints": [one]});
    assert_eq!(api.put(&format!("portal-links/{}", made.uid()), body).await.status, 202);
    let token = text(&made.data()["token"]);
    let listed = api.portal("GET", "endpoints", &token, None).await;
    assert_eq!(listed.data()["content"].as_array().unwrap().len(), 1);
    assert_eq!(api.portal("GET", &format!("endpoints/{one}"), &token, None).await.status, 200);
    assert_eq!(api.portal("GET", &format!("endpoints/{two}"), &token, None).await.status, 401);
    let body = json!({"name": "new", "url": "https://example.com"});
    assert_eq!(api.portal("POST", "endpoints", &token, Some(body)).await.status, 403, "it would be out of reach");
    api.close().await;
}

#[tokio::test]
async fn credentials_in_headers_are_hidden_from_portals_alone() {
    let api = Api::start().await;
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let token = text(&link(&api, json!({})).await.data()["token"]);
    let delivery = format!("eventdeliveries/{}", tenant.id("delivery_id"));
    let attempts = format!("{delivery}/deliveryattempts");
    for rest in [format!("events/{}", tenant.id("event_id")), delivery] {
        let (open, hidden) = (api.get(&rest).await, api.portal("GET", &rest, &token, None).await);
        assert_eq!(
            (&open.data()["headers"]["Authorization"], &hidden.data()["headers"]["Authorization"]),
            (&json!([MARK]), &json!(["***"])),
            "{rest}"
        );
    }
    let (open, hidden) = (api.get(&attempts).await, api.portal("GET", &attempts, &token, None).await);
    for (part, name) in [("request_http_header", "X-Api-Key"), ("response_http_header", "Set-Cookie")] {
        assert_ne!(open.data()[0][part][name], json!("***"));
        assert_eq!(hidden.data()[0][part][name], json!("***"));
    }
    let one = api.portal("GET", &format!("{attempts}/{}", tenant.id("attempt_id")), &token, None).await;
    assert_eq!(one.data()["request_http_header"]["X-Api-Key"], json!("***"));
    api.close().await;
}

#[tokio::test]
async fn a_replay_reaches_nobody_else() {
    let api = Api::start().await;
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let token = text(&link(&api, json!({})).await.data()["token"]);
    let replay = format!("events/{}/replay", tenant.id("event_id"));
    let count = async || api.portal("GET", "events/countbatchreplayevents", &token, None).await.data()["num"].clone();
    let one = api.portal("PUT", &replay, &token, Some(json!("{}"))).await;
    assert_eq!((one.status, count().await, api.queued_jobs().await.len()), (200, json!(1), 1), "{}", one.body);
    for (kind, target, is_hers) in [
        ("fanout", "ada", true),
        ("fanout", "bob", false),
        ("fanout", "", false),
        ("broadcast", "", false),
        ("dynamic", "https://example.com", false),
        ("single", "01HZZZZZZZZZZZZZZZZZZZZZZZ", false),
    ] {
        // It went to her endpoint alone, and would be matched again by everybody's subscriptions.
        api.database.run(&format!("UPDATE events SET target_kind = '{kind}', target = '{target}'")).await;
        let replayed = api.portal("PUT", &replay, &token, Some(json!("{}"))).await;
        let expected = if is_hers { (200, json!(1)) } else { (401, json!(0)) };
        assert_eq!((replayed.status, count().await), expected, "{kind} {target}");
    }
    let queued = api.queued_jobs().await.len();
    let all = api.portal("POST", "events/batchreplay", &token, None).await;
    assert_eq!((all.status, all.message(), api.queued_jobs().await.len()), (200, "0 successful, 0 failed", queued));
    api.close().await;
}

#[tokio::test]
async fn who_only_views_a_project_does_not_see_what_opens_a_link() {
    let api = Api::start().await;
    let made = link(&api, json!({"can_manage_endpoint": true})).await;
    let mut conn = api.database.pool().get().await.unwrap();
    let viewer = user::insert(&mut conn, "viewer@example.com").await.unwrap();
    organisation::set_member(&mut conn, api.organisation, viewer, Role::ProjectViewer).await.unwrap();
    let (_, key) = ApiKey::insert(&mut conn, Owner::User(viewer), "k", Role::ProjectViewer, None).await.unwrap();
    drop(conn);
    for rest in [format!("portal-links/{}", made.uid()), "portal-links".into()] {
        let answer = api.send("GET", &api.path(&rest), Some(key.expose()), &[], None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(!answer.body.to_string().contains(&text(&made.data()["token"])), "{}", answer.body);
    }
    let path = api.path(&format!("portal-links/{}/refresh_token", made.uid()));
    assert_eq!(api.send("GET", &path, Some(key.expose()), &[], None).await.status, 403);
    api.close().await;
}
