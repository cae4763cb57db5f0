//! Portal links from their making to their end, in the shapes of the contract.

use posthouse_api::app::ApiSettings;
use serde_json::{Value, json};

use crate::harness::Api;

async fn endpoint_of(api: &Api, name: &str, owner: &str) -> String {
    let body = json!({"name": name, "url": "https://example.com/hook", "owner_id": owner});
    api.post("endpoints", body).await.uid()
}

#[tokio::test]
async fn a_link_lives_and_dies() {
    let public_url = Some("https://hooks.example.com".to_string());
    let api = Api::start_with(ApiSettings { public_url, ..ApiSettings::default() }).await;
    let endpoint = endpoint_of(&api, "orders", "ada").await;
    let made = api.post("portal-links", json!({"name": "Ada", "owner_id": "ada", "can_manage_endpoint": true})).await;
    assert_eq!((made.status, made.message()), (201, "Portal link created successfully"));
    let (id, data) = (made.uid(), made.data());
    let token = data["token"].as_str().unwrap();
    assert!(token.len() == 24 && token.chars().all(|c| c.is_ascii_alphanumeric()), "{token}");
    assert_eq!(data["url"], json!(format!("https://hooks.example.com/portal?token={token}")));
    assert_eq!(data["endpoints"], json!([endpoint]));
    assert_eq!((&data["endpoint_count"], &data["endpoints_metadata"][0]["name"]), (&json!(1), &json!("orders")));
    assert_eq!((&data["auth_type"], &data["auth_key"]), (&json!("static_token"), &json!("")));
    assert_eq!(
        (&data["can_manage_endpoint"], &data["deleted_at"], &data["project_id"]),
        (&json!(true), &Value::Null, &json!(api.project))
    );
    assert_eq!(api.get(&format!("portal-links/{id}")).await.data(), data, "reads show the token too");

    let changed = api.put(&format!("portal-links/{id}"), json!({"name": "Countess"})).await;
    assert_eq!((changed.status, changed.message()), (202, "Portal link updated successfully"));
    assert_eq!(
        (&changed.data()["name"], &changed.data()["owner_id"], &changed.data()["can_manage_endpoint"]),
        (&json!("Countess"), &json!("ada"), &json!(true))
    );
    let refused = api.get(&format!("portal-links/{id}/refresh_token")).await;
    assert_eq!(refused.status, 400, "a static token has no keys");

    let revoked = api.put(&format!("portal-links/{id}/revoke"), json!("{}")).await;
    assert_eq!(
        (revoked.status, &revoked.body),
        (200, &json!({"status": true, "message": "Portal link revoked successfully", "data": null}))
    );
    for answer in [
        api.get(&format!("portal-links/{id}")).await,
        api.put(&format!("portal-links/{id}"), json!({"name": "x"})).await,
        api.put(&format!("portal-links/{id}/revoke"), json!("{}")).await,
    ] {
        assert_eq!((answer.status, answer.message()), (404, "Resource not found"));
    }
    let key = api.get(&format!("portal-links/{id}/refresh_token")).await;
    assert_eq!((key.status, key.message()), (400, "portal link not found"));
    api.close().await;
}

#[tokio::test]
async fn an_update_that_is_a_json_string_revokes() {
    let api = Api::start().await;
    let id = api.post("portal-links", json!({"name": "Ada", "owner_id": "ada"})).await.uid();
    assert_eq!(api.put(&format!("portal-links/{id}"), json!("x")).await.status, 400);
    let revoked = api.put(&format!("portal-links/{id}"), json!("{}")).await;
    assert_eq!((revoked.status, revoked.data()), (200, &Value::Null));
    assert_eq!(api.get(&format!("portal-links/{id}")).await.status, 404);
    api.close().await;
}

#[tokio::test]
async fn keys_are_made_by_writes_alone() {
    let api = Api::start().await;
    let body = json!({"name": "Ada", "owner_id": "ada", "auth_type": "refresh_token"});
    let made = api.post("portal-links", body).await;
    let key = made.data()["auth_key"].as_str().unwrap();
    assert!(key.starts_with("PRT.") && key.len() == 4 + 16 + 1 + 64, "{key}");
    assert!(made.data()["url"].as_str().unwrap().ends_with(&format!("&auth_token={key}")));
    let id = made.uid();
    for path in [format!("portal-links/{id}"), "portal-links".into()] {
        let read = api.get(&path).await;
        assert_eq!((read.status, read.body.to_string().contains("PRT.")), (200, false), "{path}");
    }
    let refreshed = api.get(&format!("portal-links/{id}/refresh_token")).await;
    let second = refreshed.data().as_str().unwrap();
    assert!(refreshed.status == 200 && second.starts_with("PRT.") && second != key);
    api.close().await;
}

#[tokio::test]
async fn links_are_listed_by_owner_name_and_endpoint() {
    let api = Api::start().await;
    let (of_ada, of_bob) = (endpoint_of(&api, "a", "ada").await, endpoint_of(&api, "b", "bob").await);
    for (name, owner) in [("Ada", "ada"), ("Ada again", "ada"), ("Bob", "bob")] {
        assert_eq!(api.post("portal-links", json!({"name": name, "owner_id": owner})).await.status, 201);
    }
    let listed = async |query: &str| {
        let answer = api.get(&format!("portal-links{query}")).await;
        let content = answer.data()["content"].as_array().unwrap().clone();
        content.iter().map(|link| link["name"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, ["Bob", "Ada again", "Ada"]);
    assert_eq!(listed("?ownerId=ada").await, ["Ada again", "Ada"]);
    assert_eq!(listed("?q=AGAIN").await, ["Ada again"]);
    assert_eq!(listed(&format!("?endpointId={of_bob}")).await, ["Bob"]);
    assert_eq!(listed(&format!("?endpointId={of_bob}&endpointId={of_ada}&perPage=1")).await, ["Bob"]);
    assert_eq!(listed("?ownerId=eve").await, Vec::<String>::new());
    api.close().await;
}

#[tokio::test]
async fn listed_endpoints_become_the_owner_s() {
    let api = Api::start().await;
    let (one, two) = (api.endpoint("one").await, endpoint_of(&api, "two", "bob").await);
    let body = json!({"name": "Ada", "owner_id": "ada", "endpoints": [one]});
    let made = api.post("portal-links", body).await;
    assert_eq!(made.data()["endpoints"], json!([one]));
    assert_eq!(api.get(&format!("endpoints/{one}")).await.data()["owner_id"], json!("ada"));
    let path = format!("portal-links/{}", made.uid());
    let listing = api.put(&path, json!({"name": "Ada", "owner_id": "", "endpoints": [two]})).await;
    assert_eq!(
        (listing.status, &listing.data()["endpoints"]),
        (202, &json!([two])),
        "without an owner, what is listed"
    );
    assert_eq!(listing.data()["endpoint_count"], json!(1));
    assert_eq!(api.get(&format!("endpoints/{two}")).await.data()["owner_id"], json!("bob"), "and whose it is stays");
    assert_eq!(api.get(&format!("portal-links?endpointId={two}")).await.data()["content"][0]["name"], json!("Ada"));
    api.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_link_is_named() {
    let api = Api::start().await;
    let unknown = "01HZZZZZZZZZZZZZZZZZZZZZZZ";
    for (body, part) in [
        (json!({}), "name:"),
        (json!({"name": "Ada"}), "owner_id:please provide an owner id"),
        (json!({"name": "Ada", "owner_id": " "}), "owner_id:"),
        (json!({"name": "A\u{0}", "owner_id": "ada"}), "name: the NUL"),
        (json!({"name": "Ada", "owner_id": "a\u{0}"}), "owner_id: the NUL"),
        (json!({"name": "Ada", "owner_id": "x".repeat(3_000)}), "owner_id: at most"),
        (json!({"name": "Ada", "owner_id": "ada", "auth_type": "magic"}), "auth_type: one of"),
        (json!({"name": "Ada", "owner_id": "ada", "endpoints": ["x"]}), "endpoints: one of them"),
        (json!({"name": "Ada", "owner_id": "ada", "endpoints": [unknown]}), "endpoints: one of them"),
        (json!({"name": "Ada", "owner_id": 7}), "invalid type"),
        (json!([]), "invalid length 0"),
    ] {
        let answer = api.post("portal-links", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.message().contains(part), "{body}: {}", answer.message());
    }
    let id = api.post("portal-links", json!({"name": "Ada", "owner_id": "ada"})).await.uid();
    let opens_nothing = api.put(&format!("portal-links/{id}"), json!({"name": "Ada", "owner_id": ""})).await;
    assert_eq!((opens_nothing.status, opens_nothing.message()), (400, "owner_id:please provide an owner id"));
    for rest in ["x", unknown] {
        assert_eq!(api.get(&format!("portal-links/{rest}")).await.status, 404, "{rest}");
    }
    let path = api.path("portal-links");
    let old =
        api.send("POST", &path, Some(&api.key), &[("x-convoy-version", "2024-01-01")], Some("{\"name\":\"a\"}".into()));
    assert_eq!(old.await.status, 400);
    api.close().await;
}
