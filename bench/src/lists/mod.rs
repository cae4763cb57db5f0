//! Lists of a large ledger: how long a page of twenty takes, whatever it is filtered by.

pub mod fill;

use std::{path::Path, time::Instant};

use anyhow::{Context, Result, bail};
use chrono::{TimeDelta, Utc};
use posthouse_schema::ids::{EventDeliveryId, EventId};

use self::fill::Filled;
use crate::{
    gateway::Gateway,
    http::Connection,
    latency::{Percentiles, micros},
    progress::Progress,
    table::{Goal, Row},
};

/// Requests of one list that count, after some that do not.
const REQUESTS: usize = 200;
const WARM_UP: usize = 20;

/// Fills a gateway of its own with `events` events and twice as many deliveries, and asks for its lists.
pub async fn measure(folder: &Path, events: u64) -> Result<Vec<Row>> {
    let gateway = Gateway::start(folder).await?;
    let filled = fill::fill(&gateway, events).await?;
    let mut connection = Connection::open(gateway.api).await?;
    let lists = lists(&gateway, &filled).await?;
    let progress = Progress::new("lists", u64::try_from(lists.len())?);
    let mut rows = Vec::new();
    let mut done = 0;
    for (name, path) in lists {
        let found = pages(&gateway, &mut connection, &path).await.with_context(|| format!("{name}: GET {path}"))?;
        rows.push(Row::new(&name, "p50, ms", found.p50_ms, None));
        rows.push(Row::new("", "p99, ms", found.p99_ms, Some(Goal::at_most(20.0, 5.0))));
        done += 1;
        progress.note("lists measured", done);
    }
    progress.end();
    gateway.stop().await?;
    Ok(rows)
}

/// One after another over one connection.
async fn pages(gateway: &Gateway, connection: &mut Connection, path: &str) -> Result<Percentiles> {
    let request = format!(
        "GET /api/v1/projects/{}/{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        gateway.project, gateway.api, gateway.key
    );
    let mut found = Vec::with_capacity(REQUESTS);
    for number in 0..WARM_UP + REQUESTS {
        let began = Instant::now();
        let status = connection.call(request.as_bytes()).await?;
        if status != 200 {
            bail!("the answer was {status}");
        }
        if number >= WARM_UP {
            found.push(micros(began.elapsed()));
        }
    }
    Ok(Percentiles::of(found))
}

/// A list with its name.
type List = (String, String);

fn of(list: &str, filters: &[(&str, String)]) -> Vec<List> {
    filters.iter().map(|(name, filter)| (format!("{list}, {name}"), format!("{list}?{filter}"))).collect()
}

/// Each list by itself, and with each of its filters alone: something common, something rare, and nothing.
async fn lists(gateway: &Gateway, filled: &Filled) -> Result<Vec<List>> {
    let middle = Utc::now() - TimeDelta::days(3);
    let (from, to) = (middle.format("%Y-%m-%dT%H:%M:%S"), (middle + TimeDelta::hours(1)).format("%Y-%m-%dT%H:%M:%S"));
    let hour = format!("startDate={from}&endDate={to}");
    let (event, delivery) = (newest(gateway, "events").await?, newest(gateway, "eventdeliveries").await?);
    let mut lists = of("events", &by_place(&EventId::first_at(middle).to_string(), &hour));
    lists.extend(events(filled));
    lists.extend(of("eventdeliveries", &by_place(&EventDeliveryId::first_at(middle).to_string(), &hour)));
    lists.extend(deliveries(filled, &event));
    lists.push(("deliveryattempts".into(), format!("eventdeliveries/{delivery}/deliveryattempts")));
    let rare = format!("endpointId={}", filled.rare_endpoint);
    let named = |key: &str| ("name", format!("{key}=shop+77"));
    lists.extend(of("endpoints", &[all(), named("q"), owner()]));
    lists.extend(of("subscriptions", &[all(), named("name"), ("endpoint", rare)]));
    lists.extend(of("sources", &[all(), named("q")]));
    lists.extend(of("meta-events", &[all(), ("of an hour", hour)]));
    lists.extend(of("event-types", &[all()]));
    lists.extend(of("portal-links", &[all()]));
    Ok(lists)
}

async fn newest(gateway: &Gateway, list: &str) -> Result<String> {
    let page = gateway.client.get(&format!("{list}?perPage=1")).await?.data()?;
    let id = page.pointer("/content/0/uid").and_then(|id| id.as_str());
    Ok(id.with_context(|| format!("{list}: nothing is listed"))?.to_string())
}

fn all() -> (&'static str, String) {
    ("newest", String::new())
}

fn owner() -> (&'static str, String) {
    ("an owner's", "ownerId=owner-7".into())
}

fn by_place(cursor: &str, hour: &str) -> [(&'static str, String); 5] {
    [
        all(),
        ("oldest", "sort=ASC".into()),
        ("from the middle", format!("next_page_cursor={cursor}")),
        ("backwards from the middle", format!("direction=prev&prev_page_cursor={cursor}")),
        ("of an hour", hour.into()),
    ]
}

fn events(filled: &Filled) -> Vec<List> {
    let Filled { endpoint, rare_endpoint, source, rare_source, key, .. } = filled;
    let searched = |name, key: &str, value: &str| (name, format!("{key}={value}"));
    of(
        "events",
        &[
            ("common endpoint", format!("endpointId={endpoint}")),
            ("rare endpoint", format!("endpointId={rare_endpoint}")),
            ("common source", format!("sourceId={source}")),
            ("rare source", format!("sourceId={rare_source}")),
            owner(),
            ("idempotency key", format!("idempotencyKey={key}")),
            ("unknown idempotency key", "idempotencyKey=none".into()),
            ("broker message", "brokerMessageId=message".into()),
            ("unknown broker message", "brokerMessageId=none".into()),
            searched("text, common", "query", "type.7"),
            searched("text, rare", "query", "rare.type"),
            searched("text, none", "query", "nothing-like-it"),
            searched("data, common", "body", "%7B%22customer%22%3A%7B%22id%22%3A%22c7%22%7D%7D"),
            searched("data, rare", "body", "%7B%22customer%22%3A%7B%22rare%22%3Atrue%7D%7D"),
            searched("headers, common", "headers", "%7B%22X-Batch%22%3A%227%22%7D"),
            searched("headers, rare", "headers", "%7B%22X-Rare%22%3A%22yes%22%7D"),
        ],
    )
}

fn deliveries(filled: &Filled, event: &str) -> Vec<List> {
    let Filled { endpoint, rare_endpoint, subscription, rare_subscription, key, .. } = filled;
    let status = |name, word: &str| (name, format!("status={word}"));
    of(
        "eventdeliveries",
        &[
            ("common endpoint", format!("endpointId={endpoint}")),
            ("rare endpoint", format!("endpointId={rare_endpoint}")),
            ("common subscription", format!("subscriptionId={subscription}")),
            ("rare subscription", format!("subscriptionId={rare_subscription}")),
            ("common type", "eventType=type.7".into()),
            ("rare type", "eventType=rare.type".into()),
            ("unknown type", "eventType=none".into()),
            status("succeeded", "Success"),
            status("failed", "Failure"),
            status("discarded", "Discarded"),
            status("to be retried", "Retry"),
            status("in progress", "Processing"),
            ("of an event", format!("eventId={event}")),
            ("idempotency key", format!("idempotencyKey={key}")),
            ("broker message", "brokerMessageId=message".into()),
        ],
    )
}
