//! Kafka, `pub_sub.kafka`, in the contract's names (section 2.10).

use serde_json::Value;

use super::fields::{Fields, TEXT_BYTES_MAX};
use crate::error::ApiError;

const BROKERS_MAX: usize = 32;
/// Bytes of a topic's name, by Kafka's own rule.
const TOPIC_BYTES_MAX: usize = 249;

/// As ingest reads them.
pub(super) fn check(settings: &Value) -> Result<(), ApiError> {
    let fields = Fields::of(settings, "pub_sub.kafka")?;
    let brokers = fields.value("brokers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let are_brokers = brokers.iter().all(|broker| broker.as_str().is_some_and(is_broker));
    if brokers.is_empty() || brokers.len() > BROKERS_MAX || !are_brokers {
        return Err(fields.wrong("brokers", "a list of 1 to 32 addresses such as host:9092 is expected"));
    }
    let topic = fields.required("topic_name", "the topic's name")?;
    let is_topic = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    if topic.len() > TOPIC_BYTES_MAX || !topic.chars().all(is_topic) {
        return Err(
            fields.wrong("topic_name", "at most 249 letters, digits, dots, underscores and dashes are expected")
        );
    }
    if let Some(auth) = fields.object("auth", "type, username and password are expected")? {
        auth.word("type", ["plain", "scram"])?;
        auth.word("hash", ["SHA256", "SHA512"])?;
        auth.texts(["username", "password"])?;
        if !auth.text("type")?.is_empty() {
            auth.required("username", "the user's name")?;
        }
        auth.flag("tls")?;
    }
    fields.texts(["consumer_group_id"])?;
    fields.word("start", ["first", "new"])?;
    fields.file("ca_certificate").map(drop)
}

/// `host:port`, also with the brackets of an IPv6 address.
fn is_broker(address: &str) -> bool {
    let is_host =
        |host: &str| !host.is_empty() && !host.chars().any(|char| char.is_whitespace() || "/@,".contains(char));
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    address.len() <= TEXT_BYTES_MAX
        && address.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && is_port(port))
}
