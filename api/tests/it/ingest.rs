//! Requests to the URLs of sources, and the events that they become.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use posthouse_jobs::EventTarget;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, BODY_BYTES_MAX};

const BODY: &str = r#"{"id": "e1", "kind": "push.made", "n": 1}"#;

/// Makes a source, and returns its URL's path.
async fn source(api: &Api, settings: Value) -> String {
    let mut body = json!({"name": "s", "type": "http"});
    for (name, value) in settings.as_object().unwrap() {
        body[name] = value.clone();
    }
    let made = api.post("sources", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    format!("/ingest/{}", made.data()["mask_id"].as_str().unwrap())
}

async fn send(api: &Api, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    api.send("POST", path, None, headers, Some(body.into())).await
}

#[tokio::test]
async fn a_request_becomes_an_event_of_its_source() {
    let api = Api::start().await;
    let made = api.post("sources", json!({"name": "s", "type": "http"})).await;
    let (mask, uid) = (made.data()["mask_id"].as_str().unwrap().to_string(), made.uid());
    let path = format!("/ingest/{mask}?qa=1&qb=two");
    let headers = [("x-forward-me", "fwd"), ("authorization", "Bearer secret"), ("cookie", "a=b"), ("x-many", "1")];
    let answer = send(&api, &path, &headers, BODY).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"status": true, "message": "Event received", "data": 41})));
    assert_eq!(answer.headers["x-convoy-version"], "2025-11-24");
    let queued = api.queued_events().await;
    let [job] = queued.as_slice() else { panic!("{queued:?}") };
    assert_eq!((job.data.get(), job.event_type.as_str(), job.idempotency_key.as_str()), (BODY, mask.as_str(), ""));
    assert_eq!(job.target, EventTarget::Source { source_id: uid.parse().unwrap() });
    assert_eq!((job.source_id.unwrap().to_string(), job.project_id.to_string()), (uid, api.project.clone()));
    assert_eq!(
        (job.url_query_params.as_str(), job.url_path.as_str()),
        ("qa=1&qb=two", format!("/ingest/{mask}").as_str())
    );
    assert_eq!(job.headers["X-Forward-Me"], ["fwd"]);
    assert_eq!(job.headers["X-Convoy-Source-Id"], [mask]);
    assert!(!job.headers.contains_key("Authorization") && !job.headers.contains_key("Cookie"));
    assert_eq!(answer.headers["x-posthouse-event-id"].to_str().unwrap(), job.event_id.to_string());
    api.close().await;
}

/// Whoever comes when a source has taken in as much as its rate allows hears when to come back.
#[tokio::test]
async fn a_source_takes_in_no_more_than_its_rate() {
    let api = Api::start().await;
    let verifier = json!({"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "v"}});
    let settings = json!({"rate_limit": 2, "rate_limit_duration": 3_600, "verifier": verifier});
    let limited = source(&api, settings).await;
    let forged = send(&api, &limited, &[("x-key", "w")], BODY).await;
    assert_eq!(forged.status, 400, "who does not prove itself uses nothing up");
    let key = [("x-key", "v")];
    for status in [200, 200, 429] {
        let answer = send(&api, &limited, &key, BODY).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        if status == 429 {
            let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!(
                (1..=3_601).contains(&seconds) && answer.message().contains("rate limit"),
                "{seconds} {}",
                answer.body
            );
        }
    }
    assert_eq!(send(&api, &source(&api, json!({})).await, &[], BODY).await.status, 200, "another source");
    assert_eq!(api.queued_events().await.len(), 3);
    for wrong in [json!({"rate_limit": -1}), json!({"rate_limit_duration": 86_401})] {
        let mut body = json!({"name": "s", "type": "http"});
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(api.post("sources", body).await.status, 400, "{wrong}");
    }
    api.close().await;
}

#[tokio::test]
async fn what_is_no_url_of_a_live_source_is_refused() {
    let mut api = Api::start().await;
    let open = source(&api, json!({})).await;
    for path in ["/ingest/AAAAAAAAAAAAAAAA", "/ingest/short", "/ingest/AAAAAAAAAAAAAAA%00", "/ingest/ääääääää"]
    {
        let answer = send(&api, &path.replace('ä', "%C3%A4"), &[], "{}").await;
        assert_eq!((answer.status, answer.message()), (404, "Resource not found"), "{path}");
    }
    let put = api.send("PUT", &open, None, &[], Some("{}".into())).await;
    assert_eq!((put.status, put.body), (405, json!("")));
    assert!(put.headers["allow"].to_str().unwrap().contains("POST"));
    let get = api.send("GET", &open, None, &[], None).await;
    assert_eq!(get.status, 400);
    let disabled = source(&api, json!({"is_disabled": true})).await;
    let answer = send(&api, &disabled, &[], "{}").await;
    assert_eq!((answer.status, answer.message()), (403, "the source is disabled"));
    let mqtt = json!({"type": "pub_sub", "pub_sub": {"type": "mqtt", "mqtt": {"host": "h", "topic": "t"}}});
    let broker = source(&api, mqtt).await;
    let answer = send(&api, &broker, &[], "{}").await;
    assert_eq!((answer.status, answer.message()), (400, "Source type needs to be HTTP"));
    assert!(api.queued_events().await.is_empty());
    let (other, other_key) = api.new_project("doomed").await;
    let own = std::mem::replace(&mut api.project, other);
    let own_key = std::mem::replace(&mut api.key, other_key);
    let doomed = source(&api, json!({})).await;
    assert_eq!(send(&api, &doomed, &[], "{}").await.status, 200);
    let project = format!("/api/v1/projects/{}", api.project);
    assert_eq!(api.send("DELETE", &project, Some(&api.key), &[], None).await.status, 200);
    assert_eq!(send(&api, &doomed, &[], "{}").await.status, 404, "a source goes with its project");
    (api.project, api.key) = (own, own_key);
    api.close().await;
}

#[tokio::test]
async fn a_source_changes_and_ends_at_once() {
    let api = Api::start().await;
    let made = api.post("sources", json!({"name": "s", "type": "http"})).await;
    let (path, rest) =
        (format!("/ingest/{}", made.data()["mask_id"].as_str().unwrap()), format!("sources/{}", made.uid()));
    assert_eq!(send(&api, &path, &[], "{}").await.status, 200);
    let closed = json!({"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "v"}});
    assert_eq!(api.put(&rest, json!({"name": "s", "type": "http", "verifier": closed})).await.status, 202);
    let answer = send(&api, &path, &[], "{}").await;
    assert_eq!((answer.status, answer.message()), (400, "Request verification failed"));
    assert_eq!(send(&api, &path, &[("x-key", "v")], "{}").await.status, 200);
    assert!(!api.queued_events().await[1].headers.contains_key("X-Key"), "the key is not passed on");
    assert_eq!(api.delete(&rest).await.status, 200);
    assert_eq!(send(&api, &path, &[("x-key", "v")], "{}").await.status, 404);
    api.close().await;
}

#[tokio::test]
async fn bodies_of_every_kind_become_data() {
    let api = Api::start().await;
    let path = source(&api, json!({})).await;
    let form = "application/x-www-form-urlencoded";
    let part = "--bnd\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--bnd--\r\n";
    for (content_type, body, data, length) in [
        ("application/json", " {\"a\": 1.00} ", "{\"a\": 1.00}", 13),
        ("application/json", "", "{}", 2),
        (form, "a=1&b=two&b=three", r#"{"a":"1","b":"two"}"#, 19),
        ("multipart/form-data; boundary=bnd", part, r#"{"a":"1"}"#, 9),
        ("text/plain", "plain words", r#""plain words""#, 11),
    ] {
        let answer = send(&api, &format!("{path}?extra=1"), &[("content-type", content_type)], body).await;
        assert_eq!((answer.status, answer.data()), (200, &json!(length)), "{content_type} {body}: {}", answer.body);
        let queued = api.queued_events().await;
        assert_eq!(queued.last().unwrap().data.get(), data, "{content_type} {body}");
    }
    let binary = api.send_bytes("POST", &path, None, &[("content-type", "image/png")], Some(vec![0xff, 0xfe])).await;
    assert_eq!((binary.status, binary.data()), (200, &json!(2)));
    assert_eq!(api.queued_events().await.last().unwrap().data.get(), r#"{"raw_base64":"//4="}"#);
    let broken = send(&api, &path, &[("content-type", "application/json")], "{").await;
    assert!(broken.status == 400 && broken.message().starts_with("Invalid request format"), "{}", broken.body);
    api.close().await;
}

#[tokio::test]
async fn the_limit_of_the_project_holds_however_the_body_comes() {
    let api = Api::start().await;
    let path = source(&api, json!({})).await;
    let project = format!("/api/v1/projects/{}", api.project);
    let limit = json!({"name": "orders", "config": {"max_payload_read_size": 100}}).to_string();
    assert_eq!(api.send("PUT", &project, Some(&api.key), &[], Some(limit)).await.status, 202);
    let (fits, exceeds) = (format!("\"{}\"", "x".repeat(98)), format!("\"{}\"", "x".repeat(99)));
    assert_eq!(send(&api, &path, &[], &fits).await.status, 200);
    for headers in [vec![], vec![("content-length", "101")], vec![("content-length", "9999999999999999999")]] {
        let answer = send(&api, &path, &headers, &exceeds).await;
        assert_eq!(answer.status, 413, "{headers:?}");
        assert!(answer.message().starts_with("request body too large"), "{}", answer.body);
        assert_eq!(answer.headers["connection"], "close");
    }
    let none = json!({"name": "orders", "config": {"max_payload_read_size": 0}}).to_string();
    if api.send("PUT", &project, Some(&api.key), &[], Some(none)).await.status == 202 {
        assert_eq!(send(&api, &path, &[], &exceeds).await.status, 200, "0 means the instance's limit");
    }
    assert_eq!(send(&api, &path, &[], &"x".repeat(BODY_BYTES_MAX + 1)).await.status, 413);
    api.close().await;
}

#[tokio::test]
async fn event_types_are_read_where_the_source_says() {
    let api = Api::start().await;
    for (location, headers, query, body, expected) in [
        ("request.body.kind", vec![], "", BODY, Ok("push.made")),
        ("req.body.a.0.b", vec![], "", r#"{"a":[{"b":7}]}"#, Ok("7")),
        ("request.header.X-Type", vec![("x-type", "from.header")], "", BODY, Ok("from.header")),
        ("request.query.t", vec![], "?t=from%2Equery", BODY, Ok("from.query")),
        ("request.body.kind", vec![], "", r#"{"x": 1}"#, Err("event type not found in request body at kind")),
        ("request.body.kind", vec![], "", r#"{"kind": {}}"#, Err("event type not found in request body at kind")),
        ("request.body.kind", vec![], "", r#"{"kind": "a\u0000"}"#, Err("event type: the NUL character")),
        ("request.header.X-Type", vec![], "", BODY, Err("event type not found in request header x-type")),
        ("request.query.t", vec![], "?other=1", BODY, Err("event type not found in request query parameter t")),
    ] {
        let path = source(&api, json!({"event_type_location": location})).await;
        let before = api.queued_events().await.len();
        let answer = send(&api, &format!("{path}{query}"), &headers, body).await;
        let queued = api.queued_events().await;
        match expected {
            Ok(event_type) => assert_eq!(queued.last().unwrap().event_type, event_type, "{location}"),
            Err(part) => {
                assert!(answer.status == 400 && answer.message().contains(part), "{location}: {}", answer.body);
                assert_eq!(queued.len(), before);
            }
        }
    }
    api.close().await;
}

#[tokio::test]
async fn repeats_are_recognised_by_what_the_source_selects() {
    let api = Api::start().await;
    let path = source(&api, json!({"idempotency_keys": ["request.body.id", "request.header.X-Id"]})).await;
    let (received, repeated) = ("Event received", "Duplicate event received, but will not be sent");
    for (id, body, message) in [
        (Some("7"), BODY, received),
        (Some("7"), BODY, repeated),
        (Some("8"), BODY, received),
        (None, BODY, received),
        (None, BODY, repeated),
        (None, r#"{"x": 1}"#, received),
        (None, r#"{"x": 2}"#, received),
    ] {
        let headers: Vec<(&str, &str)> = id.map(|id| ("x-id", id)).into_iter().collect();
        let answer = send(&api, &path, &headers, body).await;
        assert_eq!((answer.status, answer.message()), (200, message), "{id:?} {body}");
    }
    let queued = api.queued_events().await;
    let keys: Vec<&str> = queued.iter().map(|job| job.idempotency_key.as_str()).collect();
    assert_eq!(keys.len(), 7, "a repeat is stored as one");
    assert!(keys[0].len() == 64 && keys[0] == keys[1] && keys[0] != keys[2] && keys[5..] == ["", ""], "{keys:?}");
    api.close().await;
}

#[tokio::test]
async fn a_project_with_a_header_of_its_own_gets_a_key_for_every_event() {
    let api = Api::start().await;
    let path = source(&api, json!({})).await;
    let change = json!({"name": "orders", "config": {"request_id_header": "X-Acme-Request-Id"}}).to_string();
    let project = format!("/api/v1/projects/{}", api.project);
    let changed = api.send("PUT", &project, Some(&api.key), &[], Some(change)).await;
    assert_eq!(changed.status, 202, "{}", changed.body);
    assert_eq!(send(&api, &path, &[], BODY).await.status, 200);
    let queued = api.queued_events().await;
    assert_eq!(queued[0].idempotency_key, queued[0].event_id.to_string());
    api.close().await;
}

#[tokio::test]
async fn answers_can_be_the_source_s_own() {
    let api = Api::start().await;
    for (custom, content_type, body) in [
        (json!({"body": "<ok/>", "content_type": "application/xml"}), "application/xml", "<ok/>"),
        (json!({"body": "thanks"}), "text/plain; charset=utf-8", "thanks"),
    ] {
        let path = source(&api, json!({"custom_response": custom})).await;
        let answer = send(&api, &path, &[], BODY).await;
        assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, content_type));
        assert_eq!(answer.body, json!(body));
    }
    assert_eq!(api.queued_events().await.len(), 2);
    api.close().await;
}

#[tokio::test]
async fn signed_forms_and_wrong_signatures() {
    let api = Api::start().await;
    let stored = json!({"type": "basic_auth", "basic_auth": {"username": "user", "password": "pass"}});
    let basic = source(&api, json!({"verifier": stored, "forward_headers": ["authorization"]})).await;
    let credentials = format!("Basic {}", STANDARD.encode("user:pass"));
    assert_eq!(send(&api, &basic, &[("authorization", &credentials)], BODY).await.status, 200);
    assert_eq!(api.queued_events().await[0].headers["Authorization"], [credentials], "it was asked for");
    for wrong in [vec![], vec![("authorization", "Basic"), ("x", "y")], vec![("authorization", "Basic dXNlcjpub3Bl")]] {
        let answer = send(&api, &basic, &wrong, BODY).await;
        assert_eq!((answer.status, answer.message()), (400, "Request verification failed"), "{wrong:?}");
    }
    // HMAC-SHA256 with "src-secret" of the form as it is sent, and of `{"a":"1"}`.
    let hmac = json!({"type": "hmac", "hmac": {"header": "X-Sig", "hash": "SHA256", "secret": "src-secret", "encoding": "hex"}});
    let signed = source(&api, json!({"verifier": hmac, "idempotency_keys": ["request.body.a"]})).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    for signature in [RAW_FORM_SIGNATURE, JSON_FORM_SIGNATURE] {
        let answer = send(&api, &signed, &[form, ("x-sig", signature)], "a=1").await;
        assert_eq!(answer.status, 200, "{signature}: {}", answer.body);
        let other = send(&api, &signed, &[form, ("x-sig", signature)], "a=2").await;
        assert_eq!((other.status, other.message()), (400, "Request verification failed"), "{signature}");
    }
    assert_eq!(api.queued_events().await.len(), 3);
    api.close().await;
}

const RAW_FORM_SIGNATURE: &str = "b9df1d842ae642d1933e402e7777c3b100c9d5c92bb56cac9eedf83ea10b76dc";
const JSON_FORM_SIGNATURE: &str = "1da41af52175253fa37f1afbc920938ea092aff941b4f70a775a967b18b18955";

#[tokio::test]
async fn twitter_s_challenge_is_answered_and_noted() {
    let api = Api::start().await;
    let stored =
        json!({"name": "t", "type": "http", "provider": "twitter", "verifier": {"hmac": {"secret": "twitter-secret"}}});
    let made = api.post("sources", stored).await;
    let path = format!("/ingest/{}", made.data()["mask_id"].as_str().unwrap());
    let answer = api.send("GET", &format!("{path}?crc_token=challenge"), None, &[], None).await;
    assert_eq!(
        (answer.status, answer.body),
        (200, json!({"response_token": "sha256=U+lWZl4dIALvH7R1JWSu0LClBVCuM9tajQPsOdXJhCo="}))
    );
    let read = api.get(&format!("sources/{}", made.uid())).await;
    assert!(read.data()["provider_config"]["twitter"]["crc_verified_at"].is_string(), "{}", read.body);
    assert_eq!(read.data()["updated_at"], made.data()["updated_at"]);
    let without = api.send("GET", &path, None, &[], None).await;
    assert_eq!((without.status, without.message()), (400, "crc_token: the challenge is missing"));
    let unknown = api.send("GET", "/ingest/AAAAAAAAAAAAAAAA?crc_token=x", None, &[], None).await;
    assert_eq!(unknown.status, 404);
    api.close().await;
}

#[tokio::test]
async fn slack_s_challenge_is_given_back_only_when_it_is_signed() {
    let api = Api::start().await;
    let path = source(&api, json!({"verifier": {"type": "slack", "slack": {"secret": "s"}}})).await;
    let body = r#"{"type":"url_verification","challenge":"c1"}"#;
    let answer = send(&api, &path, &[], body).await;
    assert_eq!((answer.status, answer.message()), (400, "Request verification failed"));
    let seconds = chrono::Utc::now().timestamp().to_string();
    let signature = slack_signature(&seconds, body);
    let headers = [("x-slack-request-timestamp", seconds.as_str()), ("x-slack-signature", &signature)];
    let answer = send(&api, &path, &headers, body).await;
    assert_eq!((answer.status, answer.body), (200, json!({"challenge": "c1"})));
    assert!(api.queued_events().await.is_empty(), "it is no event");
    api.close().await;
}

fn slack_signature(seconds: &str, body: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s").unwrap();
    mac.update(format!("v0:{seconds}:{body}").as_bytes());
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}
