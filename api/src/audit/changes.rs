//! What differs between two states of a row, as it may be shown: credentials are named, and never shown.

use posthouse_schema::ids::AuditedId;
use serde_json::{Map, Value, json};
use url::Url;

/// Columns whose values may be shown. All others are only named, so that a new one is safe from the start.
const SHOWN: &[&str] = &[
    "advanced_signatures",
    "auth_type",
    "body",
    "can_manage_endpoint",
    "category",
    "config",
    "content_type",
    "delivery_mode",
    "deprecated_at",
    "description",
    "email",
    "endpoint_id",
    "endpoint_ids",
    "event_type",
    "event_type_location",
    "event_types",
    "expires_at",
    "filter",
    "first_name",
    "follow_redirects",
    "forward_headers",
    "http_timeout_seconds",
    "idempotency_keys",
    "invitee_email",
    "is_disabled",
    "is_email_verified",
    "kind",
    "last_name",
    "logo_url",
    "name",
    "ordering",
    "owner_id",
    "provider",
    "rate_limit",
    "rate_limit_config",
    "rate_limit_duration_seconds",
    "retry_config",
    "revoked_at",
    "role",
    "source_id",
    "status",
    "support_email",
    "url",
];
/// Columns that say nothing of a change.
const IGNORED: &[&str] =
    &["created_at", "deleted_at", "id", "organisation_id", "project_id", "token_hash", "updated_at", "version"];
/// What the name of a credential holds, below a column that is shown.
const SECRET_WORDS: &[&str] = &[
    "authentication",
    "certificate",
    "credential",
    "password",
    "passphrase",
    "private",
    "pub_sub",
    "secret",
    "token",
    "webhook_url",
];
/// A longer value is only named.
const VALUE_BYTES_MAX: usize = 2_048;

/// What differs: field to `{"before", "after"}`, or to `{"is_secret": true}`. A row that is marked as deleted is none.
pub fn between(before: Option<&Value>, after: Option<&Value>) -> Value {
    let empty = Map::new();
    let (before, after) = (living(before).unwrap_or(&empty), living(after).unwrap_or(&empty));
    let mut changes = Map::new();
    for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
        let (old, new) = (before.get(name).unwrap_or(&Value::Null), after.get(name).unwrap_or(&Value::Null));
        if IGNORED.contains(&name.as_str()) {
            continue;
        }
        if SHOWN.contains(&name.as_str()) {
            compare(name, old, new, &mut changes);
        } else if old != new {
            changes.insert(name.clone(), hidden());
        }
    }
    Value::Object(changes)
}

fn living(row: Option<&Value>) -> Option<&Map<String, Value>> {
    row?.as_object().filter(|row| row.get("deleted_at").is_none_or(Value::is_null))
}

fn hidden() -> Value {
    json!({"is_secret": true})
}

/// Notes what differs below this path; objects by their fields.
fn compare(path: &str, old: &Value, new: &Value, changes: &mut Map<String, Value>) {
    if old == new {
        return;
    }
    if is_secret(path) {
        changes.insert(path.into(), hidden());
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (old, new) {
        for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
            let of = |object: &Map<String, Value>| object.get(name).cloned().unwrap_or_default();
            compare(&format!("{path}.{name}"), &of(old), &of(new), changes);
        }
        return;
    }
    let (old, new) = (shown(old), shown(new));
    let is_long = [&old, &new].iter().any(|value| value.to_string().len() > VALUE_BYTES_MAX);
    let change = if is_long || old == new { hidden() } else { json!({"before": old, "after": new}) };
    changes.insert(path.into(), change);
}

fn is_secret(path: &str) -> bool {
    path.split('.').any(|part| part == "key" || SECRET_WORDS.iter().any(|word| part.contains(word)))
}

/// The value without what must not be shown: credentials in URLs, and credentials in objects that came or went as a whole.
fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(id(text).unwrap_or_else(|| without_credentials(text))),
        Value::Array(values) => values.iter().map(shown).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), if is_secret(name) { hidden() } else { shown(value) }))
            .collect(),
        other => other.clone(),
    }
}

/// Ids are spelled as everywhere else, not as the database spells them.
fn id(text: &str) -> Option<String> {
    let has_form = text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
    let bits = has_form.then(|| u128::from_str_radix(&text.replace('-', ""), 16).ok())??;
    Some(AuditedId::from_bits(bits).to_string())
}

/// A URL without its user, its password and its query, where there is a token as often as not.
fn without_credentials(text: &str) -> String {
    let Some(mut url) = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return text.into();
    };
    let has_any = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
    let is_stripped = has_any && url.set_username("").is_ok() && url.set_password(None).is_ok();
    if !is_stripped {
        return text.into();
    }
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_be_shown_is_shown_and_credentials_are_named() {
        let before = json!({"id": "x", "name": "a", "url": "https://u:hunter2@example.com/?t=hunter2", "updated_at": 1,
            "authentication": {"value": "hunter2"}, "config": {"strategy": {"retry_count": 3}, "meta_event": {"secret": "hunter2"}},
            "endpoint_id": "01970000-0000-0000-0000-000000000001", "pub_sub": null});
        let after = json!({"id": "x", "name": "b", "url": "https://example.com/new", "updated_at": 2, "authentication": null,
            "config": {"strategy": {"retry_count": 5}, "meta_event": {"secret": "hunter3"}}, "endpoint_id": null,
            "pub_sub": null});
        assert_eq!(
            between(Some(&before), Some(&after)),
            json!({
                "authentication": {"is_secret": true},
                "config.meta_event.secret": {"is_secret": true},
                "config.strategy.retry_count": {"before": 3, "after": 5},
                "endpoint_id": {"before": AuditedId::from_bits(0x0197_0000_0000_0000_0000_0000_0000_0001).to_string(), "after": null},
                "name": {"before": "a", "after": "b"},
                "url": {"before": "https://example.com/", "after": "https://example.com/new"},
            })
        );
        let made = between(None, Some(&json!({"config": {"auth_token": "hunter2", "ssl": true}, "name": "n"})));
        assert_eq!(
            made,
            json!({"config": {"before": null, "after": {"auth_token": {"is_secret": true}, "ssl": true}}, "name": {"before": null, "after": "n"}})
        );
        let deleted = json!({"name": "n", "deleted_at": "2026-01-01T00:00:00Z"});
        assert_eq!(
            between(Some(&json!({"name": "n"})), Some(&deleted)),
            json!({"name": {"before": "n", "after": null}})
        );
        let (one, other) = (json!({"url": "https://a@b.c/"}), json!({"url": "https://d@b.c/"}));
        assert_eq!(
            between(Some(&one), Some(&other)),
            json!({"url": {"is_secret": true}}),
            "only what is hidden differs"
        );
        assert_eq!(between(Some(&one), Some(&one)), json!({}));
    }

    proptest! {
        #[test]
        fn no_credential_is_ever_shown(column in proptest::sample::select(SHOWN), below in "(secret|api_token|password|key|slack_webhook_url)", user in "[a-z]{1,9}") {
            let row = |value: &str| json!({column: {below.as_str(): value, "url": format!("https://{user}:{value}@example.com")}});
            for changes in [between(None, Some(&row("HUNTER2"))), between(Some(&row("HUNTER2")), Some(&row("HUNTER3"))), between(Some(&row("HUNTER2")), None)] {
                prop_assert!(!changes.to_string().contains("HUNTER"), "{changes}");
            }
        }
    }
}
