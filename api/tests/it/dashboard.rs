//! The dashboard: signing in and out, what a browser may do with its pages, and each page with and without data.

use posthouse_schema::{
    ids::ProjectId,
    words::{DeliveryStatus, Role},
};
use serde_json::json;

use crate::harness::{Answer, Api, Person};

pub const ORIGIN: (&str, &str) = ("origin", "https://console.example.com");
pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml");
const COOKIE: &str = "__Host-posthouse=";

/// A browser with the cookie of a session.
pub struct Browser<'a> {
    api: &'a Api,
    cookie: String,
}

impl<'a> Browser<'a> {
    pub async fn signed_in(api: &'a Api, name: &str) -> Self {
        let answer = sign_in(api, name, &format!("password of {name}"), "", None).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        Self { api, cookie: session_cookie(&answer).expect("a session has a cookie") }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.api.send("GET", path, None, &[("cookie", &self.cookie), HTML], None).await
    }

    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        text(&answer)
    }

    /// The token of the forms on the project list.
    async fn token(&self) -> String {
        let page = self.page("/projects").await;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_string()
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, &[], fields).await
    }

    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let token = self.token().await;
        let mut all = vec![("csrf", token.as_str())];
        all.extend_from_slice(fields);
        self.post_raw(path, &[&[ORIGIN, FORM][..], headers].concat(), &all).await
    }

    async fn post_raw(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("cookie", &self.cookie));
        self.api.send("POST", path, None, &headers, Some(encoded(fields))).await
    }
}

pub fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub fn text(answer: &Answer) -> String {
    answer.body.as_str().unwrap_or_default().to_string()
}

pub fn location(answer: &Answer) -> String {
    answer.headers.get("location").map(|value| value.to_str().unwrap().to_string()).unwrap_or_default()
}

fn cookies(answer: &Answer) -> Vec<String> {
    answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_string()).collect()
}

/// The session's cookie as a browser sends it back.
pub fn session_cookie(answer: &Answer) -> Option<String> {
    let cookie = cookies(answer).into_iter().find(|cookie| cookie.starts_with(COOKIE))?;
    Some(cookie.split(';').next().unwrap().to_string())
}

pub async fn sign_in(api: &Api, name: &str, password: &str, next: &str, cookie: Option<&str>) -> Answer {
    let email = format!("{name}@example.com");
    let fields = [("email", email.as_str()), ("password", password), ("next", next)];
    let mut headers = vec![ORIGIN, FORM, HTML];
    headers.extend(cookie.map(|cookie| ("cookie", cookie)));
    api.send("POST", "/sign-in", None, &headers, Some(encoded(&fields))).await
}

async fn person(api: &Api, name: &str, role: Role) -> Person {
    api.join(name, role).await
}

#[tokio::test]
async fn somebody_signs_in_and_out() {
    let api = Api::start().await;
    let ada = person(&api, "ada", Role::OrganisationAdmin).await;
    for path in ["/projects", &format!("/projects/{}", api.project), "/projects/x/events?q=a"] {
        let answer = api.send("GET", path, None, &[HTML], None).await;
        assert_eq!(answer.status, 303, "{path}");
        assert!(location(&answer).starts_with("/sign-in?next=%2Fprojects"), "{}", location(&answer));
    }
    assert!(text(&api.send("GET", "/sign-in", None, &[HTML], None).await).contains("<h1>Sign in</h1>"));

    let wrong = sign_in(&api, "ada", "wrong", "", None).await;
    assert_eq!(wrong.status, 422);
    assert!(text(&wrong).contains("Email or password are not right") && session_cookie(&wrong).is_none());
    let nobody = sign_in(&api, "nobody", "wrong", "", None).await;
    assert_eq!(text(&nobody).replace("nobody@", "ada@"), text(&wrong), "an unknown address looks the same");
    let empty = sign_in(&api, "ada", "", "", None).await;
    assert!(text(&empty).contains("id=\"password-error\""), "{}", empty.body);

    let browser = Browser::signed_in(&api, "ada").await;
    let list = browser.page("/projects").await;
    assert!(list.contains("acme") && list.contains("orders") && list.contains("ada@example.com"));
    let second = Browser::signed_in(&api, "ada").await;
    let out = browser.post("/sign-out", &[]).await;
    assert_eq!((out.status, location(&out).as_str()), (303, "/sign-in"));
    assert!(cookies(&out).iter().any(|cookie| cookie.starts_with(COOKIE) && cookie.contains("Max-Age=0")));
    assert_eq!(browser.get("/projects").await.status, 303, "the cookie opens nothing any more");
    second.page("/projects").await;

    let third = Browser::signed_in(&api, "ada").await;
    third.post("/sign-out-everywhere", &[]).await;
    assert_eq!((second.get("/projects").await.status, third.get("/projects").await.status), (303, 303));
    let refresh = json!({"refresh_token": ada.refresh});
    let refreshed = api.ui("POST", "auth/token/refresh", None, Some(refresh)).await;
    assert_eq!(refreshed.status, 401, "sessions that go on by tokens have ended too");
    api.close().await;
}

#[tokio::test]
async fn a_password_is_guessed_a_few_times_only() {
    let api = Api::start().await;
    person(&api, "ada", Role::ProjectViewer).await;
    let mut last = 0;
    for _ in 0..6 {
        last = sign_in(&api, "ada", "wrong", "", None).await.status;
    }
    assert_eq!(last, 429);
    assert_eq!(sign_in(&api, "ada", "password of ada", "", None).await.status, 429);
    api.close().await;
}

#[tokio::test]
async fn a_planted_cookie_opens_nothing_after_signing_in() {
    let api = Api::start().await;
    person(&api, "ada", Role::ProjectViewer).await;
    person(&api, "eve", Role::ProjectViewer).await;
    // One that never was, and one of somebody else.
    let made_up = format!("{COOKIE}{}", "x".repeat(43));
    let eve = Browser::signed_in(&api, "eve").await;
    for planted in [made_up.as_str(), eve.cookie.as_str()] {
        let answer = sign_in(&api, "ada", "password of ada", "", Some(planted)).await;
        let own = session_cookie(&answer).unwrap();
        assert_ne!(own, planted);
        let before = api.send("GET", "/projects", None, &[("cookie", planted), HTML], None).await;
        assert_eq!(before.status, 303, "the old cookie has ended");
    }
    let cookie = cookies(&sign_in(&api, "ada", "password of ada", "", None).await).remove(0);
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    api.close().await;
}

#[tokio::test]
async fn signing_in_leads_nowhere_else() {
    let api = Api::start().await;
    person(&api, "ada", Role::ProjectViewer).await;
    for next in
        ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example", ""]
    {
        let answer = sign_in(&api, "ada", "password of ada", next, None).await;
        assert_eq!((answer.status, location(&answer).as_str()), (303, "/projects"), "{next}");
    }
    let own = sign_in(&api, "ada", "password of ada", "/projects?a=b", None).await;
    assert_eq!(location(&own), "/projects?a=b");
    let browser = Browser::signed_in(&api, "ada").await;
    let again = browser.get("/sign-in?next=//evil.example").await;
    assert_eq!((again.status, location(&again).as_str()), (303, "/projects"));
    let theme = browser.post_raw("/theme", &[ORIGIN, FORM], &[("theme", "dark"), ("next", "//evil.example")]).await;
    assert_eq!((theme.status, location(&theme).as_str()), (303, "/"));
    assert!(cookies(&theme).iter().any(|cookie| cookie.starts_with("__Host-posthouse-theme=dark")));
    api.close().await;
}

#[tokio::test]
async fn forms_of_other_pages_are_refused() {
    let api = Api::start().await;
    person(&api, "ada", Role::OrganisationAdmin).await;
    person(&api, "eve", Role::OrganisationAdmin).await;
    let (browser, other) = (Browser::signed_in(&api, "ada").await, Browser::signed_in(&api, "eve").await);
    let (own, of_other) = (browser.token().await, other.token().await);
    let path = format!("/projects/{}/endpoints/new", api.project);
    let fields =
        |token: &str| vec![("csrf", token.to_string()), ("name", "n".into()), ("url", "https://example.com".into())];
    let here = [ORIGIN, FORM];
    for (what, headers, token) in [
        ("no token", here.to_vec(), ""),
        ("another session's token", here.to_vec(), of_other.as_str()),
        ("another origin", vec![("origin", "https://evil.example"), FORM], own.as_str()),
        ("another site", vec![ORIGIN, ("sec-fetch-site", "cross-site"), FORM], own.as_str()),
        ("a sibling's site", vec![("sec-fetch-site", "same-site"), FORM], own.as_str()),
        ("no origin at all", vec![FORM], own.as_str()),
        ("an opaque origin", vec![("origin", "null"), FORM], own.as_str()),
    ] {
        let fields = fields(token);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let answer = browser.post_raw(&path, &headers, &fields).await;
        assert_eq!(answer.status, 403, "{what}: {}", answer.body);
    }
    assert_eq!(api.get("endpoints").await.data()["content"].as_array().unwrap().len(), 0);
    let body = json!({"csrf": own}).to_string();
    let as_json = [ORIGIN, ("content-type", "text/plain"), ("cookie", browser.cookie.as_str())];
    assert_eq!(api.send("POST", &path, None, &as_json, Some(body)).await.status, 400);
    let cross =
        api.send("POST", "/sign-in", None, &[("origin", "https://evil.example"), FORM], Some(String::new())).await;
    assert_eq!(cross.status, 403, "nobody is signed in by another site");
    let made = browser.post(&path, &[("name", "n"), ("url", "https://example.com/hook")]).await;
    assert_eq!(made.status, 303, "{}", made.body);
    api.close().await;
}

#[tokio::test]
async fn pages_are_shut_to_frames_caches_and_inline_scripts() {
    let api = Api::start().await;
    person(&api, "ada", Role::OrganisationAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    for path in ["/projects", "/sign-in", "/projects/x", &format!("/projects/{}/nothing", api.project), "/no-such-page"]
    {
        let answer = browser.get(path).await;
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && header("x-frame-options") == "DENY", "{path}");
        assert_eq!((header("cache-control"), header("x-content-type-options")), ("no-store", "nosniff"), "{path}");
    }
    for path in ["/projects/x", "/no-such-page", &format!("/projects/{}/nothing", api.project)] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(text(&answer).contains("<h1>Not found</h1>"), "{path}: {}", answer.body);
    }
    let page = browser.page("/projects").await;
    for kind in ["css", "js", "svg"] {
        let (before, _) = page.split_once(&format!(".{kind}\"")).unwrap();
        let name = before.rsplit('"').next().unwrap();
        let asset = api.send("GET", &format!("{name}.{kind}"), None, &[], None).await;
        assert_eq!(asset.status, 200, "{name}");
        assert!(asset.headers.get("cache-control").unwrap().to_str().unwrap().contains("immutable"));
    }
    assert_eq!(api.send("GET", "/assets/posthouse.css", None, &[], None).await.status, 404);
    api.close().await;
}

#[tokio::test]
async fn programs_get_what_they_always_got() {
    let api = Api::start().await;
    for path in ["/", "/no-such-page"] {
        let answer = api.send("GET", path, None, &[("accept", "application/json")], None).await;
        assert_eq!((answer.status, answer.message()), (404, "404 page not found"), "{path}");
    }
    let browser = api.send("GET", "/", None, &[HTML], None).await;
    assert_eq!((browser.status, location(&browser).as_str()), (303, "/projects"));
    let api_path = api.send("GET", "/api/v1/nothing", None, &[HTML], None).await;
    assert_eq!((api_path.status, api_path.message()), (401, "Authentication required"));
    api.close().await;
}

/// Every page of a project.
fn pages(project: &str) -> Vec<String> {
    [
        "",
        "?period=hour",
        "?period=week",
        "/events",
        "/events?follow=1",
        "/events?query=order&startDate=2026-01-01T10:00",
        "/deliveries",
        "/deliveries?status=Failure&status=Discarded&eventType=order.paid",
        "/deliveries/retry",
        "/endpoints",
        "/endpoints?q=a&ownerId=b",
        "/endpoints/new",
        "/sources/new",
        "/sources/new?kind=hmac",
        "/sources/new?kind=kafka",
        "/event-types",
        "/event-types?q=a",
        "/event-types/new",
        "/event-types/import",
        "/portal-links",
        "/portal-links?q=a&ownerId=b",
        "/portal-links/new",
        "/batches",
        "/meta-events",
        "/settings/portal",
        "/audit-log",
        "/audit-log?action=endpoint.create&startDate=2026-01-01T10:00",
        "/test-receiver",
    ]
    .iter()
    .map(|rest| format!("/projects/{project}{rest}"))
    .collect()
}

#[tokio::test]
async fn pages_of_an_empty_project_say_what_to_do() {
    let api = Api::start().await;
    person(&api, "ada", Role::OrganisationAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    for path in pages(&api.project) {
        let page = browser.page(&path).await;
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("orders"), "{path}");
    }
    let overview = browser.page(&format!("/projects/{}", api.project)).await;
    assert!(overview.contains("Send the first webhook"));
    assert!(overview.contains(&format!("/api/v1/projects/{}/endpoints", api.project)), "{overview}");
    for (path, expected) in [
        ("events", "No events"),
        ("deliveries", "No deliveries"),
        ("endpoints", "No endpoints yet"),
        ("subscriptions", "No subscriptions yet"),
        ("sources", "No sources"),
        ("rejected", "Every message became an event"),
        ("portal-links", "No portal links yet"),
        ("audit-log", "Nothing was changed"),
    ] {
        assert!(browser.page(&format!("/projects/{}/{path}", api.project)).await.contains(expected), "{path}");
    }
    api.close().await;
}

#[tokio::test]
async fn pages_show_what_there_is_and_lead_on() {
    let api = Api::start().await;
    person(&api, "ada", Role::OrganisationAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    let endpoint = api.endpoint("receiver").await;
    let subscription = json!({"name": "all", "endpoint_id": endpoint});
    assert_eq!(api.post("subscriptions", subscription).await.status, 201);
    let (event, delivery) = api.stored(&endpoint, "key-1", DeliveryStatus::Failure).await;
    let (_, done) = api.stored(&endpoint, "key-2", DeliveryStatus::Success).await;
    let project = format!("/projects/{}", api.project);
    for path in pages(&api.project) {
        browser.page(&path).await;
    }
    let overview = browser.page(&project).await;
    assert!(
        !overview.contains("Send the first webhook")
            && overview.contains("receiver")
            && overview.contains("Failed deliveries")
    );
    let events = browser.page(&format!("{project}/events?idempotencyKey=key-1")).await;
    assert!(events.contains(&event.to_string()) && !events.contains("key-2"));
    let shown = browser.page(&format!("{project}/events/{event}")).await;
    assert!(shown.contains("order.paid") && shown.contains("X-A") && shown.contains(&delivery.to_string()));
    let file = browser.get(&format!("{project}/events/{event}/payload")).await;
    assert_eq!(file.body, json!({"a": 1}));
    assert!(file.headers.get("content-disposition").unwrap().to_str().unwrap().starts_with("attachment"));
    let list = browser.page(&format!("{project}/deliveries?status=Failure")).await;
    assert!(list.contains(&delivery.to_string()) && !list.contains(&done.to_string()));
    let shown = browser.page(&format!("{project}/deliveries/{delivery}")).await;
    assert!(shown.contains("receiver") && shown.contains("Resend"));
    let shown = browser.page(&format!("{project}/endpoints/{endpoint}")).await;
    assert!(shown.contains("https://example.com/hook") && shown.contains("Newest deliveries"));
    let bad = browser.page(&format!("{project}/deliveries?status=Nonsense")).await;
    assert!(bad.contains("role=\"alert\"") && bad.contains("one of Scheduled"), "{bad}");
    for path in ["events/x", "deliveries/x", "endpoints/x", "events/01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
        assert_eq!(browser.get(&format!("{project}/{path}")).await.status, 404, "{path}");
    }
    api.close().await;
}

#[tokio::test]
async fn deliveries_are_sent_again_one_by_one_and_together() {
    let api = Api::start().await;
    person(&api, "ada", Role::ProjectAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    let endpoint = api.endpoint("receiver").await;
    let project = format!("/projects/{}", api.project);
    let (_, one) = api.stored(&endpoint, "", DeliveryStatus::Failure).await;
    let (_, two) = api.stored(&endpoint, "", DeliveryStatus::Success).await;
    let (_, three) = api.stored(&endpoint, "", DeliveryStatus::Discarded).await;
    let (_, busy) = api.stored(&endpoint, "", DeliveryStatus::Retry).await;
    let status = async |id: &str| api.get(&format!("eventdeliveries/{id}")).await.data()["status"].clone();
    let again = browser.post(&format!("{project}/deliveries/{one}/resend"), &[]).await;
    assert_eq!(location(&again), format!("{project}/deliveries/{one}"));
    assert_eq!(status(&one.to_string()).await, "Scheduled");

    let ids = [two.to_string(), three.to_string(), busy.to_string()];
    let fields: Vec<(&str, &str)> = ids.iter().map(|id| ("ids", id.as_str())).collect();
    let many = browser.post(&format!("{project}/deliveries/resend"), &fields).await;
    assert_eq!(many.status, 303);
    assert_eq!(
        (status(&ids[0]).await, status(&ids[1]).await, status(&ids[2]).await),
        (json!("Scheduled"), json!("Scheduled"), json!("Retry"))
    );
    let flash = cookies(&many).into_iter().find(|cookie| cookie.contains("flash")).unwrap();
    let flash = flash.split(';').next().unwrap();
    let both = format!("{}; {flash}", browser.cookie);
    let told = api.send("GET", &format!("{project}/deliveries"), None, &[("cookie", &both), HTML], None).await;
    assert!(text(&told).contains("2 will be sent again, 1 not: cannot resend event"), "{}", told.body);
    assert!(cookies(&told).iter().any(|cookie| cookie.contains("flash=;")), "it is told once");

    let (_, four) = api.stored(&endpoint, "", DeliveryStatus::Failure).await;
    let asked = browser.page(&format!("{project}/deliveries/retry?status=Failure")).await;
    assert!(asked.contains("Retry 1"), "{asked}");
    let begun = browser.post(&format!("{project}/deliveries/retry?status=Failure"), &[]).await;
    assert_eq!(begun.status, 303, "{}", begun.body);
    assert_eq!(api.get("batches").await.data()["content"].as_array().unwrap().len(), 1);
    assert_eq!(status(&four.to_string()).await, "Failure", "it is done in the background");
    let second = browser.post(&format!("{project}/deliveries/retry?status=Failure"), &[]).await;
    assert_eq!(second.status, 422);
    let batches = browser.page(&format!("{project}/batches")).await;
    assert!(batches.contains("Call off") && batches.contains("Failure"), "{batches}");
    let id = api.get("batches").await.data()["content"][0]["uid"].as_str().unwrap().to_string();
    browser.post(&format!("{project}/batches/{id}/cancel"), &[]).await;
    assert!(browser.page(&format!("{project}/batches")).await.contains("Called off"));
    assert!(text(&second).contains("an active batch retry already exists"));
    api.close().await;
}

#[tokio::test]
async fn an_endpoint_is_made_changed_paused_and_deleted() {
    let api = Api::start().await;
    person(&api, "ada", Role::ProjectAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    let project = format!("/projects/{}", api.project);
    let wrong = browser.post(&format!("{project}/endpoints/new"), &[("name", "shop"), ("url", "ftp://x")]).await;
    assert_eq!(wrong.status, 422);
    assert!(text(&wrong).contains("value=\"shop\"") && text(&wrong).contains("ftp://x"), "{}", wrong.body);
    let wrong = browser
        .post(&format!("{project}/endpoints/new"), &[("name", "shop"), ("url", "https://e.com"), ("rate_limit", "x")])
        .await;
    assert!(text(&wrong).contains("id=\"rate_limit-error\""), "{}", wrong.body);
    let made = browser
        .post(
            &format!("{project}/endpoints/new"),
            &[("name", "shop"), ("url", "https://example.com/a"), ("http_timeout", "7")],
        )
        .await;
    let own = location(&made);
    let id = own.rsplit('/').next().unwrap().to_string();
    let change = json!({"name": "shop", "url": "https://example.com/a", "authentication": {"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "s3cret"}}});
    assert_eq!(api.put(&format!("endpoints/{id}"), change).await.status, 202);
    let form = browser.page(&format!("{own}/edit")).await;
    assert!(form.contains("value=\"https://example.com/a\"") && form.contains("value=\"7\""), "{form}");
    let changed = browser
        .post(
            &format!("{own}/edit"),
            &[("name", "store"), ("url", "https://example.com/b"), ("content_type", "application/json")],
        )
        .await;
    assert_eq!(location(&changed), own, "{}", changed.body);
    let read = api.get(&format!("endpoints/{id}")).await;
    assert_eq!((&read.data()["name"], &read.data()["authentication"]["type"]), (&json!("store"), &json!("api_key")));

    let secret = read.data()["secrets"][0]["value"].as_str().unwrap().to_string();
    assert!(!browser.page(&own).await.contains(&secret), "secrets are hidden until they are asked for");
    assert_eq!(browser.get(&format!("{own}/secrets")).await.status, 404, "no link shows them");
    assert!(text(&browser.post(&format!("{own}/secrets"), &[]).await).contains(&secret));
    browser.post(&format!("{own}/roll-secret"), &[("expiration", "3600")]).await;
    assert_eq!(api.get(&format!("endpoints/{id}")).await.data()["secrets"].as_array().unwrap().len(), 2);

    let status = async || api.get(&format!("endpoints/{id}")).await.data()["status"].clone();
    browser.post(&format!("{own}/pause"), &[]).await;
    assert_eq!(status().await, "paused");
    browser.post(&format!("{own}/pause"), &[]).await;
    assert_eq!(status().await, "active");
    let gone = browser.post(&format!("{own}/delete"), &[]).await;
    assert_eq!(location(&gone), format!("{project}/endpoints"));
    assert_eq!(browser.get(&own).await.status, 404);
    api.close().await;
}

#[tokio::test]
async fn roles_and_projects_are_kept_apart() {
    let api = Api::start().await;
    person(&api, "viewer", Role::ProjectViewer).await;
    person(&api, "billing", Role::BillingAdmin).await;
    api.sign_up("stranger").await;
    let endpoint = api.endpoint("receiver").await;
    let (event, delivery) = api.stored(&endpoint, "", DeliveryStatus::Failure).await;
    let project = format!("/projects/{}", api.project);
    let viewer = Browser::signed_in(&api, "viewer").await;
    let page = viewer.page(&format!("{project}/endpoints/{endpoint}")).await;
    assert!(!page.contains("Reveal") && !page.contains("Delete the endpoint"), "{page}");
    for path in [
        format!("{project}/deliveries/{delivery}/resend"),
        format!("{project}/deliveries/resend"),
        format!("{project}/deliveries/retry"),
        format!("{project}/events/{event}/replay"),
        format!("{project}/endpoints/new"),
        format!("{project}/endpoints/{endpoint}/edit"),
        format!("{project}/endpoints/{endpoint}/pause"),
        format!("{project}/endpoints/{endpoint}/secrets"),
        format!("{project}/endpoints/{endpoint}/roll-secret"),
        format!("{project}/endpoints/{endpoint}/delete"),
        format!("{project}/subscriptions/new"),
        format!("{project}/settings"),
        format!("{project}/settings/portal"),
        format!("{project}/settings/regenerate-key"),
        format!("{project}/settings/delete"),
        format!("{project}/rejected/redrive"),
        format!("{project}/test-receiver/set-up"),
        format!("{project}/test-receiver/send"),
    ] {
        assert_eq!(viewer.post(&path, &[]).await.status, 403, "{path}");
        for (name, expected) in [("billing", 403), ("stranger", 404)] {
            let answer = Browser::signed_in(&api, name).await.post(&path, &[]).await;
            assert_eq!(answer.status, expected, "{name}: {path}");
        }
    }
    let stranger = Browser::signed_in(&api, "stranger").await;
    assert!(!stranger.page("/projects").await.contains("acme"));
    for path in pages(&api.project) {
        assert_eq!(stranger.get(&path).await.status, 404, "{path}");
    }
    // Another project's things are not in this one.
    let (other, _) = api.new_project("other").await;
    let viewer = Browser::signed_in(&api, "viewer").await;
    for path in [format!("events/{event}"), format!("deliveries/{delivery}"), format!("endpoints/{endpoint}")] {
        assert_eq!(viewer.get(&format!("/projects/{other}/{path}")).await.status, 404, "{path}");
    }
    let organisation = api.organisation;
    assert_eq!(viewer.get(&format!("/organisations/{organisation}/new-project")).await.status, 404);
    api.close().await;
}

#[tokio::test]
async fn a_project_is_made_with_a_key_that_works() {
    let api = Api::start().await;
    let ada = api.sign_up("ada").await;
    let browser = Browser::signed_in(&api, "ada").await;
    let path = format!("/organisations/{}/new-project", ada.organisation);
    assert!(browser.page("/projects").await.contains(&path));
    let wrong = browser.post(&path, &[("name", " "), ("type", "outgoing")]).await;
    assert!(wrong.status == 422 && text(&wrong).contains("id=\"name-error\""), "{}", wrong.body);
    let made = browser.post(&path, &[("name", "shop"), ("type", "outgoing")]).await;
    let page = text(&made);
    assert_eq!(made.status, 200, "{page}");
    let key = page.split("CO.").nth(1).unwrap().split('<').next().unwrap();
    let id: ProjectId = page.split("href=\"/projects/").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    let answer =
        api.send("GET", &format!("/api/v1/projects/{id}/endpoints"), Some(&format!("CO.{key}")), &[], None).await;
    assert_eq!(answer.status, 200);
    let again = browser.post(&path, &[("name", "shop"), ("type", "outgoing")]).await;
    assert!(again.status == 422 && text(&again).contains("already exists"), "{}", again.body);
    api.close().await;
}

#[tokio::test]
async fn a_test_receiver_keeps_what_it_gets() {
    let api = Api::start().await;
    person(&api, "ada", Role::ProjectAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    let path = format!("/projects/{}/test-receiver", api.project);
    let page = browser.page(&path).await;
    let url = page.split("<code>").nth(1).unwrap().split('<').next().unwrap().to_string();
    let own = format!("/test-receiver/{}", url.split_once("/test-receiver/").unwrap().1);
    let sent = api.send("POST", &own, None, &[("webhook-id", "m1")], Some(r#"{"<b>": "hello"}"#.into())).await;
    assert_eq!((sent.status, sent.body.as_str()), (200, Some("received\n")));
    let page = browser.page(&path).await;
    assert!(page.contains("webhook-id") && page.contains("hello") && page.contains("&lt;b&gt;"), "{page}");
    for wrong in [format!("{own}x"), own.replace(&api.project, "x"), format!("/test-receiver/{}/x", api.project)] {
        assert_eq!(api.send("POST", &wrong, None, &[], None).await.status, 404, "{wrong}");
    }
    let set_up = browser.post(&format!("{path}/set-up"), &[]).await;
    assert_eq!(set_up.status, 303, "{}", set_up.body);
    browser.post(&format!("{path}/set-up"), &[]).await;
    assert_eq!(api.get("endpoints").await.data()["content"].as_array().unwrap().len(), 1);
    browser.post(&format!("{path}/send"), &[]).await;
    assert_eq!(api.queued_events().await.len(), 1);
    api.close().await;
}

#[tokio::test]
async fn what_others_wrote_is_never_markup() {
    let api = Api::start().await;
    person(&api, "ada", Role::OrganisationAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    let evil = "<script>alert(1)</script>\"'><img src=x>";
    let answer = api
        .post(
            "endpoints",
            json!({"name": evil, "url": "https://example.com/hook", "description": evil, "owner_id": evil}),
        )
        .await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let endpoint = answer.uid();
    let (event, delivery) = api.stored(&endpoint, evil, DeliveryStatus::Failure).await;
    let project = format!("/projects/{}", api.project);
    let mut paths = pages(&api.project);
    paths.extend([
        format!("{project}/events/{event}"),
        format!("{project}/deliveries/{delivery}"),
        format!("{project}/endpoints/{endpoint}"),
        format!("{project}/endpoints/{endpoint}/edit"),
    ]);
    paths.push(format!(
        "{project}/events?query={}",
        url::form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>()
    ));
    for path in paths {
        let page = browser.page(&path).await;
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{path}");
    }
    api.close().await;
}
