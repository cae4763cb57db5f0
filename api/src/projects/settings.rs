//! A project's settings as a patch over what it has: objects are merged by key, and what is wrong is named.

use posthouse_schema::{
    project_config::{DEFAULT_REQUEST_ID_HEADER, NotificationConfig, ProjectConfig, RetryPolicy, SignatureVersion},
    sealed::MemberSecret,
    words::ProjectKind,
};
use salvo::http::HeaderName;
use serde_json::{Value, json};

use super::{meta_event, portal};
use crate::{body::bounded, endpoints::input::is_address, error::ApiError, version::parse_duration};

const ATTEMPTS_MAX: i32 = RetryPolicy::ATTEMPTS_MAX;
const WAIT_SECONDS_MAX: i32 = RetryPolicy::WAIT_SECONDS_MAX;
const KEY_WINDOW_SECONDS_MAX: u32 = ProjectConfig::KEY_WINDOW_SECONDS_MAX;
const VERSIONS_MAX: usize = 5;
const HEADER_CHARS_MAX: usize = 100;
const THRESHOLD_MAX: u64 = 1_000_000;
/// The thresholds of a circuit breaker.
const THRESHOLDS: [&str; 7] = [
    "sample_rate",
    "error_timeout",
    "failure_threshold",
    "success_threshold",
    "minimum_request_count",
    "observability_window",
    "consecutive_failure_threshold",
];

/// `old` with the keys of `patch`.
///
/// # Errors
/// 400 naming the key.
pub fn patched(old: &ProjectConfig, patch: Option<Value>, kind: ProjectKind) -> Result<ProjectConfig, ApiError> {
    let Some(mut patch) = patch.filter(|patch| !patch.is_null()) else { return Ok(old.clone()) };
    if !patch.is_object() {
        return Err(ApiError::invalid("config: an object is expected"));
    }
    if patch.get("sync_dynamic_event_ack").is_some() {
        return Err(ApiError::invalid("sync_dynamic_event_ack has been renamed to verify_dynamic_events"));
    }
    complete_versions(&mut patch);
    let given = |name: &str| patch.pointer(&format!("/notifications/{name}")).is_some_and(|value| !value.is_null());
    let (has_slack, has_teams) = (given("slack_webhook_url"), given("teams_webhook_url"));
    let mut merged = serde_json::to_value(old).map_err(|error| ApiError::Internal(error.into()))?;
    let has_meta_event = patch.get("meta_event").is_some_and(Value::is_object);
    if has_meta_event && let Some(meta_event) = merged.get_mut("meta_event") {
        // Unlike the others it is given as a whole.
        *meta_event =
            json!({"is_enabled": false, "type": "", "event_type": null, "url": "", "secret": "", "pub_sub": null});
    }
    merge(&mut merged, patch);
    let mut config: ProjectConfig =
        serde_json::from_value(merged).map_err(|error| ApiError::invalid(format!("config: {error}")))?;
    if has_meta_event {
        config.meta_event = meta_event::completed(config.meta_event, &old.meta_event)?;
    } else {
        // A secret that cannot be read here is not shown, and stays what it is.
        config.meta_event = old.meta_event.clone();
    }
    let told = &old.notifications;
    keep_url(&mut config.notifications.slack_webhook_url, &told.slack_webhook_url, has_slack);
    keep_url(&mut config.notifications.teams_webhook_url, &told.teams_webhook_url, has_teams);
    config.portal = portal::checked(config.portal)?;
    check(&config)?;
    check_notifications(&config.notifications, &old.notifications)?;
    if kind == ProjectKind::Incoming && config.request_id_header != DEFAULT_REQUEST_ID_HEADER {
        return Err(ApiError::invalid("request_id_header can only be customised for outgoing projects"));
    }
    Ok(config)
}

fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                // `SSL` is an old spelling; null leaves a key as it is.
                let key = if key == "SSL" { "ssl".to_string() } else { key };
                if !value.is_null() {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, patch) => *into = patch,
    }
}

/// Callers give hash and encoding; the id and the time are ours.
fn complete_versions(patch: &mut Value) {
    let versions =
        patch.get_mut("signature").and_then(|signature| signature.get_mut("versions")).and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten().filter_map(Value::as_object_mut) {
        let SignatureVersion { uid, created_at, .. } = ProjectConfig::default().signature.versions.remove(0);
        if version.get("uid").and_then(Value::as_str).is_none_or(str::is_empty) {
            version.insert("uid".into(), uid.into());
        }
        version.insert("created_at".into(), serde_json::json!(created_at));
    }
}

/// What is wrong with a header's name; position as clients count, from 0.
fn header_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("it is empty".into());
    }
    if name.chars().count() > HEADER_CHARS_MAX {
        return Some(format!("at most {HEADER_CHARS_MAX} characters are accepted"));
    }
    let mut buffer = [0; 4];
    let is_wrong = |c: char| HeaderName::from_bytes(c.encode_utf8(&mut buffer).as_bytes()).is_err();
    name.chars().position(is_wrong).map(|at| format!("invalid character at position {at}"))
}

fn breaker_fault(breaker: &Value) -> Option<String> {
    let Some(thresholds) = breaker.as_object() else { return Some("an object is expected".into()) };
    let is_wrong = |(key, value): &(&String, &Value)| {
        !THRESHOLDS.contains(&key.as_str())
            || !(value.is_null() || value.as_u64().is_some_and(|number| number <= THRESHOLD_MAX))
    };
    thresholds.iter().find(is_wrong).map(|(key, _)| {
        let key: String = key.chars().filter(|c| !c.is_control()).take(64).collect();
        format!("{key} is no threshold with a number between 0 and {THRESHOLD_MAX}")
    })
}

fn check(config: &ProjectConfig) -> Result<(), ApiError> {
    let named = |field: &str, fault: Option<String>| {
        (fault.is_some(), format!("{field} must be a valid HTTP header token: {}", fault.unwrap_or_default()))
    };
    let breaker = config.circuit_breaker.as_ref().and_then(breaker_fault);
    let retry = config.strategy.fault();
    let retention = config.retention_policy.fault();
    let faults = [
        (
            config.strategy.retry_count < 0 || config.strategy.retry_count > ATTEMPTS_MAX,
            format!("config.strategy.retry_count: a number between 0 and {ATTEMPTS_MAX} is expected"),
        ),
        (
            config.strategy.duration < 0 || config.strategy.duration > WAIT_SECONDS_MAX,
            format!("config.strategy.duration: a number of seconds between 0 and {WAIT_SECONDS_MAX} is expected"),
        ),
        (retry.is_some(), format!("config.strategy.{}", retry.unwrap_or_default())),
        named("config.signature.header", header_fault(&config.signature.header)),
        named("request_id_header", header_fault(&config.request_id_header)),
        (
            config.ratelimit.count < 0 || config.ratelimit.duration < 0,
            "config.ratelimit: count and duration are numbers from 0 on".into(),
        ),
        (
            !config.search_policy.is_empty() && parse_duration(&config.search_policy).is_none(),
            "config.search_policy: a duration such as 720h is expected".into(),
        ),
        (breaker.is_some(), format!("config.circuit_breaker: {}", breaker.unwrap_or_default())),
        (
            config.idempotency_key_window > KEY_WINDOW_SECONDS_MAX,
            format!(
                "config.idempotency_key_window: a number of seconds between 0 and {KEY_WINDOW_SECONDS_MAX} is expected"
            ),
        ),
        (retention.is_some(), format!("config.retention_policy.{}", retention.unwrap_or_default())),
        (
            config.signature.versions.is_empty() || config.signature.versions.len() > VERSIONS_MAX,
            format!("config.signature.versions: between 1 and {VERSIONS_MAX} are expected"),
        ),
        (
            serde_json::to_string(config).is_ok_and(|text| text.contains("\\u0000")),
            "config: the NUL character is not accepted".into(),
        ),
    ];
    faults.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, fault)| Err(ApiError::invalid(fault)))
}

/// A URL that is not given stays, and so does one that cannot be read here where the caller gives back what was shown of it.
fn keep_url(url: &mut MemberSecret, old: &MemberSecret, is_given: bool) {
    if !is_given || (url.is_empty() && old.plain().is_err()) {
        url.clone_from(old);
    }
}

/// What has not changed was checked before.
fn check_notifications(new: &NotificationConfig, old: &NotificationConfig) -> Result<(), ApiError> {
    for (field, new, old) in [
        ("config.notifications.slack_webhook_url", &new.slack_webhook_url, &old.slack_webhook_url),
        ("config.notifications.teams_webhook_url", &new.teams_webhook_url, &old.teams_webhook_url),
    ] {
        // What cannot be read here is as it was.
        let url = new.plain().unwrap_or_default();
        bounded(field, url)?;
        if !url.is_empty() && new != old {
            meta_event::check_url(field, url)?;
        }
    }
    if is_address(&new.email) {
        return Ok(());
    }
    Err(ApiError::invalid("config.notifications.email: please provide a valid email"))
}

#[cfg(test)]
mod tests {
    use posthouse_schema::event::KeyWindow;

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names() {
        let old = ProjectConfig::default();
        let new = patched(&old, Some(json!({"strategy": {"retry_count": 3}, "SSL": {"enforce_secure_endpoints": true}, "disable_endpoint": null})), ProjectKind::Outgoing).unwrap();
        assert_eq!((new.strategy.retry_count, new.strategy.duration), (3, old.strategy.duration));
        assert!(new.ssl.enforce_secure_endpoints && !new.disable_endpoint);
        let signed = patched(
            &old,
            Some(json!({"signature": {"versions": [{"hash": "SHA512", "encoding": "base64"}]}})),
            ProjectKind::Outgoing,
        )
        .unwrap();
        assert_eq!(signed.signature.versions.len(), 1);
        assert!(!signed.signature.versions[0].uid.is_empty());
        assert_eq!(patched(&old, None, ProjectKind::Outgoing).unwrap(), old);
        let told =
            json!({"notifications": {"email": "ops@example.com", "slack_webhook_url": "https://hooks.slack.com/x"}});
        let told = patched(&old, Some(told), ProjectKind::Incoming).unwrap();
        let kept = patched(&told, Some(json!({"notifications": {"email": ""}})), ProjectKind::Incoming).unwrap();
        assert_eq!(kept.notifications.email, "");
        assert_eq!(kept.notifications.slack_webhook_url, "https://hooks.slack.com/x".into());
        let ended = json!({"notifications": {"slack_webhook_url": ""}});
        assert!(patched(&kept, Some(ended), ProjectKind::Incoming).unwrap().notifications.slack_webhook_url.is_empty());
        assert!(serde_json::to_value(&old).unwrap().get("notifications").is_none(), "others read what they always did");
        assert!(serde_json::to_value(&old).unwrap().get("portal").is_none(), "others read what they always did");
        let themed =
            patched(&old, Some(json!({"portal": {"accent_color": "#2a54cc"}})), ProjectKind::Outgoing).unwrap();
        let themed = patched(&themed, Some(json!({"portal": {"name": "Acme"}})), ProjectKind::Outgoing).unwrap();
        assert_eq!((themed.portal.name.as_str(), themed.portal.accent_color.as_str()), ("Acme", "#2a54cc"));
        let windowed = patched(&old, Some(json!({"idempotency_key_window": 3_600})), ProjectKind::Incoming).unwrap();
        assert_eq!(windowed.key_window(), KeyWindow::of_seconds(3_600));
        let kept = patched(&windowed, Some(json!({"disable_endpoint": true})), ProjectKind::Incoming).unwrap();
        assert_eq!(kept.idempotency_key_window, 3_600);
        let retention = |text: &str| json!({"retention_policy": {"policy": "10d", "payloads": text}});
        let short = patched(&old, Some(retention("24h")), ProjectKind::Outgoing).unwrap();
        assert_eq!(json!(short.retention_policy), json!({"policy": "240h", "payloads": "24h"}));
        let longer = patched(&short, Some(retention("")), ProjectKind::Outgoing).unwrap();
        assert_eq!(json!(longer.retention_policy), json!({"policy": "240h"}));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (patch, part) in [
            (json!([]), "config: an object"),
            (json!({"strategy": {"type": "magic"}}), "unknown variant `magic`"),
            (json!({"strategy": {"retry_count": 1000}}), "config.strategy.retry_count"),
            (json!({"strategy": {"type": "custom"}}), "config.strategy.schedule: between 1 and 99"),
            (json!({"strategy": {"schedule": [5]}}), "config.strategy.schedule: only type custom"),
            (json!({"strategy": {"deadline": 9_999_999}}), "config.strategy.deadline"),
            (json!({"signature": {"header": "X Y"}}), "config.signature.header"),
            (json!({"signature": {"versions": [{"hash": "MD5", "encoding": "hex"}]}}), "unknown variant `MD5`"),
            (
                json!({"request_id_header": "bad header"}),
                "request_id_header must be a valid HTTP header token: invalid character at position 3",
            ),
            (json!({"request_id_header": ""}), "request_id_header must be a valid HTTP header token: it is empty"),
            (json!({"search_policy": "soon"}), "config.search_policy"),
            (json!({"ratelimit": {"count": -1}}), "config.ratelimit"),
            (json!({"ratelimit": "many"}), "config: "),
            (json!({"circuit_breaker": {"sample_rate": "x"}}), "config.circuit_breaker: sample_rate"),
            (json!({"circuit_breaker": {"other": 1}}), "config.circuit_breaker: other"),
            (json!({"circuit_breaker": 1}), "config.circuit_breaker: an object"),
            (json!({"notifications": {"email": "a@example.com\r\nBcc: b@example.com"}}), "config.notifications.email"),
            (
                json!({"notifications": {"slack_webhook_url": "http://127.0.0.1/x"}}),
                "config.notifications.slack_webhook_url",
            ),
            (json!({"notifications": {"teams_webhook_url": "nonsense"}}), "config.notifications.teams_webhook_url"),
            (json!({"idempotency_key_window": 31_536_001}), "config.idempotency_key_window"),
            (json!({"idempotency_key_window": -1}), "config: "),
            (json!({"idempotency_key_window": "1h"}), "config: "),
            (json!({"retention_policy": {"policy": "71h"}}), "config.retention_policy.policy: at least 72h"),
            (json!({"retention_policy": {"attempts": "soon"}}), "a time such as 720h"),
            (json!({"portal": {"accent_color": "blue"}}), "config.portal.accent_color"),
            (json!({"sync_dynamic_event_ack": true}), "has been renamed"),
        ] {
            let error =
                patched(&ProjectConfig::default(), Some(patch.clone()), ProjectKind::Outgoing).unwrap_err().to_string();
            assert!(error.contains(part), "{patch}: {error}");
        }
    }
}
