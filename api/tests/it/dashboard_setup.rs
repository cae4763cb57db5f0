//! Pages on which people set things up: subscriptions, sources, settings, organisations, and the links in mails.

use posthouse_schema::{
    ids::RejectedMessageId,
    rejected_message::{self, NewRejectedMessage},
    words::{DeliveryStatus, Role},
};
use serde_json::json;

use crate::{
    dashboard::{Browser, FORM, HTML, ORIGIN, encoded, location, session_cookie, sign_in, text},
    dashboard_audit::{ORGANISATIONS, SETTINGS, assert_left},
    harness::Api,
};

#[tokio::test]
async fn a_subscription_is_tried_on_recent_events_and_made() {
    let api = Api::start().await;
    api.join("ada", Role::ProjectAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    let endpoint = api.endpoint("receiver").await;
    api.stored(&endpoint, "", DeliveryStatus::Success).await;
    let list = format!("/projects/{}/subscriptions", api.project);
    let new = format!("{list}/new");
    let filled = |what: &'static str, types: &'static str, body: &'static str, function: &'static str| {
        vec![("do", what), ("name", "paid ones"), ("event_types", types), ("body", body), ("function", function)]
    };
    let send = async |path: &str, mut fields: Vec<(&'static str, &'static str)>, endpoint: &str| {
        let endpoint = endpoint.to_string();
        fields.retain(|(name, _)| *name != "endpoint_id");
        let mut all: Vec<(&str, &str)> = fields;
        all.push(("endpoint_id", &endpoint));
        browser.post(path, &all).await
    };
    for (types, body, expected) in [
        ("order.paid", r#"{"a": 1}"#, "<b>1</b> of the newest 1 would"),
        ("", "", "<b>1</b> of the newest 1 would"),
        ("order.paid", r#"{"a": 2}"#, "Kept back"),
        ("order.sent", "", "Other type"),
    ] {
        let tried = send(&new, filled("try", types, body, ""), &endpoint).await;
        assert_eq!(tried.status, 200, "{}", tried.body);
        assert!(text(&tried).contains(expected), "{types} {body}: {}", tried.body);
    }
    let function = "function transform(payload) { console.log('seen'); return {doubled: payload.a * 2}; }";
    let run = text(&send(&new, filled("try", "", "", function), &endpoint).await);
    assert!(run.contains("doubled") && run.contains("seen"), "{run}");
    let thrown = text(&send(&new, filled("try", "", "", "nonsense("), &endpoint).await);
    assert!(thrown.contains("notice bad"), "{thrown}");
    for (body, expected) in
        [("{", "id=\"body-error\""), ("[1]", "id=\"body-error\""), (r#"{"a": {"$nope": 1}}"#, "role=\"alert\"")]
    {
        for what in ["try", "save"] {
            let refused = send(&new, filled(what, "", body, ""), &endpoint).await;
            assert_eq!(refused.status, 422, "{what} {body}");
            assert!(text(&refused).contains(expected), "{what} {body}: {}", refused.body);
        }
    }
    assert_eq!(
        api.get("subscriptions").await.data()["content"].as_array().unwrap().len(),
        0,
        "nothing was made by trying"
    );

    let made = send(&new, filled("save", "order.paid\n order.sent \n", r#"{"a": 1}"#, ""), &endpoint).await;
    let own = location(&made);
    assert!(own.starts_with(&format!("{list}/")), "{}", made.body);
    let id = own.rsplit('/').next().unwrap().to_string();
    let read = api.get(&format!("subscriptions/{id}")).await;
    assert_eq!(read.data()["filter_config"]["event_types"], json!(["order.paid", "order.sent"]));
    assert_eq!(read.data()["filter_config"]["filter"]["body"], json!({"a": 1}));
    let form = browser.page(&own).await;
    assert!(form.contains("order.paid\norder.sent") && form.contains("&quot;a&quot;: 1"), "{form}");
    assert!(browser.page(&list).await.contains("paid ones"));
    let changed = send(&own, filled("save", "", "", ""), &endpoint).await;
    assert_eq!(location(&changed), own, "{}", changed.body);
    assert_eq!(api.get(&format!("subscriptions/{id}")).await.data()["filter_config"]["event_types"], json!(["*"]));
    let gone = browser.post(&format!("{own}/delete"), &[]).await;
    assert_eq!(location(&gone), list);
    assert_eq!(browser.get(&own).await.status, 404);

    api.join("viewer", Role::ProjectViewer).await;
    let viewer = Browser::signed_in(&api, "viewer").await;
    assert_eq!(viewer.post(&new, &[("do", "try"), ("name", "x")]).await.status, 200, "trying changes nothing");
    assert_eq!(viewer.post(&new, &[("do", "save"), ("name", "x")]).await.status, 403);
    api.close().await;
}

#[tokio::test]
async fn sources_and_what_they_refused_are_shown() {
    let api = Api::start().await;
    api.join("ada", Role::ProjectAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    let made = api.post("sources", json!({"name": "stripe <b>", "type": "http", "verifier": {"type": "noop"}})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (source, project) = (made.uid(), format!("/projects/{}", api.project));
    assert!(browser.page(&format!("{project}/sources")).await.contains("stripe &lt;b&gt;"));
    let page = browser.page(&format!("{project}/sources/{source}")).await;
    assert!(page.contains("/ingest/"), "{page}");

    let id = RejectedMessageId::generate();
    let new = NewRejectedMessage {
        project_id: api.project.parse().unwrap(),
        id,
        source_id: source.parse().unwrap(),
        reason: "not_json".into(),
        detail: "the message is <no> JSON".into(),
        payload: b"<script>".to_vec(),
        payload_bytes: 8,
        metadata: [("topic".to_string(), "orders".to_string())].into(),
    };
    let mut conn = api.database.pool().get().await.unwrap();
    rejected_message::store(&mut conn, &new).await.unwrap();
    let list = browser.page(&format!("{project}/rejected?sourceId={source}")).await;
    assert!(list.contains("the message is &lt;no&gt; JSON"), "{list}");
    let one = browser.page(&format!("{project}/rejected/{id}")).await;
    assert!(one.contains("&lt;script&gt;") && one.contains("orders"), "{one}");
    browser.post(&format!("{project}/rejected/{id}/redrive"), &[]).await;
    assert!(browser.page(&format!("{project}/rejected/{id}")).await.contains("Waits to be read again"));
    browser.post(&format!("{project}/rejected/{id}/delete"), &[]).await;
    assert_eq!(browser.get(&format!("{project}/rejected/{id}")).await.status, 404);
    let gone = browser.post(&format!("{project}/sources/{source}/delete"), &[]).await;
    assert_eq!(location(&gone), format!("{project}/sources"));
    assert_eq!(browser.get(&format!("{project}/sources/{source}")).await.status, 404);
    api.close().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one life, from its making to its end")]
async fn settings_are_changed_and_keys_replaced() {
    let api = Api::start().await;
    api.join("ada", Role::ProjectAdmin).await;
    let browser = Browser::signed_in(&api, "ada").await;
    let path = format!("/projects/{}/settings", api.project);
    let fields = [
        ("name", "shop"),
        ("config.strategy.type", "custom"),
        ("config.strategy.schedule", "5\n300"),
        ("config.strategy.deadline", "3600"),
        ("config.ratelimit.count", "10"),
        ("config.ratelimit.duration", "60"),
        ("config.disable_endpoint", "true"),
        ("config.request_id_header", "X-Key"),
        ("config.signature.header", "X-Signed"),
        ("config.signature.standard_webhooks", "together"),
        ("config.signature.versions", "SHA512 base64"),
        ("config.retention_policy.policy", "240h"),
        ("config.circuit_breaker.error_timeout", "9"),
        ("config.notifications.email", "ops@example.com"),
        ("config.notifications.slack_webhook_url", "https://hooks.slack.com/s3cret"),
        ("config.meta_event.is_enabled", "true"),
        ("config.meta_event.url", "https://example.com/told"),
        ("config.meta_event.event_type", "endpoint.created\nendpoint.disabled"),
    ];
    let saved = browser.post(&path, &fields).await;
    assert_eq!(saved.status, 303, "{}", saved.body);
    let read = async || api.send("GET", &format!("/api/v1/projects/{}", api.project), Some(&api.key), &[], None).await;
    let answer = read().await;
    let config = &answer.data()["config"];
    assert_eq!((&answer.data()["name"], &config["disable_endpoint"]), (&json!("shop"), &json!(true)));
    assert_eq!(
        (&config["strategy"]["type"], &config["strategy"]["schedule"], &config["multiple_endpoint_subscriptions"]),
        (&json!("custom"), &json!([5, 300]), &json!(false))
    );
    assert_eq!(
        (&config["signature"]["versions"][0]["hash"], &config["retention_policy"]["policy"]),
        (&json!("SHA512"), &json!("240h"))
    );
    assert_eq!(
        (&config["circuit_breaker"]["error_timeout"], &config["meta_event"]["url"]),
        (&json!(9), &json!("https://example.com/told"))
    );
    let secret = config["meta_event"]["secret"].as_str().unwrap().to_string();
    assert!(!secret.is_empty(), "it is made");
    let page = browser.page(&path).await;
    assert!(page.contains("value=\"shop\"") && page.contains("5\n300") && page.contains("SHA512 base64"), "{page}");
    assert!(!page.contains("s3cret") && !page.contains(&secret), "what is secret is not shown");
    // Saved as the page shows it, nothing changes.
    let again: Vec<(&str, &str)> =
        fields.iter().copied().filter(|(name, _)| !name.ends_with("slack_webhook_url")).collect();
    assert_eq!(browser.post(&path, &again).await.status, 303);
    let kept = read().await;
    assert_eq!(kept.data()["config"]["notifications"]["slack_webhook_url"], "https://hooks.slack.com/s3cret");
    assert_eq!(kept.data()["config"]["meta_event"], config["meta_event"]);
    for (fields, expected) in [
        (vec![("name", "shop"), ("config.strategy.duration", "x")], "config.strategy.duration-error"),
        (vec![("name", "")], "name-error"),
        (vec![("name", "shop"), ("config.signature.versions", "MD5 hex")], "config.signature.versions-error"),
        (vec![("name", "shop"), ("config.retention_policy.policy", "soon")], "role=\"alert\""),
    ] {
        let wrong = browser.post(&path, &fields).await;
        assert!(wrong.status == 422 && text(&wrong).contains(expected), "{expected}: {}", wrong.body);
    }
    api.join("viewer", Role::ProjectViewer).await;
    let viewed = Browser::signed_in(&api, "viewer").await.page(&path).await;
    assert!(viewed.contains("ops@example.com") && !viewed.contains("s3cret") && !viewed.contains("Save"), "{viewed}");

    let made =
        text(&browser.post(&format!("{path}/keys"), &[("key_name", "ci <b>"), ("role", "project_viewer")]).await);
    let single = format!("CO.{}", made.split("CO.").nth(1).unwrap().split('<').next().unwrap());
    let project = format!("/api/v1/projects/{}", api.project);
    let asked = async |key: &str| api.send("GET", &format!("{project}/endpoints"), Some(key), &[], None).await.status;
    assert_eq!((asked(&single).await, asked(&api.key).await), (200, 200), "the others stay");
    let page = browser.page(&path).await;
    assert!(page.contains("ci &lt;b&gt;") && !page.contains(&single), "{page}");
    let newest = page.split("/settings/keys/").nth(1).unwrap().split('/').next().unwrap().to_string();
    browser.post(&format!("{path}/keys/{newest}/revoke"), &[]).await;
    assert_eq!((asked(&single).await, asked(&api.key).await), (401, 200));
    for (fields, expected) in [
        (vec![("key_name", "")], "key_name-error"),
        (vec![("key_name", "ci"), ("expiration", "x")], "expiration-error"),
        (vec![("key_name", "ci"), ("role", "instance_admin")], "role=\"alert\""),
    ] {
        let wrong = browser.post(&format!("{path}/keys"), &fields).await;
        assert!(wrong.status == 422 && text(&wrong).contains(expected), "{expected}: {}", wrong.body);
    }

    let replaced = text(&browser.post(&format!("{path}/regenerate-key"), &[]).await);
    let key = format!("CO.{}", replaced.split("CO.").nth(1).unwrap().split('<').next().unwrap());
    assert_eq!((asked(&api.key).await, asked(&key).await), (401, 200), "the key before is refused");
    let gone = browser.post(&format!("{path}/delete"), &[]).await;
    assert_eq!(location(&gone), "/projects");
    assert_eq!(browser.get(&path).await.status, 404);
    assert_left(&api, SETTINGS).await;
    api.close().await;
}

#[tokio::test]
async fn an_organisation_is_made_and_ended() {
    let api = Api::start().await;
    let ada = api.sign_up("ada").await;
    let bob = api.sign_up("bob").await;
    let browser = Browser::signed_in(&api, "ada").await;
    let wrong = browser.post("/organisations/new", &[("name", " ")]).await;
    assert!(wrong.status == 422 && text(&wrong).contains("id=\"name-error\""), "{}", wrong.body);
    assert_eq!(location(&browser.post("/organisations/new", &[("name", "Looms <b>")]).await), "/projects");
    let list = browser.page("/projects").await;
    assert!(list.contains("Looms &lt;b&gt;"), "{list}");
    let made = list.split("Looms").nth(1).unwrap().split("/organisations/").nth(1).unwrap();
    let path = format!("/organisations/{}", made.split('"').next().unwrap());
    assert!(browser.page(&path).await.contains("Delete the organisation"));
    let other = Browser::signed_in(&api, "bob").await;
    assert_eq!(other.post(&format!("{path}/delete"), &[]).await.status, 404);
    assert_eq!(location(&browser.post(&format!("{path}/delete"), &[]).await), "/projects");
    assert!(!browser.page("/projects").await.contains("Looms"));
    assert_eq!(browser.get(&path).await.status, 404);
    // Those that were not deleted are still there.
    assert!(browser.page("/projects").await.contains(&ada.organisation));
    assert!(other.page("/projects").await.contains(&bob.organisation));
    assert_left(&api, ORGANISATIONS).await;
    api.close().await;
}

#[tokio::test]
async fn members_are_invited_changed_and_removed() {
    let api = Api::start().await;
    let ada = api.sign_up("ada").await;
    api.sign_up("stranger").await;
    let browser = Browser::signed_in(&api, "ada").await;
    let path = format!("/organisations/{}", ada.organisation);
    assert!(browser.page(&path).await.contains("ada@example.com"));
    let wrong =
        browser.post(&format!("{path}/invites"), &[("invitee_email", "nonsense"), ("role", "project_viewer")]).await;
    assert!(wrong.status == 422 && text(&wrong).contains("id=\"invitee_email-error\""), "{}", wrong.body);
    let invited = browser
        .post(&format!("{path}/invites"), &[("invitee_email", "bob@example.com"), ("role", "project_viewer")])
        .await;
    let page = text(&invited);
    let token = page.split("/accept-invite?token=").nth(1).unwrap().split('<').next().unwrap().to_string();
    assert!(browser.page(&path).await.contains("bob@example.com"));

    let link = format!("/accept-invite?token={token}");
    let form = api.send("GET", &link, None, &[HTML], None).await;
    assert!(form.status == 200 && text(&form).contains("bob@example.com"), "{}", form.body);
    let answer = async |fields: &[(&str, &str)]| {
        api.send("POST", "/accept-invite", None, &[ORIGIN, FORM, HTML], Some(encoded(fields))).await
    };
    let short = answer(&[
        ("token", &token),
        ("accepted", "true"),
        ("first_name", "Bob"),
        ("last_name", "B"),
        ("password", "x"),
    ])
    .await;
    assert!(short.status == 422 && text(&short).contains("id=\"password-error\""), "{}", short.body);
    let accepted = answer(&[
        ("token", &token),
        ("accepted", "true"),
        ("first_name", "Bob"),
        ("last_name", "B"),
        ("password", "password of bob"),
    ])
    .await;
    assert_eq!(accepted.status, 303, "{}", accepted.body);
    let again = api.send("GET", &link, None, &[HTML], None).await;
    assert!(again.status == 422 && text(&again).contains("This link is void"), "{}", again.body);
    let bob = Browser::signed_in(&api, "bob").await;
    let seen = bob.page(&path).await;
    assert!(seen.contains("ada@example.com") && !seen.contains("Invitations") && !seen.contains("Rename"), "{seen}");
    assert_eq!(bob.post(&format!("{path}/rename"), &[("name", "mine")]).await.status, 403);

    let members = api.ui("GET", &format!("organisations/{}/members", ada.organisation), Some(&ada.access), None).await;
    let content = members.data()["content"].as_array().unwrap();
    let of = |email: &str| {
        content.iter().find(|row| row["user_metadata"]["email"] == email).unwrap()["uid"].as_str().unwrap().to_string()
    };
    let changed =
        browser.post(&format!("{path}/members/{}", of("bob@example.com")), &[("role", "billing_admin")]).await;
    assert_eq!(changed.status, 303);
    assert!(browser.page(&path).await.contains("value=\"billing_admin\" selected"));
    let renamed = browser.post(&format!("{path}/rename"), &[("name", "Engines")]).await;
    assert_eq!(location(&renamed), path);
    assert!(browser.page("/projects").await.contains("Engines"));
    browser.post(&format!("{path}/members/{}/remove", of("bob@example.com")), &[]).await;
    assert_eq!(bob.get(&path).await.status, 404);

    let stranger = Browser::signed_in(&api, "stranger").await;
    assert_eq!(stranger.get(&path).await.status, 404);
    for (rest, fields) in [
        ("rename", vec![("name", "x")]),
        ("invites", vec![("invitee_email", "x@example.com"), ("role", "project_viewer")]),
    ] {
        let refused = stranger.post(&format!("{path}/{rest}"), &fields).await;
        assert_eq!(refused.status, 404, "{rest}: {}", refused.body);
    }
    api.close().await;
}

#[tokio::test]
async fn links_in_mails_lead_to_forms() {
    let api = Api::start().await;
    let fields = [
        ("first_name", "Ada"),
        ("last_name", "Byron"),
        ("email", "ada@example.com"),
        ("password", "password of ada"),
        ("org_name", "Engines"),
    ];
    let post = async |path: &str, fields: &[(&str, &str)]| {
        api.send("POST", path, None, &[ORIGIN, FORM, HTML], Some(encoded(fields))).await
    };
    assert!(text(&api.send("GET", "/sign-in", None, &[HTML], None).await).contains("href=\"/sign-up\""));
    let wrong = post("/sign-up", &fields[..4]).await;
    assert!(
        wrong.status == 422
            && text(&wrong).contains("id=\"org_name-error\"")
            && text(&wrong).contains("value=\"Byron\""),
        "{}",
        wrong.body
    );
    let made = post("/sign-up", &fields).await;
    assert!(made.status == 303 && session_cookie(&made).is_some(), "{}", made.body);
    let token = api.mailed_token("ada@example.com", 1).await;
    let form = api.send("GET", &format!("/verify-email?token={token}"), None, &[HTML], None).await;
    assert!(text(&form).contains(&token));
    assert_eq!(post("/verify-email", &[("token", &token)]).await.status, 303);
    assert_eq!(post("/verify-email", &[("token", &token)]).await.status, 422, "it serves once");

    let browser = Browser::signed_in(&api, "ada").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let asked = post("/forgot-password", &[("email", email)]).await;
        assert!(asked.status == 200 && text(&asked).contains("If there is an account"), "{}", asked.body);
    }
    let token = api.mailed_token("ada@example.com", 2).await;
    let form = api.send("GET", &format!("/reset-password?token={token}"), None, &[HTML], None).await;
    assert_eq!(form.status, 200);
    let differ = post(
        "/reset-password",
        &[("token", &token), ("password", "another one"), ("password_confirmation", "something else")],
    )
    .await;
    assert!(differ.status == 422 && text(&differ).contains("id=\"password_confirmation-error\""), "{}", differ.body);
    let reset = post(
        "/reset-password",
        &[("token", &token), ("password", "another one"), ("password_confirmation", "another one")],
    )
    .await;
    assert_eq!((reset.status, location(&reset).as_str()), (303, "/sign-in"), "{}", reset.body);
    assert_eq!(browser.get("/projects").await.status, 303, "all sessions ended");
    assert_eq!(sign_in(&api, "ada", "another one", "", None).await.status, 303);
    api.close().await;
}

#[tokio::test]
async fn an_account_is_changed_by_its_owner() {
    let api = Api::start().await;
    api.sign_up("ada").await;
    let browser = Browser::signed_in(&api, "ada").await;
    let other = Browser::signed_in(&api, "ada").await;
    assert!(browser.page("/account").await.contains("value=\"ada@example.com\""));
    let renamed = browser
        .post("/account/profile", &[("first_name", "Augusta"), ("last_name", "King"), ("email", "ada@example.com")])
        .await;
    assert_eq!(location(&renamed), "/account", "{}", renamed.body);
    assert!(browser.page("/projects").await.contains("Augusta King"));
    let moved = browser
        .post("/account/profile", &[("first_name", "A"), ("last_name", "K"), ("email", "new@example.com")])
        .await;
    assert!(moved.status == 422 && text(&moved).contains("id=\"current_password-error\""), "{}", moved.body);

    let made = text(&browser.post("/account/keys", &[("name", "ci"), ("expiration", "3")]).await);
    let key = format!("CO.{}", made.split("CO.").nth(1).unwrap().split('<').next().unwrap());
    assert_eq!(api.ui("GET", "organisations", Some(&key), None).await.status, 200);
    let listed = browser.page("/account").await;
    assert!(listed.contains("ci") && !listed.contains(&key), "{listed}");
    let id = listed.split("/account/keys/").nth(1).unwrap().split('/').next().unwrap().to_string();
    browser.post(&format!("/account/keys/{id}/revoke"), &[]).await;
    assert_eq!(api.ui("GET", "organisations", Some(&key), None).await.status, 401);
    let wrong = browser.post("/account/keys", &[("name", "ci"), ("expiration", "x")]).await;
    assert!(text(&wrong).contains("id=\"expiration-error\""), "{}", wrong.body);

    let fields = |old: &'static str, again: &'static str| {
        [("old_password", old), ("password", "another password"), ("password_confirmation", again)]
    };
    let wrong = browser.post("/account/password", &fields("wrong one", "another password")).await;
    assert!(wrong.status == 422 && text(&wrong).contains("id=\"old_password-error\""), "{}", wrong.body);
    let wrong = browser.post("/account/password", &fields("password of ada", "something else")).await;
    assert!(text(&wrong).contains("id=\"password_confirmation-error\""), "{}", wrong.body);
    let changed = browser.post("/account/password", &fields("password of ada", "another password")).await;
    assert_eq!(changed.status, 303, "{}", changed.body);
    let cookie = session_cookie(&changed).unwrap();
    assert_eq!((browser.get("/account").await.status, other.get("/account").await.status), (303, 303));
    assert_eq!(api.send("GET", "/account", None, &[("cookie", &cookie), HTML], None).await.status, 200);
    assert_eq!(sign_in(&api, "ada", "another password", "", None).await.status, 303);
    api.close().await;
}
