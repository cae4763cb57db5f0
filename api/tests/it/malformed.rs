//! A bounded, seeded set of malformed requests to every route of the API's description: none is answered with a 5xx.

use posthouse_api::router;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::harness::Api;

const SEED: u64 = 0x5EED;
/// Requests to each operation.
const TRIES: usize = 40;

/// Texts that parsers stumble over.
const TEXTS: [&str; 22] = [
    "",
    " ",
    "a",
    "\u{0}",
    "ä\u{202e}\u{feff}",
    "%",
    "_",
    "\\",
    "'; DROP TABLE events; --",
    "null",
    "true",
    "-1",
    "99999999999999999999999999",
    "1e400",
    "NaN",
    "../../etc/passwd",
    "https://user:pass@[::1]:99999/#?",
    "0001-01-01T00:00:00Z",
    "2026-13-45T25:61:61",
    "+262142-12-31T23:59:59",
    "01HZZZZZZZZZZZZZZZZZZZZZZZ",
    "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
];

/// Names that some handler reads from the query string.
const QUERY_NAMES: [&str; 22] = [
    "perPage",
    "direction",
    "next_page_cursor",
    "prev_page_cursor",
    "sort",
    "q",
    "query",
    "body",
    "startDate",
    "endDate",
    "endpointId",
    "sourceId",
    "subscriptionId",
    "eventId",
    "status",
    "idempotencyKey",
    "type",
    "provider",
    "ownerId",
    "orgID",
    "eventType",
    "crc_token",
];

fn text(random: &mut StdRng) -> String {
    match random.random_range(0..8) {
        0 => "x".repeat(random.random_range(1..6_000)),
        1 => {
            (0..random.random_range(1..40)).filter_map(|_| char::from_u32(random.random_range(0..0x11_0000))).collect()
        }
        _ => TEXTS[random.random_range(0..TEXTS.len())].into(),
    }
}

fn value(random: &mut StdRng, depth: usize) -> Value {
    match random.random_range(0..if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => json!(random.random::<bool>()),
        2 => json!([i64::MIN, -1, 0, 1, i64::from(i32::MAX) + 1, i64::MAX][random.random_range(0..6)]),
        3 => json!([1.5, -0.0, 1e308, f64::MIN_POSITIVE][random.random_range(0..4)]),
        4 => json!(text(random)),
        5 => (0..random.random_range(0..4)).map(|_| value(random, depth - 1)).collect(),
        6 => json!({text(random): value(random, depth - 1)}),
        _ => nested(random.random_range(1..200)),
    }
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({"a": inner}) })
}

/// The properties of an operation's body, whose values are then what they should not be.
fn properties(description: &Value, operation: &Value) -> Vec<String> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let named = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let schema = named.map_or(schema, |name| &description["components"]["schemas"][name]);
    schema["properties"].as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

fn body(random: &mut StdRng, properties: &[String]) -> Vec<u8> {
    match random.random_range(0..10) {
        0 => Vec::new(),
        1 => {
            let mut bytes = vec![0; random.random_range(1..200)];
            random.fill_bytes(&mut bytes);
            bytes
        }
        2 => format!("{}{}", "[".repeat(1_500), "]".repeat(1_500)).into_bytes(),
        3 => value(random, 3).to_string().into_bytes(),
        4 => {
            let mut cut = json!({"name": value(random, 2)}).to_string().into_bytes();
            cut.truncate(random.random_range(0..cut.len()));
            cut
        }
        _ => {
            let fields = properties.iter().filter(|_| random.random_bool(0.8)).cloned().collect::<Vec<_>>();
            let object: serde_json::Map<String, Value> =
                fields.into_iter().map(|field| (field, value(random, 3))).collect();
            Value::Object(object).to_string().into_bytes()
        }
    }
}

fn encoded(text: &str) -> String {
    percent(text.bytes())
}

fn percent(bytes: impl Iterator<Item = u8>) -> String {
    bytes
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn query(random: &mut StdRng) -> String {
    let part = |random: &mut StdRng| {
        let name = QUERY_NAMES[random.random_range(0..QUERY_NAMES.len())];
        match random.random_range(0..4) {
            0 => format!("{name}={}", percent((0..6).map(|_| random.random::<u8>()))),
            1 => format!("{name}[]={}&{name}", random.random_range(-5..5)),
            _ => format!("{name}={}", encoded(&text(random).chars().take(200).collect::<String>())),
        }
    };
    (0..random.random_range(0..5)).map(|_| part(random)).collect::<Vec<_>>().join("&")
}

/// The route with something in place of each parameter: mostly what leads to its handler.
fn path(random: &mut StdRng, route: &str, known: &[(&str, String)]) -> String {
    let fill = |segment: &str, random: &mut StdRng| {
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return segment.into();
        };
        let own = known.iter().find(|(known, _)| *known == name).map(|(_, id)| id.clone());
        match own {
            Some(id) if name == "project_id" || random.random_bool(0.7) => id,
            _ => encoded(&text(random).chars().take(60).collect::<String>()),
        }
    };
    route.split('/').map(|segment| fill(segment, random)).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn no_route_answers_malformed_requests_with_a_5xx() {
    let api = Api::start().await;
    let endpoint = api.endpoint("orders").await;
    let subscription = api.post("subscriptions", json!({"name": "s", "endpoint_id": endpoint})).await.uid();
    let made = api.post("sources", json!({"name": "s", "type": "http"})).await;
    let known = [
        ("project_id", api.project.clone()),
        ("endpoint_id", endpoint),
        ("subscription_id", subscription),
        ("source_id", made.uid()),
        ("mask_id", made.data()["mask_id"].as_str().unwrap().to_string()),
    ];
    let description = serde_json::to_value(router::openapi()).unwrap();
    let mut random = StdRng::seed_from_u64(SEED);
    let mut answered = 0;
    for (route, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            // The project and its key are needed for the other routes.
            if method == "delete" && route.ends_with("{project_id}") {
                continue;
            }
            let (method, properties) = (method.to_uppercase(), properties(&description, operation));
            if !["GET", "POST", "PUT", "DELETE", "PATCH"].contains(&method.as_str()) {
                continue;
            }
            for _ in 0..TRIES {
                let path = format!("{}?{}", path(&mut random, route, &known), query(&mut random));
                let body = (method != "GET").then(|| body(&mut random, &properties));
                let key = if random.random_bool(0.8) { &api.key } else { &api.personal_key };
                let version = TEXTS[random.random_range(0..TEXTS.len())];
                let headers =
                    [("x-convoy-version", if version.is_ascii() && !version.contains('\0') { version } else { "x" })];
                let shown = body.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                let answer = api.send_bytes(&method, &path, Some(key), &headers, body).await;
                assert!(answer.status < 500, "{method} {path}\n{shown}\n{} {}", answer.status, answer.body);
                answered += 1;
            }
        }
    }
    assert!(answered > 500, "{answered}");
    api.close().await;
}
