//! What an endpoint, a project and an event say about delivering, beyond the contract: keys of Standard Webhooks, client
//! certificates, breakers, and lines.

use std::time::Duration;

use posthouse_jobs::{
    CreateEvent,
    queue::{BreakerRule, Tally},
};
use posthouse_schema::words::DeliveryStatus;
use serde_json::{Value, json};

use crate::harness::Api;

fn endpoint(more: Value) -> Value {
    let mut body = json!({"name": "e", "url": "https://example.com"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_private_key_is_made_checked_and_shown_with_its_public_key() {
    let api = Api::start().await;
    let made = api.post("endpoints", endpoint(json!({"secret_type": "ed25519"}))).await;
    let secret = made.data()["secrets"][0].clone();
    let (private, public) = (secret["value"].as_str().unwrap(), secret["public_key"].as_str().unwrap());
    assert!(private.starts_with("whsk_") && public.starts_with("whpk_"), "{secret}");
    let given = api.post("endpoints", endpoint(json!({"secret": private}))).await;
    assert_eq!(given.data()["secrets"][0]["public_key"], json!(public));
    let path = format!("endpoints/{}/expire_secret", made.uid());
    let rolled = api.put(&path, json!({"secret_type": "ed25519", "expiration": 60})).await;
    let secrets = rolled.data()["secrets"].as_array().unwrap().clone();
    assert!(secrets.len() == 2 && secrets.iter().all(|secret| secret["public_key"].is_string()), "{}", rolled.body);
    let plain = api.post("endpoints", endpoint(json!({"secret": "whsec_YWJj"}))).await;
    assert_eq!(plain.data()["secrets"][0].get("public_key"), None);
    for (body, message) in [
        (json!({"secret": "whsk_nonsense"}), "secret: after whsk_, the base64 of an Ed25519 private key is expected"),
        (json!({"secret_type": "rsa"}), "secret_type: one of hmac, ed25519 is expected"),
    ] {
        let refused = api.post("endpoints", endpoint(body.clone())).await;
        assert_eq!((refused.status, refused.message()), (400, message), "{body}");
    }
    api.close().await;
}

#[tokio::test]
async fn a_client_certificate_is_kept_until_it_is_taken_away() {
    let api = Api::start().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = rcgen::CertificateParams::new(vec!["posthouse".into()]).unwrap().self_signed(&key).unwrap();
    let pair = json!({"client_cert": cert.pem(), "client_key": key.serialize_pem()});
    let made = api.post("endpoints", endpoint(json!({"mtls_client_cert": pair}))).await;
    let shown = json!({"client_cert": cert.pem(), "client_key": "[REDACTED]"});
    assert_eq!((made.status, &made.data()["mtls_client_cert"]), (201, &shown), "{}", made.body);
    let path = format!("endpoints/{}", made.uid());
    assert_eq!(api.put(&path, endpoint(json!({}))).await.data()["mtls_client_cert"], shown, "nothing was said of it");
    let written_back = api.put(&path, endpoint(json!({"mtls_client_cert": shown}))).await;
    assert_eq!((written_back.status, &written_back.data()["mtls_client_cert"]), (202, &shown));
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let wrong = json!({"mtls_client_cert": {"client_cert": cert.pem(), "client_key": other}});
    let refused = api.put(&path, endpoint(wrong)).await;
    assert_eq!(
        (refused.status, refused.message()),
        (400, "mtls_client_cert.client_key: it is not the key of client_cert")
    );
    let empty = json!({"mtls_client_cert": {"client_cert": "", "client_key": ""}});
    assert_eq!(api.put(&path, endpoint(empty)).await.data().get("mtls_client_cert"), None);
    api.close().await;
}

#[tokio::test]
async fn a_list_shows_whose_breaker_is_open() {
    let api = Api::start().await;
    let (open, closed) = (api.endpoint("one").await, api.endpoint("two").await);
    let rule = BreakerRule {
        pause: Duration::from_millis(500),
        failure_percent: 50,
        probes: 1,
        requests_min: 1,
        window: Duration::from_secs(60),
    };
    let tally = Tally { succeeded: 0, failed: 1 };
    api.queues().report_to_breaker(open.parse().unwrap(), rule, tally, false).await.unwrap();
    let state = async |id: &str| {
        let listed = api.get("endpoints").await;
        let rows = listed.data()["content"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["uid"] == json!(id)).unwrap()["cb_state"].clone()
    };
    assert_eq!((state(&open).await, state(&closed).await), (json!("open"), json!("closed")));
    tokio::time::sleep(rule.pause).await;
    assert_eq!(state(&open).await, json!("half-open"));
    api.close().await;
}

#[tokio::test]
async fn lines_have_a_policy_that_is_checked() {
    let api = Api::start().await;
    let policy = json!({"failing_head": "skip", "attempts": 3});
    let made = api.post("endpoints", endpoint(json!({"ordering": policy}))).await;
    assert_eq!((made.status, &made.data()["ordering"]), (201, &policy), "{}", made.body);
    let path = format!("endpoints/{}", made.uid());
    assert_eq!(api.put(&path, endpoint(json!({}))).await.data()["ordering"], policy, "nothing was said of it");
    let block = api.put(&path, endpoint(json!({"ordering": {"failing_head": "block"}}))).await;
    assert_eq!(block.data()["ordering"]["failing_head"], json!("block"));
    for (ordering, part) in [
        (json!({"failing_head": "drop"}), "ordering: an object with failing_head (block, skip or park)"),
        (json!({"failing_head": "skip"}), "ordering.attempts: a number between 1 and 100 is expected"),
        (json!({"failing_head": "park", "attempts": 101}), "ordering.attempts: "),
        (json!("skip"), "ordering: an object"),
    ] {
        let refused = api.post("endpoints", endpoint(json!({"ordering": ordering}))).await;
        assert!(refused.status == 400 && refused.message().starts_with(part), "{ordering}: {}", refused.body);
    }
    api.close().await;
}

#[tokio::test]
async fn events_of_a_line_are_answered_when_they_are_stored() {
    let api = Api::start().await;
    let target = api.endpoint("one").await;
    let body = json!({"endpoint_id": target, "event_type": "a", "data": 1, "ordering_key": "order-7"});
    let unstored = api.post("events", body.clone()).await;
    assert_eq!(unstored.status, 503, "no worker stores it: {}", unstored.body);
    let [job] = &api.queued_events().await[..] else { panic!("one job") };
    assert_eq!((job.ordering_key.as_deref(), job.after), (Some("order-7"), None));
    let store = async {
        loop {
            let queued: Vec<CreateEvent> = api.queued_events().await;
            if let Some(other) = queued.iter().find(|other| other.event_id != job.event_id) {
                return api.stored_as(other.event_id, &target, "", DeliveryStatus::Scheduled).await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (answer, _) = tokio::join!(api.post("events", body), store);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let blank = json!({"endpoint_id": target, "event_type": "a", "data": 1, "ordering_key": ""});
    assert_eq!(api.post("events", blank).await.status, 201, "an empty key is none");
    let wrong = json!({"endpoint_id": target, "event_type": "a", "data": 1, "ordering_key": "a\u{0}"});
    let refused = api.post("events", wrong).await;
    assert!(refused.status == 400 && refused.message().starts_with("ordering_key: "), "{}", refused.body);
    api.close().await;
}

#[tokio::test]
async fn events_of_a_batch_are_stored_in_its_order() {
    let api = Api::start().await;
    let target = api.endpoint("one").await;
    let event = |key: &str| json!({"endpoint_id": target, "event_type": "a", "data": 1, "ordering_key": key});
    let batch = json!({"events": [event("a"), event("b"), event("a"), event(""), event("a"), event("b")]});
    // No worker stores them, so the answer waits for as long as it does.
    assert_eq!(api.post("events/batch", batch).await.status, 503);
    let queued: Vec<CreateEvent> = api.queued_events().await;
    let of = |key: &str| queued.iter().filter(move |job| job.ordering_key.as_deref() == Some(key)).collect::<Vec<_>>();
    for (key, count) in [("a", 3), ("b", 2)] {
        let line = of(key);
        let before: Vec<_> = line.iter().map(|job| job.after).collect();
        let expected: Vec<_> =
            std::iter::once(None).chain(line.iter().map(|job| Some(job.event_id))).take(count).collect();
        assert_eq!(before, expected, "{key}");
    }
    api.close().await;
}

#[tokio::test]
async fn a_project_says_which_signatures_it_wants() {
    let api = Api::start().await;
    let path = format!("/api/v1/projects/{}", api.project);
    let read = api.send("GET", &path, Some(&api.key), &[], None).await;
    assert_eq!(read.data()["config"]["signature"]["standard_webhooks"], json!("together"));
    let change = |word: &str| json!({"name": "p", "config": {"signature": {"standard_webhooks": word}}}).to_string();
    let changed = api.send("PUT", &path, Some(&api.key), &[], Some(change("alone"))).await;
    assert_eq!(changed.data()["config"]["signature"]["standard_webhooks"], json!("alone"), "{}", changed.body);
    let refused = api.send("PUT", &path, Some(&api.key), &[], Some(change("both"))).await;
    assert!(refused.status == 400 && refused.message().contains("one of `together`"), "{}", refused.body);
    api.close().await;
}

#[tokio::test]
async fn redirects_are_followed_where_that_was_asked_for() {
    let api = Api::start().await;
    let plain = api.post("endpoints", endpoint(json!({}))).await;
    assert_eq!(plain.data().get("follow_redirects"), None);
    let made = api.post("endpoints", endpoint(json!({"follow_redirects": true}))).await;
    assert_eq!((made.status, &made.data()["follow_redirects"]), (201, &json!(true)), "{}", made.body);
    let path = format!("endpoints/{}", made.uid());
    assert_eq!(api.put(&path, endpoint(json!({}))).await.data()["follow_redirects"], true, "nothing was said of it");
    assert_eq!(api.get(&path).await.data()["follow_redirects"], true);
    let turned_off = api.put(&path, endpoint(json!({"follow_redirects": false}))).await;
    assert_eq!(turned_off.data().get("follow_redirects"), None);
    assert_eq!(api.post("endpoints", endpoint(json!({"follow_redirects": "yes"}))).await.status, 400);
    api.close().await;
}
