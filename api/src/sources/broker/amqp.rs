//! AMQP 0-9-1, `pub_sub.amqp`. The contract (section 2.10) calls a binding one thing in requests and another in answers;
//! both are understood, and it is stored as in requests.

use serde_json::{Value, json};

use super::fields::Fields;
use crate::error::ApiError;

/// Bytes of the name of a queue, an exchange and the like, as the protocol has it.
const NAME_BYTES_MAX: usize = 255;

/// As ingest reads them.
pub(super) fn check(settings: &Value) -> Result<(), ApiError> {
    let fields = Fields::of(settings, "pub_sub.amqp")?;
    fields.word("schema", ["amqp", "amqps"])?;
    fields.place()?;
    fields.required("queue", "the queue's name")?;
    for field in ["queue", "vhost", "deadLetterExchange"] {
        name(&fields, field)?;
    }
    if let Some(auth) = fields.object("auth", "user and password are expected")? {
        auth.texts(["user", "password"])?;
    }
    if let Some(binding) = fields.object("bindExchange", "exchange and routingKey are expected")? {
        name(&binding, "exchange")?;
        name(&binding, "routingKey")?;
    }
    fields.number("prefetch", 1..=5_000)?;
    fields.file("ca_certificate").map(drop)
}

fn name(fields: &Fields<'_>, field: &str) -> Result<(), ApiError> {
    if fields.text(field)?.len() <= NAME_BYTES_MAX {
        Ok(())
    } else {
        Err(fields.wrong(field, "at most 255 bytes are expected"))
    }
}

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
