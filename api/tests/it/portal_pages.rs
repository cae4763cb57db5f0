//! The customer portal's pages: coming in, with a cookie and without, who may frame them, what each shows and does, and that
//! nobody reaches beyond their own link.

use chrono::{TimeDelta, Utc};
use posthouse_api::app::ApiSettings;
use posthouse_schema::{portal_key::PortalKey, words::DeliveryStatus};
use serde_json::{Value, json};

use crate::{
    dashboard::{FORM, HTML, ORIGIN, encoded, location, text},
    dashboard_audit::{PORTAL_DELIVERIES, PORTAL_ENDPOINTS, assert_left},
    harness::{Answer, Api, accounts},
    walk::{MARK, Tenant},
};

const COOKIE: &str = "__Secure-posthouse-portal=";

/// A portal link: its id, and its token or its key.
pub struct Link {
    id: String,
    token: String,
    key: String,
}

pub async fn link(api: &Api, body: Value) -> Link {
    let mut whole = json!({"name": "link", "owner_id": "ada"});
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let made = api.post("portal-links", whole).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let text = |name: &str| made.data()[name].as_str().unwrap().to_string();
    Link { id: made.uid(), token: text("token"), key: text("auth_key") }
}

/// Somebody with the portal in a browser, which keeps cookies for it or does not.
pub struct Reader<'a> {
    api: &'a Api,
    base: String,
    cookie: Option<String>,
    /// The query that addresses carry where there is no cookie.
    carried: String,
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// The cookie that an answer gives, as a browser sends it back.
fn given_cookie(answer: &Answer) -> Option<String> {
    let cookie = header(answer, "set-cookie");
    cookie.starts_with(COOKIE).then(|| cookie.split(';').next().unwrap().to_string())
}

/// What an attribute with this name says first after `before`.
fn attribute(page: &str, before: &str, name: &str) -> String {
    let rest = page.split_once(before).unwrap_or_else(|| panic!("no {before}: {page}")).1;
    let rest = rest.split_once(&format!("{name}=\"")).unwrap().1;
    rest.split('"').next().unwrap().replace("&amp;", "&")
}

impl<'a> Reader<'a> {
    /// Comes in with a browser that keeps cookies.
    pub async fn with_cookie(api: &'a Api, link: &Link) -> Self {
        let entered = enter(api, &format!("token={}", link.token)).await;
        assert_eq!(entered.status, 303, "{}", entered.body);
        Self { api, base: format!("/portal/{}", link.id), cookie: given_cookie(&entered), carried: String::new() }
    }

    /// Comes in with one that keeps none, as in most frames.
    pub async fn without_cookie(api: &'a Api, link: &Link) -> Self {
        let entered = enter(api, &format!("token={}", link.token)).await;
        let to = location(&entered);
        let carried = to.split_once('?').unwrap().1.to_string();
        Self { api, base: format!("/portal/{}", link.id), cookie: None, carried }
    }

    fn address(&self, rest: &str) -> String {
        let joint = if rest.contains('?') { '&' } else { '?' };
        if self.carried.is_empty() {
            format!("{}{rest}", self.base)
        } else {
            format!("{}{rest}{joint}{}", self.base, self.carried)
        }
    }

    fn headers<'h>(&'h self, more: &[(&'h str, &'h str)]) -> Vec<(&'h str, &'h str)> {
        let own = self.cookie.as_deref().map(|cookie| ("cookie", cookie));
        more.iter().copied().chain(own).collect()
    }

    async fn get(&self, rest: &str) -> Answer {
        self.api.send("GET", &self.address(rest), None, &self.headers(&[HTML]), None).await
    }

    pub async fn page(&self, rest: &str) -> String {
        let answer = self.get(rest).await;
        assert_eq!(answer.status, 200, "{rest}: {}", answer.body);
        text(&answer)
    }

    /// Sends the form whose action ends so on this page, as a browser without scripts does.
    pub async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        self.submit_to(page, (action, ""), fields).await
    }

    /// The same to what lies this far below the form's action.
    async fn submit_to(&self, page: &str, (action, below): (&str, &str), fields: &[(&str, &str)]) -> Answer {
        let html = self.page(page).await;
        let form = html
            .split("<form")
            .skip(1)
            .map(|form| form.split("</form>").next().unwrap())
            .find(|form| attribute(form, "", "action").split('?').next().unwrap().ends_with(action))
            .unwrap_or_else(|| panic!("{page} has no form to {action}: {html}"));
        let (to, csrf) = (attribute(form, "", "action"), attribute(form, "name=\"csrf\"", "value"));
        let (path, query) = to.split_once('?').unwrap_or((&to, ""));
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        let to = format!("{path}{below}?{query}");
        self.api.send("POST", &to, None, &self.headers(&[ORIGIN, FORM, HTML]), Some(encoded(&all))).await
    }

    /// Reads the page to which an answer leads.
    pub async fn follow(&self, answer: &Answer) -> String {
        assert_eq!(answer.status, 303, "{}", answer.body);
        let next = self.api.send("GET", &location(answer), None, &self.headers(&[HTML]), None).await;
        assert_eq!(next.status, 200, "{}: {}", location(answer), next.body);
        text(&next)
    }
}

async fn enter(api: &Api, query: &str) -> Answer {
    api.send("GET", &format!("/portal?{query}"), None, &[HTML], None).await
}

#[tokio::test]
async fn a_token_leaves_the_address_at_once() {
    let api = Api::start().await;
    let (link, other) = (link(&api, json!({})).await, link(&api, json!({"owner_id": "bob"})).await);
    let entered = enter(&api, &format!("token={}&lang=fr", link.token)).await;
    let to = location(&entered);
    assert!(entered.status == 303 && to.starts_with(&format!("/portal/{}/endpoints?s=", link.id)), "{to}");
    assert!(!to.contains(&link.token) && header(&entered, "referrer-policy") == "same-origin");
    let cookie = header(&entered, "set-cookie").to_string();
    for part in ["HttpOnly", "Secure", "SameSite=None", "Partitioned", &format!("Path=/portal/{};", link.id)] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Max-Age"), "{cookie}");

    // With the cookie the address is cleaned.
    let cookie = given_cookie(&entered).unwrap();
    let cleaned = api.send("GET", &to, None, &[HTML, ("cookie", &cookie)], None).await;
    assert_eq!((cleaned.status, location(&cleaned)), (303, format!("/portal/{}/endpoints", link.id)));
    let page = api.send("GET", &location(&cleaned), None, &[HTML, ("cookie", &cookie)], None).await;
    assert!(page.status == 200 && !text(&page).contains("?s=") && !text(&page).contains("&amp;s="), "{}", page.body);
    assert!(text(&page).contains("lang=\"fr\""), "the language that was asked for stays");
    // Without it every way carries what opens the next page, and each page another.
    let page = text(&api.send("GET", &to, None, &[HTML], None).await);
    let next = attribute(&page, "<nav class=\"bar\"", "href");
    assert!(next.contains("?s=") && next != to, "{next}");
    assert_eq!(api.send("GET", &next, None, &[HTML], None).await.status, 200);
    // Neither opens another link's pages, nor travels the other way.
    let of_other = to.replace(&link.id, &other.id);
    assert_eq!(api.send("GET", &of_other, None, &[HTML], None).await.status, 401);
    let path = format!("/portal/{}/endpoints", other.id);
    assert_eq!(api.send("GET", &path, None, &[HTML, ("cookie", &cookie)], None).await.status, 401);
    let as_address = format!("/portal/{}/endpoints?s={}", link.id, cookie.split_once('=').unwrap().1);
    assert_eq!(api.send("GET", &as_address, None, &[HTML], None).await.status, 401);
    let as_cookie = format!("{COOKIE}{}", to.split_once("s=").unwrap().1);
    let path = format!("/portal/{}/endpoints", link.id);
    assert_eq!(api.send("GET", &path, None, &[HTML, ("cookie", &as_cookie)], None).await.status, 401);
    api.close().await;
}

#[tokio::test]
async fn a_portal_is_open_while_its_link_is() {
    let api = Api::start().await;
    for query in [
        "",
        "token=",
        "token=abcdefghijklmnopqrstuvwx",
        "token=%00",
        "auth_token=PRT.a.b",
        &format!("token={}", api.key),
    ] {
        let refused = enter(&api, query).await;
        assert_eq!((refused.status, header(&refused, "set-cookie")), (401, ""), "{query}");
        assert!(text(&refused).contains("This portal is closed"), "{}", refused.body);
    }
    let fixed = link(&api, json!({})).await;
    let keyed = link(&api, json!({"auth_type": "refresh_token"})).await;
    assert_eq!(enter(&api, &format!("token={}", keyed.token)).await.status, 401, "its token is no proof");
    let entered = enter(&api, &format!("token={}&auth_token={}", keyed.token, keyed.key)).await;
    let (cookie, path) = (given_cookie(&entered).unwrap(), format!("/portal/{}/endpoints", keyed.id));
    let ask = async |cookie: &str| api.send("GET", &path, None, &[HTML, ("cookie", cookie)], None).await.status;
    assert_eq!(ask(&cookie).await, 200);
    let mut conn = api.database.pool().get().await.unwrap();
    let ids = (api.project.parse().unwrap(), keyed.id.parse().unwrap());
    let ended = PortalKey::insert(&mut conn, ids.0, ids.1, Utc::now() - TimeDelta::seconds(1)).await.unwrap();
    drop(conn);
    assert_eq!(enter(&api, &format!("auth_token={}", ended.expose())).await.status, 401);
    // Another way to prove oneself ends what was opened by the old one, also when it comes back.
    for auth_type in ["static_token", "refresh_token"] {
        let body = json!({"name": "link", "auth_type": auth_type});
        assert_eq!(api.put(&format!("portal-links/{}", keyed.id), body).await.status, 202);
        assert_eq!(ask(&cookie).await, 401, "{auth_type}");
    }
    let (with, without) = (Reader::with_cookie(&api, &fixed).await, Reader::without_cookie(&api, &fixed).await);
    assert_eq!((with.get("/events").await.status, without.get("/events").await.status), (200, 200));
    api.put(&format!("portal-links/{}/revoke", fixed.id), json!("{}")).await;
    assert_eq!((with.get("/events").await.status, without.get("/events").await.status), (401, 401));
    assert_eq!(api.send("GET", "/portal/x/endpoints", None, &[HTML], None).await.status, 401);
    api.close().await;
}

/// Every page of a portal that names nothing.
const PAGES: [&str; 10] = [
    "/endpoints",
    "/endpoints?q=a",
    "/endpoints/new",
    "/events",
    "/events?query=order&startDate=2026-01-01T10:00",
    "/deliveries",
    "/deliveries?status=Failure&status=Discarded&eventType=order.paid",
    "/deliveries?status=Nonsense",
    "/deliveries/retry",
    "/catalogue",
];

#[tokio::test]
async fn pages_show_what_there_is_and_lead_on() {
    let api = Api::start().await;
    let mine = link(&api, json!({"can_manage_endpoint": true})).await;
    let empty = Reader::with_cookie(&api, &mine).await;
    assert!(empty.page("/endpoints").await.contains("No endpoints yet"));
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let (endpoint, delivery, event) = (tenant.id("endpoint_id"), tenant.id("delivery_id"), tenant.id("event_id"));
    for reader in [Reader::with_cookie(&api, &mine).await, Reader::without_cookie(&api, &mine).await] {
        for path in PAGES {
            let page = reader.page(path).await;
            assert!(page.starts_with("<!DOCTYPE html>") && page.contains("orders"), "{path}: its project's name");
        }
        assert!(reader.page("/deliveries?status=Nonsense").await.contains("role=\"alert\""));
        assert!(reader.page("/endpoints").await.contains(&format!("/endpoints/{endpoint}")));
        assert!(reader.page("/deliveries?status=Failure").await.contains(delivery));
        assert!(!reader.page("/deliveries?status=Success").await.contains(delivery));
        assert!(reader.page("/events").await.contains(event));
        let shown = reader.page(&format!("/endpoints/{endpoint}")).await;
        assert!(shown.contains("https://example.com/") && shown.contains(delivery), "{shown}");
        let shown = reader.page(&format!("/events/{event}")).await;
        assert!(shown.contains("order.paid") && shown.contains(delivery) && shown.contains("***"), "{shown}");
        let shown = reader.page(&format!("/deliveries/{delivery}")).await;
        assert!(shown.contains("X-Api-Key") && shown.contains("No answer") && shown.contains("Resend"), "{shown}");
        let catalogue = reader.page("/catalogue").await;
        assert!(catalogue.contains("order.paid") && catalogue.contains(MARK), "{catalogue}");
        for rest in ["/endpoints/x", "/events/x", "/deliveries/x", "/nothing", "/events/01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
            let answer = reader.get(rest).await;
            assert!(answer.status == 404 && text(&answer).contains("Not found"), "{rest}: {}", answer.body);
        }
    }
    api.close().await;
}

/// Of a snapshot, the rows that are of the tenant.
fn hers(answers: &[Value]) -> Vec<Value> {
    let rows = answers.iter().flat_map(|answer| answer["data"]["content"].as_array().cloned().unwrap_or_default());
    rows.filter(|row| row.to_string().contains(MARK)).collect()
}

#[tokio::test]
async fn one_link_never_sees_what_another_opens() {
    let api = Api::start().await;
    let ada = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let before = ada.snapshot(&api).await;
    let of_bob =
        api.post("endpoints", json!({"name": "e", "url": "https://example.com", "owner_id": "bob"})).await.uid();
    let by_owner = link(&api, json!({"owner_id": "bob", "can_manage_endpoint": true})).await;
    let listing = link(&api, json!({"owner_id": "carl", "can_manage_endpoint": true})).await;
    let body = json!({"name": "link", "owner_id": "", "endpoints": [of_bob]});
    assert_eq!(api.put(&format!("portal-links/{}", listing.id), body).await.status, 202);
    let (other, key) = api.new_project("other").await;
    let body = json!({"name": "l", "owner_id": "ada", "can_manage_endpoint": true}).to_string();
    let path = format!("/api/v1/projects/{other}/portal-links");
    let elsewhere = api.send("POST", &path, Some(&key), &[], Some(body)).await;
    let elsewhere =
        Link { id: elsewhere.uid(), token: elsewhere.data()["token"].as_str().unwrap().into(), key: String::new() };

    let endpoint = format!("/endpoints/{}", ada.id("endpoint_id"));
    let own = [
        endpoint.clone(),
        format!("{endpoint}/edit"),
        format!("{endpoint}/events/new"),
        format!("{endpoint}/events/{}", ada.id("subscription_id")),
        format!("/events/{}", ada.id("event_id")),
        format!("/deliveries/{}", ada.id("delivery_id")),
        format!("/deliveries?endpointId={}", ada.id("endpoint_id")),
        format!("/events?endpointId={}", ada.id("endpoint_id")),
        format!("/deliveries/retry?endpointId={}", ada.id("endpoint_id")),
    ];
    let actions: Vec<String> = ["pause", "activate", "secrets", "roll-secret", "test", "delete", "edit", "events/new"]
        .iter()
        .map(|action| format!("{endpoint}/{action}"))
        .chain([
            format!("{endpoint}/events/{}", ada.id("subscription_id")),
            format!("{endpoint}/events/{}/delete", ada.id("subscription_id")),
            format!("/events/{}/replay", ada.id("event_id")),
            format!("/deliveries/retry?endpointId={}", ada.id("endpoint_id")),
            format!("/deliveries/{}/resend", ada.id("delivery_id")),
        ])
        .collect();
    for (link, what) in [(&by_owner, "an owner"), (&listing, "listed endpoints"), (&elsewhere, "another project")] {
        let reader = Reader::with_cookie(&api, link).await;
        for path in PAGES.into_iter().filter(|path| *path != "/catalogue" && *path != "/endpoints/new") {
            assert!(!reader.page(path).await.contains(MARK), "{what}: {path}");
        }
        for path in &own {
            let answer = reader.get(path).await;
            assert!(answer.status == 404 && !text(&answer).contains(MARK), "{what}: {path}: {}", answer.body);
        }
        let csrf = reader.csrf().await;
        let fields = [
            ("csrf", csrf.as_str()),
            ("event_type", "order.paid"),
            ("name", "x"),
            ("url", "https://example.com"),
            ("which", "all"),
        ];
        for action in &actions {
            let answer = reader.post(action, &fields).await;
            assert_eq!(answer.status, 404, "{what}: {action}: {}", answer.body);
        }
        let chosen = [("csrf", csrf.as_str()), ("ids", ada.id("delivery_id"))];
        let refused = reader.post("/deliveries/resend", &chosen).await;
        assert!([404, 422].contains(&refused.status) && !text(&refused).contains(MARK), "{what}: {}", refused.body);
    }
    let after = ada.snapshot(&api).await;
    assert_eq!(hers(&after), hers(&before), "nothing of hers was changed");
    assert!(api.queued_jobs().await.iter().all(|job| !job.contains(ada.id("endpoint_id"))), "nothing was set off");
    api.close().await;
}

impl Reader<'_> {
    /// A token of this reader's forms: that of the form for choosing events, or of a new endpoint.
    pub async fn csrf(&self) -> String {
        for rest in ["/endpoints/new", "/deliveries"] {
            let answer = self.get(rest).await;
            if let Some((_, token)) = text(&answer).split_once("name=\"csrf\" value=\"") {
                return token.split('"').next().unwrap().to_string();
            }
        }
        // A link that lists its endpoints makes none: one of its endpoints has a form.
        let list = self.page("/endpoints").await;
        let endpoint = attribute(&list, "<tbody", "href");
        let page = text(&self.api.send("GET", &endpoint, None, &self.headers(&[HTML]), None).await);
        attribute(&page, "name=\"csrf\"", "value")
    }

    pub async fn post(&self, rest: &str, fields: &[(&str, &str)]) -> Answer {
        let to = self.address(rest);
        self.api.send("POST", &to, None, &self.headers(&[ORIGIN, FORM, HTML]), Some(encoded(fields))).await
    }
}

/// Events are chosen for an endpoint, chosen otherwise, and no more.
async fn events_are_chosen(api: &Api, reader: &Reader<'_>, (own, id): (&str, &str)) {
    let events = format!("{own}/events/new");
    let none = reader.submit(&events, "/events/new", &[("which", "some")]).await;
    assert!(none.status == 422 && text(&none).contains("Nothing was chosen"), "{}", none.body);
    let fields = [("which", "some"), ("event_types", "order.paid"), ("event_types", "order.sent")];
    let chosen = reader.submit(&events, "/events/new", &fields).await;
    assert!(reader.follow(&chosen).await.contains("The events are chosen."));
    let subscription = api.get(&format!("subscriptions?endpointId={id}")).await.data()["content"][0].clone();
    assert_eq!(subscription["filter_config"]["event_types"], json!(["order.paid", "order.sent"]));
    let uid = subscription["uid"].as_str().unwrap();
    reader.submit(&format!("{own}/events/{uid}"), uid, &[("which", "all"), ("event_types", "order.paid")]).await;
    let read = api.get(&format!("subscriptions/{uid}")).await;
    assert_eq!(read.data()["filter_config"]["event_types"], json!(["*"]));
    // Pages have a button for it where there are several.
    let left = reader.submit_to(&format!("{own}/events/{uid}"), (uid, "/delete"), &[]).await;
    assert!(left.status == 303, "{}", left.body);
    assert_eq!(api.get(&format!("subscriptions/{uid}")).await.status, 404);
}

#[tokio::test]
async fn an_endpoint_is_looked_after_without_scripts() {
    let api = Api::start().await;
    for name in ["order.paid", "order.sent"] {
        assert_eq!(api.post("event-types", json!({"name": name, "description": "what"})).await.status, 201);
    }
    let link = link(&api, json!({"can_manage_endpoint": true})).await;
    for reader in [Reader::with_cookie(&api, &link).await, Reader::without_cookie(&api, &link).await] {
        let wrong = reader.submit("/endpoints/new", "/endpoints/new", &[("name", "shop"), ("url", "ftp://x")]).await;
        assert!(wrong.status == 422 && text(&wrong).contains("value=\"shop\""), "{}", wrong.body);
        let fields = [("name", "shop"), ("url", "https://example.com/a"), ("rate_limit", "many")];
        let wrong = reader.submit("/endpoints/new", "/endpoints/new", &fields).await;
        assert!(text(&wrong).contains("id=\"rate_limit-error\""), "{}", wrong.body);
        let fields = [("name", "shop"), ("url", "https://example.com/a"), ("http_timeout", "7")];
        let made = reader.submit("/endpoints/new", "/endpoints/new", &fields).await;
        let choose = reader.follow(&made).await;
        assert!(choose.contains("The endpoint is made.") && choose.contains("order.sent"), "{choose}");
        let id = location(&made).split("/endpoints/").nth(1).unwrap().split('/').next().unwrap().to_string();
        let own = format!("/endpoints/{id}");
        assert_eq!(api.get(&format!("endpoints/{id}")).await.data()["owner_id"], json!("ada"));

        events_are_chosen(&api, &reader, (&own, &id)).await;

        let change = json!({"name": "shop", "url": "https://example.com/a", "authentication": {"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "s3cret"}}});
        assert_eq!(api.put(&format!("endpoints/{id}"), change).await.status, 202);
        let fields = [("name", "store"), ("url", "https://example.com/b"), ("description", "d")];
        let changed = reader.submit(&format!("{own}/edit"), "/edit", &fields).await;
        assert!(reader.follow(&changed).await.contains("The endpoint is changed."));
        let read = api.get(&format!("endpoints/{id}")).await;
        assert_eq!(read.data()["name"], json!("store"));
        assert_eq!(read.data()["authentication"]["api_key"]["header_value"], json!("s3cret"), "what is hidden stays");

        let secret = read.data()["secrets"][0]["value"].as_str().unwrap().to_string();
        let page = reader.page(&own).await;
        assert!(!page.contains(&secret) && !page.contains("s3cret"), "secrets are hidden until they are asked for");
        assert_eq!(reader.get(&format!("{own}/secrets")).await.status, 404, "no link shows them");
        assert!(text(&reader.submit(&own, "/secrets", &[]).await).contains(&secret));
        let rolled = reader.submit(&own, "/roll-secret", &[("expiration", "3600")]).await;
        assert!(reader.follow(&rolled).await.contains("A new secret signs"));
        assert_eq!(api.get(&format!("endpoints/{id}")).await.data()["secrets"].as_array().unwrap().len(), 2);

        let before = api.queued_events().await.len();
        let sent = reader.submit(&own, "/test", &[("event_type", "order.paid")]).await;
        assert!(reader.follow(&sent).await.contains("A test event is on its way."));
        assert_eq!(api.queued_events().await.len(), before + 1);
        let wrong = reader.submit(&own, "/test", &[("event_type", "")]).await;
        assert!(wrong.status == 422 && text(&wrong).contains("id=\"flash\""), "{}", wrong.body);

        let status = async || api.get(&format!("endpoints/{id}")).await.data()["status"].clone();
        assert!(reader.follow(&reader.submit(&own, "/pause", &[]).await).await.contains("The endpoint is paused."));
        assert_eq!(status().await, "paused");
        reader.submit(&own, "/pause", &[]).await;
        assert_eq!(status().await, "active");
        api.database.run("UPDATE endpoints SET status = 'inactive'").await;
        reader.submit(&own, "/activate", &[]).await;
        assert_eq!(status().await, "active");
        let gone = reader.submit(&own, "/delete", &[]).await;
        assert!(reader.follow(&gone).await.contains("The endpoint is deleted."));
        assert_eq!(reader.get(&own).await.status, 404);
    }
    let lines = api.get("audit-log?perPage=100").await;
    let lines = lines.data()["content"].as_array().unwrap();
    for action in [
        "endpoint.create",
        "endpoint.reveal_secrets",
        "endpoint.pause",
        "endpoint.activate",
        "endpoint.roll_secret",
        "endpoint.delete",
    ] {
        let line = lines.iter().find(|line| line["action"] == action && line.to_string().contains(&link.id));
        assert!(line.is_some(), "{action} is in the audit log: {lines:?}");
    }
    assert_left(&api, PORTAL_ENDPOINTS).await;
    api.close().await;
}

#[tokio::test]
async fn deliveries_are_sent_again_one_by_one_and_together() {
    let api = Api::start().await;
    let link = link(&api, json!({})).await;
    let endpoint =
        api.post("endpoints", json!({"name": "e", "url": "https://example.com", "owner_id": "ada"})).await.uid();
    for reader in [Reader::with_cookie(&api, &link).await, Reader::without_cookie(&api, &link).await] {
        let (_, one) = api.stored(&endpoint, "", DeliveryStatus::Failure).await;
        let (_, two) = api.stored(&endpoint, "", DeliveryStatus::Success).await;
        let (_, three) = api.stored(&endpoint, "", DeliveryStatus::Discarded).await;
        let (_, busy) = api.stored(&endpoint, "", DeliveryStatus::Retry).await;
        let status = async |id: &str| api.get(&format!("eventdeliveries/{id}")).await.data()["status"].clone();
        let again = reader.submit(&format!("/deliveries/{one}"), "/resend", &[]).await;
        assert!(reader.follow(&again).await.contains("1 will be sent again."));
        assert_eq!(status(&one.to_string()).await, "Scheduled");
        let ids = [two.to_string(), three.to_string(), busy.to_string()];
        let fields: Vec<(&str, &str)> = ids.iter().map(|id| ("ids", id.as_str())).collect();
        let many = reader.submit("/deliveries", "/deliveries/resend", &fields[..2]).await;
        assert!(reader.follow(&many).await.contains("2 will be sent again."));
        assert_eq!((status(&ids[0]).await, status(&ids[1]).await), (json!("Scheduled"), json!("Scheduled")));
        let refused = reader.submit("/deliveries?status=Retry", "/deliveries/resend", &fields[2..]).await;
        let page = text(&refused);
        assert!(refused.status == 422 && page.contains("0 will be sent again, 1 not: cannot resend"), "{page}");
        let none = reader.submit("/deliveries", "/deliveries/resend", &[]).await;
        assert!(none.status == 422 && text(&none).contains("Nothing was chosen."), "{}", none.body);
    }
    assert_left(&api, PORTAL_DELIVERIES).await;
    api.close().await;
}

#[tokio::test]
async fn a_link_that_may_not_manage_has_no_way_to() {
    let api = Api::start().await;
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let before = tenant.snapshot(&api).await[1].clone();
    let reader = Reader::with_cookie(&api, &link(&api, json!({})).await).await;
    let own = format!("/endpoints/{}", tenant.id("endpoint_id"));
    let (list, page) = (reader.page("/endpoints").await, reader.page(&own).await);
    assert!(!list.contains("/endpoints/new") && page.contains("This link does not show secrets."), "{page}");
    for way in ["/edit", "/pause", "/roll-secret", "/secrets", &format!("{own}/delete")] {
        assert!(!page.contains(way), "{way}: {page}");
    }
    let csrf = attribute(&page, "name=\"csrf\"", "value");
    let fields = [("csrf", csrf.as_str()), ("name", "x"), ("url", "https://example.com")];
    for rest in ["new".to_string()].into_iter().chain(
        ["edit", "pause", "activate", "secrets", "roll-secret", "delete"]
            .map(|action| format!("{}/{action}", tenant.id("endpoint_id"))),
    ) {
        let answer = reader.post(&format!("/endpoints/{rest}"), &fields).await;
        assert_eq!(answer.status, 403, "{rest}: {}", answer.body);
    }
    assert_eq!(reader.get("/endpoints/new").await.status, 403);
    assert_eq!(tenant.snapshot(&api).await[1], before);
    api.close().await;
}

#[tokio::test]
async fn forms_of_other_pages_are_refused() {
    let api = Api::start().await;
    let (mine, other) = (
        link(&api, json!({"can_manage_endpoint": true})).await,
        link(&api, json!({"can_manage_endpoint": true})).await,
    );
    for (reader, stranger) in [
        (Reader::with_cookie(&api, &mine).await, Reader::with_cookie(&api, &other).await),
        (Reader::without_cookie(&api, &mine).await, Reader::without_cookie(&api, &other).await),
    ] {
        let page = reader.page("/endpoints/new").await;
        let (to, own) = (attribute(&page, "<form", "action"), attribute(&page, "name=\"csrf\"", "value"));
        let of_other = attribute(&stranger.page("/endpoints/new").await, "name=\"csrf\"", "value");
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
            let body = encoded(&[("csrf", token), ("name", "n"), ("url", "https://example.com")]);
            let answer = api.send("POST", &to, None, &reader.headers(&headers), Some(body)).await;
            assert!(
                answer.status == 403 && text(&answer).contains("was not sent from here"),
                "{what}: {}",
                answer.body
            );
        }
        assert_eq!(api.get("endpoints").await.data()["content"], json!([]));
        let body = json!({"csrf": own}).to_string();
        let as_text = reader.headers(&[ORIGIN, ("content-type", "text/plain")]);
        assert_eq!(api.send("POST", &to, None, &as_text, Some(body)).await.status, 400);
        // Nobody is let in by a form, wherever it came from.
        let body = encoded(&[("csrf", &own), ("name", "n"), ("url", "https://example.com")]);
        let path = to.split('?').next().unwrap();
        assert_eq!(api.send("POST", path, None, &[ORIGIN, FORM], Some(body)).await.status, 401);
    }
    api.close().await;
}

#[tokio::test]
async fn what_others_wrote_is_never_markup() {
    let api = Api::start().await;
    let evil = "<script>alert(1)</script>\"'><img src=x>";
    let body = json!({"name": evil, "url": "https://example.com/hook", "description": evil, "owner_id": "ada"});
    let endpoint = api.post("endpoints", body).await.uid();
    let schema = json!({"type": "object", "title": evil});
    let described = json!({"name": format!("a.{evil}"), "description": evil, "category": evil, "json_schema": schema});
    assert_eq!(api.post("event-types", described).await.status, 201);
    let subscription = json!({"name": evil, "endpoint_id": endpoint, "filter_config": {"event_types": [evil]}});
    let subscription = api.post("subscriptions", subscription).await.uid();
    let project = json!({"name": evil, "config": {"portal": {"logo_url": format!("https://cdn.example.com/{evil}")}}});
    let path = format!("/api/v1/projects/{}", api.project);
    assert_eq!(api.send("PUT", &path, Some(&api.key), &[], Some(project.to_string())).await.status, 202);
    let (event, delivery) = api.stored(&endpoint, evil, DeliveryStatus::Failure).await;
    let link = link(&api, json!({"can_manage_endpoint": true, "name": evil})).await;
    let written = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>();
    let paths = PAGES.iter().map(|path| (*path).to_string()).chain([
        format!("/endpoints/{endpoint}"),
        format!("/endpoints/{endpoint}/edit"),
        format!("/endpoints/{endpoint}/events/{subscription}"),
        format!("/events/{event}"),
        format!("/deliveries/{delivery}"),
        format!("/endpoints?q={written}&{written}={written}"),
        format!("/events?query={written}&endpointId={written}&startDate={written}"),
        format!("/deliveries?eventType={written}&status={written}"),
        format!("/endpoints?done={written}&number={written}&lang={written}"),
    ]);
    let reader = Reader::without_cookie(&api, &link).await;
    for path in paths {
        let answer = reader.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let page = text(&answer);
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}: {page}");
        let policy = header(&answer, "content-security-policy");
        assert!(policy.contains("img-src 'self' https://cdn.example.com;") && !policy.contains("alert"), "{policy}");
    }
    let entered = enter(&api, &format!("token={written}&lang={written}")).await;
    assert!(entered.status == 401 && !text(&entered).contains("<script>alert"), "{}", entered.body);
    api.close().await;
}

/// What an answer says of who may frame it, in both of its headers.
fn framing(answer: &Answer) -> (String, String) {
    let policy = header(answer, "content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'") && !policy.contains("unsafe")
    );
    let ancestors = policy.split("frame-ancestors ").nth(1).unwrap_or_default().to_string();
    (ancestors, header(answer, "x-frame-options").to_string())
}

async fn set_portal(api: &Api, portal: Value) -> Answer {
    let path = format!("/api/v1/projects/{}", api.project);
    let body = json!({"name": "orders", "config": {"portal": portal}}).to_string();
    api.send("PUT", &path, Some(&api.key), &[], Some(body)).await
}

#[tokio::test]
async fn nobody_frames_a_portal_who_is_not_named() {
    let api = Api::start().await;
    let mine = link(&api, json!({})).await;
    let reader = Reader::without_cookie(&api, &mine).await;
    let nobody = ("'none'".to_string(), "DENY".to_string());
    assert_eq!(framing(&enter(&api, &format!("token={}", mine.token)).await), nobody);
    for rest in ["/endpoints", "/nothing", "/endpoints/x"] {
        assert_eq!(framing(&reader.get(rest).await), nobody, "{rest}");
    }
    // A project names others, also for the page that says that its link has ended.
    let named =
        set_portal(&api, json!({"frame_ancestors": ["https://app.example.com", "https://*.example.org"]})).await;
    assert_eq!(named.status, 202, "{}", named.body);
    let theirs = ("https://app.example.com https://*.example.org".to_string(), String::new());
    for rest in ["/endpoints", "/nothing"] {
        assert_eq!(framing(&reader.get(rest).await), theirs, "{rest}");
    }
    assert_eq!(framing(&enter(&api, &format!("token={}", mine.token)).await), theirs, "the way in is framed too");
    api.put(&format!("portal-links/{}/revoke", mine.id), json!("{}")).await;
    let ended = reader.get("/endpoints").await;
    assert_eq!((ended.status, framing(&ended)), (401, theirs));
    for wrong in ["*", "https://*", "https://a.example; script-src *", "javascript:alert(1)"] {
        let refused = set_portal(&api, json!({"frame_ancestors": [wrong]})).await;
        assert!(refused.status == 400 && refused.message().starts_with("config.portal.frame_ancestors"), "{wrong}");
    }
    // The dashboard stays shut whatever the portal allows.
    assert_eq!(header(&api.send("GET", "/sign-in", None, &[HTML], None).await, "x-frame-options"), "DENY");
    api.close().await;

    let portal_frame_ancestors = vec!["'self'".to_string()];
    let open =
        Api::start_with(ApiSettings { portal_frame_ancestors, accounts: accounts(), ..ApiSettings::default() }).await;
    let reader = Reader::with_cookie(&open, &link(&open, json!({})).await).await;
    assert_eq!(framing(&reader.get("/endpoints").await), ("'self'".into(), "SAMEORIGIN".into()));
    set_portal(&open, json!({"frame_ancestors": ["none"]})).await;
    assert_eq!(framing(&reader.get("/endpoints").await), nobody, "a project can be stricter than its instance");
    open.close().await;
}

#[tokio::test]
async fn a_portal_looks_and_speaks_as_it_is_told() {
    let api = Api::start().await;
    let mine = link(&api, json!({})).await;
    let reader = Reader::with_cookie(&api, &mine).await;
    let look = json!({
        "name": "Acme Webhooks", "logo_url": "https://cdn.example.com/a/logo.svg?v=1", "accent_color": "#FFEE00",
        "header_color": "#102030", "color_scheme": "dark",
    });
    let set = set_portal(&api, look).await;
    assert_eq!(set.data()["config"]["portal"]["name"], json!("Acme Webhooks"), "{}", set.body);
    let answer = reader.get("/endpoints").await;
    let page = text(&answer);
    assert!(page.contains("Acme Webhooks") && page.contains("data-theme=\"dark\""), "{page}");
    assert!(page.contains("src=\"https://cdn.example.com/a/logo.svg?v=1\""), "{page}");
    assert!(header(&answer, "content-security-policy").contains("img-src 'self' https://cdn.example.com;"));
    let sheet = attribute(&page, "href=\"/assets/portal-", "href");
    assert_eq!(sheet, "/portal/theme/ffee00-102030.css");
    let sheet = api.send("GET", &sheet, None, &[], None).await;
    assert!(
        sheet.status == 200 && text(&sheet).contains("--accent") && text(&sheet).contains("#102030"),
        "{}",
        sheet.body
    );
    assert!(
        header(&sheet, "content-type").starts_with("text/css") && header(&sheet, "cache-control").contains("immutable")
    );
    for wrong in ["none-none.css", "red-none.css", "ffee00.css", "x", "ffee00-102030.css%7D"] {
        assert_eq!(api.send("GET", &format!("/portal/theme/{wrong}"), None, &[], None).await.status, 404, "{wrong}");
    }
    // The browser's language, or the one that was chosen.
    let cookie = reader.cookie.clone().unwrap();
    let path = format!("{}/deliveries?status=Failure", reader.base);
    let german =
        api.send("GET", &path, None, &[HTML, ("cookie", &cookie), ("accept-language", "de-AT,en;q=0.5")], None).await;
    assert!(
        text(&german).contains("<h1>Zustellungen</h1>") && text(&german).contains("lang=\"de\""),
        "{}",
        german.body
    );
    let chosen = api.send("GET", &format!("{path}&lang=es"), None, &[HTML, ("cookie", &cookie)], None).await;
    assert_eq!((chosen.status, location(&chosen)), (303, path.clone()));
    let cookie = given_cookie(&chosen).unwrap();
    let spanish = api.send("GET", &path, None, &[HTML, ("cookie", &cookie), ("accept-language", "de")], None).await;
    assert!(text(&spanish).contains("<h1>Entregas</h1>"), "{}", spanish.body);
    let without = Reader::without_cookie(&api, &mine).await;
    let french = without.page("/events?lang=fr").await;
    let next = attribute(&french, "<nav class=\"bar\"", "href");
    let next = text(&api.send("GET", &next, None, &[HTML, ("accept-language", "de")], None).await);
    assert!(french.contains("<h1>Événements</h1>") && next.contains("lang=\"fr\""), "{next}");
    assert!(text(&enter(&api, "token=x&lang=xx").await).contains("This portal is closed"));
    api.close().await;
}
