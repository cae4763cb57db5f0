//! What it costs to find the receivers of one event among 10,000 subscriptions with filters that do not match, without
//! database and queue: `cargo bench -p posthouse-worker --bench matching`.

#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

use std::{
    collections::BTreeMap,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use posthouse_jobs::{CreateEvent, EventTarget};
use posthouse_schema::{
    ids::{EndpointId, EventId, ProjectId, SubscriptionId},
    routing::Route,
    words::{DeliveryMode, EndpointStatus},
};
use posthouse_worker::delivery::{
    filtering::EventParts,
    matching::{PreparedRoute, matching},
    routes::Routes,
};
use serde_json::{Value, json, value::RawValue};

const SUBSCRIPTIONS: u32 = 10_000;
/// Bytes of an event's data, about.
const DATA_BYTES: usize = 1_024;
/// Events of a round, each read anew.
const EVENTS: u32 = 100;
const ROUNDS: usize = 9;

fn main() {
    let number = |n: u32| json!({"number": {"$gt": 1_000_000 + n}});
    let pattern = |n: u32| json!({"filling": {"$regex": format!("^customer {n}$")}});
    measure(
        "$gt and a text of its own",
        |n| json!({"number": {"$gt": 1_000_000 + n}, "filling": format!("customer {n}")}),
    );
    measure(
        "$or of two texts of its own",
        |n| json!({"$or": [{"filling": format!("customer {n}")}, {"run": format!("run {n}")}]}),
    );
    measure("a text of its own, one of 500 keys", |n| json!({format!("filling{}", n % 500): format!("customer {n}")}));
    measure("$gt alone", number);
    measure("$regex alone", pattern);
    measure("$or of $gt and $regex", |n| json!({"$or": [number(n), pattern(n)]}));
}

fn measure(name: &str, filter: impl Fn(u32) -> Value) {
    let begun = Instant::now();
    let routes: Vec<_> = (0..SUBSCRIPTIONS).map(|n| Arc::new(PreparedRoute::new(route(&filter(n))))).collect();
    let (compiled, event) = (begun.elapsed(), event());
    let begun = Instant::now();
    let routes = Routes::to(&event.target, &routes);
    let indexed = begun.elapsed();
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..EVENTS {
                assert!(matching(&EventParts::new(black_box(&event)), &routes).is_empty(), "no filter matches");
            }
            begun.elapsed() / EVENTS
        })
        .collect();
    rounds.sort_unstable();
    let median = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("{name}: {median:.1?} for an event; once {compiled:.1?} to compile and {indexed:.1?} to index");
}

fn route(body: &Value) -> Route {
    Route {
        subscription_id: SubscriptionId::generate(),
        endpoint_id: EndpointId::generate(),
        source_id: None,
        event_types: vec!["*".into()],
        filter: Some(json!({"body": body})),
        filters: Vec::new(),
        function: None,
        delivery_mode: DeliveryMode::AtLeastOnce,
        retry: None,
        owner_id: "owner".into(),
        endpoint_status: EndpointStatus::Active,
    }
}

fn event() -> CreateEvent {
    let data =
        json!({"run": 7, "number": 42, "at_ns": 1_700_000_000_123_456_789_u64, "filling": "x".repeat(DATA_BYTES)});
    CreateEvent {
        project_id: ProjectId::generate(),
        event_id: EventId::generate(),
        target: EventTarget::Fanout { owner_id: "owner".into() },
        event_type: "bench".into(),
        data: RawValue::from_string(data.to_string()).expect("it was just written"),
        headers: BTreeMap::new(),
        idempotency_key: String::new(),
        source_id: None,
        url_query_params: String::new(),
        url_path: String::new(),
        ordering_key: None,
        after: None,
        accepted_at: Utc::now(),
    }
}
