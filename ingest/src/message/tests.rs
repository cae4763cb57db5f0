//! Tables of what is accepted and refused, and a search for input that panics.

use std::time::Duration;

use posthouse_jobs::TraceContext;
use posthouse_transform::Limits;
use proptest::prelude::*;

use super::*;

const ENDPOINT: &str = "01BX5ZZKBKACTAV9WEVGEMMVS0";

fn origin(project_kind: ProjectKind) -> Origin {
    let functions = SourceFunctions::default();
    Origin { project_id: ProjectId::generate(), project_kind, source_id: SourceId::generate(), functions }
}

fn decode_outgoing(body: &str) -> Result<CreateEvent, Rejection> {
    decode(body.as_bytes(), None, Vec::new(), &origin(ProjectKind::Outgoing))
}

#[test]
fn a_message_becomes_an_event_and_keeps_the_bytes_of_data() {
    let origin = origin(ProjectKind::Outgoing);
    let body = format!(
        r#" {{"data" : {{ "b": 1.00,  "a" : "\u00e4ä", "n":1e400 }} ,"event_type":"invoice.paid","endpoint_id":"{ENDPOINT}","idempotency_key":"k-1"}} "#
    );
    let event = decode(body.as_bytes(), None, Vec::new(), &origin).unwrap();
    assert_eq!(event.data.get(), r#"{ "b": 1.00,  "a" : "\u00e4ä", "n":1e400 }"#);
    assert_eq!(event.project_id, origin.project_id);
    assert_eq!(event.source_id, Some(origin.source_id));
    assert_eq!(event.event_type, "invoice.paid");
    assert_eq!(event.idempotency_key, "k-1");
    assert_eq!(event.target, EventTarget::Single { endpoint_id: ENDPOINT.parse().unwrap() });
    assert_eq!(event.accepted_at, event.event_id.created_at());
}

#[test]
fn the_message_type_chooses_the_target_in_any_spelling_of_its_header() {
    let of = |headers: &str, rest: &str| {
        decode_outgoing(&format!(r#"{{"event_type":"a","data":1,"custom_headers":{headers}{rest}}}"#))
            .map(|event| event.target)
    };
    let single = EventTarget::Single { endpoint_id: ENDPOINT.parse().unwrap() };
    let fanout = EventTarget::Fanout { owner_id: "acme".into() };
    let ids = format!(r#","endpoint_id":"{ENDPOINT}","owner_id":"acme""#);
    assert_eq!(of("{}", &ids), Ok(single.clone()));
    assert_eq!(of("null", &ids), Ok(single.clone()));
    assert_eq!(of(r#"{"x-convoy-message-type":"single"}"#, &ids), Ok(single));
    assert_eq!(of(r#"{"X-Convoy-Message-Type":"fanout"}"#, &ids), Ok(fanout));
    assert_eq!(of(r#"{"x-convoy-message-type":"broadcast"}"#, ""), Ok(EventTarget::Broadcast));
    assert_eq!(of(r#"{"x-convoy-message-type":"dynamic"}"#, &ids), Err(Rejection::MessageType));
    assert_eq!(of(r#"{"x-convoy-message-type":""}"#, &ids), Err(Rejection::MessageType));
    assert_eq!(of(r#"{"x-convoy-message-type":"fanout"}"#, ""), Err(Rejection::Missing("owner_id")));
}

/// Beside the body or among the custom headers; those of the broker win.
#[test]
fn a_trace_is_kept_for_deliveries_to_continue() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let decoded = |custom: &str, beside: &[(&str, &str)]| {
        let body = format!(r#"{{"event_type":"a","data":1,"custom_headers":{custom}}}"#);
        let beside = beside.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        decode(body.as_bytes(), None, beside, &origin(ProjectKind::Incoming)).unwrap()
    };
    let kept = |event: &CreateEvent| TraceContext::of_event(event.event_id, &event.headers).parent_of(1);
    let continued = PARENT.replace("b7ad6b7169203331", "0000000000000001");
    let given = [("Traceparent", PARENT), ("tracestate", "a=1"), ("posthouse-traceparent", "x"), ("X-Other", "y")];
    let event = decoded(r#"{"traceparent":"00-00000000000000000000000000000001-0000000000000001-00"}"#, &given);
    assert_eq!(kept(&event), continued);
    let names: Vec<&str> = event.headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["Posthouse-Traceparent", "Posthouse-Tracestate", "X-Other", "x-other"]);
    assert_eq!(kept(&decoded(&format!(r#"{{"traceparent":"{PARENT}"}}"#), &[])), continued);
    let event = decoded("{}", &[("traceparent", "nonsense"), ("tracestate", "a=1")]);
    assert!(event.headers.is_empty(), "no trace, nothing of one");
}

#[test]
fn in_an_incoming_project_the_source_decides() {
    let origin = origin(ProjectKind::Incoming);
    let body = br#"{"event_type":"push","data":{},"custom_headers":{"x-convoy-message-type":"broadcast"}}"#;
    assert_eq!(
        decode(body, None, Vec::new(), &origin).unwrap().target,
        EventTarget::Source { source_id: origin.source_id }
    );
}

#[test]
fn headers_are_kept_as_spelled_and_in_lower_case() {
    let event = decode_outgoing(&format!(
        r#"{{"event_type":"a","data":null,"endpoint_id":"{ENDPOINT}","custom_headers":{{"X-One":"1","x-two":"2","X-TWO":"3"}}}}"#
    ));
    assert_eq!(event.unwrap_err(), Rejection::Missing("data"));
    let event = decode_outgoing(&format!(
        r#"{{"event_type":"a","data":0,"endpoint_id":"{ENDPOINT}","custom_headers":{{"X-One":"1","x-two":"2","X-TWO":"3"}}}}"#
    ))
    .unwrap();
    let headers: Vec<(&str, &str)> =
        event.headers.iter().map(|(name, values)| (name.as_str(), values[0].as_str())).collect();
    assert_eq!(headers, [("X-One", "1"), ("X-TWO", "3"), ("x-one", "1"), ("x-two", "2")]);
}

#[test]
fn headers_beside_the_body_win_over_those_inside() {
    let body = br#"{"event_type":"a","data":0,"custom_headers":{"X-One":"1","X-Two":"2"}}"#;
    let beside = [("x-one", "3"), ("X-Convoy-Message-Type", "broadcast"), ("x-death count", "4"), ("x-five", "a\nb")];
    let beside = beside.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let event = decode(body, None, beside, &origin(ProjectKind::Outgoing)).unwrap();
    assert_eq!(event.target, EventTarget::Broadcast);
    let headers: Vec<(&str, &str)> =
        event.headers.iter().map(|(name, values)| (name.as_str(), values[0].as_str())).collect();
    let kind = [("X-Convoy-Message-Type", "broadcast"), ("X-Two", "2"), ("x-convoy-message-type", "broadcast")];
    assert_eq!(headers, [&kind[..], &[("x-one", "3"), ("x-two", "2")]].concat());
    let many = (0..201).map(|n| (format!("h{n}"), "v".to_owned())).collect();
    assert_eq!(decode(body, None, many, &origin(ProjectKind::Outgoing)).unwrap_err(), Rejection::Headers);
}

fn assert_refused(body: &str, expected: Rejection) {
    let shown: String = body.chars().take(80).collect();
    assert_eq!(decode_outgoing(body).unwrap_err(), expected, "{shown}");
}

#[test]
fn what_is_no_message_is_refused() {
    let deep = "[".repeat(100_000);
    for body in ["", "hello", r#"{"event_type":"a""#, r#"{"event_type":"a","data":1} x"#, &deep] {
        assert_refused(body, Rejection::NotJson);
    }
    let not_utf8 = b"{\"event_type\":\"a\",\"data\":\"\xff\"}";
    let refused = decode(not_utf8, None, Vec::new(), &origin(ProjectKind::Outgoing));
    assert_eq!(refused.unwrap_err(), Rejection::NotJson);
    let unknown = r#"{"event_type":"a","data":1,"extra":1}"#;
    let twice = r#"{"event_type":"a","event_type":"b","data":1}"#;
    for body in ["[]", "null", "7", unknown, twice] {
        assert_refused(body, Rejection::Shape);
    }
    let large = "x".repeat(MESSAGE_BYTES_MAX);
    assert_refused(&format!(r#"{{"event_type":"a","data":"{large}"}}"#), Rejection::TooLarge);
}

#[test]
fn a_field_that_cannot_be_used_is_refused_by_its_name() {
    let long = "x".repeat(513);
    for (fields, expected) in [
        (r#""data":1"#, Rejection::Missing("event_type")),
        (r#""data":1,"event_type":" ""#, Rejection::Missing("event_type")),
        (r#""data":1,"event_type":7"#, Rejection::Invalid("event_type")),
        (r#""data":1,"event_type":"a\u0000""#, Rejection::Invalid("event_type")),
        (&format!(r#""data":1,"event_type":"{long}""#), Rejection::Invalid("event_type")),
        (r#""event_type":"a""#, Rejection::Missing("data")),
        (r#""event_type":"a","data":1"#, Rejection::Missing("endpoint_id")),
        (r#""event_type":"a","data":1,"endpoint_id":"nope""#, Rejection::Invalid("endpoint_id")),
        (
            &format!(r#""event_type":"a","data":1,"endpoint_id":"{ENDPOINT}","idempotency_key":{{}}"#),
            Rejection::Invalid("idempotency_key"),
        ),
    ] {
        assert_refused(&format!("{{{fields}}}"), expected);
    }
}

#[test]
fn headers_that_http_does_not_allow_are_refused() {
    let many: Vec<String> = (0..101).map(|n| format!(r#""h{n}":"v""#)).collect();
    let many = format!("{{{}}}", many.join(","));
    let (long_name, long_value) = ("n".repeat(257), "v".repeat(8 * 1024 + 1));
    for headers in [
        "[]",
        r#"{"a b":"c"}"#,
        r#"{"":"c"}"#,
        r#"{"ä":"c"}"#,
        r#"{"a":"c\r\nx: y"}"#,
        r#"{"a":["c"]}"#,
        &many,
        &format!(r#"{{"{long_name}":"c"}}"#),
        &format!(r#"{{"a":"{long_value}"}}"#),
    ] {
        assert_refused(&format!(r#"{{"event_type":"a","data":1,"custom_headers":{headers}}}"#), Rejection::Headers);
    }
}

async fn read_with(body: &str, header: &str, message: &str) -> Result<CreateEvent, Rejection> {
    read_beside(body, header, message, &[]).await
}

async fn read_beside(
    body: &str,
    header: &str,
    message: &str,
    beside: &[(&str, &str)],
) -> Result<CreateEvent, Rejection> {
    let beside = beside.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let function = |text: &str| (!text.is_empty()).then(|| text.into());
    let functions = SourceFunctions { body: function(body), header: function(header) };
    let limits = Limits { time: Duration::from_millis(300), ..Limits::default() };
    let origin = Origin { functions, ..origin(ProjectKind::Outgoing) };
    read(message.as_bytes(), beside, &origin, &Transformer::new(limits)).await
}

#[tokio::test]
async fn functions_make_the_message_and_its_headers() {
    let message = r#"{"order": {"id": 7, "is": "paid"}}"#;
    let body = "function transform(m) { return {event_type: 'order.' + m.order.is, data: m.order, custom_headers: {'X-A': '1'}, owner_id: 'acme'} }";
    let header = "function transform(h) { return {'X-B': h['X-A'] + '2', 'x-convoy-message-type': 'fanout'} }";
    let event = read_with(body, header, message).await.unwrap();
    assert_eq!((event.event_type.as_str(), event.data.get()), ("order.paid", r#"{"id":7,"is":"paid"}"#));
    assert_eq!(event.target, EventTarget::Fanout { owner_id: "acme".into() });
    assert_eq!(event.headers.keys().collect::<Vec<_>>(), ["X-B", "x-b", "x-convoy-message-type"]);
    assert_eq!(event.headers["x-b"], ["12"]);
    // Without a function of the body, a message without headers has none.
    let plain = format!(r#"{{"event_type":"a","data": 1.0 ,"endpoint_id":"{ENDPOINT}"}}"#);
    let event = read_with("", "function transform(h) { return {n: String(Object.keys(h).length)} }", &plain).await;
    let event = event.unwrap();
    assert_eq!((event.data.get(), &event.headers["n"][..]), ("1.0", &["0".to_string()][..]));
}

#[tokio::test]
async fn a_function_is_given_the_headers_beside_the_body_and_the_broker_s_id_stays() {
    let message = format!(
        r#"{{"event_type":"a","data":1,"endpoint_id":"{ENDPOINT}","custom_headers":{{"X-Kind":"1","X-Own":"2"}}}}"#
    );
    let header = "function transform(h) { return {all: Object.keys(h).sort().join() + h['x-kind']} }";
    let beside = [("x-kind", "3"), (BROKER_MESSAGE_HEADER, "m-1")];
    let event = read_beside("", header, &message, &beside).await.unwrap();
    assert_eq!(event.headers["all"], ["X-Own,x-broker-message-id,x-kind3"]);
    assert_eq!((event.headers[BROKER_MESSAGE_HEADER].as_slice(), event.headers.len()), (&["m-1".to_owned()][..], 2));
    let event = read_beside("", "", &message, &beside).await.unwrap();
    assert_eq!((&event.headers["x-kind"], &event.headers["X-Own"]), (&vec!["3".into()], &vec!["2".into()]));
}

#[tokio::test]
async fn a_function_that_fails_or_makes_no_message_is_told_apart() {
    let message = format!(r#"{{"event_type":"a","data":1,"endpoint_id":"{ENDPOINT}"}}"#);
    let failed = |name, reason: &str| Rejection::Function { name, reason: reason.into() };
    for (body, header, message, expected) in [
        ("function transform(m) { throw 'no ' + m.data }", "", &*message, failed("body_function", "no 1")),
        (
            "",
            "function transform(h) { return undefined }",
            &message,
            failed("header_function", "the transform function must return a value that can be written as JSON"),
        ),
        (
            "function transform(m) { for (;;) {} }",
            "",
            &message,
            failed("body_function", "script execution time elapsed 0.3 seconds"),
        ),
        ("function transform(m) { return {event_type: 'a'} }", "", &message, Rejection::Missing("data")),
        ("function transform(m) { return [m] }", "", &message, Rejection::Shape),
        (
            "function transform(m) { return {event_type: 'a', data: 'x'.repeat(2 ** 20)} }",
            "",
            &message,
            Rejection::TooLarge,
        ),
        ("function transform(m) { return m }", "", "no json", Rejection::NotJson),
        ("function transform(m) { return m }", "", "\u{feff}{}", Rejection::NotJson),
        ("", "function transform(h) { return {a: 1} }", &message, Rejection::Headers),
        ("", "function transform(h) { return {} }", "[]", Rejection::Shape),
    ] {
        assert_eq!(read_with(body, header, message).await.unwrap_err(), expected, "{body}{header}");
    }
    let failed = failed("body_function", "no 1");
    assert_eq!(
        (failed.to_string(), failed.detail()),
        ("the body_function failed".into(), "the body_function failed: no 1".into())
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(decode(&bytes, None, Vec::new(), &origin(ProjectKind::Outgoing)).is_err());
    }

    #[test]
    fn no_envelope_panics(event_type in ".*", key in ".*", header in ".*", value in ".*", data in ".*") {
        let body = serde_json::json!({
            "event_type": event_type, "data": data, "idempotency_key": key,
            "custom_headers": {header: value, "x-convoy-message-type": "broadcast"},
        });
        if let Ok(event) = decode(body.to_string().as_bytes(), None, Vec::new(), &origin(ProjectKind::Outgoing)) {
            prop_assert_eq!(serde_json::from_str::<String>(event.data.get()).unwrap(), data);
            prop_assert_eq!(event.event_type, event_type);
        }
    }
}
