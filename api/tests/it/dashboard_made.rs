//! Pages on which sources, event types and portal links are made, changed and ended.

use posthouse_jobs::queue::ConnectionTestResult;
use posthouse_schema::words::Role;
use serde_json::{Value, json};

use crate::{
    dashboard::{Browser, location, text},
    dashboard_audit::{EVENT_TYPES, PORTAL_LINKS, SOURCES, assert_left},
    harness::{Api, until},
};

pub async fn administrator(api: &Api) -> Browser<'_> {
    api.join("ada", Role::ProjectAdmin).await;
    Browser::signed_in(api, "ada").await
}

/// A source as it is stored, with its secrets.
async fn source(api: &Api, id: &str) -> Value {
    api.get(&format!("sources/{id}")).await.data().clone()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one life, from its making to its end")]
async fn a_source_of_a_provider_is_made_changed_and_paused() {
    let api = Api::start().await;
    let browser = administrator(&api).await;
    let list = format!("/projects/{}/sources", api.project);
    let kinds = browser.page(&format!("{list}/new")).await;
    for kind in [
        "github",
        "shopify",
        "twitter",
        "stripe",
        "slack",
        "standard_webhooks",
        "hmac",
        "basic_auth",
        "api_key",
        "noop",
        "mqtt",
        "amqp",
        "kafka",
        "nats",
        "redis",
        "sqs",
        "google",
    ] {
        assert!(kinds.contains(&format!("kind={kind}\"")), "{kind}: {kinds}");
        let form = browser.page(&format!("{list}/new?kind={kind}")).await;
        assert!(form.contains("name=\"name\""), "{kind}");
    }
    let new = format!("{list}/new");
    let hmac = |secret: &'static str, encoding: &'static str| {
        vec![
            ("do", "save"),
            ("kind", "hmac"),
            ("name", "orders <b>"),
            ("verifier.hmac.header", "X-Signature"),
            ("verifier.hmac.hash", "SHA512"),
            ("verifier.hmac.encoding", encoding),
            ("verifier.hmac.secret", secret),
            ("idempotency_keys", "request.header.X-Id\n request.body.id "),
            ("custom_response.body", "thanks"),
            ("custom_response.content_type", "text/plain"),
        ]
    };
    for (fields, expected) in [
        (hmac("", "hex"), "id=\"verifier.hmac.secret-error\""),
        (hmac("s3cret-of-orders", "base32"), "id=\"verifier.hmac.encoding-error\""),
        (vec![("kind", "hmac")], "id=\"name-error\""),
        (vec![("kind", "noop"), ("name", "x"), ("rate_limit", "many")], "id=\"rate_limit-error\""),
    ] {
        let refused = browser.post(&new, &fields).await;
        assert!(refused.status == 422 && text(&refused).contains(expected), "{expected}: {}", refused.body);
        assert!(!text(&refused).contains("s3cret-of-orders"), "what is secret is typed again");
    }
    let own = location(&browser.post(&new, &hmac("s3cret-of-orders", "hex")).await);
    let id = own.rsplit('/').next().unwrap().to_string();
    let stored = source(&api, &id).await;
    assert_eq!(
        (&stored["verifier"]["hmac"]["secret"], &stored["verifier"]["hmac"]["hash"], &stored["idempotency_keys"]),
        (&json!("s3cret-of-orders"), &json!("SHA512"), &json!(["request.header.X-Id", "request.body.id"]))
    );
    let shown = browser.page(&own).await;
    assert!(shown.contains("/ingest/") && shown.contains("X-Signature") && !shown.contains("s3cret-of-orders"));
    let form = browser.page(&format!("{own}/edit")).await;
    assert!(form.contains("value=\"X-Signature\"") && form.contains("orders &lt;b&gt;"), "{form}");
    assert!(form.contains("It is stored") && !form.contains("s3cret-of-orders"), "{form}");

    let mut changed = hmac("", "base64");
    changed.retain(|(name, _)| *name != "custom_response.body" && *name != "custom_response.content_type");
    assert_eq!(location(&browser.post(&format!("{own}/edit"), &changed).await), own);
    let stored = source(&api, &id).await;
    assert_eq!(stored["verifier"]["hmac"]["secret"], "s3cret-of-orders", "an empty field keeps it");
    assert_eq!(
        (&stored["verifier"]["hmac"]["encoding"], &stored["custom_response"]["body"]),
        (&json!("base64"), &json!(""))
    );
    browser.post(&format!("{own}/pause"), &[]).await;
    assert_eq!(source(&api, &id).await["is_disabled"], true);
    assert!(browser.page(&own).await.contains("It takes nothing in"));
    browser.post(&format!("{own}/resume"), &[]).await;
    assert_eq!(source(&api, &id).await["verifier"]["hmac"]["secret"], "s3cret-of-orders");

    let other = browser.page(&format!("{own}/edit?kind=github")).await;
    assert!(other.contains("GitHub") && !other.contains("It is stored"), "the secret of another proof is not taken");
    let github = [("kind", "github"), ("name", "code"), ("verifier.hmac.secret", "of github")];
    assert_eq!(location(&browser.post(&format!("{own}/edit"), &github).await), own);
    let stored = source(&api, &id).await;
    assert_eq!((&stored["provider"], &stored["verifier"]["hmac"]["secret"]), (&json!("github"), &json!("of github")));
    let broker = browser.post(&format!("{own}/edit"), &[("kind", "mqtt"), ("name", "x")]).await;
    assert_eq!(broker.status, 404, "a URL does not become a broker");
    assert_left(&api, SOURCES).await;
    api.close().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one life, from its making to its end")]
async fn a_source_of_a_broker_is_made_and_its_connection_tested() {
    let api = Api::start().await;
    let browser = administrator(&api).await;
    let list = format!("/projects/{}/sources", api.project);
    let new = format!("{list}/new");
    let kafka = |what: &'static str, brokers: &'static str, password: &'static str| {
        vec![
            ("do", what),
            ("kind", "kafka"),
            ("name", "orders"),
            ("pub_sub.kafka.brokers", brokers),
            ("pub_sub.kafka.topic_name", "orders"),
            ("pub_sub.kafka.start", "new"),
            ("pub_sub.kafka.auth.type", "scram"),
            ("pub_sub.kafka.auth.hash", "SHA512"),
            ("pub_sub.kafka.auth.username", "ada"),
            ("pub_sub.kafka.auth.password", password),
            ("pub_sub.kafka.auth.tls", "true"),
        ]
    };
    for what in ["save", "test"] {
        let refused = browser.post(&new, &kafka(what, "nonsense", "s3cret")).await;
        assert_eq!(refused.status, 422);
        assert!(text(&refused).contains("id=\"pub_sub.kafka.brokers-error\""), "{what}: {}", refused.body);
    }
    // An instance of ingest, as far as a test of a connection is concerned.
    let answering = async |result: ConnectionTestResult| {
        until("a request for a test", async || {
            let Some(test) = api.queues().take_connection_test().await.unwrap() else { return false };
            api.queues().answer_connection_test(&test.id, result.clone()).await.unwrap();
            true
        })
        .await;
    };
    let failed = ConnectionTestResult {
        failed_step: Some("sign_in".into()),
        reason: Some("the broker <refused> the password".into()),
        notes: Vec::new(),
        duration_ms: 31,
    };
    let fields = kafka("test", "kafka.example.com:9092", "s3cret");
    let (tested, ()) = tokio::join!(browser.post(&new, &fields), answering(failed));
    let page = text(&tested);
    assert_eq!(tested.status, 200, "{page}");
    assert!(
        page.contains("refused to sign us in") && page.contains("the broker &lt;refused&gt; the password"),
        "{page}"
    );
    assert!(page.contains("kafka.example.com:9092") && !page.contains("s3cret"), "{page}");
    assert_eq!(api.get("sources").await.data()["content"], json!([]), "nothing was made by testing");

    for (sample, expected) in [
        (r#"{"n": 2}"#, "&quot;n4&quot;"),
        ("nonsense", "id=\"sample-error\""),
        ("null", "the function must return a message"),
    ] {
        let function =
            "function transform(p) { console.log('seen <b>'); return p && {event_type: 'n' + p.n * 2, data: p}; }";
        let mut fields = kafka("try", "one:9092", "s3cret");
        fields.extend([("body_function", function), ("sample", sample)]);
        let tried = text(&browser.post(&new, &fields).await);
        assert!(tried.contains(expected) && !tried.contains("<b>"), "{expected}: {tried}");
    }

    let own = location(&browser.post(&new, &kafka("save", "one:9092\ntwo:9092", "s3cret")).await);
    let id = own.rsplit('/').next().unwrap().to_string();
    let stored = source(&api, &id).await;
    assert_eq!(stored["pub_sub"]["kafka"]["brokers"], json!(["one:9092", "two:9092"]));
    assert_eq!(stored["pub_sub"]["kafka"]["auth"]["tls"], true);
    let shown = browser.page(&own).await;
    assert!(
        shown.contains("one:9092") && shown.contains("Test the connection") && !shown.contains("s3cret"),
        "{shown}"
    );
    // The stored password goes with the test, and with a change that leaves its field empty.
    assert_eq!(location(&browser.post(&format!("{own}/edit"), &kafka("save", "three:9092", "")).await), own);
    let well = ConnectionTestResult {
        failed_step: None,
        reason: None,
        notes: vec!["the queue is made".into()],
        duration_ms: 3,
    };
    let path = format!("{own}/test");
    let (tested, ()) = tokio::join!(browser.post(&path, &[]), answering(well));
    assert!(text(&tested).contains("The broker can be read") && text(&tested).contains("the queue is made"));
    let mut conn = api.database.pool().get().await.unwrap();
    let row = posthouse_schema::source::Source::find(&mut conn, api.project.parse().unwrap(), id.parse().unwrap());
    let secrets = row.await.unwrap().unwrap().pub_sub().unwrap().unwrap();
    assert_eq!(
        (&secrets["kafka"]["auth"]["password"], &secrets["kafka"]["brokers"][0]),
        (&json!("s3cret"), &json!("three:9092"))
    );
    drop(conn);
    let mut removed = kafka("save", "three:9092", "");
    removed.retain(|(name, _)| *name != "pub_sub.kafka.auth.type");
    removed.push(("pub_sub.kafka.auth.password.remove", "true"));
    assert_eq!(location(&browser.post(&format!("{own}/edit"), &removed).await), own);
    assert_eq!(source(&api, &id).await["pub_sub"]["kafka"]["auth"]["password"], "");
    api.close().await;
}

#[tokio::test]
async fn event_types_are_described_imported_and_deprecated() {
    let api = Api::start().await;
    let browser = administrator(&api).await;
    let list = format!("/projects/{}/event-types", api.project);
    let schema = r#"{"type": "object", "properties": {"<b>": {"type": "number"}}}"#;
    let new = format!("{list}/new");
    for (fields, expected) in [
        (vec![("name", "")], "id=\"name-error\""),
        (vec![("name", "order.paid"), ("json_schema", "{")], "id=\"json_schema-error\""),
        (vec![("name", "order.paid"), ("json_schema", r#"{"type": 7}"#)], "id=\"json_schema-error\""),
    ] {
        let refused = browser.post(&new, &fields).await;
        assert!(refused.status == 422 && text(&refused).contains(expected), "{}", refused.body);
    }
    let own =
        location(&browser.post(&new, &[("name", "order.paid"), ("category", "orders"), ("json_schema", schema)]).await);
    let shown = browser.page(&own).await;
    assert!(shown.contains("order.paid") && shown.contains("&lt;b&gt;") && shown.contains("JSON schema"), "{shown}");
    let taken = browser.post(&new, &[("name", "order.paid")]).await;
    assert!(taken.status == 422 && text(&taken).contains("already exists"), "{}", taken.body);
    let changed = browser.post(&own, &[("description", "It was paid."), ("category", "money")]).await;
    assert_eq!(location(&changed), own, "{}", changed.body);
    let found = browser.page(&format!("{list}?q=PAID")).await;
    assert!(found.contains("order.paid") && found.contains("money") && !found.contains(">*<"), "{found}");
    assert!(browser.page(&format!("{list}?q=nothing")).await.contains("No event type matches"));
    browser.post(&format!("{own}/deprecate"), &[]).await;
    assert!(browser.page(&own).await.contains("Deprecated since"));

    let spec = r#"{"openapi": "3.1.0", "webhooks": {"order.sent": {"post": {"description": "It is under way.", "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}}}}"#;
    let import = format!("{list}/import");
    let refused = browser.post(&import, &[("spec", "nonsense: [")]).await;
    assert!(refused.status == 422 && text(&refused).contains("nonsense: ["), "{}", refused.body);
    assert_eq!(location(&browser.post(&import, &[("spec", spec)]).await), list);
    assert!(browser.page(&list).await.contains("It is under way."));
    assert_eq!(browser.get(&format!("{list}/x")).await.status, 404);
    assert_left(&api, EVENT_TYPES).await;
    api.close().await;
}

#[tokio::test]
async fn a_portal_link_is_made_opened_and_revoked() {
    let api = Api::start().await;
    let browser = administrator(&api).await;
    let list = format!("/projects/{}/portal-links", api.project);
    let endpoint = api.endpoint("receiver").await;
    let new = format!("{list}/new");
    assert!(browser.page(&new).await.contains("receiver"));
    for (fields, expected) in [
        (vec![("owner_id", "ada")], "id=\"name-error\""),
        (vec![("name", "Ada")], "id=\"owner_id-error\""),
        (vec![("name", "Ada"), ("owner_id", "ada"), ("endpoints", "x")], "id=\"endpoints-error\""),
    ] {
        let refused = browser.post(&new, &fields).await;
        assert!(refused.status == 422 && text(&refused).contains(expected), "{expected}: {}", refused.body);
    }
    let fields = [
        ("name", "Ada's <b>"),
        ("owner_id", "ada"),
        ("endpoints", endpoint.as_str()),
        ("can_manage_endpoint", "true"),
        ("auth_type", "static_token"),
    ];
    let own = location(&browser.post(&new, &fields).await);
    let id = own.rsplit('/').next().unwrap().to_string();
    let token = api.get(&format!("portal-links/{id}")).await.data()["token"].as_str().unwrap().to_string();
    let shown = browser.page(&own).await;
    assert!(shown.contains("Ada&#39;s &lt;b&gt;") || shown.contains("Ada's &lt;b&gt;"), "{shown}");
    assert!(!shown.contains(&token), "no address shows what opens it");
    assert_eq!(browser.get(&format!("{own}/url")).await.status, 404);
    assert!(text(&browser.post(&format!("{own}/url"), &[]).await).contains(&format!("/portal?token={token}")));
    let listed = browser.page(&format!("{list}?ownerId=ada")).await;
    assert!(listed.contains("&lt;b&gt;") && listed.contains("Changes endpoints"), "{listed}");

    let keyed = [("name", "Ada"), ("owner_id", "ada"), ("auth_type", "refresh_token")];
    assert_eq!(location(&browser.post(&own, &keyed).await), own);
    let opened = text(&browser.post(&format!("{own}/url"), &[]).await);
    let key = opened.split("auth_token=").nth(1).unwrap().split('<').next().unwrap().to_string();
    assert!(key.starts_with("PRT."), "{opened}");
    let read = api.send("GET", "/portal-api/portal_link", Some(&key), &[], None).await;
    assert_eq!((read.status, &read.data()["can_manage_endpoint"]), (200, &json!(false)), "{}", read.body);
    assert_eq!(location(&browser.post(&format!("{own}/revoke"), &[]).await), list);
    assert_eq!(browser.get(&own).await.status, 404);
    assert_left(&api, PORTAL_LINKS).await;
    api.close().await;
}

#[tokio::test]
async fn who_may_only_read_makes_none_of_it() {
    let api = Api::start().await;
    api.join("viewer", Role::ProjectViewer).await;
    api.sign_up("stranger").await;
    let made = api.post("sources", json!({"name": "one", "type": "http", "verifier": {"type": "noop"}})).await;
    let link = api.post("portal-links", json!({"name": "Ada", "owner_id": "ada"})).await.uid();
    let event_type = api.post("event-types", json!({"name": "order.paid"})).await.uid();
    let project = format!("/projects/{}", api.project);
    let viewer = Browser::signed_in(&api, "viewer").await;
    let stranger = Browser::signed_in(&api, "stranger").await;
    let source = format!("{project}/sources/{}", made.uid());
    for path in [&source, &format!("{project}/event-types/{event_type}"), &format!("{project}/portal-links/{link}")] {
        let page = viewer.page(path).await;
        assert!(!page.contains("Delete") && !page.contains("Revoke") && !page.contains("Save"), "{page}");
        assert_eq!(stranger.get(path).await.status, 404, "{path}");
    }
    for path in [
        format!("{project}/sources/new"),
        format!("{source}/edit"),
        format!("{source}/test"),
        format!("{source}/pause"),
        format!("{source}/resume"),
        format!("{source}/delete"),
        format!("{project}/event-types/new"),
        format!("{project}/event-types/import"),
        format!("{project}/event-types/{event_type}"),
        format!("{project}/event-types/{event_type}/deprecate"),
        format!("{project}/portal-links/new"),
        format!("{project}/portal-links/{link}"),
        format!("{project}/portal-links/{link}/url"),
        format!("{project}/portal-links/{link}/revoke"),
    ] {
        assert_eq!(viewer.post(&path, &[]).await.status, 403, "{path}");
        assert_eq!(stranger.post(&path, &[]).await.status, 404, "{path}");
    }
    api.close().await;
}
