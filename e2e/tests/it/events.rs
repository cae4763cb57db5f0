//! Senders who do not give up: an event is sent again, with the same idempotency key, until it is accepted.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::stream::{self, StreamExt};
use posthouse_e2e::client::Client;
use serde_json::{Value, json};

const GIVE_UP_AFTER: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

pub fn event(endpoint_id: &str, key: &str) -> Value {
    json!({"endpoint_id": endpoint_id, "event_type": "load.sent", "idempotency_key": key, "data": {"key": key}})
}

/// Sends one event until it is accepted; the answer is how many requests that took.
pub async fn send(client: &Client, event: &Value) -> usize {
    let sending = async {
        let mut requests = 1;
        while !client.post("events", event).await.is_ok_and(|reply| reply.status == 201) {
            tokio::time::sleep(PAUSE).await;
            requests += 1;
        }
        requests
    };
    tokio::time::timeout(GIVE_UP_AFTER, sending).await.expect("an event is accepted before the sender gives up")
}

/// Sends `count` events from `senders` senders, each with a pause after every event, and counts the accepted ones.
pub async fn send_all(
    client: &Client,
    endpoints: &[String],
    count: usize,
    senders: usize,
    pause: Duration,
    accepted: &AtomicUsize,
) -> usize {
    stream::iter(0..count)
        .map(|number| async move {
            let endpoint = &endpoints[number % endpoints.len()];
            let requests = send(client, &event(endpoint, &format!("event-{number}"))).await;
            accepted.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            requests
        })
        .buffer_unordered(senders)
        .fold(0, |all, requests| async move { all + requests })
        .await
}
