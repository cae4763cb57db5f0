//! What the holders of portal links do not get to see: header values that may be somebody's credentials. A name is judged
//! by its words, since everyone calls such headers something else.

use std::collections::BTreeMap;

use crate::{
    auth::Access,
    deliveries::wire::{AttemptWire, DeliveryWire},
    events::wire::EventWire,
};

const HIDDEN: &str = "***";
/// A header whose name holds one of these is hidden.
const SENSITIVE: [&str; 8] = ["auth", "cookie", "token", "secret", "password", "credential", "session", "key"];
/// Names that hold such a word and say nothing secret.
const HARMLESS: [&str; 2] = ["x-convoy-idempotency-key", "idempotency-key"];

/// Whether a header may carry credentials.
fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !HARMLESS.contains(&name.as_str()) && SENSITIVE.iter().any(|word| name.contains(word))
}

fn hide_values(headers: &mut BTreeMap<String, Vec<String>>) {
    for (_, values) in headers.iter_mut().filter(|(name, _)| is_sensitive(name)) {
        *values = vec![HIDDEN.into()];
    }
}

fn hide_joined(headers: &mut BTreeMap<String, String>) {
    for (_, value) in headers.iter_mut().filter(|(name, _)| is_sensitive(name)) {
        *value = HIDDEN.into();
    }
}

/// A delivery as this caller sees it.
pub fn delivery(access: &Access, mut wire: DeliveryWire) -> DeliveryWire {
    if access.is_portal() {
        hide_values(&mut wire.headers);
    }
    wire
}

/// An attempt as this caller sees it.
pub fn attempt(access: &Access, mut wire: AttemptWire) -> AttemptWire {
    if access.is_portal() {
        hide_joined(&mut wire.request_http_header);
        hide_joined(&mut wire.response_http_header);
    }
    wire
}

/// An event as this caller sees it: of the endpoints that it was matched to, only those within reach.
pub fn event(access: &Access, mut wire: EventWire) -> EventWire {
    if access.is_portal() {
        hide_values(&mut wire.headers);
        wire.endpoints.retain(|id| id.parse().is_ok_and(|id| access.reaches(id)));
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_credential_is_hidden() {
        for name in ["Authorization", "x-api-key", "X-ApiKey", "Cookie", "Set-Cookie", "x-hub-token", "X-Client-Secret"]
        {
            assert!(is_sensitive(name), "{name}");
        }
        for name in ["content-type", "X-Convoy-Signature", "webhook-id", "Idempotency-Key", "x-request-id"] {
            assert!(!is_sensitive(name), "{name}");
        }
    }
}
