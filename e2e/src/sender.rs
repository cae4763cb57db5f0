//! Senders who do not give up: an event is sent again, with the same idempotency key, until it is accepted.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::client::Client;

const GIVE_UP_AFTER: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

/// An event for one endpoint, with this idempotency key.
#[must_use]
pub fn event(endpoint_id: &str, key: &str) -> Value {
    json!({"endpoint_id": endpoint_id, "event_type": "load.sent", "idempotency_key": key, "data": {"key": key}})
}

/// Sends one event until it is accepted; the answer is how many requests that took.
///
/// # Errors
/// It was not accepted within two minutes.
pub async fn send(client: &Client, event: &Value) -> Result<u64> {
    let sending = async {
        let mut requests = 1;
        while !client.post("events", event).await.is_ok_and(|reply| reply.status == 201) {
            tokio::time::sleep(PAUSE).await;
            requests += 1;
        }
        requests
    };
    tokio::time::timeout(GIVE_UP_AFTER, sending).await.context("an event was not accepted within two minutes")
}

/// Sends `count` events, in turns to these endpoints, from `senders` senders, each with a pause after every event, and
/// counts the accepted ones. The answer is how many requests that took.
///
/// # Errors
/// As for [`send`].
pub async fn send_all(
    client: &Client,
    endpoints: &[String],
    count: u64,
    (senders, pause): (usize, Duration),
    accepted: &AtomicU64,
) -> Result<u64> {
    stream::iter((0..count).zip(endpoints.iter().cycle()))
        .map(|(number, endpoint)| async move {
            let requests = send(client, &event(endpoint, &format!("event-{number}"))).await?;
            accepted.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            anyhow::Ok(requests)
        })
        .buffer_unordered(senders)
        .try_fold(0, async |all, requests| Ok(all + requests))
        .await
}
