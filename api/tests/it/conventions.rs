//! What holds for every request, whatever it is about.

use posthouse_api::app::ApiSettings;
use serde_json::json;

use crate::harness::Api;

#[tokio::test]
async fn health_answers_to_any_method() {
    let api = Api::start().await;
    for path in ["/health", "/healthz"] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let answer = api.send(method, path, None, &[], None).await;
            assert_eq!(
                (answer.status, &answer.body["status"], answer.data()),
                (200, &json!(true), &json!(null)),
                "{method}"
            );
            assert_eq!(answer.headers["content-type"], "application/json");
        }
        assert_eq!(api.send("HEAD", path, None, &[], None).await.status, 200);
    }
    api.close().await;
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist() {
    let api = Api::start().await;
    let key = Some(api.key.as_str());
    let nobody = api.send("GET", "/api/v1/nope", None, &[], None).await;
    assert_eq!((nobody.status, nobody.message()), (401, "Authentication required"));
    let below = api.get("nope").await;
    assert_eq!((below.status, below.body), (404, json!("404 page not found\n")));
    assert_eq!(below.headers["content-type"], "text/plain; charset=utf-8");
    for path in [api.path("endpoints"), format!("/api/v1/projects/{}", api.project)] {
        let wrong = api.send("PATCH", &path, key, &[], None).await;
        assert_eq!(
            (wrong.status, &wrong.body, &wrong.headers["content-type"]),
            (405, &json!(""), &"application/json".parse().unwrap())
        );
        assert!(
            wrong.headers["allow"].to_str().unwrap().contains("GET, HEAD, OPTIONS"),
            "{:?}",
            wrong.headers["allow"]
        );
    }
    for path in ["endpoints/", "sources/", "events/", "subscriptions/"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    assert_eq!(api.send("GET", "/api/v1/projects/", key, &[], None).await.status, 400, "as without the slash");
    api.close().await;
}

#[tokio::test]
async fn the_content_type_is_looked_at_before_the_credentials() {
    let api = Api::start().await;
    for (content_type, status) in [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
        ("application/json", 401),
        ("application/json; charset=utf-8", 401),
        ("APPLICATION/JSON", 401),
    ] {
        for method in ["GET", "POST"] {
            let answer = api.send(method, &api.path("endpoints"), None, &[("content-type", content_type)], None).await;
            assert_eq!(answer.status, status, "{method} {content_type:?}");
            assert!(status != 415 || answer.body == json!(""), "an empty body");
            assert_eq!(answer.headers["x-convoy-version"], "2025-11-24");
        }
    }
    assert_eq!(api.get("endpoints").await.status, 200, "a request without the header is fine");
    api.close().await;
}

#[tokio::test]
async fn a_request_keeps_its_id_where_it_is_sound() {
    let api = Api::start().await;
    let id = async |given: Option<&str>| {
        let headers: Vec<(&str, &str)> = given.map(|id| ("x-request-id", id)).into_iter().collect();
        let answer = api.send("GET", "/healthz", None, &headers, None).await;
        answer.headers["x-request-id"].to_str().unwrap().to_string()
    };
    assert_eq!(id(Some("caller-1")).await, "caller-1");
    let (long, first, second) = (id(Some(&"x".repeat(129))).await, id(None).await, id(None).await);
    assert!(long.len() == 26 && first.len() == 26 && first != second, "{long} {first} {second}");
    api.close().await;
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    for (path, key) in [
        (api.path("endpoints"), Some(api.key.as_str())),
        (api.path(&format!("endpoints/{endpoint}")), Some(&api.key)),
        (api.path("endpoints/01HZZZZZZZZZZZZZZZZZZZZZZZ"), Some(&api.key)),
        (api.path("endpoints"), None),
        ("/readyz".into(), None),
        ("/openapi.json".into(), None),
    ] {
        let (get, head) = (api.send("GET", &path, key, &[], None).await, api.send("HEAD", &path, key, &[], None).await);
        assert_eq!((head.status, head.body), (get.status, json!("")), "{path}");
        assert_eq!(
            (head.headers.get("etag"), head.headers.get("content-type")),
            (get.headers.get("etag"), get.headers.get("content-type")),
            "{path}"
        );
    }
    let posted = api.send("HEAD", &api.path("endpoints/x/activate"), Some(&api.key), &[], None).await;
    assert_eq!(posted.status, 405, "there is no GET");
    api.close().await;
}

#[tokio::test]
async fn options_names_the_methods_to_anyone() {
    let api = Api::start().await;
    let answer = api.send("OPTIONS", &api.path("endpoints"), None, &[], None).await;
    assert_eq!((answer.status, &answer.body), (204, &json!("")));
    assert_eq!(answer.headers["allow"], "GET, HEAD, OPTIONS, POST");
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "CORS is off");
    assert_eq!(api.send("OPTIONS", "/api/v1/nope", None, &[], None).await.status, 401);
    api.close().await;
}

#[tokio::test]
async fn only_origins_that_are_named_may_read() {
    let origin = "https://console.example.com";
    let api = Api::start_with(ApiSettings { cors_origins: vec![origin.into()], ..ApiSettings::default() }).await;
    let path = api.path("endpoints");
    let asked = [("origin", origin), ("access-control-request-method", "PUT")];
    let preflight = api.send("OPTIONS", &path, None, &asked, None).await;
    assert_eq!((preflight.status, &preflight.headers["access-control-allow-origin"]), (204, &origin.parse().unwrap()));
    assert!(preflight.headers["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    assert!(preflight.headers["access-control-allow-headers"].to_str().unwrap().contains("Authorization"));
    assert!(!preflight.headers.contains_key("access-control-allow-credentials"));
    let read = api.send("GET", &path, Some(&api.key), &[("origin", origin)], None).await;
    assert_eq!((read.status, &read.headers["access-control-allow-origin"]), (200, &origin.parse().unwrap()));
    assert!(read.headers.get_all("vary").iter().any(|vary| vary == "Origin"));
    for stranger in ["https://evil.example.com", "https://console.example.com.evil.com", "null"] {
        let answer = api.send("GET", &path, Some(&api.key), &[("origin", stranger)], None).await;
        assert!(answer.status == 200 && !answer.headers.contains_key("access-control-allow-origin"), "{stranger}");
    }
    api.close().await;
    let open = Api::start_with(ApiSettings { cors_origins: vec!["*".into()], ..ApiSettings::default() }).await;
    let answer = open.send("GET", &open.path("endpoints"), None, &[("origin", "https://any.example.com")], None).await;
    assert_eq!((answer.status, &answer.headers["access-control-allow-origin"]), (401, &"*".parse().unwrap()));
    open.close().await;
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_ask() {
    let api = Api::start().await;
    for n in 0..5 {
        api.endpoint(&format!("endpoint {n}")).await;
    }
    let path = api.path("endpoints");
    let plain = api.get("endpoints").await;
    assert!(!plain.headers.contains_key("content-encoding"));
    for (asked, coding) in [("gzip", "gzip"), ("gzip, br", "br"), ("br;q=0.1, gzip;q=0.2", "gzip")] {
        let answer = api.send("GET", &path, Some(&api.key), &[("accept-encoding", asked)], None).await;
        assert_eq!(
            (&answer.headers["content-encoding"], &answer.body),
            (&coding.parse().unwrap(), &plain.body),
            "{asked}"
        );
        assert!(answer.headers.get_all("vary").iter().any(|vary| vary == "Accept-Encoding"));
    }
    let short = api.send("GET", "/healthz", None, &[("accept-encoding", "gzip")], None).await;
    assert!(!short.headers.contains_key("content-encoding"), "a short answer is sent as it is");
    let spec = api.send("GET", "/openapi.json", None, &[("accept-encoding", "br")], None).await;
    assert_eq!((&spec.headers["content-encoding"], &spec.body["openapi"]), (&"br".parse().unwrap(), &json!("3.1.0")));
    api.close().await;
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let api = Api::start().await;
    let rest = format!("endpoints/{}", api.endpoint("orders").await);
    let (path, key) = (api.path(&rest), Some(api.key.as_str()));
    let first = api.get(&rest).await;
    let tag = first.headers["etag"].to_str().unwrap().to_string();
    assert!(tag.starts_with("W/\""), "{tag}");
    let again = api.send("GET", &path, key, &[("if-none-match", &tag)], None).await;
    assert_eq!((again.status, &again.body, &again.headers["etag"]), (304, &json!(""), &first.headers["etag"]));
    assert!(!again.headers.contains_key("content-type"));
    let other = api.send("GET", &path, key, &[("if-none-match", "\"other\"")], None).await;
    assert_eq!((other.status, &other.body), (200, &first.body));
    let changed = api.put(&rest, json!({"name": "renamed", "url": "https://example.com/hook"})).await;
    assert!(changed.status == 202 && !changed.headers.contains_key("etag"));
    let after = api.send("GET", &path, key, &[("if-none-match", &tag)], None).await;
    assert_eq!((after.status, &after.data()["name"]), (200, &json!("renamed")));
    let unknown =
        api.send("GET", &api.path("endpoints/01HZZZZZZZZZZZZZZZZZZZZZZZ"), key, &[("if-none-match", "*")], None).await;
    assert!(unknown.status == 404 && !unknown.headers.contains_key("etag"));
    assert!(!api.get("endpoints").await.headers.contains_key("etag"), "lists have none");
    let nobody = api.send("GET", &path, None, &[("if-none-match", &tag)], None).await;
    assert_eq!(nobody.status, 401, "a tag is no key");
    api.close().await;
}
