//! Endpoints as clients of the contract write and read them: authentication, secrets, and OAuth 2 tried out.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use posthouse_api::app::ApiSettings;
use posthouse_egress::Rules;

use crate::harness::Api;

#[tokio::test]
async fn what_the_rules_refuse_is_not_saved_where_that_is_wanted() {
    let rules = Rules::with_allowed(vec!["10.20.0.0/16".parse().unwrap()]);
    let api = Api::start_with(ApiSettings { endpoint_rules: Some(Arc::new(rules)), ..ApiSettings::default() }).await;
    let body = |url: &str| json!({"name": "e", "url": url});
    // The port is for egress to say.
    let saved = api.post("endpoints", body("http://10.20.0.1:25/")).await;
    assert_eq!(saved.status, 201, "{}", saved.body);
    let path = format!("endpoints/{}", saved.uid());
    for (url, why) in [
        ("http://127.0.0.1/", "url: the destination is a loopback address"),
        ("https://10.0.0.1/", "url: the destination is a private address"),
        ("http://169.254.169.254/latest", "url: the destination is a metadata service"),
        ("http://[::ffff:127.0.0.1]/", "url: the destination is a loopback address"),
        ("http://0x7f.1/", "url: the destination is a loopback address"),
        ("https://db.internal/", "url: the host name is one of an internal network, or not one that may be reached"),
    ] {
        let refused = [api.post("endpoints", body(url)).await, api.put(&path, body(url)).await];
        for refused in refused {
            assert_eq!((refused.status, refused.message()), (400, why), "{url}");
        }
        let rows = json!({"items": [{"name": "e", "url": url}]});
        let onboarded = api.post("onboard", rows).await;
        assert_eq!(onboarded.status, 400, "{}", onboarded.body);
        assert!(onboarded.body.to_string().contains(why.trim_start_matches("url: ")), "{}", onboarded.body);
        let event = json!({"url": url, "event_type": "a.b", "data": {}});
        let dynamic = api.post("events/dynamic", event).await;
        assert_eq!((dynamic.status, dynamic.message()), (400, why), "{url}");
    }
    assert_eq!(api.post("endpoints", body("https://hooks.example.com/")).await.status, 201);
    api.close().await;
    let usual = Api::start().await;
    assert_eq!(usual.post("endpoints", body("http://127.0.0.1:9900/")).await.status, 201, "as clients expect");
    usual.close().await;
}

#[tokio::test]
async fn authentication_is_read_back_without_what_signs_in_elsewhere() {
    let api = Api::start().await;
    let body =
        |authentication: Value| json!({"name": "e", "url": "https://example.com", "authentication": authentication});
    let none = api.post("endpoints", body(Value::Null)).await;
    assert_eq!(none.data()["authentication"], Value::Null, "null where it was written");
    let path = format!("endpoints/{}", none.uid());
    assert_eq!(api.get(&path).await.data()["authentication"], json!({}), "and an empty object where it is read");
    assert_eq!(api.get("endpoints").await.data()["content"][0]["authentication"], json!({}));

    let key = json!({"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "k-1"}});
    assert_eq!(api.put(&path, body(key.clone())).await.data()["authentication"], key);
    assert_eq!(api.get(&path).await.data()["authentication"], key);

    let basic = json!({"type": "basic_auth", "basic_auth": {"username": "u", "password": "hunter2"}});
    let shown = api.put(&path, body(basic)).await;
    let hidden = json!({"type": "basic_auth", "basic_auth": {"username": "u", "password": "[REDACTED]"}});
    assert_eq!(shown.data()["authentication"], hidden);
    assert_eq!(api.put(&path, body(hidden)).await.status, 202);
    assert_eq!(stored(&api, &none.uid()).await["basic_auth"]["password"], "hunter2", "a hidden password stays");

    let oauth2 = |url: &str, secret: &str| json!({"type": "oauth2", "oauth2": {"url": url, "client_id": "c", "authentication_type": "shared_secret", "client_secret": secret}});
    let shown = api.put(&path, body(oauth2("https://auth.example.com", "hunter3"))).await;
    assert_eq!(shown.data()["authentication"]["oauth2"]["client_secret"], "[REDACTED]", "{}", shown.body);
    api.put(&path, body(oauth2("https://auth.example.com", "[REDACTED]"))).await;
    assert_eq!(stored(&api, &none.uid()).await["oauth2"]["client_secret"], "hunter3");
    api.put(&path, body(oauth2("https://elsewhere.example.com", "[REDACTED]"))).await;
    assert_eq!(stored(&api, &none.uid()).await["oauth2"]["client_secret"], "[REDACTED]", "a secret goes nowhere else");

    for (authentication, part) in [
        (json!({"type": "magic"}), "one of api_key, basic_auth, oauth2"),
        (json!({"type": "oauth2"}), "authentication.oauth2.oauth2: an object"),
        (json!({"type": "oauth2", "oauth2": {"client_id": "c"}}), "authentication.oauth2.url: is required"),
        (json!({"type": "api_key", "api_key": {"header_name": "X", "header_value": "a\u{0}"}}), "NUL"),
        (json!({"type": "api_key", "more": "x".repeat(3_000)}), "authentication.api_key.header_name"),
    ] {
        let answer = api.put(&path, body(authentication.clone())).await;
        assert!(answer.status == 400 && answer.message().contains(part), "{authentication}: {}", answer.body);
    }
    api.close().await;
}

async fn stored(api: &Api, id: &str) -> Value {
    let mut conn = api.database.pool().get().await.unwrap();
    let (project, id) = (api.project.parse().unwrap(), id.parse().unwrap());
    let row = posthouse_schema::endpoint::Endpoint::find(&mut conn, project, id).await.unwrap().unwrap();
    row.authentication().unwrap().unwrap()
}

#[tokio::test]
async fn numbers_and_secrets_are_as_clients_know_them() {
    let api = Api::start().await;
    let made = api.post("endpoints", json!({"name": "e", "url": "https://example.com", "rate_limit": -7})).await;
    assert_eq!((made.status, &made.data()["rate_limit"]), (201, &json!(-1)));
    let path = format!("endpoints/{}", made.uid());
    let change = json!({"name": "e", "url": "https://example.com", "rate_limit": -1});
    assert!(api.put(&path, change).await.message().starts_with("rate_limit: "), "a change was always refused");
    let too_large = json!({"name": "e", "url": "https://example.com", "rate_limit": 3_000_000_000_i64});
    assert!(api.post("endpoints", too_large).await.message().starts_with("rate_limit: "));

    let paused = api.put(&format!("{path}/pause"), json!({})).await;
    assert_eq!(paused.message(), "endpoint status updated successfully");
    assert_eq!(paused.data()["authentication"], json!({}));
    let activated = api.post(&format!("{path}/activate"), json!({})).await;
    assert_eq!(activated.message(), "endpoint status successfully activated");

    let rolled = api
        .send(
            "PUT",
            &api.path(&format!("{path}/expire_secret")),
            Some(&api.key),
            &[("x-convoy-version", "2023-12-31")],
            Some(json!({"secret": "second"}).to_string()),
        )
        .await;
    assert_eq!((rolled.status, &rolled.data()["name"], &rolled.data()["http_timeout"]), (200, &json!("e"), &json!(10)));
    let secrets = api.get(&path).await.data()["secrets"].clone();
    assert_eq!(secrets.as_array().unwrap().len(), 2, "one that has just ended is still shown");
    assert!(secrets[0]["deleted_at"].is_string() && secrets[1]["deleted_at"].is_null());
    api.close().await;
}

/// Answers every request with this status and body, and keeps what it got.
async fn token_endpoint(status: &'static str, body: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, got) = (format!("http://{}/token", listener.local_addr().unwrap()), Arc::<Mutex<Vec<String>>>::default());
    let kept = Arc::clone(&got);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut text, mut chunk) = (String::new(), [0; 4_096]);
            while !text.contains("client_id") {
                let read = stream.read(&mut chunk).await.unwrap();
                text.push_str(&String::from_utf8_lossy(&chunk[..read]));
                if read == 0 {
                    break;
                }
            }
            kept.lock().unwrap().push(text);
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    (url, got)
}

#[tokio::test]
async fn oauth2_settings_are_tried_out() {
    let api = Api::start().await;
    let settings = |url: &str| json!({"oauth2": {"url": url, "client_id": "c", "authentication_type": "shared_secret", "client_secret": "s"}});
    let (url, got) = token_endpoint("200 OK", r#"{"access_token":"t-1","token_type":"bearer","expires_in":60}"#).await;
    let tried = api.post("endpoints/oauth2/test", settings(&url)).await;
    let data = tried.data();
    assert_eq!((tried.status, &data["success"], &data["access_token"]), (200, &json!(true), &json!("t-1")));
    assert!(got.lock().unwrap()[0].ends_with("grant_type=client_credentials&client_id=c&client_secret=s"));

    for (status, body, part) in [
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#, "answered 401: invalid_client"),
        ("200 OK", r#"{"ok":true}"#, "access token field 'access_token' is missing or empty in response"),
        ("302 Found", "", "answered 302"),
    ] {
        let (url, _) = token_endpoint(status, body).await;
        let tried = api.post("endpoints/oauth2/test", settings(&url)).await;
        assert_eq!((tried.status, tried.message()), (200, "OAuth2 connection test failed"));
        assert_eq!(
            (&tried.data()["success"], &tried.data()["expires_at"]),
            (&json!(false), &json!("0001-01-01T00:00:00Z"))
        );
        assert!(tried.data()["error"].as_str().unwrap().contains(part), "{}", tried.body);
    }
    for url in
        ["http://169.254.169.254/latest", "http://10.0.0.1/token", "http://localhost:1/token", "http://[::1]/token"]
    {
        let tried = api.post("endpoints/oauth2/test", settings(url)).await;
        let error = tried.data()["error"].as_str().unwrap_or_default();
        assert!(error.starts_with("failed to exchange token: refused: "), "{url}: {}", tried.body);
    }
    for (body, message) in [
        (json!({}), "oauth2: is required"),
        (
            json!({"oauth2": {"url": url, "client_id": "c", "authentication_type": "psychic"}}),
            "oauth2.authentication_type: ",
        ),
    ] {
        let answer = api.post("endpoints/oauth2/test", body).await;
        assert!(answer.status == 400 && answer.message().starts_with(message), "{}", answer.body);
    }
    api.close().await;
}
