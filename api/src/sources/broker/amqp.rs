//! AMQP 0-9-1, `pub_sub.amqp`. The contract (section 2.10) calls a binding one thing in requests and another in answers;
//! both are understood, and it is stored as in requests.

use serde_json::{Value, json};

/// Settings that come back as they were shown, as they are stored.
pub(super) fn as_stored(settings: &mut Value) {
    let Some(fields) = settings.as_object_mut() else { return };
    let (exchange, routing_key) = (fields.remove("bindedExchange"), fields.remove("routingKey"));
    if fields.get("bindExchange").is_none_or(Value::is_null)
        && let Some(exchange) = exchange.filter(|exchange| !exchange.is_null())
    {
        fields.insert("bindExchange".into(), json!({"exchange": exchange, "routingKey": routing_key}));
    }
}

/// Stored settings as they are shown.
pub fn shown(settings: &mut Value) {
    let Some(fields) = settings.as_object_mut() else { return };
    let mut binding = fields.remove("bindExchange").unwrap_or_default();
    let mut part = |name: &str| binding.get_mut(name).map(Value::take).unwrap_or_default();
    let (exchange, routing_key) = (part("exchange"), part("routingKey"));
    fields.insert("bindedExchange".into(), exchange);
    fields.insert("routingKey".into(), if routing_key.is_null() { "".into() } else { routing_key });
    fields.entry("deadLetterExchange").or_insert(Value::Null);
}
