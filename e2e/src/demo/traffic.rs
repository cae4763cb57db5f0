//! Sets up the demo's endpoints and sends its events, over the REST API and over MQTT, as customers would.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use rand::RngExt;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::case::{ENDPOINTS, EVENTS, EventCase, Via};
use crate::{client::Client, receiver::Secrets, services::Mosquitto};

const TOPIC: &str = "posthouse/demo";
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(30);
const PUBLISH_LIMIT: Duration = Duration::from_secs(10);

/// Ids of the demo's endpoints by name.
pub type Endpoints = BTreeMap<&'static str, String>;

/// Creates every endpoint with its subscription, and tells the receiver their secrets.
///
/// # Errors
/// The API or the receiver refuses.
pub async fn create_endpoints(client: &Client, receiver: SocketAddr, receiver_admin: SocketAddr) -> Result<Endpoints> {
    let mut ids = Endpoints::new();
    let mut secrets = Secrets::new();
    for case in ENDPOINTS {
        let secret = hex::encode(rand::rng().random::<[u8; 16]>());
        let url = if case.url.starts_with('/') { format!("http://{receiver}{}", case.url) } else { case.url.into() };
        let endpoint =
            json!({"name": case.name, "url": url, "secret": secret, "advanced_signatures": case.advanced_signatures});
        let id = client.create("endpoints", &endpoint).await?;
        let filter = json!({"event_types": [case.wants]});
        client.create("subscriptions", &json!({"name": case.name, "endpoint_id": id, "filter_config": filter})).await?;
        secrets.insert(case.url.into(), secret);
        ids.insert(case.name, id);
    }
    let http = crate::deployment::probe_client()?;
    let answer = http.put(format!("http://{receiver_admin}/secrets")).json(&secrets).send().await;
    answer.and_then(reqwest::Response::error_for_status).context("tell the receiver the secrets")?;
    Ok(ids)
}

/// Creates a source that reads the broker, and waits until ingest has subscribed.
///
/// # Errors
/// The API refuses, or ingest does not subscribe in time.
pub async fn create_source(client: &Client, broker: &Mosquitto) -> Result<()> {
    let mqtt = json!({
        "host": "127.0.0.1", "port": broker.port(), "topic": TOPIC, "qos": 1, "client_id": "", "auth": null, "tls": false,
    });
    let source = json!({"name": "sensors", "type": "pub_sub", "pub_sub": {"type": "mqtt", "workers": 1, "mqtt": mqtt}});
    client.create("sources", &source).await?;
    broker.wait_for_subscriber(TOPIC, SUBSCRIBE_LIMIT).await
}

/// Sends every event.
///
/// # Errors
/// The API or the broker does not accept one.
pub async fn send_events(client: &Client, broker: &Mosquitto, endpoints: &Endpoints) -> Result<()> {
    for case in EVENTS {
        let endpoint_id = endpoints.get(case.endpoint).with_context(|| format!("no endpoint {}", case.endpoint))?;
        let mut event = json!({
            "endpoint_id": endpoint_id,
            "event_type": case.event_type,
            "idempotency_key": case.key,
            "data": data_of(&case),
        });
        match case.via {
            Via::Rest => {
                client.post("events", &event).await?.data().with_context(|| format!("send {}", case.event_type))?;
            }
            Via::Mqtt => {
                let headers = json!({"x-convoy-message-type": "single"});
                event.as_object_mut().context("an event is an object")?.insert("custom_headers".into(), headers);
                timeout(PUBLISH_LIMIT, publish(broker.port(), event.to_string()))
                    .await
                    .context("the broker does not answer")??;
            }
        }
    }
    Ok(())
}

fn data_of(case: &EventCase) -> Value {
    json!({"shows": case.shows, "amount": "12.50", "items": [{"sku": "A-1", "count": 2}]})
}

/// Publishes one message and waits for the broker's acknowledgement.
async fn publish(port: u16, message: String) -> Result<()> {
    let (client, mut events) = AsyncClient::new(MqttOptions::new("posthouse-demo", "127.0.0.1", port), 4);
    client.publish(TOPIC, QoS::AtLeastOnce, false, message).await.context("publish")?;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => return Ok(()),
            Ok(_) => {}
            Err(error) => bail!("MQTT: {error}"),
        }
    }
}
