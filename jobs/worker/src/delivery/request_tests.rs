//! What goes on the wire for given rows.

use posthouse_schema::{
    ids::{EndpointId, EventDeliveryId, EventId, ProjectId, SubscriptionId},
    words::{DeliveryMode, DeliveryStatus, EndpointStatus, RetryStrategy},
};

use super::*;

fn delivery(payload: &str, headers: &[(&str, &str)]) -> OutgoingDelivery {
    OutgoingDelivery {
        project_id: ProjectId::generate(),
        id: EventDeliveryId::derive(EventId::generate(), SubscriptionId::generate()),
        event_id: EventId::generate(),
        endpoint_id: EndpointId::generate(),
        subscription_id: SubscriptionId::generate(),
        event_type: "invoice.paid".into(),
        status: DeliveryStatus::Scheduled,
        delivery_mode: DeliveryMode::AtLeastOnce,
        target_url: None,
        strategy: RetryStrategy::Linear,
        retry_interval_seconds: 1,
        retry_limit: 3,
        attempt_count: 0,
        next_send_time: DateTime::UNIX_EPOCH,
        held_by: None,
        ordering_key: None,
        retry_schedule: None,
        give_up_at: None,
        acknowledged_at: DateTime::UNIX_EPOCH,
        payload: payload.as_bytes().to_vec(),
        headers: Headers(headers.iter().map(|(name, value)| (name.to_string(), vec![value.to_string()])).collect()),
        idempotency_key: String::new(),
        url_query_params: String::new(),
        routing_version: 0,
    }
}

fn target() -> DeliveryTarget {
    DeliveryTarget {
        project_id: ProjectId::generate(),
        id: EndpointId::generate(),
        name: "orders".into(),
        url: "https://example.com/hook?a=1".into(),
        status: EndpointStatus::Active,
        advanced_signatures: false,
        content_type: "application/json".into(),
        http_timeout_seconds: 0,
        rate_limit: 0,
        rate_limit_duration_seconds: 0,
        authentication: None,
        mtls_client_cert: None,
        ordering: None,
        follow_redirects: false,
        support_email: String::new(),
        secrets: vec!["sk_kit_expired".into(), "sk_kit_current".into()],
        secret_expiries: vec![Some(DateTime::UNIX_EPOCH), None],
        locked: None,
    }
}

fn request(delivery: &OutgoingDelivery, target: &DeliveryTarget) -> DeliveryRequest {
    build(delivery, target, &ProjectConfig::default(), DateTime::UNIX_EPOCH).unwrap()
}

#[test]
fn the_bytes_sent_are_the_bytes_signed() {
    let sent = request(&delivery("{ \"a\":  1.0 }", &[]), &target());
    assert_eq!(&sent.body[..], b"{ \"a\":  1.0 }");
    let expected = signature(
        &ProjectConfig::default().signature,
        SignatureForm::Simple,
        &["sk_kit_current"],
        &sent.body,
        DateTime::UNIX_EPOCH,
    );
    assert_eq!(sent.headers["x-convoy-signature"].to_str().ok(), expected.as_deref());
}

#[test]
fn an_event_cannot_replace_what_the_system_sets() {
    let forged = [
        ("X-CONVOY-SIGNATURE", "forged"),
        ("content-type", "text/html"),
        ("Content-Length", "0"),
        ("HOST", "evil"),
        ("Webhook-Id", "forged"),
        ("user-agent", "forged"),
        ("Transfer-Encoding", "chunked"),
        ("Accept-Encoding", "br"),
        ("X-Bad\r\nX-Injected", "1"),
        ("X-Value", "a\r\nX-Injected: 1"),
        ("X-Mine", "kept"),
    ];
    let delivery = delivery("{}", &forged);
    let sent = request(&delivery, &target());
    assert_eq!(sent.headers["content-type"], "application/json");
    assert_eq!(sent.headers["webhook-id"], delivery.id.to_string().as_str());
    assert_eq!(sent.headers["x-mine"], "kept");
    for name in ["host", "content-length", "transfer-encoding", "accept-encoding", "x-value", "x-injected"] {
        assert!(!sent.headers.contains_key(name), "{name}");
    }
    assert!(sent.headers.values().all(|value| value != "forged"));
}

#[test]
fn the_request_id_is_the_idempotency_key() {
    let mut delivery = delivery("{}", &[]);
    assert!(!request(&delivery, &target()).headers.contains_key("x-convoy-idempotency-key"));
    delivery.idempotency_key = "order-1".into();
    assert_eq!(request(&delivery, &target()).headers["x-convoy-idempotency-key"], "order-1");
    let own = ProjectConfig { request_id_header: "X-Request-Key".into(), ..ProjectConfig::default() };
    assert_eq!(build(&delivery, &target(), &own, DateTime::UNIX_EPOCH).unwrap().headers["x-request-key"], "order-1");
    delivery.idempotency_key.clear();
    let error = build(&delivery, &target(), &own, DateTime::UNIX_EPOCH).unwrap_err();
    assert_eq!(error, RequestError::RequestId("X-Request-Key".into()));
}

#[test]
fn an_endpoint_authenticates_as_it_says_and_wins_over_the_event() {
    let delivery = delivery("{}", &[("Authorization", "Bearer of-the-event")]);
    assert_eq!(request(&delivery, &target()).headers["authorization"], "Bearer of-the-event");
    let basic = serde_json::json!({"type": "basic_auth", "basic_auth": {"username": "u", "password": "p:w"}});
    let sent = request(&delivery, &DeliveryTarget { authentication: Some(basic), ..target() });
    assert_eq!(sent.headers["authorization"], "Basic dTpwOnc=");
    let key = serde_json::json!({"type": "api_key", "api_key": {"header_name": "X-Api-Key", "header_value": "k"}});
    assert_eq!(request(&delivery, &DeliveryTarget { authentication: Some(key), ..target() }).headers["x-api-key"], "k");
    let unknown = DeliveryTarget { authentication: Some(serde_json::json!({"type": "magic"})), ..target() };
    let error = build(&delivery, &unknown, &ProjectConfig::default(), DateTime::UNIX_EPOCH).unwrap_err();
    assert_eq!(error, RequestError::Authentication);
}

#[test]
fn the_query_of_an_ingested_request_is_appended() {
    let mut delivery = delivery("{}", &[]);
    delivery.url_query_params = "b=2&c=%20".into();
    assert_eq!(request(&delivery, &target()).url.as_str(), "https://example.com/hook?a=1&b=2&c=%20");
    delivery.target_url = Some("https://example.org/".into());
    assert_eq!(request(&delivery, &target()).url.as_str(), "https://example.org/?b=2&c=%20");
}

#[test]
fn forms_are_signed_as_they_are_sent() {
    let target = DeliveryTarget { content_type: "application/x-www-form-urlencoded".into(), ..target() };
    let sent = request(&delivery(r#"{"a":"b c"}"#, &[]), &target);
    assert_eq!(&sent.body[..], b"a=b+c");
    let expected = signature(
        &ProjectConfig::default().signature,
        SignatureForm::Simple,
        &["sk_kit_current"],
        b"a=b+c",
        DateTime::UNIX_EPOCH,
    );
    assert_eq!(sent.headers["x-convoy-signature"].to_str().ok(), expected.as_deref());
    let error = build(&delivery("[1]", &[]), &target, &ProjectConfig::default(), DateTime::UNIX_EPOCH).unwrap_err();
    assert_eq!(error, RequestError::Form);
}

#[test]
fn timeouts_are_bounded() {
    for (seconds, expected) in [(0, 10), (-5, 10), (3, 3), (100_000, 120)] {
        let target = DeliveryTarget { http_timeout_seconds: seconds, ..target() };
        assert_eq!(request(&delivery("{}", &[]), &target).timeout, Duration::from_secs(expected));
    }
}

#[test]
fn every_attempt_is_a_span_of_its_own_in_the_event_s_trace() {
    let mut first = delivery("{}", &[]);
    let traced =
        |delivery: &OutgoingDelivery| request(delivery, &target()).headers["traceparent"].to_str().unwrap().to_owned();
    let mut again = first.clone();
    again.attempt_count = 1;
    assert_eq!(traced(&first), traced(&first.clone()), "same rows, same bytes");
    let prefix = format!("00-{:032x}-", first.event_id.to_bits());
    assert!(traced(&first).starts_with(&prefix) && traced(&again).starts_with(&prefix));
    assert_ne!(traced(&first), traced(&again));
    assert!(!request(&first, &target()).headers.contains_key("tracestate"));

    let came = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    first.headers = delivery("{}", &[("Posthouse-Traceparent", came), ("Posthouse-Tracestate", "a=1")]).headers;
    let sent = request(&first, &target());
    let parent = sent.headers["traceparent"].to_str().unwrap();
    assert!(parent.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && parent.ends_with("-00"), "{parent}");
    assert!(!parent.contains("b7ad6b7169203331"), "the span is the delivery's: {parent}");
    assert_eq!(sent.headers["tracestate"], "a=1");
    assert!(sent.headers.keys().all(|name| !name.as_str().starts_with("posthouse")));
}

#[test]
fn a_trace_that_the_caller_names_is_left_alone() {
    let custom = [("TraceParent", "mine"), ("Posthouse-Tracestate", "a=1")];
    let sent = request(&delivery("{}", &custom), &target());
    assert_eq!(sent.headers.get_all("traceparent").iter().collect::<Vec<_>>(), ["mine"]);
    assert!(!sent.headers.contains_key("tracestate"));
}

#[test]
fn credentials_of_an_event_are_known_where_redirects_are_followed() {
    let given = [("authorization", "x"), ("x-kept", "1"), ("cookie", "a=b"), ("x-shop", "2")];
    assert_eq!(request(&delivery("{}", &given), &target()).redirects, Redirects::Kept);
    let key = serde_json::json!({"type": "api_key", "api_key": {"header_name": "X-Shop", "header_value": "k"}});
    let target = DeliveryTarget { follow_redirects: true, authentication: Some(key), ..target() };
    let sent = request(&delivery("{}", &given), &target);
    let confined = vec![HeaderName::from_static("authorization"), HeaderName::from_static("cookie")];
    assert_eq!(sent.redirects, Redirects::Followed { confined });
    assert!(sent.headers["x-shop"].is_sensitive());
}
